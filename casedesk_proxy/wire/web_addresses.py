"""Where a URL from a client leads, and whether a request may be sent there."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from casedesk_proxy.terms import record

__all__ = ["WebAddress", "is_public", "is_web", "read_web_address"]

_PORTS = {"http": 80, "https": 443}
_MAX_URL_CHARS = 8192
#: IPv6 addresses that lead to an IPv4 address: through a translator (RFC 6052), and embedded.
_TRANSLATED = IPv6Network("64:ff9b::/96")
_COMPATIBLE = IPv6Network("::/96")
#: What some releases of Python call global: site-local addresses (RFC 3879), documentation (RFC
#: 9637) and IETF's own (RFC 6890); and the address at which each machine in Azure reaches its host.
_LOCAL = tuple(map(ip_network, ("fec0::/10", "3fff::/20", "192.0.0.0/24", "168.63.129.16")))


@record
class WebAddress:
    """``host`` in lower case, without a trailing dot; ``url`` as it is requested."""

    url: str
    host: str

    def is_among(self, names: Iterable[str]) -> bool:
        """Whether one of the ``names`` matches the host: the same name, or ``*.example.com`` for
        all names below it."""
        for name in names:
            name = name.lower().rstrip(".")
            if name == self.host or (name.startswith("*.") and self.host.endswith(name[1:])):
                return True
        return False


def is_web(text: str) -> bool:
    return text[:8].lower().startswith(("http://", "https://"))


def read_web_address(url: str) -> WebAddress | None:
    """None for a URL that must not be requested: another scheme or port, a credential, or text that
    is not a URL."""
    if len(url) > _MAX_URL_CHARS or not url.isascii() or not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not host or "@" in parts.netloc or "\\" in url:
        return None
    if port not in (None, _PORTS[parts.scheme]):
        return None
    return WebAddress(parts._replace(fragment="").geturl(), host.rstrip("."))


def is_public(address: str) -> bool:
    """Whether this is a public IP address: not private, not of this machine or of this link, also
    if it is wrapped in another address."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return _is_public(found)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and (inner := _inner(address)) is not None:
        return _is_public(inner)
    if any(address in network for network in _LOCAL):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _inner(address: IPv6Address) -> IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _TRANSLATED or (address in _COMPATIBLE and int(address) > 1):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None
