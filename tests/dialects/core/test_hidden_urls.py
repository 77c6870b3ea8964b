"""A body is read again only if a URL may be hidden; then each of its fields is seen."""

from __future__ import annotations

from typing import Any

from casedesk_proxy.dialects.core.hidden_urls import list_fields, with_hidden
from casedesk_proxy.jsonio import loads
from tests.fixtures.table import table


@table(
    ("raw", "fields"),
    [
        ('{"url": "a:", "url": 1}', [("url", "a:"), ("url", 1)]),
        ('{"curl" :\n"", "curl": "data:,"}', [("curl", ""), ("curl", "data:,")]),
        ('{"fileUri": ["a:"], "fileUri": {}}', [("fileUri", ["a:"]), ("fileUri", {})]),
        ('{"\\u0075rl": "a:", "url": 1, "n": 12}', [("url", "a:"), ("url", 1), ("n", 12)]),
        ('{"u\\u0072\\u006C": "a:", "ur\\u006c": 1}', [("url", "a:"), ("url", 1)]),
        ('{"r\\u0069": "a:", "ri": 1}', [("ri", "a:"), ("ri", 1)]),
        # A name that looks like a spelling of url does not make up for a hidden one.
        ('{"url": "a:", "url": 1, "C:\\u005cu0075rl": ""}',
         [("url", "a:"), ("url", 1), ("C:\\u0075rl", "")]),
    ],
)  # fmt: skip
def test_hidden_fields_are_listed(raw: str, fields: list[tuple[str, Any]]) -> None:
    assert list(list_fields(with_hidden(raw.encode(), loads(raw)))) == fields


@table(
    "raw",
    [
        "{}",
        '{"model": "x", "model": "y", "image_url": {"url": "data:,"}}',
        '{"text": "is \\"image_url\\": {\\"url\\":\\"a\\"} right, or url\\" :?"}',
        '{"text": "\\u00e9rl", "url": "a:", "tools": [{"url": {"url" :"b:"}}, [{"curl": [1]}]]}',
        '{"url": 1, "url": {"type": "string"}, "ri": "data:,", "ri": null}',
    ],
)
def test_a_body_in_which_none_may_be_hidden_is_not_read_again(raw: str) -> None:
    body = loads(raw)
    assert with_hidden(raw.encode(), body) is body


@table(
    "raw",
    [
        '{"C:\\\\u0075rl": "a"}',
        '{"url": "d\\u0061ta:,"}',
        '{"url": ' + "[" * 300 + "]" * 300 + "}",
    ],
)
def test_what_only_seems_to_be_hidden_does_no_harm(raw: str) -> None:
    body = loads(raw)
    read = with_hidden(raw.encode(), body)
    assert read is not body
    assert read == body
