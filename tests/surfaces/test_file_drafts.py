"""Names and types of files as clients give them."""

from __future__ import annotations

import pytest

from casedesk_proxy.errors import BadRequest
from casedesk_proxy.surfaces.file_drafts import clean_name, read_keep, read_type


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("a.txt", "a.txt"), ("/etc/passwd", "passwd"), ("C:\\dir\\a.txt", "a.txt"),
        ("a\r\nb\x00", "ab"), ("x" * 600, "x" * 512), ("\ud800", "?"), ("", ""),
    ],
)  # fmt: skip
def test_a_name_is_a_name_alone(given: str, name: str) -> None:
    assert clean_name(given) == name


@pytest.mark.parametrize(
    ("given", "name", "mime_type"),
    [
        ("text/html; charset=utf-8", "x", "text/html; charset=utf-8"),
        (" image/png ", "a.jpg", "image/png"),
        ("", "A.PDF", "application/pdf"),
        ("application/octet-stream", "a.jpeg", "image/jpeg"),
        ("", "unknown", "application/octet-stream"),
    ],
)
def test_a_type_is_the_client_s_or_the_ending_s(given: str, name: str, mime_type: str) -> None:
    assert read_type("f", given, name) == mime_type


def test_for_how_long_a_file_is_wanted() -> None:
    assert (read_keep("f", "5", 5, 90), read_keep("f", "90", 5, 90)) == (5, 90)
    for text in ("4", "91", "-5", "\u0665", ""):
        with pytest.raises(BadRequest, match="f: a number from 5 to 90"):
            read_keep("f", text, 5, 90)


@pytest.mark.parametrize("given", ["text", "a/b/c", "text/plain\r\nx: y", "/", "text/pl\u00e4in"])
def test_what_is_no_type(given: str) -> None:
    with pytest.raises(BadRequest, match="f: a MIME type"):
        read_type("f", given, "")


def test_a_type_is_of_a_kind_that_there_is() -> None:
    assert read_type("f", "X-World/x-3dmf", "") == "X-World/x-3dmf"
    with pytest.raises(BadRequest, match="f: Unsupported MIME type: img/png"):
        read_type("f", "img/png", "")
