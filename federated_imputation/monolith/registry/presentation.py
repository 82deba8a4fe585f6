"""What of a service may be shown, decided in plain functions."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

from federated_imputation.monolith.registry.breaker import Standing

__all__ = [
    "SyncState",
    "formats",
    "health_message",
    "health_status",
    "names_a_secret",
    "public_config",
    "public_url",
    "sync_state",
    "sync_told",
    "version_in",
]

SyncState = Literal["never", "waiting", "running", "done", "failed"]

_SECRET_NAME = re.compile(
    r"key|token|secret|passw|credential|authorization|cookie|bearer", re.IGNORECASE
)


def names_a_secret(name: str) -> bool:
    """Whether a setting of this name may hold something that opens a service."""
    return _SECRET_NAME.search(name) is not None


def public_config(value: Any) -> Any:
    """`value` without the entries, at any depth, whose names say that they hold a secret.

    Addresses are shown without a user name and password.
    """
    if isinstance(value, Mapping):
        return {
            name: public_config(entry) for name, entry in value.items() if not names_a_secret(name)
        }
    if isinstance(value, list):
        return [public_config(entry) for entry in value]
    if isinstance(value, str) and "://" in value and "@" in value:
        return public_url(value)
    return value


def public_url(url: str) -> str:
    """`url` without a user name and password; '' when it cannot be read."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def formats(value: Any) -> list[str]:
    """The names in a list of formats; none of what is no list, as a legacy column may hold it."""
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def health_message(standing: Standing) -> str:
    """Since when a service does not answer jobs and when it is tried again; '' while it answers."""
    if standing.next_try_at is None or standing.failing_since is None:
        return ""
    return (
        f"The service does not answer since {standing.failing_since:%Y-%m-%d %H:%M} UTC; "
        f"next try at {standing.next_try_at:%Y-%m-%d %H:%M:%S} UTC."
    )


def health_status(standing: Standing, *, last: str, checks_are_running: bool) -> str:
    """The word for a service's health: "unhealthy" while jobs find that it does not answer.

    Otherwise what the last check found. Before the first, "not checked" while nothing checks by
    itself, else not known yet.

    Args:
        last: Of that check; '' when there was none.
    """
    if standing.is_open:
        return "unhealthy"
    if last:
        return last
    return "unknown" if checks_are_running else "not checked"


def sync_state(
    *,
    wanted_at: datetime | None,
    started_at: datetime | None,
    lease_until: datetime | None,
    outcome: str,
    now: datetime,
) -> SyncState:
    """How a synchronisation stands: the last one, unless another is wanted or under way.

    Args:
        outcome: Of the last one, "done" or "failed"; "" when there was none.
    """
    if lease_until is not None and lease_until > now:
        return "running"
    if wanted_at is not None and (started_at is None or wanted_at > started_at):
        return "waiting"
    if outcome == "done":
        return "done"
    return "failed" if outcome else "never"


def sync_told(*, outcome: str, added: int, changed: int, withdrawn: int, message: str) -> str:
    """What came of a synchronisation, in words; '' when there was none.

    Args:
        outcome: "done", "failed" or "".
    """
    if outcome == "done":
        counts = f"Panels that appeared: {added}, changed: {changed}, retired: {withdrawn}."
        return f"{counts} {message}".rstrip()
    return f"Not synchronised: {message}" if outcome else ""


def version_in(panel_id: str) -> str:
    """The version that an id of Cloudgene names (`apps@kit-afr@1.0.0`); '' when it names none."""
    _, _, named = panel_id.partition("@")
    return named.partition("@")[2]
