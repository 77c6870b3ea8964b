"""Where on the web a client's address leads, and whether anybody may be sent there by it."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from casedesk_proxy.terms import record

__all__ = ["WebAddress", "is_public", "is_web", "read_web_address"]

_PORTS = {"http": 80, "https": 443}
_MAX_URL_CHARS = 8192
#: Addresses of IPv6 that lead to one of IPv4: behind a translator (RFC 6052), and written out.
_TRANSLATED = IPv6Network("64:ff9b::/96")
_COMPATIBLE = IPv6Network("::/96")


@record
class WebAddress:
    """``host`` in lower case, without a last dot; ``url`` as it is to be asked for."""

    url: str
    host: str

    def is_among(self, names: Iterable[str]) -> bool:
        """Whether one of the ``names`` is the host's: as it is, or ``*.example.com`` for all that
        are below it."""
        for name in names:
            name = name.lower().rstrip(".")
            if name == self.host or (name.startswith("*.") and self.host.endswith(name[1:])):
                return True
        return False


def is_web(text: str) -> bool:
    return text[:8].lower().startswith(("http://", "https://"))


def read_web_address(url: str) -> WebAddress | None:
    """None for what may not be asked for: another scheme or port, a credential, what is no URL."""
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
    """Whether it is an IP address of the internet: not one that is private, of this machine or of
    this link, in whatever it is wrapped."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return _is_public(found)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and (inner := _inner(address)) is not None:
        return _is_public(inner)
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
