"""Gemini clients on nodes that speak only Anthropic: generateContent becomes a Messages request.

Where a node speaks OpenAI as well, that is the better way: local servers' ``/v1/messages`` knows
less (no format, no named function, no log probabilities).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from casedesk_proxy.dialects.anthropic.reader import MessagesReader, delta_template
from casedesk_proxy.dialects.core.body_translator import BodyTranslator
from casedesk_proxy.dialects.core.contract import Answered, Context, Transposed
from casedesk_proxy.dialects.core.findings import Findings
from casedesk_proxy.dialects.core.stream_translator import StreamTranslator
from casedesk_proxy.dialects.core.thinking import messages_controls
from casedesk_proxy.dialects.gemini.config import PATH as CONFIG
from casedesk_proxy.dialects.gemini.config import GenerationConfig
from casedesk_proxy.dialects.gemini.contents import FunctionCall, FunctionResponse, Media, Turn
from casedesk_proxy.dialects.gemini.request import GeminiRequest, read_count_request, read_request
from casedesk_proxy.dialects.gemini.tools import Function
from casedesk_proxy.dialects.gemini.writer import Candidate, GeminiWriter
from casedesk_proxy.dialects.pairs.counts import COUNTED, estimate_tokens, read_count
from casedesk_proxy.dialects.pairs.gemini_openai import node_names
from casedesk_proxy.engines.profile import Choice, Messages, Profile, effort_of
from casedesk_proxy.errors import Violation
from casedesk_proxy.jsonio import dumps
from casedesk_proxy.terms import Call, Dialect, Framing, Usage

__all__ = ["count", "translator", "transpose"]

#: What may be written where neither client nor catalogue says: llama-server's own default.
_MAX_TOKENS = 4096
#: Anthropic's least budget for thinking.
_LEAST_BUDGET = 1024
_IMAGES = frozenset({"image/png", "image/jpeg", "image/webp", "image/gif"})
_MODE = "toolConfig.functionCallingConfig.mode"


def transpose(call: Call, body: dict[str, Any], context: Context) -> Transposed:
    """A generateContent or streamGenerateContent request. Raises BadRequest or Unsupported."""
    findings = Findings(context.refuse_unknown)
    request = read_request(body, findings)
    profile = context.profile
    route = profile.messages
    names = node_names(request) if route.exact else {}
    limit = request.config.max_tokens or context.output_limit or _MAX_TOKENS
    made: dict[str, Any] = {
        "model": context.model,
        "max_tokens": limit,
        **_conversation(request, context, profile, names, findings),
        "stream": True,
        **_sampling(request.config, profile, findings),
        **_tools(request, route, names, findings),
        **_thinking(request.config, limit, route, findings),
    }
    output = _output(request, route, findings)
    if output:
        made["output_config"] = output
    findings.raise_refusals()
    return Transposed(
        path="/v1/messages",
        body=dumps(made),
        streams=True,
        translator=translator(
            context,
            call.framing,
            thoughts=request.config.thoughts,
            names={new: old for old, new in names.items()},
            media=findings.media.told(),
        ),
        dropped=findings.dropped,
        controls=messages_controls(made),
    )


def translator(
    context: Context,
    framing: Framing,
    *,
    thoughts: bool = False,
    names: Mapping[str, str] | None = None,
    media: tuple[Violation, ...] = (),
) -> StreamTranslator[Candidate]:
    """``names`` leads from the node's function names to the client's."""
    writer = GeminiWriter(context, framing, names)
    reader = MessagesReader(writer, thoughts=thoughts)
    return StreamTranslator(Dialect.GEMINI, context, reader, writer, delta_template(), media)


def count(call: Call, body: dict[str, Any], context: Context) -> Transposed | Answered:
    """countTokens, by the node's own ``count_tokens``. Raises BadRequest or Unsupported."""
    findings = Findings(context.refuse_unknown)
    request = read_count_request(body, findings)
    profile = context.profile
    route = profile.messages
    names = node_names(request) if route.exact else {}
    readable = replace(profile, images=_IMAGES, messages=replace(route, documents=True))
    question = {
        "model": context.model,
        **_conversation(request, context, readable, names, findings),
        **_tools(request, route, names, Findings()),
    }
    findings.raise_refusals()
    if not route.counts:
        number = estimate_tokens(dumps([question["messages"], question.get("system")]))
        return Answered(dumps({"totalTokens": number}), ((COUNTED, "estimate"),))

    def make(document: dict[str, Any]) -> tuple[dict[str, Any], Usage]:
        return {"totalTokens": read_count(document)}, Usage()

    return Transposed(
        path="/v1/messages/count_tokens",
        body=dumps(question),
        streams=False,
        translator=BodyTranslator(Dialect.GEMINI, context.asked, make),
    )


def _conversation(
    request: GeminiRequest,
    context: Context,
    profile: Profile,
    names: dict[str, str],
    findings: Findings,
) -> dict[str, Any]:
    made: dict[str, Any] = {}
    route = profile.messages
    folded = request.system if context.fold_system else ""
    if request.system and not folded:
        made["system"] = request.system
    turns = list(request.turns)
    if folded and turns[0].role != "user":
        turns.insert(0, Turn("user"))
    if route.exact and turns[0].role != "user":
        path = turns[0].blocks[0].path
        findings.refuse(path, "for this node a conversation begins with the user")
    made["messages"] = [
        {
            "role": "assistant" if turn.role == "model" else "user",
            "content": _content(turn, folded if at == 0 else "", profile, names, findings),
        }
        for at, turn in enumerate(turns)
    ]
    return made


def _content(
    turn: Turn, folded: str, profile: Profile, names: dict[str, str], findings: Findings
) -> list[dict[str, Any]]:
    """Results of functions stand first, as Anthropic demands."""
    results: list[dict[str, Any]] = []
    rest: list[dict[str, Any]] = []
    if folded:
        rest.append({"type": "text", "text": folded})
    for block in turn.blocks:
        if isinstance(block, FunctionResponse):
            content = dumps(block.response).decode()
            results.append({"type": "tool_result", "tool_use_id": block.id, "content": content})
        elif isinstance(block, FunctionCall):
            name = names.get(block.name, block.name)
            rest.append({"type": "tool_use", "id": block.id, "name": name, "input": block.args})
        elif isinstance(block, Media):
            rest.append(_media(block, profile, findings))
        else:
            rest.append({"type": "text", "text": block.text})
    return results + rest


def _media(media: Media, profile: Profile, findings: Findings) -> dict[str, Any]:
    kind = "image" if media.mime in _IMAGES & profile.images else ""
    if media.mime == "application/pdf" and profile.messages.documents:
        kind = "document"
    if not kind:
        findings.refuse(media.path, f"the node takes no {media.mime}", media=media.kind)
    findings.media.add(media.path, "", media.kind)
    source = {"type": "base64", "media_type": media.mime, "data": media.data}
    return {"type": kind, "source": source}


def _sampling(config: GenerationConfig, profile: Profile, findings: Findings) -> dict[str, Any]:
    exact = profile.messages.exact
    temperature = config.temperature
    if exact and temperature is not None and temperature > 1:
        temperature = 1
        findings.drop(f"{CONFIG}.temperature")
    for name, value in (
        ("seed", config.seed),
        ("presencePenalty", config.presence_penalty),
        ("frequencyPenalty", config.frequency_penalty),
    ):
        if value is not None:
            findings.drop(f"{CONFIG}.{name}")
    if config.candidates > 1:
        findings.refuse(f"{CONFIG}.candidateCount", "the node gives one candidate only")
    if config.logprobs:
        findings.refuse(f"{CONFIG}.responseLogprobs", "the node gives no log probabilities")
    for at, stop in enumerate(config.stops):
        if exact and not stop.strip():
            told = "the node takes no sequence of blanks"
            findings.refuse(f"{CONFIG}.stopSequences[{at}]", told)
    if not exact and profile.most_stops is not None and len(config.stops) > profile.most_stops:
        told = f"the node takes up to {profile.most_stops} sequences"
        findings.refuse(f"{CONFIG}.stopSequences", told)
    wanted = {
        "temperature": temperature,
        "top_p": config.top_p,
        "top_k": config.top_k,
        "stop_sequences": list(config.stops) or None,
    }
    return {name: value for name, value in wanted.items() if value is not None}


def _tools(
    request: GeminiRequest, route: Messages, names: dict[str, str], findings: Findings
) -> dict[str, Any]:
    box = request.tools
    if not box.functions:
        return _hidden_tools(request, names) if route.exact else {}
    made: dict[str, Any] = {"tools": [_tool(one, names) for one in box.functions]}
    if box.choice is Choice.NAMED and Choice.NAMED in route.choices:
        name = box.functions[0].name
        made["tool_choice"] = {"type": "tool", "name": names.get(name, name)}
    elif box.choice is not Choice.AUTO:
        made["tool_choice"] = {"type": "any"}
        if Choice.REQUIRED not in route.choices:
            findings.refuse(_MODE, "the node cannot be made to call a function")
    return made


def _hidden_tools(request: GeminiRequest, names: dict[str, str]) -> dict[str, Any]:
    """Anthropic wants tools defined where the history has calls, also if none may be called."""
    called = {ask.name for turn in request.turns for ask in turn.asks()}
    if not called:
        return {}
    declared = {one.name: one for one in request.tools.declared}
    nothing = {"type": "object", "properties": {}}
    unknown = (Function(name, "", nothing) for name in sorted(called - declared.keys()))
    tools = [_tool(one, names) for one in (*declared.values(), *unknown)]
    return {"tools": tools, "tool_choice": {"type": "none"}}


def _tool(function: Function, names: dict[str, str]) -> dict[str, Any]:
    made: dict[str, Any] = {"name": names.get(function.name, function.name)}
    if function.description:
        made["description"] = function.description
    made["input_schema"] = function.parameters
    return made


def _thinking(
    config: GenerationConfig, limit: int, route: Messages, findings: Findings
) -> dict[str, Any]:
    """A budget has to leave room for an answer."""
    path = f"{CONFIG}.thinkingConfig.thinkingBudget"
    if config.budget == 0:
        if route.disables_thinking:
            return {"thinking": {"type": "disabled"}}
        if route.thinks:
            findings.drop(path)
        return {}
    if config.budget is None or config.budget < 0:
        return {}
    if not route.budgets:
        if not route.effort:
            findings.drop(path)
        return {}
    budget = max(config.budget, _LEAST_BUDGET)
    if budget < limit:
        return {"thinking": {"type": "enabled", "budget_tokens": budget}}
    if config.max_tokens is None:
        enabled = {"type": "enabled", "budget_tokens": budget}
        return {"thinking": enabled, "max_tokens": budget + _MAX_TOKENS}
    findings.drop(path)
    return {}


def _output(request: GeminiRequest, route: Messages, findings: Findings) -> dict[str, Any]:
    config = request.config
    output: dict[str, Any] = {}
    level = config.level.lower() if config.level is not None else None
    if level is None and not route.budgets and (config.budget or 0) > 0:
        level = effort_of(config.budget or 0)
    if level is not None and route.effort:
        output["effort"] = route.level(level)
    elif config.level is not None:
        findings.drop(f"{CONFIG}.thinkingConfig.thinkingLevel")
    if config.schema is not None:
        if not route.format or not config.schema:
            findings.refuse_format(config.schema_path, "the node cannot be held to this format")
        output["format"] = {"type": "json_schema", "schema": config.schema}
    return output
