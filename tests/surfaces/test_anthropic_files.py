"""Anthropic's file object and pages."""

from __future__ import annotations

import pytest

from casedesk_proxy.errors import BadRequest
from casedesk_proxy.filing.page import Page
from casedesk_proxy.surfaces.anthropic_files import (
    deleted_reply,
    list_reply,
    read_keep,
    read_page,
    show_file,
)
from tests.surfaces.stored import FILE, OTHER


def test_the_object() -> None:
    assert show_file(FILE) == {
        "type": "file", "id": f"file_{FILE.id}", "filename": "n.txt", "mime_type": "text/plain",
        "size_bytes": 3, "created_at": "2023-11-14T22:13:20.500000Z", "downloadable": True,
        "expires_at": "2023-11-14T23:13:20.000000Z",
    }  # fmt: skip
    assert "expires_at" not in show_file(OTHER)
    assert deleted_reply(FILE) == {"id": f"file_{FILE.id}", "type": "file_deleted"}


@pytest.mark.parametrize(
    ("query", "page"),
    [
        ("", Page(20)), ("beta=true&limit=1000", Page(1000)),
        (f"after_id=file_{FILE.id}", Page(20, FILE.id)),
        (f"before_id=file_{FILE.id}&limit=1", Page(1, FILE.id, oldest=True)),
        (f"page=page_file_{FILE.id}&limit=3", Page(3, FILE.id)),
        (f"ids[]=file_{FILE.id}&ids=file_{FILE.id}&ids[]=A_", Page(100, among=(FILE.id,))),
        ("scope_id=session_1", Page(100, among=())),
    ],
)  # fmt: skip
def test_a_page_is_read(query: str, page: Page) -> None:
    assert read_page(query) == page


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=0", "limit"), ("limit=1001", "limit"), ("limit=x", "limit"),
        ("after_id=A_", "after_id"), ("before_id=A_", "before_id"),
        ("after_id=a&before_id=b", "only one of"), ("page=a&after_id=b", "only one of"),
        ("page=page_A_", "page: the next_page of a list"),
        ("&".join(f"ids[]=f{at}" for at in range(101)), "ids: more than 100"),
    ],
)  # fmt: skip
def test_what_is_no_page(query: str, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        read_page(query)


def test_a_list() -> None:
    one, two = show_file(FILE), show_file(OTHER)
    assert list_reply([FILE, OTHER], Page(1)) == {
        "data": [one], "has_more": True, "first_id": one["id"], "last_id": one["id"],
        "next_page": f"page_{one['id']}",
    }  # fmt: skip
    assert list_reply([FILE, OTHER], Page(2, oldest=True))["data"] == [two, one]
    assert list_reply([], Page(2)) == {
        "data": [], "has_more": False, "first_id": None, "last_id": None, "next_page": None,
    }  # fmt: skip
    assert list_reply([FILE, OTHER], Page(1, oldest=True))["next_page"] is None


def test_for_how_long_a_client_wants_a_file() -> None:
    assert (read_keep({}), read_keep({"expires_in_seconds": "3600"})) == (None, 3600)
    for text in ("3599", "7776001", "000007776001", "x", ""):
        with pytest.raises(BadRequest, match="from 3600 to 7776000"):
            read_keep({"expires_in_seconds": text})
