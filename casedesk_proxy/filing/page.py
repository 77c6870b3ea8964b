"""A page of a list of files, in the form to which each surface's paging is converted."""

from __future__ import annotations

from casedesk_proxy.terms import record

__all__ = ["Page"]


@record
class Page:
    """Which of an owner's files to list: at most ``most``, the newest first (with ``oldest`` the
    oldest first), only those after the id ``after``; with one purpose, if one is given; with the
    ids ``among``, unless that is None."""

    most: int
    after: str = ""
    oldest: bool = False
    purpose: str = ""
    among: tuple[str, ...] | None = None
