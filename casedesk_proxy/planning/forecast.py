"""What would happen to requests of each kind, found by planning one of each. Nothing is sent.

So an operator knows beforehand what a model's node does not support, in the words that a client
would get.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from casedesk_proxy import jsonio
from casedesk_proxy.catalog.lists import offered
from casedesk_proxy.errors import ClientFault
from casedesk_proxy.planning.plan import plan_request
from casedesk_proxy.planning.route import PlanInputs
from casedesk_proxy.snapshot import DeploymentSpec, NodeSpec, Snapshot
from casedesk_proxy.surfaces.paths import read_call
from casedesk_proxy.terms import Dialect, ModelInfo, RawHeaders, record

__all__ = ["FEATURES", "SURFACES", "Forecast", "Sample", "forecast", "sample_request"]

#: In the order in which people usually ask for them.
SURFACES = (Dialect.GEMINI, Dialect.ANTHROPIC, Dialect.OPENAI, Dialect.RESPONSES)
#: Features that every surface has, and embeddings, which two have.
FEATURES = ("text", "tools", "images", "thinking", "schema", "embeddings")

#: One black pixel.
_IMAGE = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)
_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
_PARAMETERS = {"type": "object", "properties": {"path": {"type": "string"}}}
_HELLO = "Hello"


@record
class Forecast:
    """``outcome``: ``relayed`` unchanged, ``translated`` for a node that speaks another protocol,
    or ``refused`` with ``reason``, which begins with the faulty place if there is one. ``dropped``
    names what would be left out."""

    model: str
    surface: Dialect
    feature: str
    outcome: str
    reason: str = ""
    dropped: tuple[str, ...] = ()


@record
class Sample:
    """``target`` is what follows ``/proxy/{deployment}``."""

    target: str
    headers: RawHeaders
    body: dict[str, Any]


def forecast(
    snapshot: Snapshot,
    deployment: DeploymentSpec,
    reported: Mapping[str, tuple[ModelInfo, ...]],
    nodes: Mapping[str, NodeSpec],
) -> Iterator[Forecast]:
    """For each model that the deployment offers, by each surface, each feature. ``reported`` and
    ``nodes`` as in PlanInputs."""
    for model in offered(deployment.rules, reported):
        for surface in SURFACES:
            for feature in FEATURES:
                sample = sample_request(surface, feature, model)
                if sample is not None:
                    call = read_call("POST", sample.target, sample.headers)
                    raw = jsonio.dumps(sample.body)
                    inputs = PlanInputs(call, sample.headers, raw, "doctor", reported, nodes)
                    yield _judge(snapshot, deployment, inputs, model, feature)


def sample_request(surface: Dialect, feature: str, model: str) -> Sample | None:
    """A small request that uses one feature. None if the surface does not have it."""
    body = _SAMPLES[surface](feature)
    if body is None:
        return None
    target = _TARGETS[surface]
    headers: RawHeaders = ()
    if surface is Dialect.GEMINI:
        action = "embedContent" if feature == "embeddings" else "generateContent"
        target = f"/gemini/v1beta/models/{quote(model, safe='')}:{action}"
    elif feature == "embeddings":
        target = "/openai/v1/embeddings"
    if surface is Dialect.ANTHROPIC:
        headers = ((b"anthropic-version", b"2023-06-01"),)
    if surface is not Dialect.GEMINI:
        body = {"model": model, **body}
    return Sample(target, headers, body)


def _judge(
    snapshot: Snapshot, deployment: DeploymentSpec, inputs: PlanInputs, model: str, feature: str
) -> Forecast:
    surface = inputs.call.surface
    try:
        plan = plan_request(snapshot, deployment, inputs)
    except ClientFault as fault:
        places = "; ".join(f"{one.path}: {one.description}" for one in fault.violations)
        return Forecast(model, surface, feature, "refused", places or fault.message)
    native = all(route.dialect is surface for route in plan.routes.values())
    outcome = "relayed" if native else "translated"
    return Forecast(model, surface, feature, outcome, dropped=plan.dropped)


def _gemini(feature: str) -> dict[str, Any] | None:
    content: dict[str, Any] = {"role": "user", "parts": [{"text": _HELLO}]}
    if feature == "embeddings":
        return {"content": content}
    body: dict[str, Any] = {"contents": [content]}
    match feature:
        case "tools":
            body["tools"] = [
                {"functionDeclarations": [{"name": "read", "parameters": _PARAMETERS}]}
            ]
        case "images":
            content["parts"].append({"inlineData": {"mimeType": "image/png", "data": _IMAGE}})
        case "thinking":
            body["generationConfig"] = {"thinkingConfig": {"thinkingBudget": 1024}}
        case "schema":
            config = {"responseMimeType": "application/json", "responseJsonSchema": _SCHEMA}
            body["generationConfig"] = config
    return body


def _anthropic(feature: str) -> dict[str, Any] | None:
    content: list[dict[str, Any]] = [{"type": "text", "text": _HELLO}]
    body: dict[str, Any] = {
        "max_tokens": 2048,
        "messages": [{"role": "user", "content": content}],
    }
    match feature:
        case "embeddings":
            return None
        case "tools":
            body["tools"] = [{"name": "read", "input_schema": _PARAMETERS}]
        case "images":
            source = {"type": "base64", "media_type": "image/png", "data": _IMAGE}
            content.append({"type": "image", "source": source})
        case "thinking":
            body["thinking"] = {"type": "enabled", "budget_tokens": 1024}
        case "schema":
            body["output_config"] = {"format": {"type": "json_schema", "schema": _SCHEMA}}
    return body


def _openai(feature: str) -> dict[str, Any] | None:
    if feature == "embeddings":
        return {"input": _HELLO}
    content: list[dict[str, Any]] = [{"type": "text", "text": _HELLO}]
    body: dict[str, Any] = {"messages": [{"role": "user", "content": content}]}
    match feature:
        case "tools":
            function = {"name": "read", "parameters": _PARAMETERS}
            body["tools"] = [{"type": "function", "function": function}]
        case "images":
            url = f"data:image/png;base64,{_IMAGE}"
            content.append({"type": "image_url", "image_url": {"url": url}})
        case "thinking":
            body["reasoning_effort"] = "low"
        case "schema":
            named = {"name": "city", "schema": _SCHEMA, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": named}
    return body


def _responses(feature: str) -> dict[str, Any] | None:
    content: list[dict[str, Any]] = [{"type": "input_text", "text": _HELLO}]
    body: dict[str, Any] = {"input": [{"role": "user", "content": content}], "store": False}
    match feature:
        case "embeddings":
            return None
        case "tools":
            body["tools"] = [{"type": "function", "name": "read", "parameters": _PARAMETERS}]
        case "images":
            url = f"data:image/png;base64,{_IMAGE}"
            content.append({"type": "input_image", "image_url": url})
        case "thinking":
            body["reasoning"] = {"effort": "low"}
        case "schema":
            named = {"type": "json_schema", "name": "city", "schema": _SCHEMA, "strict": True}
            body["text"] = {"format": named}
    return body


_TARGETS = {
    Dialect.GEMINI: "",
    Dialect.ANTHROPIC: "/anthropic/v1/messages",
    Dialect.OPENAI: "/openai/v1/chat/completions",
    Dialect.RESPONSES: "/openai/v1/responses",
}
_SAMPLES = {
    Dialect.GEMINI: _gemini,
    Dialect.ANTHROPIC: _anthropic,
    Dialect.OPENAI: _openai,
    Dialect.RESPONSES: _responses,
}
