"""A planner's work: what it hands back is, put together, what planning here comes to."""

from __future__ import annotations

import json
import pickle
import socket
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casedesk_proxy.config.alias import ParameterRules
from casedesk_proxy.errors import BadRequest, NotFound, ProxyError
from casedesk_proxy.planners.held_body import HeldBody
from casedesk_proxy.planners.messages import (
    Asked,
    Facts,
    Letter,
    facts_of,
    pack,
    receive,
    send,
    unpack,
)
from casedesk_proxy.planners.process import plan_apart, serve
from casedesk_proxy.planning.held import hold_plan
from casedesk_proxy.planning.plan import Plan, plan_request
from casedesk_proxy.planning.route import Route, find_none
from casedesk_proxy.snapshot import Snapshot
from casedesk_proxy.surfaces.parameters import compile_parameters
from tests.planners.asking import REPORTED, TARGETS, ask, snapshot, write

NATIVE = snapshot(speaks="[openai, anthropic, responses]")
CHAT = snapshot()
MESSAGES = snapshot("anthropic", "[anthropic]")


#: As another process knows them.
TOLD = {
    id(one): unpack(pack(facts_of(one, REPORTED, {})), None) for one in (NATIVE, CHAT, MESSAGES)
}


def plan_there(config: Snapshot, route: str, raw: bytes) -> Plan:
    """As in another process: all that is handed over is written and read."""
    facts = Facts(config, REPORTED, {})
    told = TOLD[id(config)]
    asked = unpack(pack(Asked.of(config.deployments["d"], replace(ask(route, raw), raw=b""))), told)
    made, bodies = plan_apart(told, asked, raw, find_none)
    made = unpack(pack(made), facts)
    assert made.plan is not None
    held = [HeldBody.create(body) for body in bodies]
    own = HeldBody.create(raw)
    contents = {name: own if at < 0 else held[at] for name, at in made.bodies.items()}
    return hold_plan(made.plan, contents)


def request_of(plan: Plan) -> list[tuple[str, bytes]]:
    sent = []
    for node in plan.nodes:
        route = plan.routes[node.name]
        content: Any = getattr(route, "content", None)
        body = b"" if content is None else content.read_all()
        sent.append((node.name, route.request_for(node) + body))
        if route.question is not None:
            sent.append((node.name, route.question_for(node)))
    return sent


def simple(route: Route) -> list[object]:
    """All that has a value of its own."""
    kept = {"dialect", "target", "headers", "request_id", "reply_headers", "controls", "method"}
    return [getattr(route, one.name) for one in fields(Route) if one.name in kept]


def check_same(config: Snapshot, route: str, raw: bytes) -> None:
    try:
        here = plan_request(config, config.deployments["d"], ask(route, raw))
    except ProxyError as error:
        fault = error
    else:
        check_same_plan(config, route, raw, here)
        return
    with pytest.raises(type(fault)) as raised:
        plan_there(config, route, raw)
    there = raised.value
    assert (there.message, there.code) == (fault.message, fault.code)
    assert there.violations == fault.violations


def check_same_plan(config: Snapshot, route: str, raw: bytes, here: Plan) -> None:
    there = plan_there(config, route, raw)
    assert request_of(there) == request_of(here)
    for name in ("asked", "model", "framing", "demand", "answer", "dropped", "makes_kept"):
        assert getattr(there, name) == getattr(here, name), name
    assert there.deployment is here.deployment, "with its keys, as it is here"
    assert all(one is other for one, other in zip(there.nodes, here.nodes, strict=True))
    for name, one in here.routes.items():
        assert simple(there.routes[name]) == simple(one)
        assert type(there.routes[name].translator) is type(one.translator)


@pytest.mark.parametrize("model", ["m", "mine", "nobody's"])
@pytest.mark.parametrize("config", [NATIVE, CHAT, MESSAGES], ids=["native", "chat", "messages"])
@pytest.mark.parametrize("route", TARGETS)
def test_same_request_for_the_node(route: str, config: Snapshot, model: str) -> None:
    check_same(config, route, write(route, model, ["Hi", "é\u2028 \ud83d\ude00"], indent=1))


@settings(max_examples=15)
@given(
    st.sampled_from(sorted(TARGETS)),
    st.sampled_from([NATIVE, CHAT, MESSAGES]),
    st.sampled_from(["m", "mine"]),
    st.lists(st.text(st.characters(codec="utf-8"), max_size=20), min_size=1, max_size=5),
)
def test_same_for_any_texts(route: str, config: Snapshot, model: str, texts: list[str]) -> None:
    check_same(config, route, write(route, model, texts))


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"model":5}', b'{"messages":[', b"\xff{}"])
def test_same_fault(raw: bytes) -> None:
    check_same(CHAT, "openai", raw)


def test_no_key_is_told() -> None:
    asked = Asked.of(NATIVE.deployments["d"], ask("openai", b""))
    told = pack(facts_of(NATIVE, REPORTED, NATIVE.nodes)) + pack(asked)
    assert b"key-of" not in told


def test_stored_files_are_left_to_the_daemon() -> None:
    part = b'{"type":"file","file":{"file_id":"file-1"}}'
    raw = b'{"model":"m","messages":[{"role":"user","content":[%b]}]}' % part
    asked = Asked.of(CHAT.deployments["d"], ask("openai", raw))
    made, bodies = plan_apart(Facts(CHAT, REPORTED, {}), asked, raw, find_none)
    [named] = made.references
    assert named.named == "file-1"
    assert not bodies


def test_a_key_is_limited_to_its_models_there_too() -> None:
    asked = Asked.of(CHAT.deployments["d"].for_key(("another",)), ask("openai", b""))
    raw = write("openai", "m", ["Hi"])
    with pytest.raises(NotFound, match="not to your key"):
        plan_apart(Facts(CHAT, REPORTED, {}), asked, raw, find_none)


def test_a_key_s_parameters_are_known_there_too() -> None:
    parameters = compile_parameters(ParameterRules(cap={"max_tokens": 5}))
    asked = Asked.of(CHAT.deployments["d"].for_key(None, parameters), ask("openai", b""))
    asked = unpack(pack(asked), TOLD[id(CHAT)])
    _, bodies = plan_apart(TOLD[id(CHAT)], asked, write("openai", "m", ["Hi"]), find_none)
    assert [json.loads(one)["max_tokens"] for one in bodies] == [5]


def test_errors_travel_with_all_they_say() -> None:
    error = NotFound("no such model", code="model_not_found", retry_after=2.0)
    error.model = "m"
    kept = pickle.loads(pickle.dumps(error))
    assert (kept.message, kept.status, kept.code) == ("no such model", 404, "model_not_found")
    assert (kept.retry_after, kept.model) == (2.0, "m")
    assert pickle.loads(pickle.dumps(BadRequest("no", status=408))).status == 408


def test_serves_until_the_daemon_goes() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        send(ours, Letter.FACTS, pack(facts_of(CHAT, REPORTED, {})))
        asked = pack(Asked.of(CHAT.deployments["d"], ask("openai", b"")))
        for raw in (write("openai", "m", ["Hi"]), b"{"):
            send(ours, Letter.ASKED, asked, [HeldBody.create(raw)])
        ours.shutdown(socket.SHUT_WR)
        serve(theirs)
        made = receive(ours, Facts(CHAT, REPORTED, {}))[1]
        assert made.bodies == {"n": -1}
        assert receive(ours)[1].error.code == "invalid_json"
