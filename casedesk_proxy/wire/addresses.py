"""Which client a request comes from, by address: the peer's own address or, behind a trusted proxy,
the forwarded one.

A client can send ``X-Forwarded-For`` or ``Forwarded`` itself, but each proxy appends to the right
of that. So both are read from the right, and only as far as trusted proxies reach. Reading stops at
anything that is not an address; the last address read counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from casedesk_proxy.terms import RawHeaders

__all__ = ["UNIX", "TrustedProxies", "is_network", "limit_key", "plain_address"]

#: The name of a peer on a Unix socket, in the log and in server.trusted_proxies.
UNIX = "unix"
#: The most addresses that are read of one request, from the right. A row of more proxies does not
#: occur.
_MAX_HOPS = 32
_IPV6_PREFIX_BITS = 64
#: One element of ``Forwarded`` (RFC 7239): anything up to a comma outside quotes.
_ELEMENT = re.compile(r'(?:[^",]++|"[^"]*+")++')
_FOR = re.compile(r'(?:^|;)[ \t]*for=(?:"([^"]*+)"|([^\s;"]*+))[ \t]*(?=;|$)', re.IGNORECASE)
#: An address with or without a port: 192.0.2.1:80, [2001:db8::1]:80, 2001:db8::1.
_PLACE = re.compile(r"\[([0-9A-Fa-f:.]{2,45})\](?::\d{1,5})?|([0-9.]{7,15})(?::\d{1,5})?|(.+)")


class TrustedProxies:
    """Addresses, networks and ``unix``: the proxies whose statements about their clients are
    trusted."""

    __slots__ = ("_networks", "_unix")

    def __init__(self, names: Iterable[str] = ()) -> None:
        """Raises ValueError for a name that is not an address, a network or ``unix``."""
        listed = tuple(names)
        self._unix = UNIX in listed
        self._networks = tuple(ip_network(name, strict=False) for name in listed if name != UNIX)

    def __bool__(self) -> bool:
        return self._unix or bool(self._networks)

    def client(self, peer: str, headers: RawHeaders) -> str:
        """The client's address, for the log and the limits. ``peer`` is an address from
        `plain_address`, or UNIX. Raises nothing, whatever the headers contain.

        ``X-Forwarded-For`` is preferred to ``Forwarded``: nearly every proxy writes the former, and
        passes the latter on as the client sent it.
        """
        if not (self._unix or self._networks) or not self.trusts(peer):
            return peer
        known = peer
        for place in _hops(headers):
            address = _address(place)
            if address is None:
                break
            known = address
            if not self.trusts(known):
                break
        return known

    def trusts(self, address: str) -> bool:
        """Whether the address is that of a trusted proxy."""
        if address == UNIX:
            return self._unix
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._networks)


def is_network(name: str) -> bool:
    """Whether the name may be in a list of trusted proxies."""
    try:
        TrustedProxies((name,))
    except ValueError:
        return False
    return True


@lru_cache(maxsize=1024)
def plain_address(text: str) -> str:
    """An address in its shortest form: without a zone, and an IPv4 address that was mapped into
    IPv6 as IPv4. Text that is not an address is returned unchanged. Cached, since most connections
    come from few addresses."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return text
    return str(_unmapped(address))


def limit_key(address: str) -> str:
    """The address that counts as one client for limits: for IPv6 the /64 network, since a single
    host has all addresses of one; any other address unchanged."""
    if ":" not in address:
        return address
    try:
        network = IPv6Network((address, _IPV6_PREFIX_BITS), strict=False)
    except ValueError:
        return address
    return str(network)


def _unmapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _address(place: str) -> str | None:
    match = _PLACE.fullmatch(place)
    if match is None:
        return None
    try:
        text = match[1] or match[2] or match[3]
        return str(_unmapped(ip_address(text.partition("%")[0])))
    except ValueError:
        return None


def _hops(headers: RawHeaders) -> Iterator[str]:
    """The client addresses that proxies reported, the nearest proxy's first; "" for one that cannot
    be read, after which nothing counts."""
    lines = _lines(headers, b"x-forwarded-for")
    if lines:
        for line in reversed(lines):
            yield from (one.strip() for one in reversed(line.rsplit(",", _MAX_HOPS)))
        return
    for line in reversed(_lines(headers, b"forwarded")):
        # A quote that the client left open would include what the proxy added after it.
        is_unclear = line.count('"') % 2 or "\\" in line
        elements = [""] if is_unclear else _ELEMENT.findall(line)[-_MAX_HOPS:]
        for element in reversed(elements):
            match = _FOR.search(element.strip())
            yield (match[1] or match[2] or "") if match else ""


def _lines(headers: RawHeaders, wanted: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in headers if name.lower() == wanted]
