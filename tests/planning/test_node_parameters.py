"""What a node's rules change in its requests: in the node's protocol, after all other changes, and
only in requests for that node."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from casedesk_proxy.errors import BadRequest
from casedesk_proxy.planning.plan import plan_request
from casedesk_proxy.planning.route import PlanInputs
from casedesk_proxy.surfaces.paths import read_call
from casedesk_proxy.terms import ModelInfo
from tests.fixtures.table import table
from tests.planning.configs import make_snapshot

#: The same model at a node without parameters and at one with some.
SPEAKS = {"gemini": ["gemini"], "anthropic": ["anthropic"], "openai": ["openai", "responses"]}
PATHS = {
    "gemini": "/v1beta/models/m:generateContent",
    "anthropic": "/v1/messages",
    "openai": "/v1/chat/completions",
    "responses": "/v1/responses",
    "ollama": "/api/chat",
}
ASKED = {
    "gemini": '{"contents": [{"parts": [{"text": "caf\\u00e9"}]}]%s}',
    "anthropic": '{"model": "m", "max_tokens": 9000,'
    ' "messages": [{"role": "user", "content": "a"}]%s}',
    "openai": '{"model": "m", "messages": [ {"role": "user", "content": "caf\\u00e9"}]%s}',
    "responses": '{"model": "m", "input": "a"%s}',
    "ollama": '{"model": "m", "messages": [{"role": "user", "content": "a"}]%s}',
}
HEADERS = ((b"anthropic-version", b"2023-06-01"),)


def bodies(
    surface: str,
    speaks: list[str],
    rules: dict[str, Any],
    more: str = "",
    path: str = "",
    engine: str = "vllm",
    **deployment: Any,
) -> dict[str, str]:
    """The body for each node."""
    node = {"engine": engine, "speaks": speaks}
    nodes = {
        "plain": {**node, "url": "http://127.0.0.1:1"},
        "small": {**node, "url": "http://127.0.0.1:2", "parameters": rules},
    }
    desk = {"nodes": [*nodes], "auth": "none", **deployment}
    snapshot = make_snapshot(yaml.safe_dump({"nodes": nodes, "deployments": {"d": desk}}))
    call = read_call("POST", path or PATHS[surface], HEADERS)
    raw = (ASKED[surface] % more).encode()
    inputs = PlanInputs(call, HEADERS, raw, "r", dict.fromkeys(nodes, (ModelInfo("m"),)))
    made = plan_request(snapshot, snapshot.deployments["d"], inputs)
    return {name: route.body.decode() for name, route in made.routes.items()}


@table(
    ("surface", "more", "fields"),
    [
        ("gemini", ', "generationConfig": {"maxOutputTokens": 9000}',
         ', "generationConfig": {"maxOutputTokens": 64}'),
        ("openai", ', "max_tokens": 9000', ', "max_tokens": 64'),
        ("responses", ', "max_output_tokens" : 9000', ', "max_output_tokens" : 64'),
    ],
)  # fmt: skip
def test_a_relayed_body_is_changed_for_that_node_alone(
    surface: str, more: str, fields: str
) -> None:
    speaks = SPEAKS["openai" if surface == "responses" else surface]
    made = bodies(surface, speaks, {"cap": {"max_tokens": 64}}, more)
    assert made == {"plain": ASKED[surface] % more, "small": ASKED[surface] % fields}


@table("surface", ["gemini", "anthropic", "responses"])
def test_a_translated_one_in_the_node_s_own_fields(surface: str) -> None:
    rules = {"cap": {"max_tokens": 64}, "openai": {"set": {"cache_prompt": True}}}
    made = {name: json.loads(one) for name, one in bodies(surface, ["openai"], rules).items()}
    assert "cache_prompt" not in made["plain"]
    small = made["small"]
    limit = small.pop("max_completion_tokens", None) or small.pop("max_tokens")
    assert (limit, small.pop("cache_prompt")) == (64, True)
    assert small == {name: one for name, one in made["plain"].items() if name in small}


@table("path", ["/api/chat", "/api/generate"])
def test_a_client_of_ollama_unloads_no_model_where_that_is_removed(path: str) -> None:
    """docs/apis.md promises it."""
    rules = {"ollama": {"remove": ["keep_alive"]}}
    asked = ', "keep_alive": 0'
    made = bodies("ollama", ["ollama"], rules, asked, path, engine="ollama")
    assert made == {"plain": ASKED["ollama"] % asked, "small": ASKED["ollama"] % ""}


def test_they_come_after_those_of_an_alias() -> None:
    aliases = {"m": {"model": "m", "set": {"max_tokens": 128, "temperature": 0.5}}}
    made = bodies("openai", ["openai"], {"cap": {"max_tokens": 64}}, aliases=aliases)
    assert '"max_tokens":128' in made["plain"]
    assert '"max_tokens":64' in made["small"]
    assert '"temperature":0.5' in made["small"]


def test_counts_that_only_we_asked_for_are_asked_for_there_too() -> None:
    made = bodies("openai", ["openai"], {"set": {"seed": 1}}, ', "stream": true')
    assert all('"include_usage":true' in one for one in made.values())
    assert '"seed":1' in made["small"]
    assert '"seed"' not in made["plain"]


@table("path", ["/v1/messages/count_tokens", "/v1/embeddings", "/v1/rerank"])
def test_what_generates_nothing_is_left_alone(path: str) -> None:
    surface = "anthropic" if "messages" in path else "openai"
    made = bodies(surface, ["openai", "anthropic"], {"set": {"seed": 1}}, path=path)
    assert made["small"] == made["plain"]


def test_what_stands_in_the_way_is_named_before_any_node_is_asked() -> None:
    with pytest.raises(BadRequest, match="max_tokens: a number is required"):
        bodies("openai", ["openai"], {"cap": {"max_tokens": 64}}, ', "max_tokens": "many"')
