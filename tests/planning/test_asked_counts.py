"""Which nodes are asked for the counts of a stream, and how."""

from __future__ import annotations

from casedesk_proxy.planning.plan import Plan, plan_request
from casedesk_proxy.planning.route import PlanInputs
from casedesk_proxy.surfaces.paths import read_call
from casedesk_proxy.terms import ModelInfo
from tests.fixtures.table import table
from tests.planning.configs import make_snapshot
from tests.planning.test_plan import PICKY


def plan_stream(engine: str, usage: str, body: bytes, action: str = "chat/completions") -> Plan:
    text = PICKY.replace("ENGINE", engine).replace("SPEAKS", "[openai]")
    snapshot = make_snapshot(text.replace("auth: none", f"auth: none, usage: {usage}"))
    call = read_call("POST", f"/proxy/d/openai/v1/{action}", ())
    inputs = PlanInputs(call, (), body, "r", {"n": (ModelInfo("m"),)})
    return plan_request(snapshot, snapshot.deployments["d"], inputs)


STREAM = b'{ "model":"m","stream":true, "messages":[]}'


def test_a_node_is_asked_for_the_counts_of_a_stream() -> None:
    route = plan_stream("vllm", "ask", STREAM).routes["n"]
    assert route.body == b'{"stream_options":{"include_usage":true},' + STREAM[1:]
    assert route.has_more_counts


@table(
    ("engine", "usage", "body", "action"),
    [
        ("vllm", "verbatim", STREAM, "chat/completions"),
        ("llama-server", "ask", STREAM, "chat/completions"),
        ("vllm", "ask", b'{"model":"m","messages":[]}', "chat/completions"),
        ("vllm", "ask", b'{"model":"m","stream":true,"stream_options":3}', "completions"),
        ("vllm", "ask", b'{"model":"m","input":""}', "embeddings"),
    ],
)
def test_a_node_is_not_asked(engine: str, usage: str, body: bytes, action: str) -> None:
    route = plan_stream(engine, usage, body, action).routes["n"]
    assert (route.body, route.has_more_counts) == (body, False)
