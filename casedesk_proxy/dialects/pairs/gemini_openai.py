"""Gemini clients on nodes that speak OpenAI: generateContent becomes a chat completion.

The node is always asked for a stream, and its reply is collected where the client wants one
body: llama-server notices a client that left only while it streams (measured).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from casedesk_proxy.dialects.core.contract import Context, Transposed
from casedesk_proxy.dialects.core.findings import Findings
from casedesk_proxy.dialects.core.stream_translator import StreamTranslator
from casedesk_proxy.dialects.core.thinking import chat_controls
from casedesk_proxy.dialects.gemini.config import PATH as CONFIG
from casedesk_proxy.dialects.gemini.config import GenerationConfig
from casedesk_proxy.dialects.gemini.contents import Media, Text, Turn
from casedesk_proxy.dialects.gemini.request import GeminiRequest, read_request
from casedesk_proxy.dialects.gemini.tools import Function, Toolbox
from casedesk_proxy.dialects.gemini.writer import Candidate, GeminiWriter
from casedesk_proxy.dialects.openai.reader import ChatReader, chunk_template
from casedesk_proxy.dialects.schema.checks import is_strict
from casedesk_proxy.dialects.schema.formats import fit_formats
from casedesk_proxy.dialects.schema.ordering import fit_schema
from casedesk_proxy.engines.profile import Choice, Profile, effort_of
from casedesk_proxy.errors import Violation
from casedesk_proxy.jsonio import dumps
from casedesk_proxy.terms import Call, Dialect, Framing

__all__ = [
    "chat_messages",
    "chat_tools",
    "node_names",
    "template_fields",
    "translator",
    "transpose",
]

_AUDIO = {
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/mp3": "mp3",
    "audio/mpeg": "mp3",
}
#: What ``json_object`` means, for nodes that know schemas only.
_ANY_OBJECT = {"type": "object"}
_NOT_STRICT_NAME = re.compile(r"[^A-Za-z0-9_-]")
_MODE = "toolConfig.functionCallingConfig.mode"


def transpose(call: Call, body: dict[str, Any], context: Context) -> Transposed:
    """A generateContent or streamGenerateContent request. Raises BadRequest or Unsupported."""
    findings = Findings(context.refuse_unknown)
    request = read_request(body, findings)
    profile = context.profile
    names = node_names(request) if profile.strict_names else {}
    chat: dict[str, Any] = {
        "model": context.model,
        "messages": chat_messages(request, profile, context, names, findings),
        "stream": True,
        "stream_options": {"include_usage": True},
        **_sampling(request.config, profile, findings),
        **_format(request, profile, findings),
        **_tools(request.tools, profile, names, findings),
        **_thinking(request.config, profile, findings),
        **_prefill(request, profile),
    }
    _check_together(request, profile, findings)
    findings.raise_refusals()
    return Transposed(
        path="/v1/chat/completions",
        body=dumps(chat),
        streams=True,
        translator=translator(
            context,
            call.framing,
            thoughts=request.config.thoughts,
            names={new: old for old, new in names.items()},
            wanted=request.config.candidates,
            media=findings.media.told(),
        ),
        dropped=findings.dropped,
        controls=chat_controls(chat, profile.thinking),
    )


def translator(
    context: Context,
    framing: Framing,
    *,
    thoughts: bool = False,
    names: Mapping[str, str] | None = None,
    wanted: int = 1,
    media: tuple[Violation, ...] = (),
) -> StreamTranslator[Candidate]:
    """``names`` leads from the node's function names to the client's; ``wanted``: see
    ChatReader."""
    writer = GeminiWriter(context, framing, names)
    reader = ChatReader(writer, thoughts=thoughts, wanted=wanted)
    return StreamTranslator(Dialect.GEMINI, context, reader, writer, chunk_template(), media)


def chat_messages(
    request: GeminiRequest,
    profile: Profile,
    context: Context,
    names: dict[str, str],
    findings: Findings,
) -> list[dict[str, Any]]:
    """``names``: what functions are called at the node, where that differs."""
    messages: list[dict[str, Any]] = []
    folded = request.system if context.fold_system else ""
    if request.system and not folded:
        messages.append({"role": "system", "content": request.system})
    if folded and request.turns[0].role != "user":
        messages.append({"role": "user", "content": folded})
        folded = ""
    for turn in request.turns:
        if turn.role == "model":
            messages.append(_assistant(turn, profile, names))
        else:
            messages += _tool_messages(turn)
            content = _user_content(turn, folded, profile, request.config.detail, findings)
            if content or turn.texts():
                messages.append({"role": "user", "content": content})
            folded = ""
    return messages


def _assistant(turn: Turn, profile: Profile, names: dict[str, str]) -> dict[str, Any]:
    # Parts are joined as they are: a separator would change what the model wrote.
    text = "".join(block.text for block in turn.texts())
    message: dict[str, Any] = {"role": "assistant", "content": text or profile.empty_content}
    calls = [
        {
            "id": ask.id,
            "type": "function",
            "function": {
                "name": names.get(ask.name, ask.name),
                "arguments": dumps(ask.args).decode(),
            },
        }
        for ask in turn.asks()
    ]
    if calls:
        message["tool_calls"] = calls
    return message


def _tool_messages(turn: Turn) -> list[dict[str, Any]]:
    """They stand directly behind the calls, whatever else the turn holds, as OpenAI demands."""
    return [
        {
            "role": "tool",
            "tool_call_id": answer.id,
            "content": dumps(answer.response).decode(),
        }
        for answer in turn.answers()
    ]


def _user_content(
    turn: Turn, folded: str, profile: Profile, detail: str | None, findings: Findings
) -> str | list[dict[str, Any]]:
    """A plain string unless there is media: templates differ in what they make of a list, and
    Ollama makes each of its parts a message."""
    blocks = [block for block in turn.blocks if isinstance(block, Text | Media)]
    lead = [folded + "\n\n"] if folded and blocks else [folded] if folded else []
    if not any(isinstance(block, Media) for block in blocks):
        return "".join([*lead, *(block.text for block in blocks if isinstance(block, Text))])
    parts: list[dict[str, Any]] = [{"type": "text", "text": text} for text in lead]
    for block in blocks:
        if isinstance(block, Text):
            parts.append({"type": "text", "text": block.text})
        else:
            parts += _media_part(block, profile, detail, findings)
    return parts


def _media_part(
    media: Media, profile: Profile, detail: str | None, findings: Findings
) -> list[dict[str, Any]]:
    findings.media.add(media.path, "", media.kind)
    if media.mime in profile.images:
        url = {"url": f"data:{media.mime};base64,{media.data}"}
        if media.detail or detail:
            url["detail"] = media.detail or detail or ""
        return [{"type": "image_url", "image_url": url}]
    if media.mime in _AUDIO and profile.audio:
        audio = {"data": media.data, "format": _AUDIO[media.mime]}
        return [{"type": "input_audio", "input_audio": audio}]
    if media.kind == "video" and profile.video == "video_url":
        url = {"url": f"data:{media.mime};base64,{media.data}"}
        return [{"type": "video_url", "video_url": url}]
    if media.kind == "video" and profile.video == "input_video":
        return [{"type": "input_video", "input_video": {"data": media.data}}]
    findings.refuse(media.path, f"the node takes no {media.mime}", media=media.kind)
    return []


def _sampling(config: GenerationConfig, profile: Profile, findings: Findings) -> dict[str, Any]:
    wanted: dict[str, Any] = {
        "temperature": config.temperature,
        "top_p": profile.fit_top_p(config.top_p),
        "max_tokens": config.max_tokens,
        "stop": list(config.stops) or None,
        "seed": config.seed,
        "presence_penalty": config.presence_penalty if profile.presence_penalty else None,
        "frequency_penalty": config.frequency_penalty,
        "n": config.candidates if config.candidates > 1 else None,
        "logprobs": config.logprobs or None,
        "top_logprobs": config.top_logprobs,
    }
    if config.top_k is not None:
        if profile.top_k:
            wanted["top_k"] = config.top_k or profile.no_top_k
        else:
            findings.drop(f"{CONFIG}.topK")
    if config.presence_penalty is not None and not profile.presence_penalty:
        findings.drop(f"{CONFIG}.presencePenalty")
    _check_sampling(config, profile, findings)
    return {name: value for name, value in wanted.items() if value is not None}


def _check_sampling(config: GenerationConfig, profile: Profile, findings: Findings) -> None:
    if config.candidates > 1 and not profile.candidates:
        findings.refuse(f"{CONFIG}.candidateCount", "the node gives one candidate only")
    if profile.most_stops is not None and len(config.stops) > profile.most_stops:
        told = f"the node takes up to {profile.most_stops} sequences"
        findings.refuse(f"{CONFIG}.stopSequences", told)
    if config.logprobs and not profile.logprobs:
        findings.refuse(f"{CONFIG}.responseLogprobs", "the node gives no log probabilities")
    if (config.top_logprobs or 0) > profile.most_logprobs:
        findings.refuse(f"{CONFIG}.logprobs", f"the node gives up to {profile.most_logprobs}")


def _format(request: GeminiRequest, profile: Profile, findings: Findings) -> dict[str, Any]:
    schema = request.config.schema
    if schema is None:
        return {}
    if not profile.follows_format:
        findings.refuse_format(request.config.schema_path, "the node cannot be held to a format")
    if not schema and profile.json_mode:
        return {"response_format": {"type": "json_object"}}
    schema = schema or _ANY_OBJECT
    if profile.formats is not None:
        schema = fit_formats(schema, profile.formats, request.config.schema_path, findings)
    schema = fit_schema(schema, profile)
    named: dict[str, Any] = {"name": "response", "schema": schema}
    if profile.strict_schemas and is_strict(schema):
        named["strict"] = True
    return {"response_format": {"type": "json_schema", "json_schema": named}}


def chat_tools(
    functions: tuple[Function, ...], profile: Profile, names: dict[str, str], exact: bool = False
) -> list[dict[str, Any]]:
    tools = []
    for one in functions:
        function: dict[str, Any] = {"name": names.get(one.name, one.name)}
        if one.description:
            function["description"] = one.description
        function["parameters"] = fit_schema(one.parameters, profile)
        if exact and profile.strict_schemas and is_strict(one.parameters):
            function["strict"] = True
        tools.append({"type": "function", "function": function})
    return tools


def _tools(
    box: Toolbox, profile: Profile, names: dict[str, str], findings: Findings
) -> dict[str, Any]:
    if not box.functions:
        return {}  # vLLM answers 400 to an empty list
    made: dict[str, Any] = {"tools": chat_tools(box.functions, profile, names, box.exact)}
    if box.choice is Choice.NAMED and Choice.NAMED in profile.choices:
        name = box.functions[0].name
        made["tool_choice"] = {
            "type": "function",
            "function": {"name": names.get(name, name)},
        }
    elif box.choice is not Choice.AUTO:
        # With one function left, having to call something is having to call that.
        made["tool_choice"] = "required"
        if Choice.REQUIRED not in profile.choices:
            findings.refuse(_MODE, "the node cannot be made to call a function")
    return made


def node_names(request: GeminiRequest) -> dict[str, str]:
    """New names for functions that a strict node would refuse; unique, so that they lead back."""
    used = [one.name for one in request.tools.functions]
    used += [ask.name for turn in request.turns for ask in turn.asks()]
    taken = set(used)
    renamed: dict[str, str] = {}
    numbers: dict[str, int] = {}  # last ones given, or many of a kind would be counted again
    for name in dict.fromkeys(used):
        fitted = _NOT_STRICT_NAME.sub("_", name)[:64]
        stem = fitted[:58]
        while fitted != name and fitted in taken:
            numbers[stem] = numbers.get(stem, 0) + 1
            fitted = f"{stem}_{numbers[stem]}"
        if fitted != name:
            taken.add(fitted)
            renamed[name] = fitted
    return renamed


def _thinking(config: GenerationConfig, profile: Profile, findings: Findings) -> dict[str, Any]:
    thinking = profile.thinking
    if config.level is not None:
        if thinking.effort:
            return {"reasoning_effort": thinking.level(config.level.lower())}
        findings.drop(f"{CONFIG}.thinkingConfig.thinkingLevel")
    budget = config.budget
    if budget is None or budget < 0:
        return {}
    path = f"{CONFIG}.thinkingConfig.thinkingBudget"
    if budget == 0:
        if thinking.off is None:
            findings.drop(path)
        return dict(thinking.off or {})
    if thinking.budget:
        return {thinking.budget: budget}
    if thinking.effort:
        return {"reasoning_effort": thinking.level(effort_of(budget))}
    findings.drop(path)
    return {}


def template_fields(request: GeminiRequest, profile: Profile) -> dict[str, Any]:
    """What changes the prompt that the node makes of the messages."""
    return {**_thinking(request.config, profile, Findings()), **_prefill(request, profile)}


def _prefill(request: GeminiRequest, profile: Profile) -> Mapping[str, Any]:
    """Gemini goes on where the last turn is the model's own."""
    last = request.turns[-1]
    goes_on = last.role == "model" and not last.asks()
    return (profile.prefill or {}) if goes_on else {}


def _check_together(request: GeminiRequest, profile: Profile, findings: Findings) -> None:
    """What the node takes one by one, but not at once."""
    box, config = request.tools, request.config
    if not box.functions:
        return
    choice = box.choice
    if choice is Choice.NAMED and Choice.NAMED not in profile.choices:
        choice = Choice.REQUIRED
    if config.schema is not None and choice in profile.format_forbids:
        told = "the node cannot follow a response format and call functions at once"
        findings.refuse_format(config.schema_path, told)
    if config.logprobs and not profile.logprobs_with_tools:
        told = "the node gives no log probabilities while functions are declared"
        findings.refuse(f"{CONFIG}.responseLogprobs", told)
