"""What an address tells before it is resolved: whether it may be called, and whether it is us.

Plain functions. The guarded client asks again when a call is made, with the addresses that the
name resolves to by then; this spares people an address that it would always refuse.
"""

import ipaddress
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from apps.shared.http.errors import Refused
from apps.shared.http.guard import Guard

__all__ = ["is_loopback", "refuse_uncallable"]

_LOCAL: Final = "localhost"  # and all names below it: RFC 6761 6.3


def refuse_uncallable(url: str, *, allow: Collection[str]) -> None:
    """Let an address pass that the guarded client may call, as far as can be seen without asking.

    Plain `http` passes: public nodes are asked over it. A token is never sent that way.

    Args:
        allow: `host:port` of targets that the operator vouches for.

    Raises:
        Refused: With a sentence that says why it would never be called.
    """
    target = Guard(frozenset(allow)).target(url, plain_http=True)
    if target.is_allowed:
        return
    if _is_local_name(target.host):
        raise Refused(f"{target} is not a public address; such targets are not called.")
    if _literal(target.host) is not None:
        target.admitted([target.host])


def is_loopback(url: str) -> bool:
    """Whether `url` names this very machine; no if it cannot be read."""
    try:
        host = (urlsplit(url).hostname or "").lower()
    except ValueError:
        return False
    literal = _literal(host)
    return _is_local_name(host) if literal is None else literal.is_loopback


def _is_local_name(host: str) -> bool:
    return host.rstrip(".") == _LOCAL or host.rstrip(".").endswith(f".{_LOCAL}")


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
