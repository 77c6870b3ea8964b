"""Google's file resource, metadata and pages."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from casedesk_proxy.errors import BadRequest
from casedesk_proxy.filing.page import Page
from casedesk_proxy.surfaces.gemini_files import list_reply, read_draft, read_page, show_file
from casedesk_proxy.terms import RawHeaders
from tests.surfaces.stored import FILE, OTHER

BASE = "http://h/proxy/d/gemini/v1beta"


def test_the_resource() -> None:
    shown = show_file(FILE, BASE)
    assert base64.b64decode(shown.pop("sha256Hash")) == b"ab" * 32
    assert shown == {
        "name": f"files/{FILE.id}", "displayName": "n.txt", "mimeType": "text/plain",
        "sizeBytes": "3", "createTime": "2023-11-14T22:13:20.500000Z",
        "updateTime": "2023-11-14T22:13:20.500000Z",
        "expirationTime": "2023-11-14T23:13:20.000000Z", "uri": f"{BASE}/files/{FILE.id}",
        "downloadUri": f"{BASE}/files/{FILE.id}:download?alt=media", "state": "ACTIVE",
        "source": "UPLOADED",
    }  # fmt: skip


def test_what_is_not_there_is_left_out() -> None:
    shown = show_file(replace(OTHER, chosen="mine"), BASE)
    assert {"displayName", "expirationTime"}.isdisjoint(shown)
    assert (shown["name"], shown["uri"]) == ("files/mine", f"{BASE}/files/mine")


def test_a_new_file_s_metadata() -> None:
    headers: RawHeaders = (
        (b"X-Goog-Upload-Header-Content-Length", b"9"),
        (b"X-Goog-Upload-Header-Content-Type", b"image/png"),
        (b"X-Goog-Upload-File-Name", "ä.jpg".encode()),
    )
    draft = read_draft(headers, b"")
    assert (draft.name, draft.mime_type, draft.declared) == ("ä.jpg", "image/png", 9)
    body = json.dumps({"file": {"display_name": "b", "name": "files/c", "mimeType": "text/css"}})
    draft = read_draft(headers[:1], body.encode())
    assert (draft.name, draft.chosen, draft.mime_type) == ("b", "c", "text/css")
    latin = read_draft(((b"x-goog-upload-file-name", "ä.txt".encode("latin-1")),), b"{}")
    assert (latin.name, latin.mime_type, latin.declared) == ("ä.txt", "text/plain", None)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{", "not valid JSON"), ("[]", "file: an object"), ('{"file":1}', "file: an object"),
        ('{"file":{"displayName":["a"]}}', "file.displayName: a string"),
        ('{"file":{"name":"files/-a"}}', "file.name"),
        (json.dumps({"file": {"displayName": "x" * 513}}), "file.displayName: longer than 512"),
        ('{"file":{"mime_type":"a b"}}', "file.mimeType"),
    ],
)  # fmt: skip
def test_metadata_that_cannot_be(body: str, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        read_draft((), body.encode())


@pytest.mark.parametrize(
    ("query", "page"),
    [
        ("", Page(10)), ("pageSize=2", Page(2)), ("page_size=5000", Page(100)),
        (f"pageToken={FILE.id}&pageSize=0", Page(10, FILE.id)),
    ],
)  # fmt: skip
def test_a_page_is_read(query: str, page: Page) -> None:
    assert read_page(query) == page


@pytest.mark.parametrize("query", ["pageSize=x", "pageToken=A", "pageToken=files/a"])
def test_what_is_no_page(query: str) -> None:
    with pytest.raises(BadRequest, match="page"):
        read_page(query)


def test_a_list() -> None:
    reply: dict[str, Any] = list_reply([FILE, OTHER], Page(1), BASE)
    assert [one["name"] for one in reply["files"]] == [f"files/{FILE.id}"]
    assert reply["nextPageToken"] == FILE.id
    assert "nextPageToken" not in list_reply([FILE], Page(1), BASE)
    assert list_reply([], Page(1), BASE) == {}
