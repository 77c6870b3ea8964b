"""Where the content of a PDF in a request is."""

from __future__ import annotations

import pytest

from casedesk_proxy.surfaces.inline_pdfs import find_file_data, find_typed_data


def test_typed_data() -> None:
    raw = b'{"data" : "JVBE", "mimeType": "application\\/pdf", "data2": 1}'
    span = find_typed_data(raw, 0, b'"mimeType"')
    assert span is not None
    assert raw[slice(*span)] == b"JVBE"
    assert find_typed_data(raw, 0, b'"media_type"') is None
    assert find_typed_data(b'{"mimeType":"application/pdf"}', 0, b'"mimeType"') is None


@pytest.mark.parametrize(
    ("value", "content"),
    [
        (b'"data:application/pdf;base64,JVBERi0="', b"JVBERi0="),
        (b'"DATA:application\\/PDF;name=a.pdf;base64,AA"', b"AA"),
        (b'"JVBERi0x"', b"JVBERi0x"),
        (b'"data:text/plain;base64,JVBERi0="', None),
        (b'"data:application/pdf,JVBERi0="', None),
        (b'"abc"', None),
        (b"{}", None),
    ],
)
def test_file_data(value: bytes, content: bytes | None) -> None:
    raw = b'{"filename":"a.pdf","file_data":%b}' % value
    span = find_file_data(raw, 0)
    assert content == (raw[slice(*span)] if span else None)
