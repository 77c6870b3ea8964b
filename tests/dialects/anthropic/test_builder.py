"""The pieces of a Messages request are what the anthropic SDK accepts."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from casedesk_proxy.dialects.anthropic.builder import (
    media_block,
    text_block,
    tool,
    tool_result,
    tool_use,
)
from tests.dialects.asking import PNG
from tests.fixtures import sdks
from tests.fixtures.table import table


@table(
    ("kind", "block"),
    [
        ("TextBlockParam", text_block("hi")),
        ("ToolUseBlockParam", tool_use("toolu_1", "f", {"x": 1})),
        ("ToolResultBlockParam", tool_result("toolu_1", "42")),
        ("ImageBlockParam", media_block("image", "image/png", PNG)),
        ("DocumentBlockParam", media_block("document", "application/pdf", PNG)),
        ("ToolParam", tool("f", "Look.", {"type": "object"})),
    ],
)
def test_the_sdk_s_types_are_met(kind: str, block: dict[str, Any]) -> None:
    accepted = TypeAdapter(getattr(sdks.anthropic.types, kind)).validate_python(block)
    assert accepted.keys() == block.keys()


def test_an_empty_description_is_left_out() -> None:
    assert tool("f", "", {}) == {"name": "f", "input_schema": {}}
