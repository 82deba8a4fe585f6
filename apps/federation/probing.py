"""Whether a service is up, asked without any credential of it.

What is asked, by the API that the service speaks:

- `michigan`: `{base}/api/v2/server`, which anybody may read and which tells of maintenance. A
  server that does not know it is asked for `{base}/api/`, where 401 means that it is up.
- `ga4gh`: service-info of WES, below `/ga4gh/wes/v1` unless the address already ends with that; a
  server that does not know it there has it at its root.
- `dnastack`: the address itself; 200, 302 and 401 mean that it is reachable.
- anything else: `{base}/health`.

Nothing of an answer's body is ever repeated: the address was typed by somebody, and may lead
anywhere that the guard of the client lets it.
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from apps.federation.michigan_answers import maintenance
from apps.federation.michigan_errors import decoded, words_of
from apps.shared.http.client import GuardedClient, OpenAnswer
from apps.shared.http.errors import OutgoingError, TimedOut, TooLarge

__all__ = ["Finding", "Status", "Target", "probe", "probe_all"]

_WES: Final = "/ga4gh/wes/v1"
_WES_KEYS: Final = frozenset(
    {"supported_wes_versions", "workflow_engine_versions", "workflow_type_versions", "type"}
)
_MICHIGAN_KEYS: Final = frozenset({"apps", "maintenace"})
_AT_ONCE: Final = 8


class Status(StrEnum):
    """What a probe may find."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    TIMEOUT = "timeout"
    MAINTENANCE = "maintenance"


@dataclass(frozen=True, kw_only=True)
class Target:
    """A service to ask.

    Attributes:
        api_type: `michigan`, `ga4gh`, `dnastack`, or any other word.
        api_url: Its address, as its operator wrote it.
    """

    api_type: str
    api_url: str


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a probe found.

    Attributes:
        message: A sentence for people.
        test_url: What was asked last, without user name and password.
        response_time_ms: From the call to the answer that decided; `None` without an answer.
        error: What went wrong, in words of ours; '' when nothing did.
    """

    status: Status
    message: str
    test_url: str
    response_time_ms: float | None = None
    error: str = ""


def probe_all(
    targets: Mapping[int, Target], *, client: GuardedClient, within: float
) -> dict[int, Finding]:
    """What was found of those whose turn came in time; eight at once.

    Args:
        targets: By any number of the caller's.
        within: Seconds for all together. A name server that does not answer holds its thread for
            longer, and nobody waits for it.
    """
    if not targets:
        return {}
    pool = ThreadPoolExecutor(min(_AT_ONCE, len(targets)), thread_name_prefix="probe")
    try:
        asked = {key: pool.submit(probe, each, client=client) for key, each in targets.items()}
        wait(asked.values(), timeout=within)
        return {
            key: future.result() if future.done() else _late(_addresses(targets[key])[0])
            for key, future in asked.items()
            if not future.cancel()  # one that has not begun
        }
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def probe(
    target: Target, *, client: GuardedClient, clock: Callable[[], float] = time.monotonic
) -> Finding:
    """Ask one service, and once more at its second address if it does not know the first.

    Args:
        clock: Monotonic seconds.
    """
    *first, last = _addresses(target)
    for url in first:
        finding, is_final = _ask(url, target.api_type, client=client, clock=clock)
        if is_final:
            return finding
    return _ask(last, target.api_type, client=client, clock=clock)[0]


def _ask(
    url: str, api_type: str, *, client: GuardedClient, clock: Callable[[], float]
) -> tuple[Finding, bool]:
    """What is found at one address, and whether no other one needs to be asked."""
    started = clock()
    try:
        # Nothing secret is sent or asked for, so plain http to a public address will do.
        with client.open("GET", url, kind="probe", confidential=False) as answer:
            verdict, is_final = _judged(api_type, answer)
    except OutgoingError as error:
        return _silent(error, url), True
    finding = Finding(
        status=verdict.status,
        message=verdict.message,
        error=verdict.error,
        test_url=_shown(url),
        response_time_ms=round((clock() - started) * 1000, 1),
    )
    return finding, is_final


@dataclass(frozen=True, kw_only=True)
class _Verdict:
    status: Status
    message: str
    error: str = ""


_UP: Final = _Verdict(status=Status.HEALTHY, message="The service is up.")
_UP_AND_PRIVATE: Final = _Verdict(
    status=Status.HEALTHY, message="The service is up and asks for a token."
)
_RESTING: Final = _Verdict(
    status=Status.MAINTENANCE,
    message="The service is in maintenance: jobs wait until it is over.",
)


def _addresses(target: Target) -> tuple[str, ...]:
    base = _base(target.api_url)
    match target.api_type:
        case "michigan":
            return (f"{base}/api/v2/server", f"{base}/api/")
        case "ga4gh":
            if base.endswith("/service-info"):
                return (base,)
            if base.endswith(_WES):
                return (f"{base}/service-info",)
            return (f"{base}{_WES}/service-info", f"{base}/service-info")
        case "dnastack":
            return (target.api_url,)
        case _:
            return (f"{base}/health",)


def _judged(api_type: str, answer: OpenAnswer) -> tuple[_Verdict, bool]:
    """What an answer means, and whether it says so whatever another address would answer."""
    status = answer.status
    if api_type == "dnastack":
        return (_UP if status in {200, 302, 401} else _failed(status)), True
    if status == 401:
        return _UP_AND_PRIVATE, True
    if status == 429:
        return _UP, True
    if api_type == "michigan":
        return _judged_michigan(status, _body(answer))
    if api_type == "ga4gh" and status == 200:
        body = decoded(_body(answer))
        is_wes = isinstance(body, dict) and not _WES_KEYS.isdisjoint(body)
        return (_UP, True) if is_wes else (_stranger("a GA4GH WES server"), False)
    return (_UP if status == 200 else _failed(status)), status >= 500 or status == 200


def _judged_michigan(status: int, body: bytes) -> tuple[_Verdict, bool]:
    if status == 200:
        server = decoded(body)
        if not isinstance(server, dict) or _MICHIGAN_KEYS.isdisjoint(server):
            return _stranger("a Michigan Imputation Server"), False
        in_maintenance, _ = maintenance(server)
        return (_RESTING if in_maintenance else _UP), True
    if status == 503 and isinstance(decoded(body), dict) and "maintenance" in words_of(body):
        return _RESTING, True
    return _failed(status), status >= 500


def _body(answer: OpenAnswer) -> bytes:
    """The body; empty when it is larger than what any service says of itself."""
    try:
        return b"".join(answer.blocks())
    except TooLarge:
        return b""


def _failed(status: int) -> _Verdict:
    return _Verdict(
        status=Status.UNHEALTHY,
        message="The service does not work.",
        error=f"It answered {status}.",
    )


def _stranger(expected: str) -> _Verdict:
    return _Verdict(
        status=Status.UNHEALTHY,
        message="Something else answers at this address.",
        error=f"The answer is not that of {expected}.",
    )


def _silent(error: OutgoingError, url: str) -> Finding:
    if isinstance(error, TimedOut):
        return _late(url, str(error))
    return Finding(
        status=Status.UNHEALTHY,
        message="The service is not reached.",
        error=str(error),
        test_url=_shown(url),
    )


def _late(url: str, error: str = "No answer in time.") -> Finding:
    return Finding(
        status=Status.TIMEOUT,
        message="The service did not answer in time.",
        error=error,
        test_url=_shown(url),
    )


def _base(url: str) -> str:
    """The address without query and fragment, which belong to no path below it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    return urlunsplit(parts._replace(query="", fragment="")).rstrip("/")


def _shown(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    netloc = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=netloc, query="", fragment=""))
