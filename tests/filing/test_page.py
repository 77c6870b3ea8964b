"""A page of a list."""

from __future__ import annotations

from casedesk_proxy.filing.page import Page


def test_a_page_begins_with_the_newest_file_of_any_purpose() -> None:
    page = Page(2)
    assert (page.after, page.oldest, page.purpose, page.among) == ("", False, "", None)
