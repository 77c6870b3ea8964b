"""Hand-written clients: documented curl lines, unusual paths, refusals, and their log lines."""

from __future__ import annotations

import json
from typing import Any

import pytest

from casedesk_proxy.simulator.answer import say
from tests.e2e.conftest import FOREIGN_KEY, KEY, NODE_KEY, WIDE_KEY, Desk
from tests.fixtures.messages import Message
from tests.fixtures.raw_client import ask, request

BODY = {"contents": [{"parts": [{"text": "good day"}]}]}
CHAT = {"model": "sim", "messages": [{"role": "user", "content": "good day"}]}
MESSAGES = {**CHAT, "max_tokens": 1000}
BEARER = f"Authorization: Bearer {KEY}"
VERSION = "anthropic-version: 2023-06-01"


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/proxy/desk/gemini/v1beta/models/sim", "/v1beta/models/sim"),
        ("/proxy/desk/gemini//v1beta/models/sim", "/v1beta/models/sim"),
        ("//proxy//desk/gemini/v1/models/sim", "/v1/models/sim"),
        ("/proxy/desk/gemini/v1beta/v1/models/sim", "/v1/models/sim"),
        ("/proxy/desk/gemini/v1beta/v1beta/models/sim", "/v1beta/models/sim"),
        ("/proxy/desk/gemini/v1alpha/models/sim", "/v1beta/models/sim"),
        ("/proxy/desk/gemini/models/sim", "/v1beta/models/sim"),
        ("/proxy/desk/gemini/v1beta/sim", "/v1beta/models/sim"),
        ("/proxy/desk/gemini/v1beta1/publishers/google/models/sim", "/v1beta/models/sim"),
        (
            "/proxy/desk/gemini/v1beta1/projects/p/locations/eu/publishers/google/models/sim",
            "/v1beta/models/sim",
        ),
        ("/genai/v1/models/sim", "/v1/models/sim"),
        ("/v1/models/sim", "/v1/models/sim"),
        ("/v1beta/models/sim", "/v1beta/models/sim"),
        ("/v1/models/gemma2:9b", "/v1/models/gemma2:9b"),
        ("/v1/models/gemma2%3A9b", "/v1/models/gemma2:9b"),
        ("/v1/models/hf.co/org/repo:Q4", "/v1/models/hf.co/org/repo:Q4"),
        ("/v1/models/hf.co%2Forg%2Frepo%3aQ4", "/v1/models/hf.co/org/repo:Q4"),
        ("http://anywhere.example/v1/models/sim", "/v1/models/sim"),
    ],
)
@pytest.mark.parametrize("colon", [":", "%3A"])
async def test_odd_paths_mean_what_their_writers_meant(
    desk: Desk, path: str, found: str, colon: str
) -> None:
    target = f"{path}{colon}generateContent"
    reply = await ask(desk.url, request(target, BODY, BEARER))
    assert reply.status == 200, reply.body
    assert desk.last().target == f"{found}:generateContent"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("key=KEY", ""),
        ("alt=sse&key=KEY", "?alt=sse"),
        ("key=KEY&alt=sse", "?alt=sse"),
        ("a=1&%6Bey=KEY&a=%31&&b", "?a=1&a=%31&&b"),
        ("key=KEY&key=other&x=%E2%82%AC+%20", "?x=%E2%82%AC+%20"),
        ("keys=1&monkey=2&key=KEY", "?keys=1&monkey=2"),
    ],
)
async def test_queries_lose_nothing_but_the_key(desk: Desk, query: str, found: str) -> None:
    target = f"/v1beta/models/sim:streamGenerateContent?{query.replace('KEY', KEY)}"
    reply = await ask(desk.url, request(target, BODY))
    assert reply.status == 200, reply.body
    assert desk.last().target == f"/v1beta/models/sim:streamGenerateContent{found}"


async def test_without_alt_a_stream_is_an_array(desk: Desk) -> None:
    """The command is curl's in the documentation, with the content type that curl adds."""
    plain = request("/proxy/open/gemini/v1beta/models/gemma2:9b:streamGenerateContent", BODY)
    data = plain.replace(b"application/json", b"application/x-www-form-urlencoded")
    reply = await ask(desk.url, data)
    chunks = json.loads(reply.body)
    assert reply.body[:1] + reply.body[-1:] == b"[]"
    texts = [chunk["candidates"][0]["content"]["parts"][0]["text"] for chunk in chunks]
    assert "".join(texts) == say("good day")


COUNTED = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}
STREAMS = [
    ("/proxy/desk/gemini", "/v1beta/models/{model}:streamGenerateContent?alt=sse", BODY),
    ("/proxy/desk/gemini", "/v1beta/models/{model}:streamGenerateContent", BODY),
    ("/proxy/desk/gemini", "/v1beta/models/{model}:generateContent", BODY),
    ("/proxy/desk/anthropic", "/v1/messages", {**MESSAGES, "stream": True}),
    ("/proxy/desk/anthropic", "/v1/messages", MESSAGES),
    ("/proxy/desk/openai", "/v1/chat/completions", COUNTED),
    ("/proxy/desk/openai", "/v1/chat/completions", CHAT),
]


@pytest.mark.parametrize(("mount", "target", "body"), STREAMS)
@pytest.mark.parametrize("model", ["sim", "sim-crumbs", "sim-lumps", "sim-error-429"])
async def test_a_nodes_body_arrives_as_it_was_sent(
    desk: Desk, mount: str, target: str, body: dict[str, Any], model: str
) -> None:
    asked = {**body, "model": model} if "model" in body else body
    path = target.format(model=model)
    direct = await ask(desk.node.url, request(path, asked, VERSION))
    relayed = await ask(desk.url, request(mount + path, asked, VERSION, BEARER))
    assert relayed.body == direct.body
    assert relayed.status == direct.status
    assert relayed.complete
    assert relayed.value("content-type") == direct.value("content-type")
    assert relayed.value("content-encoding") is None
    assert relayed.value("x-request-id")
    assert not [name for name, _ in relayed.headers if name.lower().startswith(b"access-control")]
    assert desk.last().body == json.dumps(asked).encode()


@pytest.mark.parametrize("model", ["sim", "sim-crumbs", "sim-lumps"])
async def test_that_a_node_is_asked_for_counts_does_not_show(desk: Desk, model: str) -> None:
    asked = {**CHAT, "stream": True, "model": model}
    direct = await ask(desk.node.url, request("/v1/chat/completions", asked))
    path = "/proxy/desk/openai/v1/chat/completions"
    relayed = await ask(desk.url, request(path, asked, BEARER))
    assert relayed.body == direct.body
    assert json.loads(desk.last().body)["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/v1beta/models/sim:predict", 400),
        ("/v1beta/models/sim:", 400),
        ("/v1beta/models/nobody:generateContent", 404),
        ("/proxy/nowhere/gemini/v1beta/models/sim:generateContent", 403),
        ("/proxy/desk/telnet/v1", 404),
        ("/favicon.ico", 404),
        ("/v1beta/models/../sim:generateContent", 400),
        ("/v1beta/models/%2e%2e/sim:generateContent", 400),
        ("/v1beta/models/..%2Fsim:generateContent", 400),
        ("/proxy/desk/gemini/v1beta/../../admin/openai/v1/chat/completions", 400),
        ("/v1beta/models/a%00b:generateContent", 400),
        ("/v1beta/models/a%0d%0ab:generateContent", 400),
        ("/v1beta/models/%ff%fe:generateContent", 400),
    ],
)
async def test_refused_targets(desk: Desk, target: str, status: int) -> None:
    reply = await ask(desk.url, request(target, BODY, BEARER))
    assert reply.status == status, reply.body
    assert json.loads(reply.body)["error"]
    assert desk.node.calls() == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"contents": NaN}', b"\xff\xfe{}", b"null"])
@pytest.mark.parametrize(
    "target",
    ["/v1beta/models/sim:generateContent", "/v1/messages", "/v1/chat/completions"],
)
async def test_refused_bodies(desk: Desk, target: str, body: bytes) -> None:
    reply = await ask(desk.url, request(target, body, BEARER, VERSION))
    assert reply.status == 400
    assert json.loads(reply.body)["error"]["message"]
    assert desk.node.calls() == []


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("OPTIONS", "/v1/chat/completions"),
        ("OPTIONS", "/proxy/desk/gemini/v1beta/models/sim:generateContent"),
        ("GET", "/v1/messages"),
        ("DELETE", "/v1beta/models/sim"),
        ("PUT", "/v1beta/models/sim:generateContent"),
    ],
)
async def test_wrong_methods(desk: Desk, method: str, target: str) -> None:
    reply = await ask(desk.url, request(target, None, BEARER, method=method))
    assert reply.status == 405
    assert reply.value("allow") in (b"GET, HEAD", b"POST", b"GET, HEAD, POST")


def google(reply: Message) -> Any:
    return json.loads(reply.body)["error"]["status"]


def kind(reply: Message) -> Any:
    return json.loads(reply.body)["error"]["type"]


@pytest.mark.parametrize(
    ("headers", "status", "names"),
    [
        ([], 401, ("UNAUTHENTICATED", "authentication_error", "authentication_error")),
        (["x-api-key: wrong"], 401, ("UNAUTHENTICATED", *["authentication_error"] * 2)),
        (["Authorization: Bearer "], 401, ("UNAUTHENTICATED", *["authentication_error"] * 2)),
        (
            [f"x-goog-api-key: {FOREIGN_KEY}"],
            403,
            ("PERMISSION_DENIED", "permission_error", "permission_error"),
        ),
    ],
)
async def test_refusals_speak_the_clients_language(
    desk: Desk, headers: list[str], status: int, names: tuple[str, str, str]
) -> None:
    gemini = await ask(
        desk.url,
        request("/proxy/desk/gemini/v1beta/models/sim:generateContent", BODY, *headers),
    )
    claude = await ask(
        desk.url, request("/proxy/desk/anthropic/v1/messages", MESSAGES, VERSION, *headers)
    )
    openai = await ask(desk.url, request("/proxy/desk/openai/v1/chat/completions", CHAT, *headers))
    assert (gemini.status, claude.status, openai.status) == (status,) * 3
    assert (google(gemini), kind(claude), kind(openai)) == names
    assert json.loads(gemini.body)["error"]["code"] == status
    assert claude.value("request-id")
    assert desk.node.calls() == []


@pytest.mark.parametrize(
    ("headers", "shape"),
    [
        ([BEARER], {"object", "data", "models"}),
        ([BEARER, VERSION], {"data", "has_more", "first_id", "last_id"}),
        ([f"x-goog-api-key: {KEY}"], {"models"}),
    ],
)
async def test_the_shared_list_speaks_to_whoever_asks(
    desk: Desk, headers: list[str], shape: set[str]
) -> None:
    reply = await ask(desk.url, request("/v1/models", None, *headers))
    assert set(json.loads(reply.body)) == shape


async def test_the_bare_mounts_serve_the_keys_only_deployment(desk: Desk) -> None:
    """Carol's key grants access only to the lab, Bob's also to desk, which is the default."""
    asked = request("/v1/models", None, f"Authorization: Bearer {FOREIGN_KEY}")
    lab = {one["id"] for one in json.loads((await ask(desk.url, asked)).body)["data"]}
    asked = request("/v1/models", None, f"Authorization: Bearer {WIDE_KEY}")
    both = {one["id"] for one in json.loads((await ask(desk.url, asked)).body)["data"]}
    assert "tiny" in lab
    assert "sim" not in lab
    assert "sim" in both


async def test_a_request_id_goes_all_the_way(desk: Desk) -> None:
    wanted = request("/v1/chat/completions", CHAT, BEARER, "x-request-id: from-me-1")
    reply = await ask(desk.url, wanted)
    assert reply.value("x-request-id") == b"from-me-1"
    assert desk.last().header("x-request-id") == [b"from-me-1"]


@pytest.mark.parametrize(("mount", "target", "body"), STREAMS)
async def test_the_log_tells_of_every_exchange(
    desk: Desk, mount: str, target: str, body: dict[str, Any]
) -> None:
    path = mount + target.format(model="sim")
    path += ("&" if "?" in path else "?") + f"key={KEY}"
    reply = await ask(desk.url, request(path, body, VERSION))
    name = reply.value("x-request-id").decode()
    line = desk.proxy.find(rf".*{name}.*\n")[0]
    facts = dict(pair.split("=", 1) for pair in line.split() if "=" in pair)
    wanted = {
        "deployment": "desk",
        "model": "sim",
        "node": "sim",
        "key": "alice",
        "surface": mount.rpartition("/")[2],
        "status": "200",
        "end": "completed",
        "prompt_tokens": "2",
        "output_tokens": str(len(say("good day").split())),
    }
    if body.get("stream") and mount.endswith("openai"):
        # Counted only for clients that ask for it.
        del wanted["prompt_tokens"], wanted["output_tokens"]
    assert {key: facts.get(key) for key in wanted} == wanted
    assert int(facts["bytes_out"]) >= len(reply.body)
    assert not [secret for secret in (KEY, NODE_KEY, "good day") if secret in line]
