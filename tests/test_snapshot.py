"""A compiled configuration, as requests use it."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256

from casedesk_proxy.auth.keys import KeyTable
from casedesk_proxy.config.alias import ParameterRules
from casedesk_proxy.surfaces.parameters import compile_parameters
from casedesk_proxy.terms import Action, Call, Dialect, Principal
from tests.fixtures.table import table
from tests.planning.configs import KEY, TEXT, make_snapshot


def test_nodes_know_their_place() -> None:
    nodes = make_snapshot().nodes
    local, google, silent = nodes["local"], nodes["google"], nodes["silent"]
    assert (local.secure, local.host, local.port, local.base) == (False, "127.0.0.1", 9001, "")
    assert local.host_header == b"127.0.0.1:9001"
    assert (google.secure, google.port, google.base) == (True, 443, "/base")
    assert google.host_header == b"gemini.example"
    assert (silent.host, silent.host_header) == ("::1", b"[::1]:9003")
    assert local.speaks == (Dialect.OPENAI, Dialect.ANTHROPIC)


def test_a_key_is_not_shown() -> None:
    snapshot = make_snapshot()
    assert snapshot.nodes["google"].key == "google-key"
    assert "google-key" not in repr(snapshot)


def test_aliases_are_names_or_patterns() -> None:
    rules = make_snapshot().deployments["desk"].rules
    assert rules.aliases == {"gpt-4": "tiny", "flash": "gemini-pro"}
    assert rules.patterns == (("claude-*", "gemma2:9b"),)


def test_an_alias_has_its_parameters_and_its_description() -> None:
    alias = "{model: tiny, description: quick, set: {seed: 1}}"
    desk = make_snapshot(TEXT.replace("gpt-4: tiny", f"gpt-4: {alias}")).deployments["desk"]
    assert desk.rules.aliases["gpt-4"] == "tiny"
    assert desk.rules.descriptions["gpt-4"] == "quick"
    assert list(desk.parameters) == ["gpt-4"]


@table(
    ("settings", "fields"),
    [
        ("", []),
        (", documents: text", ["messages[0].content[0].file.file_data"]),
        (", fetch_urls: {allow: [h.example]}", ["messages[0].content[1].image_url.url"]),
    ],
)
def test_what_is_filled_into_requests_is_the_deployment_s_to_say(
    settings: str, fields: list[str]
) -> None:
    pdf = {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0="}}
    image = {"type": "image_url", "image_url": {"url": "https://h.example/a.png"}}
    body = {"model": "m", "messages": [{"role": "user", "content": [pdf, image]}]}
    text = TEXT.replace("nodes: [silent]", f"nodes: [silent]{settings}")
    deployment = make_snapshot(text).deployments["open"]
    call = Call(Dialect.OPENAI, Action.CHAT, None)
    found = deployment.find_references(call, json.dumps(body).encode())
    assert [one.path for one in found] == fields


def test_keys_are_known() -> None:
    principal = make_snapshot().keys.match(KEY)
    assert principal is not None
    assert (principal.name, principal.deployments) == ("alice", frozenset({"desk"}))


@table("which", ["connect_timeout", "first_byte_timeout", "idle_timeout"])
def test_a_deployments_timeout_goes_before_its_nodes(which: str) -> None:
    text = TEXT.replace("engine: openai", f"engine: openai, {which}: 7s")

    def limit(text: str) -> float:
        snapshot = make_snapshot(text)
        deployment = snapshot.deployments["open"]
        return getattr(deployment, which)(snapshot.nodes["silent"])

    assert limit(text) == 7
    assert limit(text.replace("auth: none", f"auth: none, {which}: 3s")) == 3


def test_stored_keys_count_unless_the_configuration_has_their_name() -> None:
    mine = Principal("carol", frozenset({"desk"}))
    other = replace(mine, name="alice")
    given = [(sha256(b"carol").hexdigest(), mine), (sha256(b"x").hexdigest(), other)]
    snapshot = replace(make_snapshot(), stored_keys=KeyTable(given))
    assert snapshot.find_principal("carol") == mine
    assert snapshot.find_principal("x") is None
    assert snapshot.find_by_digest(sha256(b"carol").digest()) == mine
    assert snapshot.find_by_digest(bytes(32)) is None
    assert snapshot.find_principal(KEY) == make_snapshot().keys.match(KEY)


def test_old_keys_are_keys() -> None:
    none = replace(make_snapshot(), keys=KeyTable())
    assert not none.any_keys
    old = KeyTable(ended=[(sha256(b"x").hexdigest(), "it was revoked")])
    assert replace(none, stored_keys=old).any_keys


def test_all_limits_are_those_of_deployments_and_keys_that_have_some() -> None:
    assert list(make_snapshot().all_limits) == []
    text = TEXT.replace("auth: none}", "auth: none, limits: {parallel: 3}}")
    text = text.replace("deployments: [desk]}", "deployments: [desk], limits: {tokens_per_day: 9}}")
    found = [(one.kind, one.name, one.parallel) for one in make_snapshot(text).all_limits]
    assert found == [("deployment", "open", 3), ("key", "alice", None)]


@table(
    ("body", "large"),
    [
        (b"{" * 501, False),
        (b"x" * 16_383 + b"{" * 500, False),
        (b"x" * 16_383 + b"{" * 501, True),
        (b"x" * (2**18 - 1), False),
        (b"x" * 2**18, True),
    ],
)
def test_a_body_is_large_by_bytes_or_by_objects(body: bytes, large: bool) -> None:
    assert make_snapshot().is_large(body) is large


def test_a_deployment_is_another_for_a_key_that_is_limited() -> None:
    deployment = make_snapshot().deployments["desk"]
    assert deployment.for_key(None) is deployment
    limited = deployment.for_key(("m",))
    assert (limited.rules.only, limited.key_parameters) == (("m",), None)
    rules = compile_parameters(ParameterRules(cap={"max_tokens": 5}))
    changing = deployment.for_key(None, rules)
    assert (changing.rules, changing.find_parameters("")) == (deployment.rules, rules)
    assert deployment.find_parameters("") is None


def test_a_key_s_parameters_come_after_the_alias_s() -> None:
    alias = "gpt-4: {model: tiny, set: {seed: 1}}"
    deployment = make_snapshot(TEXT.replace("gpt-4: tiny", alias)).deployments["desk"]
    own = deployment.find_parameters("gpt-4")
    rules = compile_parameters(ParameterRules(cap={"max_tokens": 5}))
    assert own is not None
    assert rules is not None
    assert deployment.for_key(None, rules).find_parameters("gpt-4") == own.then(rules)
