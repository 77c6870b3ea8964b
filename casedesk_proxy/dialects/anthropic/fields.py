"""Every field of an Anthropic request that has a meaning here, and what happens to it if the node
speaks another protocol. A node that speaks Anthropic gets the body unchanged.

Fields that are missing here are ignored (see `request`). Source: Anthropic's API reference.
"""

from __future__ import annotations

from casedesk_proxy.dialects.core.known_fields import (
    Fate,
    KnownField,
    Messages,
    ignored,
    left_out,
    one_of,
    refused,
    text,
)

__all__ = ["KEPT_AT_ANTHROPIC", "MESSAGES"]

#: Fields that determine what is answered: without them the reply would be a different one.
KEPT_AT_ANTHROPIC = {
    "thread": "the node does not store conversations; send all messages",
    "compaction": "the node cannot create compaction blocks",
}

_BLOCKS = (
    "TextBlock|ImageBlock|DocumentBlock|SearchResultBlock|ToolUseBlock|ToolResultBlock"
    "|ThinkingBlock|RedactedThinkingBlock|OtherBlock"
)
_BLOCK_LIST = "|".join(f"{name}[]" for name in _BLOCKS.split("|"))
_RESULTS = "TextBlock[]|ImageBlock[]|DocumentBlock[]|SearchResultBlock[]|ToolReference[]"
_INLINE = "send it inline"


_CACHE = ignored("cache_control")
_CITED = left_out("the node does not produce citations", "object")

_REQUEST = {
    "model": text(required=True),
    "messages": KnownField("Message[]", required=True),
    "system": KnownField("string|TextBlock[]"),
    "tools": KnownField("Tool[]"),
    "tool_choice": KnownField("ToolChoice"),
    "output_config": KnownField("OutputConfig"),
    "output_format": KnownField(
        "OutputFormat", why="the name that output_config.format had in the beta"
    ),
    "thinking": KnownField("Thinking"),
    "mcp_servers": refused(
        "the node cannot connect to MCP servers; run the tools in the client", "array"
    ),
    **{name: refused(why) for name, why in KEPT_AT_ANTHROPIC.items()},
}

MESSAGES: Messages = {
    "MessagesRequest": {
        **_REQUEST,
        "max_tokens": KnownField("integer", why="0 is refused", required=True),
        "stream": KnownField("boolean"),
        "temperature": KnownField("number"),
        "top_p": KnownField("number"),
        "top_k": KnownField("integer", why="left out if the engine does not support it"),
        "stop_sequences": KnownField("string[]"),
        **ignored("metadata", "service_tier", "container", "context_management"),
        **ignored("inference_geo", "speed", "cache_control"),
    },
    "CountTokensRequest": _REQUEST,
    "Message": {
        "role": one_of("user", "assistant", "system"),
        "content": KnownField(f"string|{_BLOCK_LIST}", required=True),
        "clear_at": KnownField(
            "string", why="of a system message", values=("never", "next_user_message")
        ),
        "output_config": left_out("the effort of one turn; set it for the request", "object"),
    },
    "TextBlock": {
        "type": one_of("text"),
        "text": text(required=True),
        **_CACHE,
        **ignored("citations"),
    },
    "ImageBlock": {
        "type": one_of("image"),
        "source": KnownField("Source", required=True),
        **_CACHE,
    },
    "DocumentBlock": {
        "type": one_of("document"),
        "source": KnownField("Source", required=True),
        "title": text(),
        "context": text(),
        "citations": _CITED,
        **_CACHE,
    },
    "SearchResultBlock": {
        "type": one_of("search_result"),
        "title": text(required=True),
        "source": text(required=True),
        "content": KnownField("TextBlock[]", required=True),
        "citations": _CITED,
        **_CACHE,
    },
    "Source": {
        "type": KnownField(
            "string",
            why="an image is base64, a document text or content, either a file uploaded here",
            values=("base64", "text", "content", "url", "file"),
            required=True,
        ),
        "media_type": text(),
        "data": text(),
        "content": KnownField("string|TextBlock[]|ImageBlock[]"),
        "url": refused(f"URLs are not fetched here; {_INLINE}", "string"),
        "file_id": refused("the file is stored at Anthropic; upload it here", "string"),
    },
    "ToolUseBlock": {
        "type": one_of("tool_use"),
        "id": text(required=True),
        "name": text(required=True),
        "input": KnownField("object"),
        **_CACHE,
    },
    "ToolResultBlock": {
        "type": one_of("tool_result"),
        "tool_use_id": text(required=True),
        "content": KnownField(f"string|{_RESULTS}"),
        "is_error": KnownField("boolean"),
        **_CACHE,
    },
    "ToolReference": {"type": one_of("tool_reference"), "tool_name": text()},
    "ThinkingBlock": {
        "type": one_of("thinking"),
        "thinking": text("left out if the engine does not accept earlier thoughts", required=True),
        **ignored("signature"),
    },
    "RedactedThinkingBlock": {
        "type": one_of("redacted_thinking"),
        "data": left_out("only Anthropic can read it", "string"),
    },
    "OtherBlock": {
        "type": KnownField(
            "string",
            Fate.REFUSED,
            "blocks of other types are not supported, except fallback, which is ignored",
            required=True,
        ),
    },
    "Tool": {
        "type": KnownField("string", why="tools of other types are refused", values=("custom",)),
        "name": text(required=True),
        "description": text(),
        "input_schema": KnownField("object", required=True),
        "strict": KnownField("boolean"),
        **_CACHE,
        **ignored("defer_loading", "input_examples", "allowed_callers", "eager_input_streaming"),
    },
    "ToolChoice": {
        "type": one_of("auto", "any", "tool", "none"),
        "name": text(),
        "disable_parallel_tool_use": KnownField(
            "boolean", why="left out if the engine has no such switch"
        ),
    },
    "OutputConfig": {
        "effort": KnownField("string", values=("low", "medium", "high", "xhigh", "max")),
        "format": KnownField("OutputFormat"),
        **ignored("task_budget"),
    },
    "OutputFormat": {
        "type": KnownField("string", why="others are refused", values=("json_schema",)),
        "schema": KnownField("object"),
    },
    "Thinking": {
        "type": KnownField(
            "string",
            why="between_tools, and types that come later, are left out with a warning",
            values=("enabled", "disabled", "adaptive", "between_tools"),
            required=True,
        ),
        "budget_tokens": KnownField("integer"),
        "display": KnownField("string", values=("summarized", "omitted", "updates")),
        **ignored("block_binding"),
    },
}  # fmt: skip
