"""Every field of a Responses request that means something here, and what becomes of it where the
node speaks another protocol. A node that speaks this one gets the body as it came.

Fields of a request that are missing here are left out with a warning. Source: OpenAI's API
reference.
"""

from __future__ import annotations

from casedesk_proxy.dialects.core.known_fields import Fate, KnownField, Messages

__all__ = ["EXTRAS", "KEPT_AT_OPENAI", "MESSAGES", "OF_NO_MATTER"]

#: What lives at OpenAI: without it the reply would be another one.
KEPT_AT_OPENAI = {
    "previous_response_id": "the node keeps no responses; send the whole conversation as input",
    "conversation": "the node keeps no conversations; send the whole conversation as input",
    "prompt": "the node has no stored prompts; send its text as instructions or input",
}
#: They steer OpenAI's service, or say again what is so anyway.
OF_NO_MATTER = (
    *("stream_options", "metadata", "user", "client_metadata", "prompt_cache_key"),
    *("prompt_cache_retention", "prompt_cache_options", "service_tier", "safety_identifier"),
    *("max_tool_calls",),
)
#: Fields of chat that OpenAI's Responses API does not have and that its SDKs can be made to send.
EXTRAS = ("seed", "presence_penalty", "frequency_penalty", "top_k")

_NEVER_READ = "what is stored at OpenAI cannot be read by the node; send it inline"
_NEVER_FETCHED = "the node would have to fetch it; send it inline"
_PARTS = "TextPart[]|ImagePart[]|FilePart[]|AudioPart[]"


def _ignored(*names: str) -> dict[str, KnownField]:
    return dict.fromkeys(names, KnownField(fate=Fate.IGNORED))


def _text(why: str = "", *, required: bool = False) -> KnownField:
    return KnownField("string", why=why, required=required)


def _refused(why: str, kind: str = "string") -> KnownField:
    return KnownField(kind, Fate.REFUSED, why)


def _kind(*values: str) -> KnownField:
    return KnownField("string", values=values, required=True)


_ITEMS = "MessageItem[]|ReasoningItem[]|CallItem[]|CustomCallItem[]|ResultItem[]|OtherItem[]"

MESSAGES: Messages = {
    "ResponsesRequest": {
        "model": _text(required=True),
        "input": KnownField(f"string|{_ITEMS}", required=True),
        "instructions": _text(),
        "stream": KnownField("boolean"),
        "tools": KnownField("FunctionTool[]|NamespaceTool[]|OtherTool[]"),
        "tool_choice": KnownField("string|ToolChoice"),
        "parallel_tool_calls": KnownField("boolean", why="false, where the engine has the switch"),
        "max_output_tokens": KnownField("integer"),
        "temperature": KnownField("number"),
        "top_p": KnownField("number"),
        "top_logprobs": KnownField("integer"),
        "include": KnownField("string[]", why="message.output_text.logprobs; others are ignored"),
        "reasoning": KnownField("Reasoning"),
        "text": KnownField("Text"),
        "store": KnownField("boolean", Fate.LEFT_OUT, "the node keeps no responses"),
        "truncation": KnownField(
            "string", Fate.REFUSED, "the node drops no part of a conversation by itself"
        ),
        "background": KnownField(
            "boolean", Fate.REFUSED, "the node answers while its client waits, or not at all"
        ),
        **{name: KnownField("number", why="an extension") for name in EXTRAS},
        **{name: _refused(why, "any") for name, why in KEPT_AT_OPENAI.items()},
        **_ignored(*OF_NO_MATTER),
    },
    "MessageItem": {
        "type": KnownField("string", values=("message",)),
        "role": _kind("user", "assistant", "system", "developer"),
        "content": KnownField(f"string|{_PARTS}", required=True),
        **_ignored("id", "status"),
    },
    "ReasoningItem": {
        "type": _kind("reasoning"),
        "content": KnownField("TextPart[]"),
        "summary": KnownField("TextPart[]", why="where there is no content"),
        "encrypted_content": KnownField("string", Fate.LEFT_OUT, "only OpenAI can read it"),
        **_ignored("id", "status"),
    },
    "CallItem": {
        "type": _kind("function_call"),
        "call_id": _text(required=True),
        "name": _text(required=True),
        "namespace": _text(),
        "arguments": _text(required=True),
        **_ignored("id", "status"),
    },
    "CustomCallItem": {
        "type": _kind("custom_tool_call"),
        "call_id": _text(required=True),
        "name": _text(required=True),
        "namespace": _text(),
        "input": _text(required=True),
        **_ignored("id", "status"),
    },
    "ResultItem": {
        "type": _kind("function_call_output", "custom_tool_call_output"),
        "call_id": _text(required=True),
        "output": KnownField(f"string|{_PARTS}", required=True),
        **_ignored("id", "status"),
    },
    "OtherItem": {
        "type": KnownField(
            "string",
            Fate.REFUSED,
            "traces of OpenAI's own tools are left out with a warning, all others refused",
            required=True,
        ),
    },
    "TextPart": {
        "type": _kind("input_text", "output_text", "text", "summary_text", "refusal"),
        "text": _text(),
        "refusal": _text(),
        **_ignored("annotations", "logprobs"),
    },
    "ImagePart": {
        "type": _kind("input_image"),
        "image_url": _text(),
        "detail": _text(),
        "file_id": _refused(_NEVER_READ),
    },
    "FilePart": {
        "type": _kind("input_file"),
        "file_data": _text(),
        "filename": _text(),
        "file_id": _refused(_NEVER_READ),
        "file_url": _refused(_NEVER_FETCHED),
    },
    "AudioPart": {"type": _kind("input_audio"), "input_audio": KnownField("Sound", required=True)},
    "Sound": {"data": _text(required=True), "format": _text(required=True)},
    "FunctionTool": {
        "type": _kind("function"),
        "name": _text(required=True),
        "description": _text(),
        "parameters": KnownField("object"),
        "strict": KnownField("boolean"),
    },
    "NamespaceTool": {
        "type": _kind("namespace"),
        "name": _text(required=True),
        "tools": KnownField("FunctionTool[]", required=True),
        **_ignored("description"),
    },
    "OtherTool": {
        "type": KnownField(
            "string",
            Fate.LEFT_OUT,
            "tools that run at OpenAI; refused where the deployment wants that",
            required=True,
        ),
    },
    "ToolChoice": {
        "type": KnownField(
            "string", why="others are refused", values=("function", "allowed_tools"), required=True
        ),
        "name": _text(),
        "namespace": _text(),
        "mode": KnownField("string", values=("auto", "required")),
        "tools": KnownField("object[]"),
    },
    "Reasoning": {
        "effort": KnownField(
            "string", values=("none", "minimal", "low", "medium", "high", "xhigh", "max")
        ),
        **_ignored("summary", "generate_summary"),
    },
    "Text": {
        "format": KnownField("TextFormat"),
        "verbosity": KnownField("string", Fate.LEFT_OUT, "the node knows no verbosity"),
    },
    "TextFormat": {
        "type": _kind("text", "json_object", "json_schema"),
        "name": _text(),
        "description": _text(),
        "schema": KnownField("object"),
        "strict": KnownField("boolean"),
    },
}
