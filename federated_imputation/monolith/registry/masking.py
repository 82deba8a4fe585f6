"""Secrets of earlier days inside a service's address and settings: shown as a mask, and kept by it.

Nothing writes them any more (secrets are rows of `imputation_servicecredential`), but a legacy
database may hold them, and somebody who corrects a description must neither see nor lose them.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from federated_imputation.monolith.registry.presentation import (
    names_a_secret,
    public_config,
    public_url,
)

__all__ = [
    "MASK",
    "MaskWithoutSecret",
    "holds_secret",
    "is_same_origin",
    "masked_config",
    "masked_url",
    "unmasked_config",
    "unmasked_url",
    "with_hidden",
    "without_secrets",
]

MASK: Final = "********"
_PORTS: Final = {"http": 80, "https": 443}


class MaskWithoutSecret(ValueError):
    """A mask stands where no secret is kept, so nobody knows what it should become."""


def is_same_origin(one: str, other: str) -> bool:
    """Whether two URLs have the same scheme, host and port (RFC 6454 4); no if one is unreadable.

    What opens the one may be sent to the other only then: not to another program of the same
    machine, and not in the clear to a host that was asked over TLS.
    """
    origin = _origin(one)
    return origin is not None and origin == _origin(other)


def masked_url(url: str) -> str:
    """`url` with the mask in place of user name and password; '' when it cannot be read."""
    parts = _split(url)
    if parts is None:
        return ""
    user, has_user, place = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{MASK}@{place}" if has_user and user else place).geturl()


def unmasked_url(given: str, *, stored: str) -> str:
    """`given` with the user name and password of `stored` in place of a mask.

    Raises:
        MaskWithoutSecret: `stored` has none, or is another origin.
    """
    parts = _split(given)
    if parts is None or MASK not in parts.netloc:
        return given
    kept = _split(stored)
    user = kept.netloc.rpartition("@")[0] if kept else ""
    place = parts.netloc.rpartition("@")[2]
    if not user or not is_same_origin(given, stored):
        raise MaskWithoutSecret
    return parts._replace(netloc=f"{user}@{place}").geturl()


def masked_config(value: Any) -> Any:
    """`value` with the mask in place of every entry, at any depth, that holds a secret."""
    if isinstance(value, Mapping):
        return {
            name: MASK if _is_secret(name, entry) else masked_config(entry)
            for name, entry in value.items()
        }
    if isinstance(value, list):
        return [masked_config(entry) for entry in value]
    return masked_url(value) if _has_user(value) else value


def unmasked_config(given: Any, *, stored: Any) -> Any:
    """`given` with each mask replaced by what `stored` holds at the same place.

    Raises:
        MaskWithoutSecret: There is nothing at that place, or it is in a list that was changed.
    """
    if given == masked_config(stored):
        return stored
    if isinstance(given, Mapping):
        before = stored if isinstance(stored, Mapping) else {}
        masked = masked_config(before)
        return {
            name: before[name]
            if name in before and entry == masked[name]
            else unmasked_config(entry, stored=before.get(name))
            for name, entry in given.items()
        }
    if _holds_mask(given):
        raise MaskWithoutSecret
    return given


def without_secrets(value: Any) -> Any:
    """`value` without the entries that hold a secret, and its addresses without users."""
    if isinstance(value, Mapping):
        return {
            name: without_secrets(entry)
            for name, entry in value.items()
            if not _is_secret(name, entry)
        }
    if isinstance(value, list):
        return [without_secrets(entry) for entry in value]
    return public_url(value) if _has_user(value) else value


def holds_secret(value: Any) -> bool:
    """Whether an entry of `value`, at any depth, is a secret or an address with a user."""
    if isinstance(value, Mapping):
        return any(_is_secret(name, entry) or holds_secret(entry) for name, entry in value.items())
    if isinstance(value, list):
        return any(holds_secret(entry) for entry in value)
    return _has_user(value)


def with_hidden(given: Any, *, stored: Any) -> Any:
    """`given` by somebody who was shown `public_config(stored)`, with what was hidden of it.

    What is not shown stays where it is: beside its neighbours in an object, within a list that is
    sent back as it was read. An entry that is hidden and is given as null goes.
    """
    if given == public_config(stored):
        return stored
    if not isinstance(given, Mapping) or not isinstance(stored, Mapping):
        return given
    hidden = {
        name: entry for name, entry in stored.items() if names_a_secret(name) and name not in given
    }
    told = {
        name: with_hidden(entry, stored=stored.get(name))
        for name, entry in given.items()
        if entry is not None or not names_a_secret(name)
    }
    return {**told, **hidden}


def _is_secret(name: str, entry: Any) -> bool:
    """Not if it is empty or a yes or no, such as that of `api_key_required`."""
    return names_a_secret(name) and not isinstance(entry, bool) and entry not in (None, "", {}, [])


def _has_user(value: Any) -> bool:
    return isinstance(value, str) and "://" in value and masked_url(value) != value


def _holds_mask(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_holds_mask(entry) for entry in value.values())
    if isinstance(value, list):
        return any(_holds_mask(entry) for entry in value)
    return isinstance(value, str) and MASK in value


def _split(url: str) -> SplitResult | None:
    try:
        return urlsplit(url)
    except ValueError:
        return None


def _origin(url: str) -> tuple[str, str, int | None] | None:
    parts = _split(url)
    try:
        port = parts.port if parts else None
    except ValueError:  # no number, or too large
        return None
    if parts is None or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port or _PORTS.get(parts.scheme)
