"""The table of Anthropic's fields and the code that reads them agree."""

from __future__ import annotations

from typing import Any

import pytest

from casedesk_proxy.dialects.anthropic.fields import MESSAGES
from casedesk_proxy.dialects.core.known_fields import Fate
from tests.dialects.anthropic_asking import (
    WEATHER,
    asking,
    image,
    result,
    said,
    text,
    translated,
    used,
)
from tests.dialects.anthropic_asking import assistant as said_before
from tests.dialects.fates import (
    all_fields,
    check_references,
    constants,
    fields_read,
    find_fate,
    of_fate,
)

READERS = (
    *("anthropic/request", "anthropic/messages", "anthropic/tools", "anthropic/media"),
    "pairs/anthropic_openai/request",
)
DOCUMENT = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}
FOUND = {"type": "search_result", "source": "a", "title": "b", "content": [text("c")]}
LINK = {"type": "url"}


def placed(message: str, field: dict[str, Any]) -> dict[str, Any]:
    """A request that contains a message of that name with this field."""
    tools = {"tools": [{**WEATHER, **field}]}
    return {
        "MessagesRequest": asking("Hello", **field),
        "CountTokensRequest": asking("Hello", **field),
        "TextBlock": asking([text("Hello", **field)]),
        "ImageBlock": asking([{**image(), **field}]),
        "DocumentBlock": asking([{**DOCUMENT, **field}]),
        "Message": asking("Hello", {**said("system", "Be brief."), **field}),
        "SearchResultBlock": asking([text("Hello"), {**FOUND, **field}]),
        "Thinking": asking("Hello", thinking={"type": "adaptive", **field}),
        "Source": asking([text("Hello"), {"type": "image", "source": {**LINK, **field}}]),
        "ToolUseBlock": asking("Hello", said_before({**used("a"), **field}), [result("a", "b")]),
        "ToolResultBlock": asking("Hello", said_before(used("a")), [result("a", "b", **field)]),
        "ThinkingBlock": asking(
            "Hello", said_before({"type": "thinking", "thinking": "hm", **field}), "Well?"
        ),
        "RedactedThinkingBlock": asking(
            "Hello", said_before(text("a"), {"type": "redacted_thinking", **field}), "Well?"
        ),
        "OtherBlock": asking([text("Hello"), {"type": "something_new", **field}]),
        "Tool": asking("Hello", **tools),
        "OutputConfig": asking("Hello", output_config=field),
    }[message]


#: What the value has to be for the field to count.
VALUES: dict[str, Any] = {
    "citations": {"enabled": True},
    "mcp_servers": [{"name": "a"}],
    "output_config": {"effort": "low"},
    "url": "https://a.example/b.png",
    "file_id": "file_1",
}
#: The request is refused as soon as such an object stands in it.
BY_PRESENCE = {"OtherBlock", "RedactedThinkingBlock", "Source"}


@pytest.mark.parametrize(
    ("message", "name"), of_fate(MESSAGES, Fate.IGNORED, Fate.LEFT_OUT, Fate.REFUSED)
)
def test_what_does_not_reach_the_node_is_listed_as_it_is(message: str, name: str) -> None:
    value = VALUES.get(name, "value") if message != "TextBlock" else [{}]
    plain = asking("Hello") if message in BY_PRESENCE else placed(message, {})
    if message == "RedactedThinkingBlock":
        plain = asking("Hello", said_before(text("a")), "Well?")
    field = {} if name == "type" else {name: value}
    known = MESSAGES[message][name]
    assert find_fate(translated, plain, placed(message, field)) is known.fate
    assert (known.fate is Fate.REFUSED) <= bool(known.why)


def test_every_field_that_is_read_is_listed() -> None:
    # Inside of citations, which are left out.
    assert fields_read(*READERS) - all_fields(MESSAGES) == {"enabled"}


def test_every_field_that_is_listed_as_mapped_is_read() -> None:
    mapped = {name for _, name in of_fate(MESSAGES, Fate.MAPPED)}
    assert mapped - constants(*READERS) == set()


def test_every_object_is_listed() -> None:
    check_references(MESSAGES)
