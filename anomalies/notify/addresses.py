"""Which addresses nobody may make this server call. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# IPv6 addresses that carry an IPv4 address in their last 32 bits.
_NAT64 = ip_network("64:ff9b::/96")


class Refused(Exception):
    """An address that must not be called."""


def parse(networks: Sequence[str]) -> tuple[Network, ...]:
    """Raises ValueError for what is no network."""
    return tuple(ip_network(network) for network in networks)


def is_public(address: Address) -> bool:
    """Whether an address is one of the Internet's, whatever it is wrapped in.

    >>> [is_public(ip_address(a)) for a in ("8.8.8.8", "169.254.169.254", "100.64.0.1", "fd00::1")]
    [True, False, False, False]
    >>> [is_public(ip_address(a)) for a in ("::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1")]
    [False, False, False]
    """
    if isinstance(address, IPv6Address):
        inner = _inside(address)
        if inner is not None:
            return is_public(inner)
        if address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _inside(address: IPv6Address) -> IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    return IPv4Address(int(address) & 0xFFFF_FFFF) if address in _NAT64 else None


def vetted(found: Sequence[str], allowed: Sequence[Network]) -> list[str]:
    """The addresses of a name, if all of them may be called. Raises Refused for one that may not.

    All must: a name that answers with a public and a private address is up to something.
    """
    if not found:
        raise Refused("the name has no address")
    for text in found:
        address = ip_address(text.partition("%")[0])
        mine = any(address.version == net.version and address in net for net in allowed)
        if not (mine or is_public(address)):
            raise Refused(f"{address} is not an address of the Internet")
    return list(found)
