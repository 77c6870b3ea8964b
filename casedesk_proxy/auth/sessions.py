"""A browser's session as a credential, the least of all: for this proxy's own pages alone.

A browser adds the cookie to every request that it sends here, also to those of foreign pages. So
the cookie counts only where the browser says that one of our pages asks, by
``Sec-Fetch-Site: same-origin``. Browsers send this header only over https and to this machine;
where it is missing, ``Origin`` has to name the host that was asked, or, for reading, ``Referer``.
Pages of another port of the same host are another origin.
"""

from __future__ import annotations

import re
from typing import Protocol

from casedesk_proxy.terms import Principal, RawHeaders

__all__ = [
    "PLAIN_COOKIE",
    "SECURE_COOKIE",
    "Sessions",
    "comes_from_elsewhere",
    "comes_from_own_page",
    "find_session",
    "find_signed_in",
]

#: Browsers take the second over https alone, from this very host, and let no other host set it.
PLAIN_COOKIE = "casedesk-session"
SECURE_COOKIE = "__Host-casedesk-session"
_READING = frozenset({"GET", "HEAD"})
_IDENT = re.compile(r"[A-Za-z0-9_-]{20,100}")
_SITE = re.compile(r"https?://([^/?#\s,]+)(?:[/?#]\S*)?", re.IGNORECASE)
_PORTS = re.compile(r":(?:80|443)\Z")


class Sessions(Protocol):
    """Those that are open. ``secure``: clients come over https."""

    @property
    def secure(self) -> bool: ...

    def __bool__(self) -> bool:
        """Whether there are any."""

    def find(self, ident: str) -> Principal | None:
        """Whose session it is, and that it is used; None for one that has ended."""


def find_signed_in(method: str, headers: RawHeaders, sessions: Sessions) -> Principal | None:
    """Who sends a request that shows no other credential, if a session says so."""
    if not sessions or not comes_from_own_page(method, headers):
        return None
    ident = find_session(headers, secure=sessions.secure)
    return None if ident is None else sessions.find(ident)


def find_session(headers: RawHeaders, *, secure: bool) -> str | None:
    """The session's id; None where there is none, and where there are several: one is then of
    somebody who could set a cookie for us, and nothing tells which."""
    wanted = SECURE_COOKIE if secure else PLAIN_COOKIE
    found: set[str] = set()
    for name, value in headers:
        if name.lower() != b"cookie":
            continue
        for part in value.decode("latin-1").split(";"):
            cookie, mark, text = part.strip().partition("=")
            if mark and cookie == wanted:
                found.add(text)
    if len(found) != 1:
        return None
    ident = found.pop()
    return ident if _IDENT.fullmatch(ident) else None


def comes_from_own_page(method: str, headers: RawHeaders) -> bool:
    """Whether a browser says that a page of this very origin sends it."""
    site, origin = _values(headers, b"sec-fetch-site"), _values(headers, b"origin")
    host = _values(headers, b"host")
    if len(host) != 1:
        return False
    if site:
        return site == ["same-origin"] and (not origin or _is_at(origin, host[0]))
    if origin:
        return _is_at(origin, host[0])
    return method in _READING and _is_at(_values(headers, b"referer"), host[0])


def comes_from_elsewhere(headers: RawHeaders) -> bool:
    """Whether a browser says that another page sends it. Programs say nothing."""
    site, origin = _values(headers, b"sec-fetch-site"), _values(headers, b"origin")
    host = _values(headers, b"host")
    if site and site != ["same-origin"]:
        return True
    return bool(origin) and not (len(host) == 1 and _is_at(origin, host[0]))


def _values(headers: RawHeaders, wanted: bytes) -> list[str]:
    return [value.decode("latin-1").strip() for name, value in headers if name.lower() == wanted]


def _is_at(places: list[str], host: str) -> bool:
    """Whether the one page that is named is of this host."""
    match = _SITE.fullmatch(places[0]) if len(places) == 1 else None
    return match is not None and _plain(match[1]) == _plain(host)


def _plain(place: str) -> str:
    """The port that a scheme has anyway is written or not."""
    return _PORTS.sub("", place.lower())
