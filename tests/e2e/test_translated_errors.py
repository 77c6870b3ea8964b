"""Errors of nodes: whose words a client gets, and what it never learns."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.e2e.relaying import UNARY, asking, relay
from tests.fixtures.messages import Message
from tests.fixtures.proxy import proxy_here
from tests.fixtures.raw_client import ask
from tests.fixtures.sdks import anthropic
from tests.nodes.llama_server import LlamaNode

HI = [{"role": "user", "content": "hi"}]
#: Valid on each surface, so that translating it has nothing to refuse.
CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "gemini": (UNARY["gemini"][0], {"contents": [{"parts": [{"text": "hi"}]}]}),
    "array": (
        "/proxy/d/gemini/v1beta/models/m:streamGenerateContent",
        {"contents": [{"parts": [{"text": "hi"}]}]},
    ),
    "anthropic": (UNARY["anthropic"][0], {"model": "m", "max_tokens": 9, "messages": HI}),
    "openai": (UNARY["openai"][0], {"model": "m", "messages": HI}),
}
SURFACE = {"array": "gemini"}
IN_SHAPE: dict[str, Any] = {
    "gemini": {"error": {"code": 400, "message": "No, really.", "status": "INVALID_ARGUMENT"}},
    "array": [{"error": {"code": 400, "message": "No, really.", "status": "INVALID_ARGUMENT"}}],
    "anthropic": {"type": "error", "error": {"type": "invalid_request_error", "message": "No."}},
    "openai": {"error": {"message": "No.", "type": "invalid_request_error", "code": None}},
}
#: None of them is an error in any surface's form.
ODD: dict[str, tuple[str, bytes]] = {
    "flat": ("application/json", b'{"object":"error","message":"at /opt/x.py","code":400}'),
    "detail": ("application/json", b'{"detail":"Not Found"}'),
    "text": ("text/plain", b"Internal Server Error"),
    "html": ("text/html", b"<html><h1>at 10.1.2.3:8000</h1></html>"),
    "trace": ("text/plain", b'Traceback (most recent call last):\n  File "/opt/x.py", line 3'),
    "empty": ("text/plain", b""),
}
SECRETS = (b"/opt", b"10.1.2.3", b"Traceback", b"html", b"127.0.0.1")


def answering(status: int, kind: str, body: bytes, *, chunked: bool = False) -> bytes:
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nRetry-After: 7\r\nX-Node: n\r\n"
    if chunked:
        framed = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        return head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + framed
    return head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body


def error_of(reply: Message) -> dict[str, Any]:
    document = json.loads(reply.body)
    return (document[0] if isinstance(document, list) else document)["error"]


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("call", CALLS)
async def test_a_node_of_the_same_protocol_is_passed_on(call: str, chunked: bool) -> None:
    body = json.dumps(IN_SHAPE[call], indent=1).encode()
    steps = answering(400, "application/json", body, chunked=chunked)
    async with relay(steps, speaks=[SURFACE.get(call, call)]) as (gateway, _):
        reply = await ask(gateway.url, asking(CALLS[call]))
    assert (reply.status, reply.body, reply.complete) == (400, body, True)
    assert reply.value("x-node") == b"n"


@pytest.mark.parametrize("status", [400, 404, 422, 429, 500])
@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("call", CALLS)
async def test_what_is_not_in_shape_is_told_in_the_clients_form(
    call: str, odd: str, status: int
) -> None:
    async with relay(answering(status, *ODD[odd]), speaks=[SURFACE.get(call, call)]) as (
        gateway,
        _,
    ):
        reply = await ask(gateway.url, asking(CALLS[call]))
    assert (reply.status, reply.complete) == (status, True)
    assert reply.value("content-type").startswith(b"application/json")
    assert error_of(reply)["message"]
    assert not [secret for secret in SECRETS if secret in reply.body]
    if SURFACE.get(call, call) == "gemini":
        assert error_of(reply)["code"] == status
    if call == "anthropic":
        assert json.loads(reply.body)["type"] == "error"
        assert reply.value("request-id")


@pytest.mark.parametrize("call", ["openai", "anthropic"])
async def test_an_error_that_names_its_node_is_not_passed_on(call: str) -> None:
    async with relay(speaks=[call]) as (gateway, node):
        client = asyncio.create_task(ask(gateway.url, asking(CALLS[call])))
        connection = await node.connection()
        await connection.request()
        named = json.dumps(IN_SHAPE[call]).replace("No.", f"see {node.url}/docs").encode()
        await connection.send(answering(500, "application/json", named))
        reply = await client
    assert reply.status == 500
    assert str(node.port).encode() not in reply.body


@pytest.mark.parametrize(
    ("status", "gemini", "anthropic_", "kind"),
    [
        (400, (400, "INVALID_ARGUMENT"), 400, "invalid_request_error"),
        (401, (500, "INTERNAL"), 500, "api_error"),
        (402, (500, "INTERNAL"), 500, "api_error"),
        (403, (500, "INTERNAL"), 500, "api_error"),
        (407, (500, "INTERNAL"), 500, "api_error"),
        (404, (404, "NOT_FOUND"), 404, "not_found_error"),
        (413, (400, "INVALID_ARGUMENT"), 413, "request_too_large"),
        (422, (400, "INVALID_ARGUMENT"), 400, "invalid_request_error"),
        (429, (429, "RESOURCE_EXHAUSTED"), 429, "rate_limit_error"),
        (500, (500, "INTERNAL"), 500, "api_error"),
        (501, (501, "UNIMPLEMENTED"), 400, "invalid_request_error"),
        (503, (503, "UNAVAILABLE"), 529, "overloaded_error"),
        (504, (504, "DEADLINE_EXCEEDED"), 504, "timeout_error"),
    ],
)
@pytest.mark.parametrize("odd", [*ODD, "in shape"])
async def test_a_node_of_another_protocol_is_mapped(
    status: int, gemini: tuple[int, str], anthropic_: int, kind: str, odd: str
) -> None:
    told = ODD.get(odd) or ("application/json", json.dumps(IN_SHAPE["openai"]).encode())
    replies = {}
    for call in ("gemini", "array", "anthropic"):
        # Each its own: a node that asked for a pause gets one.
        async with relay(answering(status, *told), speaks=["openai"]) as (gateway, _):
            replies[call] = await ask(gateway.url, asking(CALLS[call]))
        assert not [secret for secret in SECRETS if secret in replies[call].body]
    for call in ("gemini", "array"):
        error = error_of(replies[call])
        assert (replies[call].status, error["status"]) == gemini
        assert error["code"] == replies[call].status
    reply = replies["anthropic"]
    assert (reply.status, error_of(reply)["type"]) == (anthropic_, kind)


@pytest.mark.parametrize("status", [401, 402, 403, 407])
@pytest.mark.parametrize("call", CALLS)
async def test_a_node_that_refuses_our_key_does_not_refuse_the_clients(
    call: str, status: int
) -> None:
    """The client gets neither the node's words nor its status: Claude Code would ask its user to
    log in."""
    said = json.dumps(IN_SHAPE[call]).replace("No", "Incorrect API key: sk-oper***").encode()
    steps = answering(status, "application/json\r\nWWW-Authenticate: Bearer", said)
    async with relay(steps, speaks=[SURFACE.get(call, call)]) as (gateway, _):
        reply = await ask(gateway.url, asking(CALLS[call]))
    assert (reply.status, reply.complete) == (500, True)
    assert b"sk-oper" not in reply.body
    assert "node n denies the proxy access" in error_of(reply)["message"]
    assert reply.value("www-authenticate") is None
    assert reply.value("x-should-retry") == b"false"


async def test_a_real_nodes_messages_route(llama_node: LlamaNode) -> None:
    """On this route the node answers in OpenAI's form, with 500 for a missing field (recorded)."""
    config = {
        "nodes": {
            "n": {
                "url": llama_node.url,
                "engine": "llama-server",
                "speaks": ["openai", "anthropic"],
            }
        },
        "deployments": {"d": {"nodes": ["n"], "auth": "none"}},
    }

    def use(url: str) -> anthropic.BadRequestError:
        base = f"{url}/proxy/d/anthropic"
        with (
            anthropic.Anthropic(base_url=base, api_key="x", max_retries=0) as ai,
            pytest.raises(anthropic.BadRequestError) as caught,
        ):
            words = [{"role": "user", "content": "w " * 9000}]
            ai.messages.create(model="gemma2:9b", max_tokens=9, messages=words)
        return caught.value

    async with proxy_here(config) as gateway:
        told = await asyncio.to_thread(use, gateway.url)
        empty = await ask(
            gateway.url, asking(("/proxy/d/anthropic/v1/messages", {"model": "gemma2:9b"}))
        )
    assert told.type == "invalid_request_error"
    assert told.message.count("prompt is too long") == 1
    assert (empty.status, json.loads(empty.body)["type"]) == (400, "error")
