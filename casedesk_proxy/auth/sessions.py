"""A browser's session as a credential, with the lowest precedence: only for this proxy's own pages.

A browser adds the cookie to every request that it sends here, also to requests of foreign pages. So
the cookie counts only if the browser says that one of our pages sends the request, by
``Sec-Fetch-Site: same-origin``. Browsers send this header only over https and to this machine; if
it is missing, ``Origin`` or, for reading, ``Referer`` must name the requested host. Pages on
another port of the same host are another origin.
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

#: Browsers accept the second name only over https and from this very host, and let no other host
#: set it.
PLAIN_COOKIE = "casedesk-session"
SECURE_COOKIE = "__Host-casedesk-session"
_READING = frozenset({"GET", "HEAD"})
_IDENT = re.compile(r"[A-Za-z0-9_-]{20,100}")
_SITE = re.compile(r"https?://([^/?#\s,]+)(?:[/?#]\S*)?", re.IGNORECASE)
_PORTS = re.compile(r":(?:80|443)\Z")


class Sessions(Protocol):
    """Open sessions. ``secure``: clients come over https."""

    @property
    def secure(self) -> bool: ...

    def __bool__(self) -> bool:
        """Whether there are any sessions."""

    def find(self, ident: str) -> Principal | None:
        """Whose session it is, noting its use; None if it has ended."""


def find_signed_in(method: str, headers: RawHeaders, sessions: Sessions) -> Principal | None:
    """Who sends a request without another credential, by its session."""
    if not sessions or not comes_from_own_page(method, headers):
        return None
    ident = find_session(headers, secure=sessions.secure)
    return None if ident is None else sessions.find(ident)


def find_session(headers: RawHeaders, *, secure: bool) -> str | None:
    """The session's id; None if there is none, or if there are several: one of them may have been
    set by another host, and they cannot be told apart."""
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
    """Whether a browser says that a page of this origin sends the request."""
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
    """Whether a browser says that another page sends the request. Programs send no such header."""
    site, origin = _values(headers, b"sec-fetch-site"), _values(headers, b"origin")
    host = _values(headers, b"host")
    if site and site != ["same-origin"]:
        return True
    return bool(origin) and not (len(host) == 1 and _is_at(origin, host[0]))


def _values(headers: RawHeaders, wanted: bytes) -> list[str]:
    return [value.decode("latin-1").strip() for name, value in headers if name.lower() == wanted]


def _is_at(places: list[str], host: str) -> bool:
    """Whether exactly one page is named and is of this host."""
    match = _SITE.fullmatch(places[0]) if len(places) == 1 else None
    return match is not None and _plain(match[1]) == _plain(host)


def _plain(place: str) -> str:
    """Without a scheme's default port, which may be written or not."""
    return _PORTS.sub("", place.lower())
