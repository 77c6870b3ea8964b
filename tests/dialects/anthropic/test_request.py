"""An Anthropic request as a value: read completely, including what a node may not accept."""

from __future__ import annotations

from typing import Any

from casedesk_proxy.dialects.anthropic.blocks import (
    DocumentBlock,
    ForeignBlock,
    ImageBlock,
    Message,
    RedactedBlock,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
)
from casedesk_proxy.dialects.anthropic.request import (
    MessagesRequest,
    OutputFormat,
    ThinkingMode,
    read_request,
)
from casedesk_proxy.dialects.anthropic.tools import ForeignTool, Tool, ToolChoice
from casedesk_proxy.dialects.core.findings import Findings
from tests.fixtures.table import table


def read(**fields: Any) -> MessagesRequest:
    """A request without a fault of its own. Fields that no node supports are not found here."""
    findings = Findings()
    body = {"max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}], **fields}
    request = read_request(body, findings)
    assert not findings.faults
    assert not findings.schema_faults
    assert not findings.features
    assert not findings.formats
    assert findings.dropped == ()
    return request


def test_the_least_request() -> None:
    request = read()
    assert request.messages == (Message("user", (TextBlock("Hi"),)),)
    assert (request.max_tokens, request.temperature, request.stops) == (9, None, ())
    assert request.thinking == ThinkingMode()
    assert request.toolset.choice == ToolChoice()


@table(
    ("role", "block", "wanted"),
    [
        ("user", {"type": "text", "text": "a"}, TextBlock("a")),
        ("user", {"type": "image", "source": {"type": "url", "url": "http://x"}},
         ImageBlock("messages.0.content.0", "url")),
        ("user", {"type": "image", "source": {
            "type": "base64", "media_type": "image/JPG", "data": "_w"}},
         ImageBlock("messages.0.content.0", "base64", "image/jpeg", "/w==")),
        ("user", {"type": "document", "title": "t", "source": {"type": "text", "data": "d"}},
         DocumentBlock("messages.0.content.0", "text", "t\n", (TextBlock("d"),))),
        ("user", {"type": "document", "source": {"type": "file"}, "citations": {"enabled": True}},
         DocumentBlock("messages.0.content.0", "file", cited=True)),
        ("user", {"type": "search_result", "source": "s", "title": "t", "content": [
            {"type": "text", "text": "c"}]},
         DocumentBlock("messages.0.content.0", "content", "t\ns\n", (TextBlock("c"),))),
        ("user", {"type": "mcp_tool_use"}, ForeignBlock("messages.0.content.0", "mcp_tool_use")),
        ("assistant", {"type": "thinking", "thinking": "t"},
         ThinkingBlock("messages.0.content.0", "t")),
        ("assistant", {"type": "redacted_thinking"}, RedactedBlock("messages.0.content.0")),
        ("assistant", {"type": "tool_use", "id": "1", "name": "f", "input": {"a": 1}},
         ToolUseBlock("1", "f", {"a": 1})),
    ],
)  # fmt: skip
def test_blocks(role: str, block: dict[str, Any], wanted: object) -> None:
    messages = [{"role": role, "content": [block]}, {"role": "user", "content": "Hi"}]
    assert read(messages=messages).messages[0] == Message(role, (wanted,))  # type: ignore[arg-type]


def test_a_result_holds_what_the_tool_gave() -> None:
    use = {"type": "tool_use", "id": "1", "name": "f", "input": {}}
    content = [{"type": "text", "text": "a"}, {"type": "tool_reference", "tool_name": "g"}]
    result = {"type": "tool_result", "tool_use_id": "1", "content": content, "is_error": True}
    request = read(
        messages=[{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    )
    wanted = ToolResultBlock("1", (TextBlock("a"), TextBlock("g")), True)
    assert request.messages[1].blocks == (wanted,)


def test_tools() -> None:
    schema = {"type": "object"}
    request = read(
        tools=[
            {"name": "f", "input_schema": schema, "strict": True},
            {"type": "web_search_20250305", "name": "web_search"},
        ],
        tool_choice={"type": "tool", "name": "f", "disable_parallel_tool_use": True},
        mcp_servers=[{"url": "http://x"}],
    )
    assert request.toolset.tools == (Tool("f", None, schema, True),)
    assert request.toolset.foreign == (ForeignTool("tools.1"),)
    assert request.toolset.choice == ToolChoice("tool", "f", True)
    assert request.mcp_servers


def test_what_is_wanted_of_the_answer() -> None:
    schema = {"type": "OBJECT", "properties": {}}
    request = read(
        output_config={"effort": "xhigh", "format": {"type": "json_schema", "schema": schema}},
        output_format={"type": "grammar"},
        thinking={"type": "enabled", "budget_tokens": 2048, "display": "omitted"},
        compaction={"type": "x"},
    )
    assert request.effort == "xhigh"
    assert request.formats == (
        OutputFormat("output_config.format", {"type": "object", "properties": {}}),
        OutputFormat("output_format", None),
    )
    assert request.thinking == ThinkingMode("enabled", given=True, budget=2048)
    assert request.kept == ("compaction",)
