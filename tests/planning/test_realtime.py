"""Which handshakes of the Realtime API go to which node."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from casedesk_proxy.errors import BadRequest, NotFound, Unsupported
from casedesk_proxy.planning.plan import Plan
from casedesk_proxy.planning.realtime import plan_realtime
from casedesk_proxy.planning.route import PlanInputs
from casedesk_proxy.surfaces.paths import read_call
from casedesk_proxy.terms import ModelInfo
from tests.planning.configs import make_snapshot

TEXT = """
default_deployment: desk
nodes:
  vllm: {url: "http://127.0.0.1:9002/base", engine: vllm, models: [voxtral]}
  ollama: {url: "http://127.0.0.1:9003", engine: ollama, models: [gemma]}
deployments:
  desk: {nodes: [ollama, vllm], auth: none, aliases: {gpt-realtime: voxtral}}
  other: {nodes: [ollama], auth: none}
"""
REPORTED = {"vllm": (ModelInfo("voxtral"),), "ollama": (ModelInfo("gemma"),)}
HEADERS = (
    (b"Host", b"h"),
    (b"Connection", b"Upgrade"),
    (b"Upgrade", b"websocket"),
    (b"Sec-WebSocket-Key", b"abc"),
    (b"Sec-WebSocket-Version", b"13"),
    (b"Authorization", b"Bearer secret"),
    (b"User-Agent", b"me"),
)


def plan(
    query: str,
    deployment: str = "desk",
    reported: Mapping[str, tuple[ModelInfo, ...]] = REPORTED,
) -> Plan:
    snapshot = make_snapshot(TEXT)
    call = read_call("GET", f"/v1/realtime{query}", ())
    inputs = PlanInputs(call, HEADERS, b"", "req-1", reported)
    return plan_realtime(snapshot, snapshot.deployments[deployment], inputs)


def test_the_handshake_goes_to_a_node_that_has_the_api() -> None:
    made = plan("?a=b&model=gpt-realtime")
    assert (made.asked, made.model, made.upgrades) == ("gpt-realtime", "voxtral", True)
    (node,) = made.nodes
    request = made.routes["vllm"].request_for(node).decode()
    assert request.startswith("GET /base/v1/realtime?a=b&model=voxtral HTTP/1.1\r\n")
    assert "Sec-WebSocket-Key: abc\r\n" in request
    assert "Upgrade: websocket\r\n" in request
    assert "secret" not in request
    assert request.endswith("x-request-id: req-1\r\n\r\n")
    assert made.demand.action == "realtime"


def test_who_names_no_model_means_the_only_one_that_can() -> None:
    snapshot_of_one = {"vllm": (ModelInfo("voxtral"),), "ollama": (ModelInfo("gemma"),)}
    made = plan("", reported=snapshot_of_one)
    assert made.model == "voxtral"
    assert made.routes["vllm"].target == "/v1/realtime"


def test_of_several_one_is_to_be_named() -> None:
    reported = {"vllm": (ModelInfo("a"), ModelInfo("b"))}
    with pytest.raises(BadRequest, match=r"\?model=NAME; available: a, b"):
        plan("", reported=reported)
    with pytest.raises(BadRequest, match="name it in the query"):
        plan("", "other", {"ollama": (ModelInfo("gemma"),)})


def test_nothing_is_known_yet() -> None:
    with pytest.raises(NotFound, match="no node has listed its models yet"):
        plan("", "other", {})


def test_other_engines_are_named() -> None:
    with pytest.raises(Unsupported) as caught:
        plan("?model=gemma")
    assert caught.value.message == (
        "unsupported_path: no node with the model 'gemma' serves /v1/realtime: ollama runs Ollama;"
        " use a model at another engine"
    )
