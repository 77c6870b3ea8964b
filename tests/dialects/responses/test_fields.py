"""The table of the Responses API's fields and the code that reads them agree."""

from __future__ import annotations

from typing import Any

import pytest

from casedesk_proxy.dialects.core.known_fields import Fate
from casedesk_proxy.dialects.responses.fields import EXTRAS, MESSAGES
from tests.dialects.fates import (
    all_fields,
    check_references,
    constants,
    fields_read,
    find_fate,
    of_fate,
)
from tests.dialects.responses_asking import MCP, WEATHER, asking, called, result, said, translated

READERS = ("responses/request", "responses/input_items", "responses/tools", "core/freeform")
IMAGE = "data:image/png;base64,aGk="
NOTE = "data:text/plain;base64,aGk="


def part(kind: str, inline: dict[str, Any], field: dict[str, Any]) -> dict[str, Any]:
    """A part with its content, unless the field says where this is."""
    content = {} if field.keys() & {"file_id", "file_url"} else inline
    return {"type": kind, **content, **field}


def placed(message: str, field: dict[str, Any]) -> dict[str, Any]:
    """A request that contains a message of that name with this field."""
    before = said("user", "Hello")
    custom = {"type": "custom_tool_call", "call_id": "a", "name": "b", "input": "c", **field}
    return {
        "ResponsesRequest": asking("Hello", **field),
        "MessageItem": asking({**before, **field}),
        "ReasoningItem": asking(before, {"type": "reasoning", **field}),
        "CallItem": asking(before, {**called("a"), **field}, result("a")),
        "CustomCallItem": asking(before, custom, result("a")),
        "ResultItem": asking(before, called("a"), {**result("a"), **field}),
        "OtherItem": asking(before, {"type": "strange", **field}),
        "TextPart": asking(said("user", [{"type": "input_text", "text": "Hello", **field}])),
        "ImagePart": asking(said("user", [part("input_image", {"image_url": IMAGE}, field)])),
        "FilePart": asking(said("user", [part("input_file", {"file_data": NOTE}, field)])),
        "FunctionTool": asking("Hello", tools=[{**WEATHER, **field}]),
        "CustomTool": asking("Hello", tools=[{"type": "custom", "name": "sh", **field}]),
        "NamespaceTool": asking("Hello", tools=[{**MCP, **field}]),
        "OtherTool": asking("Hello", tools=[{"type": "web_search", **field}]),
        "Reasoning": asking("Hello", reasoning=field),
        "Text": asking("Hello", text=field),
    }[message]


VALUES: dict[str, Any] = {
    "store": True,
    "background": True,
    "truncation": "auto",
    "verbosity": "high",
}
#: The request is refused, or a part of it left out, as soon as such an object stands in it.
BY_PRESENCE = {"OtherItem", "OtherTool"}


@pytest.mark.parametrize(
    ("message", "name"), of_fate(MESSAGES, Fate.IGNORED, Fate.LEFT_OUT, Fate.REFUSED)
)
def test_what_does_not_reach_the_node_is_listed_as_it_is(message: str, name: str) -> None:
    plain = asking("Hello") if message in BY_PRESENCE else placed(message, {})
    field = {} if name == "type" else {name: VALUES.get(name, "value")}
    known = MESSAGES[message][name]
    assert find_fate(translated, plain, placed(message, field)) is known.fate
    assert (known.fate is Fate.REFUSED) <= bool(known.why)


def test_every_field_that_is_read_is_listed() -> None:
    # The table is asked for its own message.
    assert fields_read(*READERS) - all_fields(MESSAGES) == {"ResponsesRequest"}


def test_every_field_that_is_listed_as_mapped_is_read() -> None:
    mapped = {name for _, name in of_fate(MESSAGES, Fate.MAPPED)}
    # The relay reads the model's name.
    assert mapped - constants(*READERS) - set(EXTRAS) == {"model"}


def test_every_object_is_listed() -> None:
    check_references(MESSAGES)
