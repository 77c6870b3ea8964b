"""Every field of an Anthropic request that means something here, and what becomes of it where the
node speaks another protocol. A node that speaks this one gets the body as it came.

Fields that are missing here are ignored (see `request`). Source: Anthropic's API reference.
"""

from __future__ import annotations

from casedesk_proxy.dialects.core.known_fields import Fate, KnownField, Messages

__all__ = ["KEPT_AT_ANTHROPIC", "MESSAGES"]

#: Fields that say what is to be answered, or of what: without them the reply is another one.
KEPT_AT_ANTHROPIC = {
    "thread": "the node keeps no conversations; send all of it",
    "compaction": "the node makes no compaction blocks",
}

_BLOCKS = (
    "TextBlock|ImageBlock|DocumentBlock|ToolUseBlock|ToolResultBlock|ThinkingBlock"
    "|RedactedThinkingBlock|OtherBlock"
)
_BLOCK_LIST = "|".join(f"{name}[]" for name in _BLOCKS.split("|"))
_INLINE = "send it inline"


def _ignored(*names: str) -> dict[str, KnownField]:
    return dict.fromkeys(names, KnownField(fate=Fate.IGNORED))


def _text(why: str = "", *, required: bool = False) -> KnownField:
    return KnownField("string", why=why, required=required)


def _refused(why: str, kind: str = "any") -> KnownField:
    return KnownField(kind, Fate.REFUSED, why)


def _left_out(why: str, kind: str = "any") -> KnownField:
    return KnownField(kind, Fate.LEFT_OUT, why)


def _kind(*values: str) -> KnownField:
    return KnownField("string", values=values, required=True)


_CACHE = _ignored("cache_control")

_REQUEST = {
    "model": _text(required=True),
    "messages": KnownField("Message[]", required=True),
    "system": KnownField("string|TextBlock[]"),
    "tools": KnownField("Tool[]"),
    "tool_choice": KnownField("ToolChoice"),
    "output_config": KnownField("OutputConfig"),
    "output_format": KnownField("OutputFormat", why="its name while it was a beta"),
    "thinking": KnownField("Thinking"),
    "mcp_servers": _refused("the node connects to no MCP servers", "array"),
    **{name: _refused(why) for name, why in KEPT_AT_ANTHROPIC.items()},
}

MESSAGES: Messages = {
    "MessagesRequest": {
        **_REQUEST,
        "max_tokens": KnownField("integer", why="0 is refused", required=True),
        "stream": KnownField("boolean"),
        "temperature": KnownField("number"),
        "top_p": KnownField("number"),
        "top_k": KnownField("integer", why="left out where the engine has none"),
        "stop_sequences": KnownField("string[]"),
        **_ignored("metadata", "service_tier", "container", "context_management"),
        **_ignored("inference_geo", "speed", "cache_control"),
    },
    "CountTokensRequest": _REQUEST,
    "Message": {
        "role": _kind("user", "assistant", "system"),
        "content": KnownField(f"string|{_BLOCK_LIST}", required=True),
    },
    "TextBlock": {
        "type": _kind("text"),
        "text": _text(required=True),
        **_CACHE,
        **_ignored("citations"),
    },
    "ImageBlock": {
        "type": _kind("image"),
        "source": KnownField("Source", required=True),
        **_CACHE,
    },
    "DocumentBlock": {
        "type": _kind("document"),
        "source": KnownField("Source", required=True),
        "title": _text(),
        "context": _text(),
        "citations": _left_out("the node cites nothing", "object"),
        **_CACHE,
    },
    "Source": {
        "type": KnownField(
            "string",
            why="an image is base64, a document text or content, either a file uploaded here",
            values=("base64", "text", "content", "url", "file"),
            required=True,
        ),
        "media_type": _text(),
        "data": _text(),
        "content": KnownField("string|TextBlock[]|ImageBlock[]"),
        "url": _refused(f"the node would have to fetch it; {_INLINE}", "string"),
        "file_id": _refused("files stored at Anthropic cannot be read; upload it here", "string"),
    },
    "ToolUseBlock": {
        "type": _kind("tool_use"),
        "id": _text(required=True),
        "name": _text(required=True),
        "input": KnownField("object"),
        **_CACHE,
    },
    "ToolResultBlock": {
        "type": _kind("tool_result"),
        "tool_use_id": _text(required=True),
        "content": KnownField("string|TextBlock[]|ImageBlock[]|DocumentBlock[]|ToolReference[]"),
        "is_error": KnownField("boolean"),
        **_CACHE,
    },
    "ToolReference": {"type": _kind("tool_reference"), "tool_name": _text()},
    "ThinkingBlock": {
        "type": _kind("thinking"),
        "thinking": _text("left out where the engine takes no earlier thoughts", required=True),
        **_ignored("signature"),
    },
    "RedactedThinkingBlock": {
        "type": _kind("redacted_thinking"),
        "data": _left_out("only Anthropic can read it", "string"),
    },
    "OtherBlock": {
        "type": KnownField(
            "string",
            Fate.REFUSED,
            "blocks of other types mean nothing to the node, but for fallback, which is ignored",
            required=True,
        ),
    },
    "Tool": {
        "type": KnownField("string", why="tools of other types are refused", values=("custom",)),
        "name": _text(required=True),
        "description": _text(),
        "input_schema": KnownField("object", required=True),
        "strict": KnownField("boolean"),
        **_CACHE,
        **_ignored("defer_loading", "input_examples", "allowed_callers", "eager_input_streaming"),
    },
    "ToolChoice": {
        "type": _kind("auto", "any", "tool", "none"),
        "name": _text(),
        "disable_parallel_tool_use": KnownField(
            "boolean", why="left out where the engine has no such switch"
        ),
    },
    "OutputConfig": {
        "effort": KnownField("string", values=("low", "medium", "high", "xhigh", "max")),
        "format": KnownField("OutputFormat"),
        **_ignored("task_budget"),
    },
    "OutputFormat": {
        "type": KnownField("string", why="others are refused", values=("json_schema",)),
        "schema": KnownField("object"),
    },
    "Thinking": {
        "type": KnownField("string", required=True, values=("enabled", "disabled", "adaptive")),
        "budget_tokens": KnownField("integer"),
        "display": KnownField("string", values=("summarized", "omitted")),
    },
}  # fmt: skip
