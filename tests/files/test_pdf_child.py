"""What the process that reads a PDF does, here in this one."""

from __future__ import annotations

import io

from casedesk_proxy.files.pdf_child import write_text
from tests.files.test_pdf_texts import make_pdf


def test_the_text_of_each_page_is_written() -> None:
    target = io.BytesIO()
    assert write_text(io.BytesIO(make_pdf("One", "Two")), target) == 0
    assert target.getvalue() == b"One\n\nTwo\n\n"


def test_what_cannot_be_read_is_an_exit_status() -> None:
    assert write_text(io.BytesIO(b"%PDF-1.7 nothing"), io.BytesIO()) == 1
