"""Requests for a path that only some engines have: to which nodes they go, and with which bytes."""

from __future__ import annotations

import pytest

from casedesk_proxy.engines.registry import INFERENCE_PATHS
from casedesk_proxy.errors import BadRequest, NotFound, Unsupported
from casedesk_proxy.planning.inference import can_steer, find_editor
from casedesk_proxy.planning.plan import Plan, plan_request
from casedesk_proxy.planning.route import PlanInputs
from casedesk_proxy.surfaces.forms import FormBeginning, begin_form
from casedesk_proxy.surfaces.paths import read_call
from casedesk_proxy.terms import Framing, ModelInfo
from tests.fixtures.table import table
from tests.planning.configs import make_snapshot
from tests.planning.test_plan import asked

TEXT = """
default_deployment: desk
nodes:
  llama: {url: "http://127.0.0.1:9001", engine: llama-server, models: [tiny]}
  vllm: {url: "http://127.0.0.1:9002/base", engine: vllm, models: [tiny, whisper]}
  ollama: {url: "http://127.0.0.1:9003", engine: ollama, models: [tiny, gemma]}
deployments:
  desk:
    nodes: [llama, vllm, ollama]
    auth: none
    aliases: {ranker: tiny, quiet: {model: tiny, transcriptions: {set: {prompt: x}}}}
  alone: {nodes: [llama, ollama], auth: none}
"""
REPORTED = {
    "llama": (ModelInfo("tiny"),),
    "vllm": (ModelInfo("tiny"), ModelInfo("whisper")),
    "ollama": (ModelInfo("tiny"), ModelInfo("gemma")),
}


def plan(target: str, body: bytes, deployment: str = "desk") -> Plan:
    snapshot = make_snapshot(TEXT)
    call = read_call("POST", target, ())
    inputs = PlanInputs(call, (), body, "req-1", REPORTED)
    return plan_request(snapshot, snapshot.deployments[deployment], inputs)


def lines(made: Plan) -> dict[str, str]:
    """The request line for each node."""
    return {
        node.name: made.routes[node.name].request_for(node).partition(b"\r\n")[0].decode()
        for node in made.nodes
    }


def test_only_nodes_that_have_the_path_are_asked_each_by_its_own_name_for_it() -> None:
    made = plan("/v2/rerank?a=1", b'{"model":"tiny"}')
    assert lines(made) == {
        "llama": "POST /v1/rerank?a=1 HTTP/1.1",
        "vllm": "POST /base/v2/rerank?a=1 HTTP/1.1",
    }
    assert made.demand.nodes == ("llama", "vllm")
    assert made.demand.action == "rerank"


def test_an_alias_changes_the_name_and_nothing_else() -> None:
    made = plan("/v1/rerank", b'{ "query":"q", "model" : "ranker",\n "documents":[] }')
    assert asked(made)[2] == b'{ "query":"q", "model" : "tiny",\n "documents":[] }'
    assert (made.asked, made.model) == ("ranker", "tiny")


def test_a_path_that_no_holder_has_is_refused_by_engine_and_path() -> None:
    with pytest.raises(Unsupported) as caught:
        plan("/v1/rerank", b'{"model":"gemma"}')
    assert caught.value.code == "unsupported_path"
    assert caught.value.message == (
        "unsupported_path: no node with the model 'gemma' serves /v1/rerank: ollama runs Ollama;"
        " use a model at another engine"
    )


def test_an_unknown_model_is_not_found_with_near_names() -> None:
    with pytest.raises(NotFound, match="whisper") as caught:
        plan("/pooling", b'{"model":"wisper"}')
    assert caught.value.code == "model_not_found"


def test_where_none_is_named_the_only_model_of_those_that_have_the_path_is_meant() -> None:
    body = b'{"content":"Hello"}'
    assert asked(plan("/proxy/alone/openai/tokenize", body, "alone"))[2] == (
        b'{"model":"tiny","content":"Hello"}'
    )
    with pytest.raises(BadRequest, match="available: tiny, whisper"):
        plan("/tokenize", body)


@table("path", ["infill", "completion", "tokenize", "v1/rerank"])
def test_the_node_mount_leaves_a_body_that_names_none_as_it_is(path: str) -> None:
    body = b'{ "input_prefix" : "a", "n" : 1.0 }'
    line, _, sent = asked(plan(f"/proxy/alone/node/{path}", body, "alone"))
    assert (line, sent) == (f"POST /{path} HTTP/1.1", body)
    named = asked(plan(f"/proxy/desk/node/{path}", b'{"model":"ranker"}'))[2]
    assert named == b'{"model":"tiny"}'


def test_completions_of_an_engine_s_own_may_stream() -> None:
    assert plan("/infill", b'{"model":"tiny","stream":true}').framing is Framing.SSE
    assert plan("/tokenize", b'{"model":"tiny","stream":true}').framing is Framing.UNARY


@table("path", INFERENCE_PATHS)
def test_a_node_of_which_nothing_is_known_yet_may_have_any(path: str) -> None:
    text = "nodes: {n: {url: 'http://127.0.0.1:1'}}\ndeployments: {d: {nodes: [n], auth: none}}"
    snapshot = make_snapshot(text)
    call = read_call("POST", path, ())
    inputs = PlanInputs(call, (), b'{"model":"m"}', "req-1", {})
    made = plan_request(snapshot, snapshot.deployments["d"], inputs)
    assert lines(made) == {"n": f"POST {path} HTTP/1.1"}


def plan_beginning(raw: bytes, length: int | None, *, whole: bool = False) -> Plan:
    """The plan for the beginning of a form."""
    snapshot = make_snapshot(TEXT)
    headers = ((b"Content-Type", b"multipart/form-data; boundary=XX"),)
    call = read_call("POST", "/v1/audio/transcriptions", headers)
    begun = begin_form(call, headers, may_fetch=False)
    assert begun is not None
    begun[1].read(raw)
    form = FormBeginning.of(*begun, is_whole=whole, length=length)
    inputs = PlanInputs(call, headers, raw, "req-1", REPORTED, form=form)
    return plan_request(snapshot, snapshot.deployments["desk"], inputs)


def plan_form(raw: bytes, length: int | None, *, whole: bool = False) -> bytes:
    """The first node's part of the form's plan."""
    made = plan_beginning(raw, length, whole=whole)
    return made.routes[made.nodes[0].name].request_for(made.nodes[0])


MODEL = b'--XX\r\nContent-Disposition: form-data; name="model"\r\n\r\nranker\r\n--XX'


def test_the_beginning_of_a_form_goes_with_the_length_of_the_whole() -> None:
    head, _, body = plan_form(MODEL, 5000).partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: 127.0.0.1:9001\r\n")
    assert head.endswith(b"\r\nx-request-id: req-1\r\nContent-Length: 4998")
    assert body == MODEL.replace(b"ranker", b"tiny")


def test_the_beginning_of_a_form_in_chunks_is_a_chunk() -> None:
    head, _, body = plan_form(MODEL, None).partition(b"\r\n\r\n")
    assert head.endswith(b"\r\nTransfer-Encoding: chunked")
    assert body == b"%x\r\n%b\r\n" % (len(MODEL) - 2, MODEL.replace(b"ranker", b"tiny"))


def test_a_form_that_is_held_whole_is_a_request_like_any() -> None:
    whole = MODEL + b"--\r\n"
    head, _, body = plan_form(whole, len(whole), whole=True).partition(b"\r\n\r\n")
    assert head.endswith(b"Content-Length: %d" % (len(whole) - 2))
    assert body == whole.replace(b"ranker", b"tiny")


def test_of_a_form_with_rules_the_length_is_known_once_it_is_whole() -> None:
    whole = MODEL.replace(b"ranker", b"quiet") + b"--\r\n"
    more = b'--XX\r\nContent-Disposition: form-data; name="prompt"\r\n\r\nx\r\n'
    head, _, body = plan_form(whole, len(whole), whole=True).partition(b"\r\n\r\n")
    named = more + whole.replace(b"quiet", b"tiny")
    assert (head.endswith(b"Content-Length: %d" % len(named)), body) == (True, named)
    head, _, body = plan_form(whole[:-4], 5000).partition(b"\r\n\r\n")
    assert head.endswith(b"\r\nTransfer-Encoding: chunked")
    # What stands before the last delimiter may yet be its own.
    assert body == b"%x\r\n%b\r\n" % (len(named) - 10, named[:-10])


def test_the_rest_of_a_form_with_rules_is_changed_as_its_beginning_was() -> None:
    editor = find_editor(plan_beginning(MODEL.replace(b"ranker", b"quiet"), None).routes)
    assert editor is not None
    rest = b'\r\nContent-Disposition: form-data; name="prompt"\r\n\r\nsecret\r\n--XX--\r\n'
    assert b"secret" not in editor.edit(rest) + editor.finish()
    assert find_editor(plan_beginning(MODEL, None).routes) is None


def test_only_nodes_that_can_be_steered_are_told_so() -> None:
    nodes = make_snapshot(TEXT).nodes
    assert {name: can_steer(node) for name, node in nodes.items()} == {
        "llama": True,
        "vllm": False,
        "ollama": False,
    }


def test_what_is_no_conversation_is_spread_by_all_of_it() -> None:
    text = TEXT.replace(
        "    auth: none\n    aliases", "    auth: none\n    policy: prefix-affinity\n    aliases"
    )
    snapshot = make_snapshot(text)
    call = read_call("POST", "/v1/rerank", ())

    def key(body: bytes) -> bytes:
        inputs = PlanInputs(call, (), body, "req-1", REPORTED)
        return plan_request(snapshot, snapshot.deployments["desk"], inputs).demand.affinity_key

    assert key(b'{"model":"tiny","query":"a"}') == key(b'{"model":"tiny","query":"a"}')
    assert key(b'{"model":"tiny","query":"a"}') != key(b'{"model":"tiny","query":"b"}')
