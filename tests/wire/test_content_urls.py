"""URLs in place of content, in every spelling."""

from __future__ import annotations

from casedesk_proxy.wire.content_urls import is_address
from tests.fixtures.table import table


@table(
    ("text", "wanted"),
    [
        ("http://h", True),
        ("FILE:/etc/passwd", True),
        (" ht\ttp\n://h", True),
        (" " * 200 + "http://h", True),
        ("\x01\x1f\u00a0https://h", True),
        ("gs://b/o", True),
        ("data:image/png;base64,AA==", False),
        (" DATA:,", False),
        ("iVBORw0KGgo=", False),
        ("files/x", False),
        ("C:\\docs\\a.pdf", False),
        ("", False),
        ("a" * 100 + ":", False),
    ],
)
def test_what_is_one(text: str, wanted: bool) -> None:
    assert is_address(text) is wanted
