"""Refuses requests of foreign web pages: a page uses the network access of the user whose browser
shows it.

A page may try two things. It may send a request across sites: the browser then shows it in
``Sec-Fetch-Site`` or ``Origin``, which no page can forge. Or its own host name may lead here: after
the page is loaded, the name's owner lets the name point to the user's network (DNS rebinding). The
browser then takes both for one site; only ``Host`` shows it, since it is not one of our names.

The first does not apply to programs, which send neither header. The second applies to requests that
need no key, since a page has none. An IP address in ``Host`` is safe, since rebinding needs a name,
and so is a name that no stranger can register: one with a single label, under a private ending, or
the machine's own. Every other name must be listed; but a listener that other machines reach refuses
unlisted names only to requests that may come from a browser, so that programs on a network may use
any name for this machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address

from casedesk_proxy.errors import Forbidden
from casedesk_proxy.terms import RawHeaders
from casedesk_proxy.wording import quoted

__all__ = ["Hosts", "require_own_host", "require_own_site"]

#: Endings under which no stranger can register a name: reserved (RFC 6761, 6762, 8375, ICANN),
#: never delegated, or, the last one, assigned by a service that does not let its users choose the
#: address.
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
#: For a Host header of invalid form.
_NOBODY = "."


class Hosts:
    """The names of a listener. ``listed`` by the operator: exact, ``*.example.com`` or ``*``;
    ``machine``: the machine's own. ``strict``: only this machine reaches the listener."""

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
        """Whether the name is ours, or cannot be a stranger's. ``name``: lower case, without a
        port."""
        return (
            "." not in name
            or name.endswith(_PRIVATE)
            or name in self._machine
            or self.lists(name)
            or _is_address(name)
        )

    def lists(self, name: str) -> bool:
        """Whether the operator listed the name."""
        return name in self._listed or (bool(self._endings) and name.endswith(self._endings))


def require_own_site(method: str, headers: RawHeaders, hosts: Hosts) -> None:
    """Raises Forbidden for a request that a browser sends for a page of another site.

    Pages on a listed host are allowed, and so are origins that are not web pages: programs built on
    a browser and its extensions (``app://``, ``chrome-extension://``, ``file://``). ``Origin:
    null`` can come from any page. Following a link to the proxy is allowed.
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
    page = f"a web page of {quoted(origin)}" if origin else "a web page of another site"
    raise Forbidden(
        f"{page} sent this request from a browser, and the proxy answers browsers only for its"
        " own pages; call it from a program or a server, or add the page's host to server.hosts",
        code="cross_site",
    )


def require_own_host(method: str, target: str, headers: RawHeaders, hosts: Hosts) -> None:
    """Raises Forbidden if the host name of the request may be a stranger's. For requests without a
    valid key. ``target`` counts if it is in absolute form."""
    absolute = None if target.startswith("/") else _AUTHORITY.match(target)
    places = [value.decode("latin-1") for name, value in headers if name.lower() == b"host"]
    if absolute is not None:
        places.append(absolute[1].rpartition("@")[2])
    for place in places:
        if not hosts.knows(_name(place)) and (hosts.strict or _may_be_browser(method, headers)):
            raise Forbidden(
                f"{quoted(place)} is not known as a host name of this proxy; add it to"
                " server.hosts, or call the proxy by an IP address, by localhost or with a key",
                code="host_not_allowed",
            )


def _read(headers: RawHeaders) -> dict[bytes, str]:
    """The relevant headers in lower case; if several lines differ, all of them joined, so that none
    is accepted."""
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
    """Whether an origin is the requested host; a proxy may have removed its port."""
    match = _ORIGIN.fullmatch(origin)
    there, here = _PLACE.fullmatch(match[2] if match else ""), _PLACE.fullmatch(host)
    if there is None or here is None or not here[1] or _plain(there[1]) != _plain(here[1]):
        return False
    ports = {there[2] or "", here[2] or ""}
    return not here[2] or len(ports) == 1 or ports <= _DEFAULT_PORTS


def _follows_link(method: str, facts: dict[bytes, str]) -> bool:
    """Whether a person follows a link: the browser then shows the reply to that person, and the
    page cannot read it."""
    return (
        method in _READING
        and facts.get(b"sec-fetch-mode") == "navigate"
        and facts.get(b"sec-fetch-dest") == "document"
    )


def _may_be_browser(method: str, headers: RawHeaders) -> bool:
    """Browsers send Origin with every method but GET and HEAD, and always send their languages.
    Node's fetch sends languages too, but with Sec-Fetch-Mode, which browsers send only together
    with Sec-Fetch-Site."""
    names = {name.lower() for name, _ in headers}
    if not names.isdisjoint(_MARKS):
        return True
    return method in _READING and b"accept-language" in names and b"sec-fetch-mode" not in names


def _name(place: str) -> str:
    """The name in ``name:port``; another form is returned unchanged and matches no name."""
    match = _PLACE.fullmatch(place.strip())
    return _plain(match[1]) if match else _NOBODY


def _plain(name: str) -> str:
    """The name in the form in which names are compared: without a trailing dot."""
    return name.lower().removesuffix(".")


def _is_address(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
