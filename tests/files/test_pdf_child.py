"""The work of the process that reads a PDF, here in the test's own process."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Callable

import pytest

from casedesk_proxy.files.pdf_child import write_text
from tests.files.test_pdf_texts import make_pdf


def test_the_text_of_each_page_is_written() -> None:
    target = io.BytesIO()
    assert write_text(io.BytesIO(make_pdf("One", "Two")), target) == 0
    assert target.getvalue() == b"One\n\nTwo\n\n"


def test_what_cannot_be_read_is_an_exit_status() -> None:
    assert write_text(io.BytesIO(b"%PDF-1.7 nothing"), io.BytesIO()) == 1


@pytest.mark.parametrize(
    "write",
    [
        base64.b64encode,
        lambda data: base64.urlsafe_b64encode(data).rstrip(b"="),
        lambda data: base64.b64encode(data).replace(b"/", b"\\/"),
        lambda data: base64.encodebytes(data).replace(b"\n", b"\\n"),
        lambda data: base64.b64encode(data).replace(b"=", b"\\u003d"),
    ],
)
def test_base64_of_json_in_all_its_forms(write: Callable[[bytes], bytes]) -> None:
    target = io.BytesIO()
    assert write_text(io.BytesIO(write(make_pdf("One"))), target, in_base64=True) == 0
    assert target.getvalue() == b"One\n\n"


@pytest.mark.parametrize("data", [b"JVBERi0*", b"JVBERi0\\", b"JVBERi0\\u00fc", b"J"])
def test_what_is_no_base64_is_a_status_of_its_own(data: bytes) -> None:
    assert write_text(io.BytesIO(data), io.BytesIO(), in_base64=True) == os.EX_DATAERR
