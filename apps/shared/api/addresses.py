"""Which address a request came from, when proxies stand between."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

__all__ = ["Network", "block_of", "client_address", "is_within"]

Network = IPv4Network | IPv6Network
_Address = IPv4Address | IPv6Address
# What one customer of a provider is given (RFC 6177), and rotates through at will.
_IPV6_BLOCK = 64


def client_address(*, peer: str, forwarded_for: str, trusted: Iterable[Network]) -> str:
    """The address of the client, as far as trusted hops vouch for it.

    Each proxy appends the address that it saw (de facto standard; RFC 7239 5.2), so the list is
    read from its end, and on only while the hop that wrote the entry is trusted. An entry that is
    no address ends it.

    Args:
        peer: Address of the other end of the connection; '' when there is none (a socket file).
        forwarded_for: `X-Forwarded-For`, '' when absent.
        trusted: Networks of our own proxies.

    Returns:
        An address without zone or IPv4-in-IPv6 form; '' when the peer has none.
    """
    networks = tuple(trusted)
    found = _parse(peer)
    entries = forwarded_for.split(",")
    while found is not None and entries and _is_in(found, networks):
        before = _parse(entries.pop().strip())
        if before is None:
            break
        found = before
    return str(found or "")


def is_within(address: str, networks: Iterable[Network]) -> bool:
    """Whether `address` is one, and of these networks."""
    parsed = _parse(address)
    return parsed is not None and _is_in(parsed, networks)


def block_of(address: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 network of an IPv6 address.

    Returns:
        The address, or the first one of its network; '' for what is no address.
    """
    parsed = _parse(address)
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed, _IPV6_BLOCK), strict=False).network_address)
    return str(parsed or "")


def _parse(text: str) -> _Address | None:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def _is_in(address: _Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)
