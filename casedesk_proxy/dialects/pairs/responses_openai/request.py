"""Translates a Responses request to a chat request."""

from __future__ import annotations

from typing import Any

from casedesk_proxy.dialects.core.contract import Answered, Context, TranslatedRequest
from casedesk_proxy.dialects.core.findings import Findings
from casedesk_proxy.dialects.core.ids import clean_id
from casedesk_proxy.dialects.core.stream_translator import StreamTranslator
from casedesk_proxy.dialects.core.thinking import chat_controls
from casedesk_proxy.dialects.openai.builder import (
    STREAMS,
    declared_names,
    function_tool,
    may_be_strict,
    named_choice,
)
from casedesk_proxy.dialects.openai.counting import count_chat
from casedesk_proxy.dialects.openai.reader import ChatReader, chunk_template
from casedesk_proxy.dialects.pairs.responses_openai.messages import make_messages
from casedesk_proxy.dialects.responses.forms import ResponseEventForm, ResponseObjectForm
from casedesk_proxy.dialects.responses.names import FlatNames, QualifiedName
from casedesk_proxy.dialects.responses.request import (
    ResponsesRequest,
    TextFormat,
    read_request,
)
from casedesk_proxy.dialects.responses.tools import DeclaredFunction
from casedesk_proxy.dialects.responses.writer import ResponsesWriter
from casedesk_proxy.dialects.schema.checks import check_json_schema
from casedesk_proxy.dialects.schema.formats import fit_formats
from casedesk_proxy.dialects.schema.ordering import fit_schema
from casedesk_proxy.engines.profile import Choice, Profile
from casedesk_proxy.jsonio import dumps
from casedesk_proxy.terms import Call, Dialect

__all__ = ["count", "translate"]


def translate(call: Call, body: dict[str, Any], context: Context) -> TranslatedRequest:
    """A Responses request. Raises BadRequest or Unsupported."""
    request, builder, findings = _build(body, context)
    make = ResponseEventForm if request.stream else ResponseObjectForm
    form = make(clean_id(context.request_id)[:32], request.repeated, builder.names)
    writer = ResponsesWriter(context, form)
    reader = ChatReader(writer, thoughts=True, single=True, declared=declared_names(builder.chat))
    media = findings.media.violations()
    translator = StreamTranslator(
        Dialect.RESPONSES, context, reader, writer, chunk_template(), media
    )
    return TranslatedRequest(
        path="/v1/chat/completions",
        body=dumps(builder.chat | STREAMS),
        streams=True,
        translator=translator,
        dropped=findings.dropped,
        controls=chat_controls(builder.chat, context.profile.thinking),
    )


def count(call: Call, body: dict[str, Any], context: Context) -> TranslatedRequest | Answered:
    """responses/input_tokens: the size of the prompt that this request would have."""
    _, builder, _ = _build(body, context)
    return count_chat(builder.chat, context, Dialect.RESPONSES, _show_count)


def _show_count(tokens: int) -> dict[str, Any]:
    return {"object": "response.input_tokens", "input_tokens": tokens}


def _build(
    body: dict[str, Any], context: Context
) -> tuple[ResponsesRequest, _ChatBuilder, Findings]:
    findings = Findings(feature_code="unsupported_responses_feature")
    request = read_request(body, findings, refuse_tools=context.refuse_tools)
    builder = _ChatBuilder(request, context, findings)
    builder.build()
    findings.raise_faults()
    findings.raise_refusals()
    return request, builder, findings


class _ChatBuilder:
    """``chat`` is the request for the node, without the fields that make it stream."""

    def __init__(self, request: ResponsesRequest, context: Context, findings: Findings) -> None:
        self._request = request
        self._context = context
        self._profile: Profile = context.profile
        self._findings = findings
        self._choice: Choice | None = None
        self.names = FlatNames(self._profile.strict_names)
        self.chat: dict[str, Any] = {"model": context.model}

    def build(self) -> None:
        """Tools come first: their names are assigned before those in the history."""
        tools = self._tools()
        self.chat["messages"] = make_messages(
            self._request.items,
            self._request.instructions,
            self._flatten,
            self._profile,
            self._findings,
            fold=self._context.fold_system,
            first=self._context.system_first,
        )
        findings = self._findings
        if not self.chat["messages"] and not (findings.faults or findings.features):
            findings.fault("input", "at least one item with content is required")
        self.chat |= tools
        self._sample()
        self._ask_for_logprobs()
        self._think()
        if self._request.format is not None:
            self._hold_to(self._request.format)

    def _flatten(self, called: QualifiedName, path: str) -> str:
        return self.names.give(called, path, self._findings)

    def _tools(self) -> dict[str, Any]:
        declared, made = self._request.tools, {}
        for function in declared.functions:
            name = self._flatten(function.called, function.path)
            if name in made:
                self._findings.fault(f"{function.path}.name", "functions must have unique names")
            made[name] = self._tool(name, function)
            if function.freeform:
                self.names.freeform.add(function.called)
        duty = declared.duty
        if duty.mode == "none" or not made:
            # If no tool may be called, the model needs no tools; its template still shows old
            # calls.
            return {}
        if duty.only is not None:
            kept = {self.names.flatten(one) for one in duty.only}
            made = {name: tool for name, tool in made.items() if name in kept}
        fields: dict[str, Any] = {"tools": list(made.values())}
        fields |= self._chosen(next(iter(made), ""))
        if declared.parallel is False:
            if self._profile.parallel_switch:
                fields["parallel_tool_calls"] = False
            else:
                self._findings.drop("parallel_tool_calls")
        return fields

    def _tool(self, name: str, function: DeclaredFunction) -> dict[str, Any]:
        return function_tool(
            name,
            function.description,
            fit_schema(function.parameters, self._profile),
            strict=function.strict and may_be_strict(function.parameters, self._profile),
        )

    def _chosen(self, name: str) -> dict[str, Any]:
        """If an engine does not support a named choice, it gets only that function and must use
        one."""
        duty = self._request.tools.duty
        if duty.named and Choice.NAMED in self._profile.choices:
            self._choice = Choice.NAMED
            return {"tool_choice": named_choice(name)}
        if duty.mode != "required":
            self._choice = Choice.AUTO
            return {}
        self._choice = Choice.REQUIRED
        if Choice.REQUIRED not in self._profile.choices:
            self._findings.refuse("tool_choice", "the node does not support forcing a tool call")
        return {"tool_choice": "required"}

    def _sample(self) -> None:
        request = self._request
        values = {
            "max_tokens": request.max_output_tokens,
            "temperature": request.temperature,
            "top_p": self._profile.fit_top_p(request.top_p),
        }
        self.chat |= {name: value for name, value in values.items() if value is not None}
        for name, value in request.extras.items():
            if name == "top_k" and not self._profile.top_k:
                self._findings.drop(name)
            else:
                self.chat[name] = value

    def _ask_for_logprobs(self) -> None:
        wanted, profile = self._request.logprobs, self._profile
        if wanted is None:
            return
        if not profile.logprobs:
            self._findings.refuse("top_logprobs", "the node does not return log probabilities")
        elif self._choice is not None and not profile.logprobs_with_tools:
            message = "the node does not return log probabilities together with tools"
            self._findings.refuse("top_logprobs", message)
        elif wanted > profile.most_logprobs:
            self._findings.refuse(
                "top_logprobs", f"the node returns at most {profile.most_logprobs}"
            )
        else:
            self.chat["logprobs"] = True
            if wanted:
                self.chat["top_logprobs"] = wanted

    def _think(self) -> None:
        effort, known = self._request.effort, self._profile.thinking
        if effort == "none" and known.off is not None:
            self.chat |= known.off
        elif effort not in (None, "none") and known.effort:
            self.chat["reasoning_effort"] = known.level(str(effort))
        elif effort is not None:
            self._findings.drop("reasoning.effort")

    def _hold_to(self, wanted: TextFormat) -> None:
        path, profile, findings = wanted.path, self._profile, self._findings
        if not profile.follows_format:
            findings.refuse_format(path, "the node does not support structured output")
        if self._choice in profile.format_forbids:
            findings.refuse_format(
                path, "the node does not support structured output together with these tools"
            )
        if wanted.schema is None:
            self.chat["response_format"] = {"type": "json_object"}
            return
        before = len(findings.schema_faults)
        check_json_schema(wanted.schema, f"{path}.schema", findings.schema_fault)
        if len(findings.schema_faults) > before:
            return
        schema = wanted.schema
        if profile.formats is not None:
            schema = fit_formats(schema, profile.formats, f"{path}.schema", findings)
        named: dict[str, Any] = {"name": wanted.name, "schema": fit_schema(schema, profile)}
        if wanted.description is not None:
            named["description"] = wanted.description
        if wanted.strict and may_be_strict(schema, profile):
            named["strict"] = True
        self.chat["response_format"] = {"type": "json_schema", "json_schema": named}
