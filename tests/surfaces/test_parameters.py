"""What rules in shared names and in a protocol's own names become in each protocol's body."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from casedesk_proxy.config.alias import Alias
from casedesk_proxy.surfaces.parameter_changes import change_body
from casedesk_proxy.surfaces.parameters import Parameters, compile_parameters
from casedesk_proxy.terms import Action, Call, Dialect
from tests.fixtures.table import table

GEMINI = Call(Dialect.GEMINI, Action.GENERATE, "d", "m", "v1beta")
MESSAGES = Call(Dialect.ANTHROPIC, Action.MESSAGES, "d")
CHAT = Call(Dialect.OPENAI, Action.CHAT, "d")
INFILL = Call(Dialect.OPENAI, Action.INFILL, "d")
RESPOND = Call(Dialect.RESPONSES, Action.RESPOND, "d")
OLLAMA = Call(Dialect.OLLAMA, Action.OLLAMA_CHAT, "d")
EMBED = Call(Dialect.OPENAI, Action.EMBEDDINGS, "d")


def compiled(alias: dict[str, Any]) -> Parameters:
    made = compile_parameters(Alias(model="m", **alias))
    assert made is not None
    return made


def after(call: Call, alias: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    raw = json.dumps(value).encode()
    change = compiled(alias).for_client(call)
    changed = raw if change is None else change_body(change, raw, value)
    assert json.loads(changed) == value
    return value


def thinking(**fields: Any) -> dict[str, Any]:
    return {"generationConfig": {"thinkingConfig": fields}}


LOW, NONE = {"effort": "low"}, {"effort": "none"}
BUDGET = {"thinking_budget": 100}


@table(
    ("call", "alias", "value", "wanted"),
    [
        # efforts and budgets: one of them at a time
        (GEMINI, {"set": LOW}, {}, thinking(thinkingLevel="LOW")),
        (GEMINI, {"set": LOW}, thinking(thinkingBudget=9), thinking(thinkingLevel="LOW")),
        (GEMINI, {"set": {"effort": "max"}}, {}, thinking(thinkingLevel="XHIGH")),
        (GEMINI, {"set": NONE}, thinking(thinkingLevel="LOW"), thinking(thinkingBudget=0)),
        (GEMINI, {"set": BUDGET}, thinking(thinkingLevel="LOW"), thinking(thinkingBudget=100)),
        (GEMINI, {"default": LOW}, thinking(thinkingBudget=9), thinking(thinkingBudget=9)),
        (GEMINI, {"default": LOW}, {}, thinking(thinkingLevel="LOW")),
        (GEMINI, {"remove": ["effort"]}, thinking(thinkingLevel="LOW"), thinking()),
        (GEMINI, {"cap": BUDGET}, thinking(thinkingBudget=-1), thinking(thinkingBudget=100)),
        (GEMINI, {"cap": BUDGET}, {}, {}),
        (MESSAGES, {"set": LOW}, {}, {"output_config": {"effort": "low"}}),
        (MESSAGES, {"set": {"effort": "minimal"}}, {}, {"output_config": {"effort": "low"}}),
        (MESSAGES, {"set": NONE}, {"output_config": {"effort": "low"}},
         {"output_config": {}, "thinking": {"type": "disabled"}}),
        (MESSAGES, {"set": BUDGET}, {}, {"thinking": {"type": "enabled", "budget_tokens": 100}}),
        (MESSAGES, {"set": {"thinking_budget": 0}}, {}, {"thinking": {"type": "disabled"}}),
        (MESSAGES, {"default": BUDGET}, {"thinking": {"type": "disabled"}},
         {"thinking": {"type": "disabled"}}),
        (MESSAGES, {"remove": ["thinking_budget"]},
         {"thinking": {"type": "enabled", "budget_tokens": 5}}, {}),
        (MESSAGES, {"cap": BUDGET}, {"thinking": {"type": "enabled", "budget_tokens": 5000}},
         {"thinking": {"type": "enabled", "budget_tokens": 100}}),
        (CHAT, {"set": NONE}, {}, {"reasoning_effort": "none"}),
        (CHAT, {"set": BUDGET, "remove": ["seed"]}, {"seed": 1}, {}),
        (RESPOND, {"set": LOW}, {"reasoning": {"summary": "auto"}},
         {"reasoning": {"summary": "auto", "effort": "low"}}),
        (OLLAMA, {"set": {**LOW, "seed": 1}}, {}, {"think": "low", "options": {"seed": 1}}),
        (OLLAMA, {"set": NONE, "cap": {"max_tokens": 5}}, {"options": {"num_predict": -1}},
         {"think": False, "options": {"num_predict": 5}}),
        (OLLAMA, {"map": {"effort": {"true": "max"}}}, {"think": True}, {"think": "high"}),
        # a client's effort or budget becomes what the engine knows
        (MESSAGES, {"map": {"thinking_budget": {"..1024": LOW, "*": {"effort": "high"}}}},
         {"thinking": {"type": "enabled", "budget_tokens": 31999}},
         {"output_config": {"effort": "high"}}),
        (GEMINI, {"map": {"thinking_budget": {"0": NONE, "1..": {"effort": "medium"}}}},
         thinking(thinkingBudget=512), thinking(thinkingLevel="MEDIUM")),
        (GEMINI, {"map": {"effort": {"high": "low"}}},
         thinking(thinkingLevel="HIGH"), thinking(thinkingLevel="LOW")),
        (GEMINI, {"map": {"effort": {"high": None}}}, thinking(thinkingLevel="HIGH"), thinking()),
        (GEMINI, {"map": {"effort": {"high": {"min_p": 0.1}}}},
         thinking(thinkingLevel="HIGH"), thinking()),
        # the length of a reply
        (CHAT, {"cap": {"max_tokens": 5}}, {"max_completion_tokens": 9},
         {"max_completion_tokens": 5}),
        (CHAT, {"default": {"max_tokens": 5}}, {"max_completion_tokens": 9},
         {"max_completion_tokens": 9}),
        (CHAT, {"cap": {"max_tokens": 5}}, {"max_tokens": -1}, {"max_tokens": 5}),
        (INFILL, {"cap": {"max_tokens": 5}}, {"n_predict": 9}, {"n_predict": 5}),
        (CHAT, {"openai": {"cap": {"max_completion_tokens": 5}}}, {},
         {"max_completion_tokens": 5}),
        (GEMINI, {"cap": {"max_tokens": 5}}, {"generation_config": {"max_output_tokens": 9}},
         {"generation_config": {"max_output_tokens": 5}}),
        (GEMINI, {"gemini": {"cap": {"generation_config.max_output_tokens": 5}}}, {},
         {"generationConfig": {"maxOutputTokens": 5}}),
        # a protocol's own rules come behind the shared ones
        (CHAT, {"set": {"seed": 1}, "openai": {"set": {"seed": 2}}}, {}, {"seed": 2}),
        (CHAT, {"openai": {"remove": ["user"], "default": {"n": 1, "options.x": 2},
                           "map": {"stop": {"a": "b"}, "user": {"*": {"n": 3}},
                                   "seed": {"1": None}}}},
         {"stop": "A", "seed": 1}, {"stop": "b", "n": 1, "options": {"x": 2}}),
        (CHAT, {"map": {"thinking_budget": {"*": {"seed": 1}}}}, {}, {}),
    ],
)  # fmt: skip
def test_body(
    call: Call, alias: dict[str, Any], value: dict[str, Any], wanted: dict[str, Any]
) -> None:
    assert after(call, alias, value) == wanted


def test_an_alias_that_changes_nothing() -> None:
    assert compile_parameters(Alias(model="m", description="d")) is None


def test_what_is_not_generated_has_no_steps() -> None:
    made = compiled({"set": {"seed": 1, "min_p": 0.1}})
    assert made.for_client(CHAT)
    assert made.for_client(EMBED) is None
    assert made.for_node(EMBED, Dialect.OPENAI) is None


def test_a_node_gets_what_its_clients_protocol_could_not_say() -> None:
    made = compiled({"set": {"seed": 1, "temperature": 1}, "openai": {"set": {"n": 1}}})
    value: dict[str, Any] = {}
    change = made.for_node(MESSAGES, Dialect.OPENAI)
    assert change is not None
    change_body(change, b"{}", value)
    assert value == {"seed": 1, "n": 1}


@table(
    ("call", "alias"),
    [
        (CHAT, {"set": {"temperature": 0.2, "seed": 7}, "cap": {"max_tokens": 9}}),
        (CHAT, {"default": {"top_p": 0.9}, "openai": {"remove": ["logit_bias"]}}),
        (CHAT, {"map": {"effort": {"low": {"temperature": 0.1}}}}),
        (MESSAGES, {"set": LOW | {"temperature": 0.5}, "default": {"stop": ["a"]}}),
        (GEMINI, {"set": BUDGET | {"temperature": 0.5}, "cap": {"max_tokens": 9}}),
    ],
)
@table(
    "raw",
    [
        b"{}", b' { } ', b'{"model": "m"}', b'\n{ "a":{"b":[1,"\\u0022{"]}, "c":null}',
        b'{"temperatur\\u0065":1,"model":"m"}', b'{"generationConfig":null,"x":1}',
    ],
)  # fmt: skip
def test_what_a_body_has_none_of_is_put_in_at_once_and_in_the_same_way(
    call: Call, alias: dict[str, Any], raw: bytes
) -> None:
    change = compiled(alias).for_client(call)
    assert change is not None
    quick, slow = json.loads(raw), json.loads(raw)
    # With a name that the body has, it goes the long way.
    long_way = replace(change, names=change.names | quick.keys() | {"x"})
    if not slow:
        start = raw.index(b"{") + 1
        assert change_body(change, raw, quick) == raw[:start] + change.fields + raw[start:]
        return
    assert change_body(change, raw, quick) == change_body(long_way, raw, slow)
    assert quick == slow


def test_what_is_put_in_is_no_two_bodies_own() -> None:
    change = compiled({"set": {"temperature": 0.5}}).for_client(GEMINI)
    assert change is not None
    one: dict[str, Any] = {}
    other: dict[str, Any] = {}
    change_body(change, b"{}", one)
    one["generationConfig"]["topK"] = 1
    change_body(change, b"{}", other)
    assert other == {"generationConfig": {"temperature": 0.5}}


def test_others_come_after_them() -> None:
    both = compiled({"set": {"top_p": 0.5}, "cap": {"max_tokens": 9}}).then(
        compiled({"set": {"top_p": 0.25}, "cap": {"max_tokens": 12}, "default": {"min_p": 0.1}})
    )
    change = both.for_client(CHAT)
    assert change is not None
    assert json.loads(change_body(change, b"{}", {})) == {
        "top_p": 0.25, "max_tokens": 9, "min_p": 0.1,
    }  # fmt: skip
    made = both.for_node(GEMINI, Dialect.OPENAI)
    assert made is not None
    assert json.loads(change_body(made, b"{}", {})) == {"min_p": 0.1}
    assert compiled({"gemini": {"remove": ["x"]}}).then(both).for_client(CHAT) is not None
