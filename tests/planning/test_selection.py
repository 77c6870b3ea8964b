"""Which nodes may get a request, and which may get it unchanged."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from casedesk_proxy.engines.parts import Part
from casedesk_proxy.errors import Unsupported
from casedesk_proxy.planning.route import ModelPlacement, PlanInputs
from casedesk_proxy.planning.selection import Native, choose_natives, is_plain, keep_able
from casedesk_proxy.pools.policies import Demand
from casedesk_proxy.surfaces.paths import read_call
from casedesk_proxy.terms import Ability, Call, Control, Dialect, ModelInfo, ResolvedModel
from tests.fixtures.table import table
from tests.planning.configs import make_snapshot

TEXT = """
nodes:
  vllm: {url: "http://127.0.0.1:1", engine: vllm, speaks: [openai, anthropic]}
  llama: {url: "http://127.0.0.1:2", engine: llama-server, speaks: [openai, anthropic]}
  old: {url: "http://127.0.0.1:3", engine: ollama, speaks: [openai, anthropic]}
  cloud: {url: "http://127.0.0.1:4", engine: anthropic}
  alone: {url: "http://127.0.0.1:5", engine: vllm, speaks: [anthropic]}
  told: {url: "http://127.0.0.1:6", engine: vllm, speaks: [openai, anthropic], thinking: none}
  sure: {url: "http://127.0.0.1:7", engine: vllm, speaks: [openai, anthropic], thinking: all}
  chat: {url: "http://127.0.0.1:8", engine: openai}
deployments:
  d: {nodes: [vllm, llama, old, cloud, alone, told, sure, chat], auth: none}
"""
NODES = make_snapshot(TEXT).nodes
MESSAGES = read_call("POST", "/v1/messages", ((b"anthropic-version", b"2023-06-01"),))
COUNT = read_call("POST", "/v1/messages/count_tokens", ((b"anthropic-version", b"2023-06-01"),))
CHAT = read_call("POST", "/v1/chat/completions", ())
RESPOND = read_call("POST", "/v1/responses", ())
FORMAT = {"output_config": {"format": {"type": "json_schema"}}}
OFF = {"thinking": {"type": "disabled"}}
BUDGET = {"thinking": {"type": "enabled", "budget_tokens": 2000}}
EFFORT = {"output_config": {"effort": "low"}}
PICTURE = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}


def asked(call: Call = MESSAGES, **facts: Any) -> PlanInputs:
    return PlanInputs(call, (), b"", "r", **{"reported": {}, **facts})


def place(*names: str, **lacks: Ability) -> ModelPlacement:
    nodes = tuple(NODES[name] for name in names)
    lacking = {name: frozenset({ability}) for name, ability in lacks.items()}
    return ModelPlacement(
        ResolvedModel("m", "m", names), nodes, nodes, Demand("ordered", names), lacking
    )


def chosen(body: dict[str, Any], *names: str, **facts: Any) -> tuple[list[str], list[str]]:
    """The names of the nodes that get the request unchanged, and of those that may refuse a part of
    it."""
    call = facts.pop("call", MESSAGES)
    native = choose_natives(asked(call, **facts), body, place(*names))
    return [node.name for node in native.nodes], [node.name for node in native.unsure]


# Who is able.


def test_where_nothing_is_lacking_everybody_is_able() -> None:
    here = place("chat", "vllm")
    assert keep_able(asked(CHAT), {"messages": [PICTURE]}, here) is here
    lacking = place("chat", "vllm", chat=Ability.TOOLS)
    assert keep_able(asked(CHAT), {"messages": [PICTURE]}, lacking) is lacking, "it needs no tools"


def test_those_whose_model_cannot_do_it_are_left_out() -> None:
    here = replace(place("chat", "vllm", chat=Ability.VISION), natives=(NODES["chat"],))
    kept = keep_able(asked(CHAT), {"messages": [PICTURE]}, here)
    assert [node.name for node in kept.holders] == ["vllm"]
    assert kept.natives == ()


def test_where_nobody_is_able_the_request_is_refused() -> None:
    here = place("chat", chat=Ability.VISION)
    with pytest.raises(Unsupported) as refused:
        keep_able(asked(CHAT), {"messages": [PICTURE]}, here)
    assert refused.value.violations[0].path == "messages[0].content[0]"


# Who gets it as it is.


@table(
    ("call", "name", "plain"),
    [
        (CHAT, "chat", True),
        (MESSAGES, "cloud", True),
        (MESSAGES, "vllm", False),
        (MESSAGES, "told", False),
        (RESPOND, "vllm", False),
    ],
)
def test_who_gets_every_request_as_it_is(call: Call, name: str, plain: bool) -> None:
    assert is_plain(asked(call), (NODES[name],)) is plain


def test_another_protocol_than_anthropics_loses_nothing() -> None:
    assert chosen(FORMAT, "chat", call=CHAT) == (["chat"], [])
    assert chosen({}, "vllm", call=RESPOND) == (["vllm"], [])


def test_namespaces_are_known_to_no_engine() -> None:
    native = choose_natives(asked(RESPOND), {"tools": [{"type": "namespace"}]}, place("vllm"))
    assert native == Native(())


def test_an_ordinary_request_is_for_all() -> None:
    assert chosen({"messages": []}, "vllm", "llama", "old") == (["vllm", "llama", "old"], [])


def test_what_an_engine_loses_is_not_for_it() -> None:
    native = choose_natives(asked(), FORMAT, place("llama", "cloud"))
    assert [node.name for node in native.nodes] == ["cloud"]
    assert native.lost == {Part.FORMAT: "output_config.format"}
    assert native.engine is NODES["llama"].engine


def test_what_a_release_of_old_loses() -> None:
    new, old = NODES["vllm"], replace(NODES["vllm"], name="before", version=(0, 31))
    here = replace(place("vllm"), natives=(replace(new, version=(0, 32)), old))
    assert [node.version for node in choose_natives(asked(), FORMAT, here).nodes] == [(0, 32)]


def test_a_model_that_does_not_think_loses_no_wish_about_it() -> None:
    silent = {"llama": (ModelInfo("m", lacks=frozenset({Ability.THINKING})),)}
    assert chosen(OFF, "llama") == ([], [])
    assert chosen(OFF, "llama", reported=silent) == (["llama"], [])
    assert chosen(OFF | FORMAT, "llama", reported=silent) == ([], [])


def test_an_effort_that_no_template_reads_is_not_lost() -> None:
    heeds = {"llama": (ModelInfo("m", heeds=frozenset({Control.EFFORT})),)}
    assert chosen(EFFORT, "llama") == (["llama"], [])
    assert chosen(EFFORT, "llama", reported=heeds) == ([], [])


# Who may refuse a wish about thinking.


def test_a_wish_is_unproven_until_it_was_taken() -> None:
    of_it, other = {("vllm", "m"): frozenset({Control.BUDGET})}, {("vllm", "x"): frozenset(Control)}
    assert chosen(BUDGET, "vllm") == ([], ["vllm"])
    assert chosen(BUDGET, "vllm", taken=other) == ([], ["vllm"])
    assert chosen(BUDGET, "vllm", taken=of_it) == (["vllm"], [])
    assert chosen(BUDGET, "vllm", taken=of_it, refused=of_it) == ([], ["vllm"])


def test_a_wish_that_is_left_out_this_time_or_ignored_is_unproven() -> None:
    taken = {("vllm", "m"): frozenset({Control.BUDGET})}
    without = frozenset({Control.BUDGET})
    assert chosen(BUDGET, "vllm", taken=taken, without=without) == ([], ["vllm"])
    ignored = {"vllm": (ModelInfo("m", ignores=without),)}
    assert chosen(BUDGET, "vllm", taken=taken, reported=ignored) == ([], ["vllm"])


@table(("name", "unsure"), [("told", True), ("sure", False), ("alone", False), ("cloud", False)])
def test_what_is_known_of_a_node_without_asking(name: str, unsure: bool) -> None:
    """The operator says so, or the request is translated, from which nothing can be learnt, or the
    engine refuses nothing."""
    assert chosen(BUDGET, name) == (([], [name]) if unsure else ([name], []))


def test_an_engine_that_refuses_none_needs_no_proof() -> None:
    node = replace(NODES["cloud"], speaks=(Dialect.OPENAI, Dialect.ANTHROPIC))
    here = replace(place("cloud"), natives=(node,))
    assert choose_natives(asked(), BUDGET, here).nodes == (node,)


def test_where_nothing_is_wished_and_in_a_count_nothing_is_unproven() -> None:
    choice = {"tool_choice": {"type": "any"}}
    assert chosen(choice, "vllm") == (["vllm"], [])
    assert chosen(BUDGET, "vllm", call=COUNT) == (["vllm"], [])


def test_responses_are_counted_by_who_counts_them() -> None:
    call = read_call("POST", "/v1/responses/input_tokens", ())
    assert chosen({"input": "x"}, "vllm", call=call) == ([], [])
    assert chosen({"input": "x"}, "vllm", "chat", call=call) == (["chat"], []), "as OpenAI's own"


def test_a_response_is_for_those_that_lose_nothing_of_it() -> None:
    assert chosen({"input": "x"}, "vllm", call=RESPOND) == (["vllm"], [])
    assert chosen({"conversation": "c"}, "vllm", call=RESPOND) == ([], [])
