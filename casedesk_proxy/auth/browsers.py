"""Keeping web pages out: a browser lends every page that its user opens the user's way to us.

A page may try two things. It sends a request across sites: the browser then says so, in
``Sec-Fetch-Site`` or ``Origin``, which no page can forge. Or its own host name leads here: the
name's owner lets it point to the user's network once the page is loaded (DNS rebinding). The
browser then takes both for one site; only ``Host`` shows it, as it is none of our names.

Programs send neither header and are not concerned by the first. The second concerns what needs no
key: a page has none. An address is safe, since rebinding needs a name, and so is a name that
nobody can register: of one label, under a private ending, or the machine's own. Any other has to be
listed; but a listener that other machines reach refuses unlisted ones only to what may be a
browser, so that programs on a network may call this machine what they like.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address

from casedesk_proxy.errors import Forbidden
from casedesk_proxy.terms import RawHeaders

__all__ = ["Hosts", "require_own_host", "require_own_site"]

#: Endings that no stranger can have a name under: reserved (RFC 6761, 6762, 8375, ICANN), never
#: delegated, or, the last, given out by a service that lets nobody choose the address.
_PRIVATE = (
    ".localhost", ".local", ".internal", ".home.arpa", ".lan", ".home", ".corp", ".localdomain",
    ".intranet", ".private", ".ts.net",
)  # fmt: skip
_PLACE = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[^:\[\]/@\s]*)(?::(\d{0,5}))?")
_ORIGIN = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^,\s]*)")
_AUTHORITY = re.compile(r"https?://([^/?#]*)", re.IGNORECASE)
_WEB = frozenset({"http", "https"})
_DEFAULT_PORTS = frozenset({"", "80", "443"})
_OWN_SITES = frozenset({"same-origin", "none"})
_TELLING = frozenset({b"origin", b"sec-fetch-site"})
_READING = frozenset({"GET", "HEAD"})
_MARKS = frozenset({b"origin", b"sec-fetch-site", b"sec-fetch-dest"})
_MAX_SHOWN_CHARS = 100
#: For a Host that has not the form of one.
_NOBODY = "."


class Hosts:
    """The names of a listener. ``listed`` by the operator: exact, ``*.example.com`` or ``*``;
    ``machine``: its own. ``strict``: only this machine reaches the listener."""

    __slots__ = ("_endings", "_listed", "_machine", "strict")

    def __init__(
        self, listed: Iterable[str] = (), machine: Iterable[str] = (), *, strict: bool = True
    ) -> None:
        names = [_plain(name) for name in listed]
        self._endings = tuple(name[1:] for name in names if name.startswith("*"))
        self._listed = frozenset(names)
        self._machine = frozenset(map(_plain, machine))
        self.strict = strict

    def knows(self, name: str) -> bool:
        """Whether it is ours, or cannot be a stranger's. ``name``: lower case, without a port."""
        return (
            "." not in name
            or name.endswith(_PRIVATE)
            or name in self._machine
            or self.lists(name)
            or _is_address(name)
        )

    def lists(self, name: str) -> bool:
        """Whether the operator named it."""
        return name in self._listed or (bool(self._endings) and name.endswith(self._endings))


def require_own_site(method: str, headers: RawHeaders, hosts: Hosts) -> None:
    """Raises Forbidden for a request that a browser sends for a page of another site.

    A page whose host is listed may ask, and so may what no web page can be: programs built on a
    browser and its extensions (``app://``, ``chrome-extension://``, ``file://``; their origin is
    no http one). ``Origin: null`` is anybody's. Following a link to here is no fault.
    """
    if _TELLING.isdisjoint([name.lower() for name, _ in headers]):
        return
    facts = _read(headers)
    site, origin = facts.get(b"sec-fetch-site"), facts.get(b"origin")
    if origin is not None and _is_trusted(origin, hosts):
        return
    if site is not None:
        if site in _OWN_SITES or _follows_link(method, facts):
            return
    elif origin is not None and _is_same(origin, facts.get(b"host", "")):
        return
    page = f"a web page of {_shown(origin)}" if origin else "a web page of another site"
    raise Forbidden(
        f"{page} sent this request from a browser, and the proxy answers browsers only for its"
        " own pages; call it from a program or a server, or add the page's host to server.hosts",
        code="cross_site",
    )


def require_own_host(method: str, target: str, headers: RawHeaders, hosts: Hosts) -> None:
    """Raises Forbidden where the name by which we were called may be a stranger's. For requests
    that show no valid key. ``target`` counts where it is in absolute form."""
    absolute = None if target.startswith("/") else _AUTHORITY.match(target)
    places = [value.decode("latin-1") for name, value in headers if name.lower() == b"host"]
    if absolute is not None:
        places.append(absolute[1].rpartition("@")[2])
    for place in places:
        if not hosts.knows(_name(place)) and (hosts.strict or _may_be_browser(method, headers)):
            raise Forbidden(
                f"{_shown(place)} is not known as a host name of this proxy; add it to"
                " server.hosts, or call the proxy by an IP address, by localhost or with a key",
                code="host_not_allowed",
            )


def _read(headers: RawHeaders) -> dict[bytes, str]:
    """The headers of interest in lower case; of several lines that differ all, so that none of
    them is right."""
    facts: dict[bytes, str] = {}
    for name, value in headers:
        low = name.lower()
        if low in (b"host", b"origin") or low.startswith(b"sec-fetch-"):
            text = value.decode("latin-1").strip().lower()
            facts[low] = text if facts.get(low, text) == text else f"{facts[low]}, {text}"
    return facts


def _is_trusted(origin: str, hosts: Hosts) -> bool:
    match = _ORIGIN.fullmatch(origin)
    if match is None:
        return False
    return match[1] not in _WEB or hosts.lists(_name(match[2]))


def _is_same(origin: str, host: str) -> bool:
    """Whether an origin is the host that was asked, whose port a proxy may have taken off."""
    match = _ORIGIN.fullmatch(origin)
    there, here = _PLACE.fullmatch(match[2] if match else ""), _PLACE.fullmatch(host)
    if there is None or here is None or not here[1] or _plain(there[1]) != _plain(here[1]):
        return False
    ports = {there[2] or "", here[2] or ""}
    return not here[2] or len(ports) == 1 or ports <= _DEFAULT_PORTS


def _follows_link(method: str, facts: dict[bytes, str]) -> bool:
    """A person follows a link: what comes is shown to that person, never to the page."""
    return (
        method in _READING
        and facts.get(b"sec-fetch-mode") == "navigate"
        and facts.get(b"sec-fetch-dest") == "document"
    )


def _may_be_browser(method: str, headers: RawHeaders) -> bool:
    """Browsers send Origin with whatever is no GET or HEAD, and their languages always. So does
    Node's fetch, but with Sec-Fetch-Mode, which browsers send beside Sec-Fetch-Site alone."""
    names = {name.lower() for name, _ in headers}
    if not names.isdisjoint(_MARKS):
        return True
    return method in _READING and b"accept-language" in names and b"sec-fetch-mode" not in names


def _name(place: str) -> str:
    """The name in ``name:port``; what has another form stays whole, and is nobody's name."""
    match = _PLACE.fullmatch(place.strip())
    return _plain(match[1]) if match else _NOBODY


def _plain(name: str) -> str:
    """As names are compared: the dot at a full name's end says nothing."""
    return name.lower().removesuffix(".")


def _is_address(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _shown(text: str) -> str:
    short = text if len(text) <= _MAX_SHOWN_CHARS else f"{text[:_MAX_SHOWN_CHARS]}…"
    return f"'{short}'"
