"""planning/plan: recorded requests become requests for a node.

Native: a chat for a vLLM node, its name an alias. Translated: a Gemini SDK's question for the same
node. Both up to the bytes that are sent.
"""

from __future__ import annotations

from bench.micro.recorded import read_requests
from bench.micro.work import Case, Work
from casedesk_proxy.config.load import load_config
from casedesk_proxy.planning.plan import Plan, plan_request
from casedesk_proxy.planning.route import PlanInputs
from casedesk_proxy.snapshot import compile_snapshot
from casedesk_proxy.surfaces.paths import read_call
from casedesk_proxy.terms import ModelInfo

_CONFIG = """
default_deployment: dep1
nodes:
  gpu0: {url: "http://127.0.0.1:9001", engine: vllm, models: [tiny]}
  gpu1: {url: "http://127.0.0.1:9002", engine: vllm, models: [tiny]}
deployments:
  dep1: {nodes: [gpu0, gpu1], auth: none, aliases: {"llama3.1:8b": tiny, "gemma*": tiny}}
"""
_REPORTED = {"gpu0": (ModelInfo("tiny"),), "gpu1": (ModelInfo("tiny"),)}


def _prepare(sdk: str, marks: tuple[bytes, ...]) -> Work:
    (request,) = read_requests(sdk)
    snapshot = compile_snapshot(load_config(_CONFIG, "bench.yaml").config, {})
    deployment = snapshot.deployments["dep1"]
    call = read_call(request.method, request.target, request.headers)

    def run(_: None) -> tuple[Plan, bytes]:
        inputs = PlanInputs(call, request.headers, request.body, "req-1", _REPORTED)
        plan = plan_request(snapshot, deployment, inputs)
        node = plan.nodes[0]
        return plan, plan.routes[node.name].request_for(node)

    def check(result: tuple[Plan, bytes]) -> None:
        plan, sent = result
        assert [node.name for node in plan.nodes] == ["gpu0", "gpu1"]
        assert plan.model == "tiny"
        assert sent.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
        assert all(mark in sent for mark in marks)

    return Work(run, check)


CASES = (
    Case("planning/plan native", "chat, its model renamed",
         lambda: _prepare("py-openai-3", (b'"tiny"', b"OpenAI/Python"))),
    Case("planning/plan translated", "Gemini question made a chat",
         lambda: _prepare("py-google-genai-3_stream", (b'"tiny"', b'"messages"', b'"stream"'))),
)  # fmt: skip
