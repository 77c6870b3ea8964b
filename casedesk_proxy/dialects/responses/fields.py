"""Every field of a Responses request that has a meaning here, and what happens to it if the node
speaks another protocol. A node that speaks Responses gets the body unchanged.

Fields of a request that are missing here are left out with a warning. Source: OpenAI's API
reference.
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

__all__ = ["EXTRAS", "KEPT_AT_OPENAI", "MESSAGES", "OF_NO_MATTER"]

#: What is stored at OpenAI: without it the reply would be a different one.
KEPT_AT_OPENAI = {
    "previous_response_id": "the node stores no responses; send the whole conversation as input",
    "conversation": "the node stores no conversations; send the whole conversation as input",
    "prompt": "the node has no stored prompts; send its text as instructions or input",
}
#: Fields that control OpenAI's service, or repeat a default.
OF_NO_MATTER = (
    *("stream_options", "metadata", "user", "client_metadata", "prompt_cache_key"),
    *("prompt_cache_retention", "prompt_cache_options", "service_tier", "safety_identifier"),
    *("max_tool_calls",),
)
#: Fields of chat that OpenAI's Responses API does not have, but that its SDKs can be made to send.
EXTRAS = ("seed", "presence_penalty", "frequency_penalty", "top_k")

_NEVER_READ = "the node cannot read what is stored at OpenAI; send it inline"
_NEVER_FETCHED = "URLs are not fetched here; send it inline"
_PARTS = "TextPart[]|ImagePart[]|FilePart[]|AudioPart[]"


#: For OpenAI's own tool search, its programs that call tools, and calls that run meanwhile.
_OF_A_TOOL = ignored("defer_loading", "allowed_callers", "async")
_OF_AN_ITEM = ignored("id", "status", "caller", "async")
_CACHE = ignored("prompt_cache_breakpoint")
_ITEMS = "MessageItem[]|ReasoningItem[]|CallItem[]|CustomCallItem[]|ResultItem[]|OtherItem[]"

MESSAGES: Messages = {
    "ResponsesRequest": {
        "model": text(required=True),
        "input": KnownField(f"string|{_ITEMS}", required=True),
        "instructions": text(),
        "stream": KnownField("boolean"),
        "tools": KnownField("FunctionTool[]|CustomTool[]|NamespaceTool[]|OtherTool[]"),
        "tool_choice": KnownField("string|ToolChoice"),
        "parallel_tool_calls": KnownField(
            "boolean", why="only false has an effect, if the engine has the switch"
        ),
        "max_output_tokens": KnownField("integer"),
        "temperature": KnownField("number"),
        "top_p": KnownField("number"),
        "top_logprobs": KnownField("integer"),
        "include": KnownField("string[]", why="message.output_text.logprobs; others are ignored"),
        "reasoning": KnownField("Reasoning"),
        "text": KnownField("Text"),
        "store": KnownField("boolean", Fate.LEFT_OUT, "the node does not store responses"),
        "truncation": KnownField(
            "string",
            Fate.REFUSED,
            (
                "the node does not truncate conversations; leave truncation out, or shorten the"
                " input"
            ),
        ),
        "background": KnownField(
            "boolean", Fate.REFUSED, "the node does not support background responses"
        ),
        **{name: KnownField("number", why="an extension") for name in EXTRAS},
        **{name: refused(why) for name, why in KEPT_AT_OPENAI.items()},
        **ignored(*OF_NO_MATTER),
    },
    "MessageItem": {
        "type": KnownField("string", values=("message",)),
        "role": one_of("user", "assistant", "system", "developer"),
        "content": KnownField(f"string|{_PARTS}", required=True),
        **ignored("id", "status", "phase"),
    },
    "ReasoningItem": {
        "type": one_of("reasoning"),
        "content": KnownField("TextPart[]"),
        "summary": KnownField("TextPart[]", why="where there is no content"),
        "encrypted_content": KnownField("string", Fate.LEFT_OUT, "only OpenAI can read it"),
        **ignored("id", "status"),
    },
    "CallItem": {
        "type": one_of("function_call"),
        "call_id": text(required=True),
        "name": text(required=True),
        "namespace": text(),
        "arguments": text(required=True),
        **_OF_AN_ITEM,
    },
    "CustomCallItem": {
        "type": one_of("custom_tool_call"),
        "call_id": text(required=True),
        "name": text(required=True),
        "namespace": text(),
        "input": text(required=True),
        **_OF_AN_ITEM,
    },
    "ResultItem": {
        "type": one_of("function_call_output", "custom_tool_call_output"),
        "call_id": text(required=True),
        "output": KnownField(f"string|{_PARTS}", required=True),
        **_OF_AN_ITEM,
        **ignored("name", "namespace"),
    },
    "OtherItem": {
        "type": KnownField(
            "string",
            Fate.REFUSED,
            "items of OpenAI's own tools are left out with a warning, all others are refused",
            required=True,
        ),
    },
    "TextPart": {
        "type": one_of("input_text", "output_text", "text", "summary_text", "refusal"),
        "text": text(),
        "refusal": text(),
        **ignored("annotations", "logprobs"),
        **_CACHE,
    },
    "ImagePart": {
        "type": one_of("input_image"),
        "image_url": text(),
        "detail": text(),
        "file_id": refused(_NEVER_READ, "string"),
        **_CACHE,
    },
    "FilePart": {
        "type": one_of("input_file"),
        "file_data": text(),
        "filename": text(),
        "file_id": refused(_NEVER_READ, "string"),
        "file_url": refused(_NEVER_FETCHED, "string"),
        **ignored("detail"),
        **_CACHE,
    },
    "AudioPart": {"type": one_of("input_audio"), "input_audio": KnownField("Sound", required=True)},
    "Sound": {"data": text(required=True), "format": text(required=True)},
    "FunctionTool": {
        "type": one_of("function"),
        "name": text(required=True),
        "description": text(),
        "parameters": KnownField("object"),
        "strict": KnownField("boolean"),
        **ignored("output_schema"),
        **_OF_A_TOOL,
    },
    "CustomTool": {
        "type": one_of("custom"),
        "name": text("without one, or with that of another tool, the tool is left out"),
        "description": text(),
        "format": KnownField(
            "object", why="text; with a grammar the tool is left out, as those that run at OpenAI"
        ),
        **_OF_A_TOOL,
    },
    "NamespaceTool": {
        "type": one_of("namespace"),
        "name": text(required=True),
        "tools": KnownField("FunctionTool[]|CustomTool[]", required=True),
        **ignored("description"),
    },
    "OtherTool": {
        "type": KnownField(
            "string",
            Fate.LEFT_OUT,
            "tools that run at OpenAI; refused with unknown_tools: refuse",
            required=True,
        ),
    },
    "ToolChoice": {
        "type": KnownField(
            "string",
            why="others are refused",
            values=("function", "custom", "allowed_tools"),
            required=True,
        ),
        "name": text(),
        "namespace": text(),
        "mode": KnownField("string", values=("auto", "required")),
        "tools": KnownField("object[]"),
    },
    "Reasoning": {
        "effort": KnownField(
            "string", values=("none", "minimal", "low", "medium", "high", "xhigh", "max")
        ),
        **ignored("summary", "generate_summary"),
        "context": left_out("each turn gets the thoughts that its engine accepts", "string"),
        "mode": left_out("only standard has a meaning for a node", "string"),
    },
    "Text": {
        "format": KnownField("TextFormat"),
        "verbosity": KnownField("string", Fate.LEFT_OUT, "the node does not support verbosity"),
    },
    "TextFormat": {
        "type": one_of("text", "json_object", "json_schema"),
        "name": text(),
        "description": text(),
        "schema": KnownField("object"),
        "strict": KnownField("boolean"),
    },
}
