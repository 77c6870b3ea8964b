"""OpenAI's file object, purposes and pages."""

from __future__ import annotations

import pytest

from casedesk_proxy.errors import BadRequest
from casedesk_proxy.filing.page import Page
from casedesk_proxy.surfaces.openai_files import (
    deleted_reply,
    list_reply,
    read_keep,
    read_page,
    read_purpose,
    show_file,
)
from tests.surfaces.stored import FILE, OTHER

ANCHOR, SECONDS = "expires_after[anchor]", "expires_after[seconds]"


def test_the_object() -> None:
    assert show_file(FILE) == {
        "id": f"file-{FILE.id}", "object": "file", "bytes": 3, "created_at": 1_700_000_000,
        "expires_at": 1_700_003_600, "filename": "n.txt", "purpose": "user_data",
        "status": "processed",
    }  # fmt: skip
    assert show_file(OTHER)["purpose"] == "vision"
    assert "expires_at" not in show_file(OTHER)
    assert deleted_reply(FILE)["deleted"] is True


def test_a_purpose() -> None:
    assert read_purpose({"purpose": "fine-tune"}) == "fine-tune"
    for purpose in ("", "x" * 65, "a\nb"):
        with pytest.raises(BadRequest, match="purpose"):
            read_purpose({"purpose": purpose})


def test_how_long_it_is_kept() -> None:
    assert read_keep({}) is None
    assert read_keep({ANCHOR: "created_at", SECONDS: "3600"}) == 3600
    for fields in ({ANCHOR: "now"}, {ANCHOR: "created_at"}, {SECONDS: "3599"}, {SECONDS: "x"}):
        with pytest.raises(BadRequest, match="expires_after"):
            read_keep(fields)


@pytest.mark.parametrize(
    ("query", "page"),
    [
        ("", Page(10_000)), ("limit=2&order=asc", Page(2, oldest=True)),
        (f"after=file-{FILE.id}&purpose=vision", Page(10_000, FILE.id, purpose="vision")),
    ],
)  # fmt: skip
def test_a_page_is_read(query: str, page: Page) -> None:
    assert read_page(query) == page


@pytest.mark.parametrize("query", ["limit=0", "limit=10001", "order=up", "after=A_"])
def test_what_is_no_page(query: str) -> None:
    with pytest.raises(BadRequest, match=query.partition("=")[0]):
        read_page(query)


def test_a_list() -> None:
    one = show_file(FILE)
    assert list_reply([FILE, OTHER], Page(1)) == {
        "object": "list", "data": [one], "first_id": one["id"], "last_id": one["id"],
        "has_more": True,
    }  # fmt: skip
    assert list_reply([], Page(1))["first_id"] is None
