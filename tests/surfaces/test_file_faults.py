"""The errors of each surface for unknown files and for files that cannot be stored."""

from __future__ import annotations

import pytest

from casedesk_proxy.errors import Busy, Forbidden, NotFound
from casedesk_proxy.filing.draft import FileFault, Why
from casedesk_proxy.surfaces.file_faults import explain_fault, missing_file, no_store
from casedesk_proxy.terms import Dialect

G, A, OAI = Dialect.GEMINI, Dialect.ANTHROPIC, Dialect.OPENAI


def test_a_file_that_there_is_not() -> None:
    google = missing_file(G, "files/abc")
    assert isinstance(google, Forbidden)
    assert "the File abc or it may not exist" in google.message
    assert missing_file(A, "file_a").message == "File not found: file_a"
    assert missing_file(OAI, "file-a").message == "No such File object: file-a"
    assert len(missing_file(OAI, "x" * 9999).message) < 300


def test_a_missing_file_of_a_request_in_each_vendor_s_words() -> None:
    told = {one: missing_file(one, "abc", "there") for one in list(Dialect)[:4]}
    assert {one: error.status for one, error in told.items()} == {
        Dialect.GEMINI: 403, Dialect.ANTHROPIC: 404, Dialect.OPENAI: 404, Dialect.RESPONSES: 404,
    }  # fmt: skip
    for error in told.values():
        assert "abc" in error.message
        assert [one.path for one in error.violations] == ["there"]


@pytest.mark.parametrize(
    ("why", "status", "code"),
    [
        (Why.TOO_LARGE, 413, "file_too_large"), (Why.STORE_FULL, 503, "file_store_full"),
        (Why.NAME_TAKEN, 409, "file_exists"), (Why.UPLOAD_BUSY, 409, "upload_busy"),
        (Why.UPLOAD_GONE, 404, "upload_not_found"), (Why.KEY_FULL, 429, "file_quota_reached"),
    ],
)  # fmt: skip
def test_what_stands_in_the_way(why: Why, status: int, code: str) -> None:
    error = explain_fault(G, FileFault(why, 99))
    assert (error.status, error.code) == (status, code)
    assert code == why
    assert ("99" in error.message) is (why in (Why.TOO_LARGE, Why.KEY_FULL))


def test_a_full_store_in_each_surface_s_words() -> None:
    full = FileFault(Why.KEY_FULL, 9)
    assert [explain_fault(one, full).status for one in (G, A, OAI)] == [429, 403, 400]
    store_full = explain_fault(G, FileFault(Why.STORE_FULL))
    assert isinstance(store_full, Busy)
    assert not store_full.repeatable


def test_no_files_at_all() -> None:
    assert isinstance(no_store(is_enabled=True), NotFound)
    assert "state file" in no_store(is_enabled=True).message
    assert "files.enabled is false" in no_store(is_enabled=False).message
