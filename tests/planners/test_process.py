"""A planner's work: its result, put together, equals a plan that is made here."""

from __future__ import annotations

import base64
import json
import pickle
import random
import socket
import sys
from dataclasses import fields, replace
from subprocess import run
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casedesk_proxy.config.alias import ParameterRules
from casedesk_proxy.errors import BadRequest, NotFound, ProxyError
from casedesk_proxy.planners import process
from casedesk_proxy.planners.held_body import HeldBody
from casedesk_proxy.planners.messages import (
    Facts,
    MessageKind,
    PlanRequest,
    PlanResult,
    facts_of,
    pack,
    receive,
    send,
    unpack,
)
from casedesk_proxy.planners.process import plan_apart, plan_held, serve
from casedesk_proxy.planning.held import hold_plan
from casedesk_proxy.planning.plan import Plan, plan_request
from casedesk_proxy.planning.route import Route, find_none
from casedesk_proxy.snapshot import Snapshot
from casedesk_proxy.surfaces.parameters import compile_parameters
from casedesk_proxy.usage.cut import text_size
from tests.planners.asking import REPORTED, TARGETS, ask, body_for, snapshot, write

NATIVE = snapshot(speaks="[openai, anthropic, responses]")
CHAT = snapshot()
MESSAGES = snapshot("anthropic", "[anthropic]")


#: As another process knows them.
TOLD = {
    id(one): unpack(pack(facts_of(one, REPORTED, {})), None) for one in (NATIVE, CHAT, MESSAGES)
}


def plan_there(config: Snapshot, route: str, raw: bytes) -> Plan:
    """Plan as another process does: all messages are written and read."""
    facts = Facts(config, REPORTED, {})
    told = TOLD[id(config)]
    asked = unpack(
        pack(PlanRequest.of(config.deployments["d"], replace(ask(route, raw), raw=b""))), told
    )
    own = HeldBody.create(raw)
    written, held = plan_held(told, asked, own, find_none)
    made = unpack(written, facts)
    assert made.plan is not None
    contents = {name: own if at < 0 else held[at] for name, at in made.bodies.items()}
    side_contents = {name: held[at] for name, at in made.side_bodies.items()}
    return hold_plan(made.plan, contents, side_contents)


def request_of(plan: Plan) -> list[tuple[str, bytes]]:
    sent = []
    for node in plan.nodes:
        route = plan.routes[node.name]
        content: Any = getattr(route, "content", None)
        body = b"" if content is None else content.read_all()
        sent.append((node.name, route.request_for(node) + body))
        if route.side_request is not None:
            content = getattr(route, "side_content", None)
            body = b"" if content is None else content.read_all()
            sent.append((node.name, route.side_request_for(node) + body))
    return sent


def simple(route: Route) -> list[object]:
    """All that can be compared by value."""
    kept = {"dialect", "target", "headers", "request_id", "reply_headers", "controls", "method"}
    return [getattr(route, one.name) for one in fields(Route) if one.name in kept]


def check_same(config: Snapshot, route: str, raw: bytes) -> bool:
    """Compare the plan made here with the one made in the planner; returns whether there is one."""
    try:
        here = plan_request(config, config.deployments["d"], ask(route, raw))
    except ProxyError as error:
        fault = error
    else:
        check_same_plan(config, route, raw, here)
        return True
    with pytest.raises(type(fault)) as raised:
        plan_there(config, route, raw)
    there = raised.value
    assert (there.message, there.code) == (fault.message, fault.code)
    assert there.violations == fault.violations
    return False


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


#: As agents send them, with all that is written in two ways.
LONG = 'a "quoted" path C:\\dir/é\n\u2028 \U0001f600 \x7f' * 60


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("model", ["m", "mine", "nobody's"])
@pytest.mark.parametrize("config", [NATIVE, CHAT, MESSAGES], ids=["native", "chat", "messages"])
@pytest.mark.parametrize("route", TARGETS)
def test_same_with_long_texts(
    route: str, config: Snapshot, model: str, ascii_only: bool, abridged: list[bool]
) -> None:
    body = body_for(route, model, [LONG, "A" * 2000, "short", LONG[7:] * 20])
    made = check_same(config, route, json.dumps(body, ensure_ascii=ascii_only).encode())
    assert abridged == [made and "count" not in route]


@pytest.fixture
def abridged(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether the last body could stay abridged until its plan was made."""
    kept: list[bool] = []

    def plan_and_tell(*args: Any) -> tuple[PlanResult, list[bytes]]:
        try:
            made = plan_apart(*args)
        except ProxyError:
            kept[:] = [False]
            raise
        kept[:] = [len(args) == 5]
        return made

    monkeypatch.setattr(process, "plan_apart", plan_and_tell)
    return kept


TOOL = {"name": "write", "input_schema": {"type": "object", "properties": {}}}
CALL = {"type": "tool_use", "id": "t1", "name": "write", "input": {"text": LONG, "n": [LONG]}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": LONG}


def test_arguments_are_json_inside_of_a_text(abridged: list[bool]) -> None:
    turns = [
        {"role": "user", "content": LONG},
        {"role": "assistant", "content": [CALL]},
        {"role": "user", "content": [RESULT]},
    ]
    body = {"model": "m", "max_tokens": 5, "messages": turns, "tools": [TOOL]}
    check_same(CHAT, "anthropic", json.dumps(body).encode())
    assert abridged == [True]


def test_a_name_is_not_abridged(abridged: list[bool]) -> None:
    call, result = CALL | {"id": "i" * 2000}, RESULT | {"tool_use_id": "i" * 2000}
    turns = [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    body = {"model": "m", "max_tokens": 5, "messages": turns, "tools": [TOOL]}
    check_same(CHAT, "anthropic", json.dumps(body).encode())
    assert abridged == [True]


PICTURE = base64.b64encode(random.Random(1).randbytes(3000)).decode()


@pytest.mark.parametrize(
    ("mime", "data", "short"),
    [
        ("image/png", PICTURE, True),
        ("image/png", PICTURE.replace("+", "-").replace("/", "_"), False),
        ("image/png", PICTURE[:1500] + "\n" + PICTURE[1500:], False),
        ("image/png", PICTURE[:1500] + "!" + PICTURE[1500:], False),
        # It is read, and becomes the text of a part.
        ("text/plain", base64.b64encode(LONG.encode()).decode(), False),
    ],
)
def test_pictures(mime: str, data: str, short: bool, abridged: list[bool]) -> None:
    part = {"inlineData": {"mimeType": mime, "data": data}}
    body = {"contents": [{"role": "user", "parts": [{"text": "What is it?"}, part]}]}
    check_same(CHAT, "gemini", json.dumps(body).encode())
    assert abridged == [short]


def test_what_is_left_out_of_the_node_s_request_is_so_here(abridged: list[bool]) -> None:
    body = body_for("gemini", "m", [LONG]) | {"labels": {"note": LONG}}
    check_same(CHAT, "gemini", json.dumps(body).encode())
    assert abridged == [False], "nobody can say what became of it"


@pytest.mark.parametrize("route", ["gemini", "anthropic", "openai", "responses", "embeddings"])
def test_a_conversation_finds_its_node_again(route: str, abridged: list[bool]) -> None:
    config = snapshot(policy="prefix-affinity")
    raw = json.dumps(body_for(route, "m", [LONG, "more"])).encode()
    TOLD[id(config)] = unpack(pack(facts_of(config, REPORTED, {})), None)
    check_same(config, route, raw)
    assert abridged == [True]
    assert plan_there(config, route, raw).demand.affinity_key


def test_what_is_no_conversation_is_spread_in_the_same_way(abridged: list[bool]) -> None:
    config = snapshot(policy="prefix-affinity")
    TOLD[id(config)] = unpack(pack(facts_of(config, REPORTED, {})), None)
    raw = write("rerank", "m", [LONG] * 100)
    check_same(config, "rerank", raw)
    assert abridged == [True]


def test_size_of_a_text_is_the_whole_one_s() -> None:
    asked = unpack(pack(PlanRequest.of(CHAT.deployments["d"], ask("openai", b""))), TOLD[id(CHAT)])
    raw = write("openai", "m", [LONG] * 10)
    written, _ = plan_held(TOLD[id(CHAT)], asked, HeldBody.create(raw), find_none)
    made = unpack(written, Facts(CHAT, REPORTED, {}))
    assert made.text_size == text_size(raw) > 0


def test_more_than_a_context_holds_is_not_counted_beforehand() -> None:
    told = TOLD[id(CHAT)]
    asked = unpack(pack(PlanRequest.of(CHAT.deployments["d"], ask("anthropic", b""))), told)
    for times, side_bodies in ((1, {"n": 1}), (1500, {})):
        raw = write("anthropic", "m", [LONG * times])
        written, held = plan_held(told, asked, HeldBody.create(raw), find_none)
        made = unpack(written, Facts(CHAT, REPORTED, {}))
        assert (made.side_bodies, len(held)) == (side_bodies, 1 + len(side_bodies))


@pytest.mark.parametrize("route", ["gemini", "anthropic", "responses"])
def test_memory_is_a_fraction_of_the_body(route: str) -> None:
    """The file in memory with the body, and the file for the planned body, are not counted."""
    told = run([sys.executable, "-c", PEAK, route], text=True, capture_output=True, check=True)
    grown, size = map(int, told.stdout.split())
    assert size > 8 * 2**20
    assert grown < size * 1.6, "mapped once, and little else"


PEAK = """
import gc, json, re, sys
from dataclasses import replace
from tests.planners.test_process import *
told, route = TOLD[id(CHAT)], sys.argv[1]
asked = PlanRequest.of(CHAT.deployments["d"], replace(ask(route, b""), raw=b""))
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024
text = "a \\"quoted\\" word — " * 500
held = HeldBody.create(b"")
held.write(json.dumps(body_for(route, "m", [text]), ensure_ascii=False).encode())
plan_held(told, asked, held, find_none)
large = HeldBody.create()
whole = body_for(route, "m", ["#"] + ["$"] * 1000)
before, *between = json.dumps(whole).split("$")
large.write(before.encode())
written = json.dumps(text, ensure_ascii=False)[1:-1].encode()
for one in between:
    large.write(written + one.encode())
before = peak()
plan_held(told, asked, large, find_none)
print(peak() - before, large.size)
"""


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"model":5}', b'{"messages":[', b"\xff{}"])
def test_same_fault(raw: bytes) -> None:
    check_same(CHAT, "openai", raw)


def test_no_key_is_told() -> None:
    asked = PlanRequest.of(NATIVE.deployments["d"], ask("openai", b""))
    told = pack(facts_of(NATIVE, REPORTED, NATIVE.nodes)) + pack(asked)
    assert b"key-of" not in told


def test_stored_files_are_left_to_the_daemon() -> None:
    part = b'{"type":"file","file":{"file_id":"file-1"}}'
    raw = b'{"model":"m","messages":[{"role":"user","content":[%b]}]}' % part
    asked = PlanRequest.of(CHAT.deployments["d"], ask("openai", raw))
    made, bodies = plan_apart(Facts(CHAT, REPORTED, {}), asked, raw, find_none)
    [named] = made.references
    assert named.named == "file-1"
    assert not bodies


def test_stored_files_are_named_where_they_stand_in_the_whole_body() -> None:
    told = TOLD[id(CHAT)]
    asked = unpack(pack(PlanRequest.of(CHAT.deployments["d"], ask("openai", b""))), told)
    part = {"type": "file", "file": {"file_id": "file-1"}}
    content = [{"type": "text", "text": LONG}, part]
    raw = json.dumps({"model": "m", "messages": [{"role": "user", "content": content}]}).encode()
    written, bodies = plan_held(told, asked, HeldBody.create(raw), find_none)
    [named] = unpack(written, told).references
    assert raw[slice(*named.span)] == json.dumps(part).encode()
    assert not bodies


def test_a_key_is_limited_to_its_models_there_too() -> None:
    asked = PlanRequest.of(CHAT.deployments["d"].for_key(("another",)), ask("openai", b""))
    raw = write("openai", "m", ["Hi"])
    with pytest.raises(NotFound, match="not to your key"):
        plan_apart(Facts(CHAT, REPORTED, {}), asked, raw, find_none)


def test_a_key_s_parameters_are_known_there_too() -> None:
    parameters = compile_parameters(ParameterRules(cap={"max_tokens": 5}))
    asked = PlanRequest.of(CHAT.deployments["d"].for_key(None, parameters), ask("openai", b""))
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
        send(ours, MessageKind.FACTS, pack(facts_of(CHAT, REPORTED, {})))
        asked = pack(PlanRequest.of(CHAT.deployments["d"], ask("openai", b"")))
        for raw in (write("openai", "m", ["Hi"]), b"{"):
            send(ours, MessageKind.REQUEST, asked, [HeldBody.create(raw)])
        ours.shutdown(socket.SHUT_WR)
        serve(theirs)
        made = receive(ours, Facts(CHAT, REPORTED, {}))[1]
        assert made.bodies == {"n": -1}
        assert receive(ours)[1].error.code == "invalid_json"
