"""Where an outgoing call may go. Plain decisions; `transport` applies them to the real connection.

A URL may come from a user, from a service's settings or from a service's redirect, so it may point
at anything, also at ourselves. The rules:

- `https`, or `http` to a target on the allow-list. Plain `http` to a public address is possible
  only for a call that is not confidential and carries neither credentials nor a body: enough to
  ask a public node whether it is up, never to send it a genotype or a token.
- No user information in the URL, no blanks, control characters or backslashes. Any port.
- Every address but a public unicast one is refused, unless `host:port` is on the allow-list:
  private, loopback, link-local, multicast, reserved, documentation, unspecified, shared (RFC 6598)
  and all that carry an IPv4 address inside (mapped, compatible, NAT64, 6to4, Teredo).
"""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from apps.shared.http.errors import Refused

__all__ = ["Guard", "Target", "is_public"]

_SUSPICIOUS = re.compile(r"[\s\\\x00-\x1f\x7f]")
_PORTS = {"http": 80, "https": 443}
# IANA has given out global unicast from here only (RFC 4291 2.4); mapped, compatible, NAT64,
# unique local, link-local, site-local and multicast addresses lie outside.
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
# Inside that, or inside the public IPv4 range, but relays or documentation.
_NOT_PUBLIC = (
    ipaddress.ip_network("2001::/23"),  # IETF protocol assignments, Teredo
    ipaddress.ip_network("2002::/16"),  # 6to4 (RFC 3056)
    ipaddress.ip_network("3fff::/20"),  # documentation (RFC 9637)
    ipaddress.ip_network("192.0.0.0/24"),  # IETF protocol assignments
    ipaddress.ip_network("192.88.99.0/24"),  # 6to4 relays (RFC 7526)
)


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether `address` is an ordinary public unicast address of its own family."""
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not any(address in network for network in _NOT_PUBLIC)
    )


@dataclass(frozen=True, kw_only=True)
class Target:
    """Host and port of one call, and whether the operator vouches for them."""

    scheme: str
    host: str
    port: int
    is_allowed: bool

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def admitted(self, addresses: list[str]) -> list[str]:
        """Those of `addresses` (what the name resolved to) that may be connected to.

        Raises:
            Refused: There is none.
        """
        if self.is_allowed:
            return addresses
        public = [a for a in addresses if "%" not in a and is_public(ipaddress.ip_address(a))]
        if not public:
            raise Refused(f"{self} is not a public address; such targets are not called.")
        return public


@dataclass(frozen=True)
class Guard:
    """The rules with one allow-list.

    Attributes:
        allow: `host:port` in lower case, an IPv6 host in brackets: `127.0.0.1:8030`, `[::1]:8030`.
    """

    allow: frozenset[str] = frozenset()

    def target(self, url: str, *, plain_http: bool = False) -> Target:
        """Where `url` leads.

        Args:
            url: Absolute.
            plain_http: Whether the call holds nothing that others may not read on its way.

        Raises:
            Refused: The URL breaks a rule that needs no address to see.
        """
        if _SUSPICIOUS.search(url):
            raise Refused("The address has characters that no address has.")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise Refused("The address cannot be read.") from None
        scheme, host = parts.scheme.lower(), (parts.hostname or "").lower()
        if scheme not in _PORTS:
            raise Refused("Only http and https addresses are called.")
        if "@" in parts.netloc:
            raise Refused("An address must not hold a user name or password.")
        if not host or port == 0:
            raise Refused("The address names no host and port.")
        target = Target(scheme=scheme, host=host, port=port or _PORTS[scheme], is_allowed=False)
        if str(target) in self.allow:
            return Target(scheme=scheme, host=host, port=target.port, is_allowed=True)
        if scheme == "http" and not plain_http:
            raise Refused(f"{target} must be called by https.")
        return target
