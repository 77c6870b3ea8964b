"""Requests of all routes, and the configuration with which they are planned."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from casedesk_proxy.config.load import load_config
from casedesk_proxy.engines.registry import ENGINES
from casedesk_proxy.planning.route import PlanInputs
from casedesk_proxy.snapshot import Snapshot, compile_snapshot
from casedesk_proxy.surfaces.paths import read_call
from casedesk_proxy.terms import ModelInfo, RawHeaders

REPORTED = {"n": (ModelInfo("m"),)}
HEADERS: RawHeaders = (
    (b"anthropic-version", b"2023-06-01"),
    (b"Authorization", b"Bearer key-of-alice"),
    (b"user-agent", b"test"),
)
#: By the name of a route: target and body of a request by it.
TARGETS: Mapping[str, str] = {
    "gemini": "/gemini/v1beta/models/m:generateContent",
    "gemini stream": "/gemini/v1beta/models/m:streamGenerateContent?alt=sse",
    "gemini count": "/gemini/v1beta/models/m:countTokens",
    "gemini embeddings": "/gemini/v1beta/models/m:batchEmbedContents",
    "anthropic": "/anthropic/v1/messages",
    "anthropic count": "/anthropic/v1/messages/count_tokens",
    "openai": "/openai/v1/chat/completions",
    "responses": "/openai/v1/responses",
    "embeddings": "/openai/v1/embeddings",
    "rerank": "/openai/v1/rerank",
}


def body_for(route: str, model: str, texts: list[str]) -> dict[str, Any]:
    turns = [{"role": "user", "content": text} for text in texts]
    match route:
        case "gemini" | "gemini stream" | "gemini count":
            return {"contents": [{"role": "user", "parts": [{"text": one} for one in texts]}]}
        case "gemini embeddings":
            requests = [{"content": {"parts": [{"text": text or "."}]}} for text in texts]
            return {"requests": requests}
        case "anthropic":
            return {"model": model, "max_tokens": 9, "stream": True, "messages": turns}
        case "anthropic count":
            return {"model": model, "messages": turns}
        case "openai":
            return {"model": model, "messages": turns}
        case "responses":
            return {"model": model, "input": turns}
        case "rerank":
            return {"model": model, "query": "q", "documents": texts}
        case _:
            return {"model": model, "input": texts}


def snapshot(
    engine: str = "vllm", speaks: str = "[openai]", policy: str = "least-streams"
) -> Snapshot:
    assert engine in ENGINES
    text = f"""
default_deployment: d
nodes:
  n: {{url: "http://127.0.0.1:9", engine: {engine}, speaks: {speaks}, api_key: "key-of-the-node"}}
deployments:
  d:
    nodes: [n]
    auth: none
    policy: {policy}
    aliases: {{mine: {{model: m, set: {{temperature: 1}}}}}}
"""
    return compile_snapshot(load_config(text, "test").config, {"n": "key-of-the-node"})


def ask(route: str, raw: bytes) -> PlanInputs:
    call = read_call("POST", TARGETS[route], HEADERS)
    return PlanInputs(call, HEADERS, raw, "r", REPORTED, now=1.0)


def write(route: str, model: str, texts: list[str], indent: int | None = None) -> bytes:
    return json.dumps(body_for(route, model, texts), indent=indent).encode()
