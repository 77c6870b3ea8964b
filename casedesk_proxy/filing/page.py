"""A page of a list of files, as each surface's paging comes down to it."""

from __future__ import annotations

from casedesk_proxy.terms import record

__all__ = ["Page"]


@record
class Page:
    """Which files of an owner's are wanted: at most ``most``, the newest first unless ``oldest``
    ones are, only those behind the id ``after``; of one purpose, where one is given; of the ids
    ``among``, unless that is None."""

    most: int
    after: str = ""
    oldest: bool = False
    purpose: str = ""
    among: tuple[str, ...] | None = None
