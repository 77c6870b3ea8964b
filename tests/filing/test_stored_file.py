"""A file's names: one id, in the form of each surface."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casedesk_proxy.filing.stored_file import (
    ID_CHARS,
    StoredFile,
    make_id,
    may_be_chosen,
    name_file,
    read_id,
)
from casedesk_proxy.terms import Dialect

IDENT = "abcdefghijkl0123456789mn"


@pytest.mark.parametrize(
    ("surface", "name"),
    [
        (Dialect.GEMINI, f"files/{IDENT}"),
        (Dialect.ANTHROPIC, f"file_{IDENT}"),
        (Dialect.OPENAI, f"file-{IDENT}"),
        (Dialect.RESPONSES, f"file-{IDENT}"),
    ],
)
def test_each_surface_has_its_form(surface: Dialect, name: str) -> None:
    assert name_file(surface, IDENT) == name
    assert read_id(name) == IDENT


def test_a_file_is_over_from_its_end_on() -> None:
    file = StoredFile(IDENT, "alice", "a.txt", "text/plain", 1, "", 100.0, 200.0)
    assert [file.is_over(now) for now in (199.9, 200.0)] == [False, True]
    assert not replace(file, expires=None).is_over(1e12)


@pytest.mark.parametrize(
    "text",
    [
        IDENT,
        f"https://generativelanguage.googleapis.com/v1beta/files/{IDENT}",
        f"http://127.0.0.1:8080/proxy/d/gemini/v1beta/files/{IDENT}:download?alt=media",
        f"http://other/{IDENT}",
        f"x/file-{IDENT}#here",
    ],
)
def test_an_id_is_found_in_a_uri(text: str) -> None:
    assert read_id(text) == IDENT


@pytest.mark.parametrize("name", ["files/my-name", "http://host/v1/files/my-name", "my-name"])
def test_a_chosen_id_is_found(name: str) -> None:
    assert read_id(name) == "my-name"
    assert read_id("files/file-a") == "file-a"


@pytest.mark.parametrize("ident", ["-a", "a-", "a_b", "A", "", "a" * 41, "a.b", "a\n"])
def test_what_may_not_be_chosen(ident: str) -> None:
    assert not may_be_chosen(ident)
    assert may_be_chosen("a")
    assert may_be_chosen("a-" * 19 + "ab")


@pytest.mark.parametrize(
    "text",
    [
        "", "files/", "files/" + "a" * 41, f"files/{IDENT.upper()}", "http://host/?file=a/B",
        f"file_{IDENT}0", "gs://bucket/Object.png", "files/..", f"{IDENT}\n", "x/" * 2048 + "a",
    ],
)  # fmt: skip
def test_what_is_none_of_ours(text: str) -> None:
    assert read_id(text) is None


def test_ids_are_in_the_order_of_time() -> None:
    early, late = make_id(1_700_000_000.0, 2**80 - 1), make_id(1_700_000_000.001, 0)
    assert early < late
    assert [len(one) for one in (early, late)] == [ID_CHARS] * 2
    assert read_id(f"file_{early}") == early
    assert make_id(1.0, 5) != make_id(1.0, 6)


@given(st.text(max_size=80))
@settings(max_examples=50)
def test_any_text_is_read(text: str) -> None:
    found = read_id(text)
    assert found is None or found in text
