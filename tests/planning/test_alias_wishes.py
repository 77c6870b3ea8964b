"""What users of other gateways asked for in aliases: each of them on every surface, relayed and
translated, and no other byte is changed."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from casedesk_proxy.config.alias import ParameterRules
from casedesk_proxy.errors import BadRequest
from casedesk_proxy.planning.plan import Plan, plan_request
from casedesk_proxy.planning.route import PlanInputs
from casedesk_proxy.surfaces.parameters import compile_parameters
from casedesk_proxy.surfaces.paths import read_call
from casedesk_proxy.terms import ModelInfo
from tests.fixtures.table import table
from tests.planning.configs import make_snapshot

#: A node of each protocol, and one whose model is reached by translation.
NODES = {
    "gemini": {"url": "http://127.0.0.1:1", "engine": "gemini"},
    "anthropic": {"url": "http://127.0.0.1:2", "engine": "anthropic"},
    "vllm": {"url": "http://127.0.0.1:3", "engine": "vllm", "speaks": ["openai", "responses"]},
    "plain": {"url": "http://127.0.0.1:4", "engine": "vllm", "speaks": ["openai"]},
}
RELAYING = {"gemini": "gemini", "anthropic": "anthropic", "openai": "vllm", "responses": "vllm"}
PATHS = {
    "gemini": "/v1beta/models/fast:generateContent",
    "anthropic": "/v1/messages",
    "openai": "/v1/chat/completions",
    "responses": "/v1/responses",
}
HEADERS = ((b"anthropic-version", b"2023-06-01"), (b"x-api-key", b"k"))
#: A turn with what must stay as it is: blanks, an escape, a number's form, names of fields.
KEPT = '[ {"role":"user" ,"content":"caf\\u00e9 \\"temperature\\": 1 top_p"} ]'
CONTENTS = '[ {"role":"user" ,"parts":[{"text":"caf\\u00e9 \\"temperature\\": 1 topP"}]} ]'

#: Of a client that says much, by protocol: what it says of sampling, of length, of thinking.
FULL = {
    "gemini": '"generationConfig" : {"temperature": 1.50, "topP":0.9, "maxOutputTokens": 9999,'
    ' "thinkingConfig":{"thinkingLevel": "HIGH"} }',
    "anthropic": '"temperature": 1.0, "top_p":0.9, "max_tokens": 9999,'
    ' "output_config": {"effort": "high"}',
    "openai": '"temperature": 1.50, "top_p":0.9, "max_tokens": 9999, "reasoning_effort": "high"',
    "responses": '"temperature": 1.50, "top_p":0.9, "max_output_tokens": 9999,'
    ' "reasoning": {"effort": "high"}',
}
#: Of a client that says nothing but what it must.
BARE = {"gemini": "", "anthropic": '"max_tokens": 9999', "openai": "", "responses": ""}


def body(surface: str, fields: str) -> str:
    if surface == "gemini":
        return '{"contents": ' + CONTENTS + (f" , {fields}" if fields else "") + "}"
    turns = f'"input": {KEPT}' if surface == "responses" else f'"messages": {KEPT}'
    return '{"model": "fast", ' + turns + (f" , {fields}" if fields else "") + "}"


def plan(
    surface: str, node: str, alias: dict[str, Any], raw: str, key: dict[str, Any] | None = None
) -> Plan:
    """``key``: the parameters of the client's key."""
    config = {
        "default_deployment": "d",
        "nodes": {node: NODES[node]},
        "deployments": {
            "d": {"nodes": [node], "auth": "none", "aliases": {"fast": {"model": "m", **alias}}}
        },
    }
    snapshot = make_snapshot(yaml.safe_dump(config))
    call = read_call("POST", PATHS[surface], HEADERS)
    inputs = PlanInputs(call, HEADERS, raw.encode(), "r", {node: (ModelInfo("m"),)})
    parameters = compile_parameters(ParameterRules.model_validate(key)) if key else None
    return plan_request(snapshot, snapshot.deployments["d"].for_key(None, parameters), inputs)


def sent(
    surface: str, node: str, alias: dict[str, Any], raw: str, key: dict[str, Any] | None = None
) -> str:
    """The node's body."""
    made = plan(surface, node, alias, raw, key)
    return made.routes[made.nodes[0].name].body.decode()


#: Wish; alias; what the client sent; what a chat made of its request then has, None: not there.
WISHES: list[tuple[str, dict[str, Any], dict[str, str], dict[str, Any]]] = [
    (
        "the client's sampling is left out, and the server's counts",
        {"remove": ["temperature", "top_p"]},
        FULL,
        {"temperature": None, "top_p": None},
    ),
    (
        "a variant of a model with values of its own, without loading it anew",
        {"set": {"temperature": 0.2, "effort": "low"}},
        FULL,
        {"temperature": 0.2, "reasoning_effort": "low"},
    ),
    (
        "values used where the client gives none",
        {"default": {"temperature": 0.7, "top_p": 0.8}},
        BARE,
        {"temperature": 0.7, "top_p": 0.8},
    ),
    (
        "and only there",
        {"default": {"temperature": 0.7, "top_p": 0.8}},
        FULL,
        {"top_p": 0.9},
    ),
    (
        "one client's value is another one's limit",
        {"cap": {"max_tokens": 4096}},
        FULL,
        {"max_tokens": 4096},
    ),
    (
        "no reply without a limit",
        {"cap": {"max_tokens": 4096}},
        BARE,
        {"max_tokens": 4096},
    ),
    (
        "another word for the same effort",
        {"map": {"effort": {"high": "medium"}}},
        FULL,
        {"reasoning_effort": "medium"},
    ),
    (
        "by the effort that a client chooses, other parameters",
        {"map": {"effort": {"high": {"temperature": 0.6, "top_p": 0.95}}}},
        FULL,
        {"temperature": 0.6, "top_p": 0.95, "reasoning_effort": None},
    ),
    (
        "stop texts",
        {"set": {"stop": ["<|im_end|>"]}},
        BARE,
        {"stop": ["<|im_end|>"]},
    ),
    (
        "fields inside of others, which only an engine knows",
        {"openai": {"set": {"chat_template_kwargs.enable_thinking": False, "repeat_penalty": 1.1}}},
        BARE,
        {"chat_template_kwargs": {"enable_thinking": False}, "repeat_penalty": 1.1},
    ),
    (
        "a field that the client's protocol has not, where the node's has it",
        {"set": {"min_p": 0.05}},
        BARE,
        {"min_p": 0.05},
    ),
]


@table("surface", PATHS)
@table(("wish", "alias", "said", "wanted"), WISHES, ids=[one[0] for one in WISHES])
def test_a_wish_is_kept_where_a_request_is_made_over(
    surface: str, wish: str, alias: dict[str, Any], said: dict[str, str], wanted: dict[str, Any]
) -> None:
    chat = json.loads(sent(surface, "plain", alias, body(surface, said[surface])))
    assert chat["model"] == "m"
    for name, value in wanted.items():
        found = chat.get(name, chat.get("max_completion_tokens") if name == "max_tokens" else None)
        assert found == value, (name, chat)


#: What the wishes make of FULL or BARE on the way to a node that speaks the client's protocol.
RELAYED = {
    "gemini": {
        "remove": '"generationConfig" : {"maxOutputTokens": 9999,'
        ' "thinkingConfig":{"thinkingLevel": "HIGH"} }',
        "set": '"generationConfig" : {"temperature": 0.2, "topP":0.9, "maxOutputTokens": 9999,'
        ' "thinkingConfig":{"thinkingLevel": "LOW"} }',
        "cap": '"generationConfig" : {"temperature": 1.50, "topP":0.9, "maxOutputTokens": 4096,'
        ' "thinkingConfig":{"thinkingLevel": "HIGH"} }',
    },
    "anthropic": {
        "remove": '"max_tokens": 9999, "output_config": {"effort": "high"}',
        "set": '"temperature": 0.2, "top_p":0.9, "max_tokens": 9999,'
        ' "output_config": {"effort": "low"}',
        "cap": '"temperature": 1.0, "top_p":0.9, "max_tokens": 4096,'
        ' "output_config": {"effort": "high"}',
    },
    "openai": {
        "remove": '"max_tokens": 9999, "reasoning_effort": "high"',
        "set": '"temperature": 0.2, "top_p":0.9, "max_tokens": 9999, "reasoning_effort": "low"',
        "cap": '"temperature": 1.50, "top_p":0.9, "max_tokens": 4096, "reasoning_effort": "high"',
    },
    "responses": {
        "remove": '"max_output_tokens": 9999, "reasoning": {"effort": "high"}',
        "set": '"temperature": 0.2, "top_p":0.9, "max_output_tokens": 9999,'
        ' "reasoning": {"effort": "low"}',
        "cap": '"temperature": 1.50, "top_p":0.9, "max_output_tokens": 4096,'
        ' "reasoning": {"effort": "high"}',
    },
}
RULES = {
    "remove": {"remove": ["temperature", "top_p"]},
    "set": {"set": {"temperature": 0.2, "effort": "low"}},
    "cap": {"cap": {"max_tokens": 4096}},
}


@table("surface", PATHS)
@table("rule", RULES)
def test_the_bytes_of_a_relayed_body_stay_but_for_the_fields(surface: str, rule: str) -> None:
    raw = body(surface, FULL[surface])
    got = sent(surface, RELAYING[surface], RULES[rule], raw)
    assert got == body(surface, RELAYED[surface][rule]).replace('"fast"', '"m"')


@table("surface", PATHS)
def test_an_alias_without_parameters_changes_the_name_alone(surface: str) -> None:
    raw = body(surface, FULL[surface])
    assert sent(surface, RELAYING[surface], {}, raw) == raw.replace('"fast"', '"m"')


@table("surface", PATHS)
def test_rules_of_other_protocols_are_not_for_a_relayed_body(surface: str) -> None:
    alias = {one: {"set": {"zzz": 1}} for one in PATHS if one != surface}
    raw = body(surface, FULL[surface])
    assert sent(surface, RELAYING[surface], alias, raw) == raw.replace('"fast"', '"m"')


@table(
    ("surface", "fields", "wanted"),
    [
        ("gemini", '"generationConfig": 5', "generationConfig: an object is required"),
        ("gemini", '"generationConfig": {"maxOutputTokens": true}',
         "generationConfig.maxOutputTokens: a number is required"),
        ("openai", '"max_tokens": "many"', "max_tokens: a number is required"),
        ("responses", '"reasoning": []', "reasoning: an object is required"),
    ],
)  # fmt: skip
def test_what_stands_in_the_way_is_named(surface: str, fields: str, wanted: str) -> None:
    alias = {"cap": {"max_tokens": 5}, "set": {"temperature": 1, "effort": "low"}}
    with pytest.raises(BadRequest) as caught:
        plan(surface, RELAYING[surface], alias, body(surface, fields))
    assert caught.value.message == wanted


def test_a_field_that_stands_twice_is_bounded_twice() -> None:
    raw = body("openai", '"max_tokens": 99999, "max_tokens": 1, "max_completion_tokens": 5000')
    got = sent("openai", "vllm", {"cap": {"max_tokens": 4096}}, raw)
    fields = '"max_tokens": 1, "max_tokens": 1, "max_completion_tokens": 4096'
    assert got == body("openai", fields).replace('"fast"', '"m"')


def test_what_only_counts_is_left_alone() -> None:
    raw = '{"contents": ' + CONTENTS + "}"
    snapshot = make_snapshot(
        'nodes: {gemini: {url: "http://127.0.0.1:1", engine: gemini}}\n'
        "deployments: {d: {nodes: [gemini], auth: none, aliases: {fast: {model: m,"
        " set: {temperature: 1}}}}}"
    )
    call = read_call("POST", "/v1beta/models/fast:countTokens", HEADERS)
    inputs = PlanInputs(call, HEADERS, raw.encode(), "r", {"gemini": (ModelInfo("m"),)})
    made = plan_request(snapshot, snapshot.deployments["d"], inputs)
    assert made.routes["gemini"].body == raw.encode()


@table("surface", RELAYING)
@table("alias", [{}, {"set": {"temperature": 0.2}}, {"cap": {"max_tokens": 9000}}])
def test_a_key_s_parameters_come_after_those_of_the_alias(
    surface: str, alias: dict[str, Any]
) -> None:
    raw = body(surface, FULL[surface])
    for node in (RELAYING[surface], "plain"):
        made = sent(surface, node, alias, raw, {"cap": {"max_tokens": 4096}})
        assert ("4096" in made, "9999" in made, "9000" in made) == (True, False, False), made
        assert ("0.2" in made) == ("set" in alias)
        if node in (surface, "vllm"):
            assert KEPT in made or CONTENTS in made


def test_a_key_s_parameters_are_for_what_its_protocol_has_no_field_for_too() -> None:
    raw = body("gemini", BARE["gemini"])
    made = json.loads(sent("gemini", "plain", {}, raw, {"set": {"min_p": 0.1}}))
    assert made["min_p"] == 0.1


FETCHING = '{"type": "object", "properties": {"url": {"type": "string", "url": "http://h"}}}'


@table(
    ("surface", "fields"),
    [
        ("openai", f'"tools": [{{"type":"function", "function": {{"parameters": {FETCHING}}}}}]'),
        ("openai", '"metadata": {"url": "http://h"}'),
        ("anthropic", f'"max_tokens": 9, "tools": [{{"name": "f", "input_schema": {FETCHING}}}]'),
        ("responses", f'"tools": [{{"type": "function", "name": "f", "parameters": {FETCHING}}}]'),
    ],
)  # fmt: skip
def test_what_is_removed_may_contain_urls(surface: str, fields: str) -> None:
    removed = "metadata" if "metadata" in fields else "tools"
    rule = {surface: {"remove": [removed]}}
    raw = body(surface, fields)
    of_alias = sent(surface, RELAYING[surface], rule, raw)
    assert "http://h" not in of_alias
    assert KEPT in of_alias
    assert sent(surface, RELAYING[surface], {}, raw, rule) == of_alias


@table("change", ["set", "default"])
def test_a_url_that_an_alias_adds_covers_none_that_is_hidden(change: str) -> None:
    part = '{"type":"image_url","image_url":{"url":"file:///x","url":"data:image/png;base64,aGk="}}'
    raw = '{"model": "fast", "messages": [{"role": "user", "content": [' + part + "]}]}"
    alias = {"openai": {change: {"metadata": {"url": "http://h"}}}}
    with pytest.raises(BadRequest, match=r"messages.*\.image_url\.url: URLs are not"):
        sent("openai", "vllm", alias, raw)
    shown = raw.replace('"url":"file:///x",', "")
    assert shown[17:] in sent("openai", "vllm", alias, shown)
