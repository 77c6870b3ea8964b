"""An internal error anywhere on a reply's way: each function that is called there raises once, call
by call.

The node's slot is released, only clean connections are used again, the client sees an error or a
cut and never an incomplete reply that looks complete, and the next request is answered.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType

import pytest

import casedesk_proxy
from tests.e2e.relaying import STREAMS, UNARY, asking, relay
from tests.e2e.test_large import ASK, GEMINI
from tests.fixtures.messages import Message
from tests.fixtures.proxy import RunningGateway
from tests.fixtures.raw_client import RawClient, connect
from tests.fixtures.raw_node import Step
from tests.fixtures.raw_peer import Parting, PeerGone

ROOT = Path(casedesk_proxy.__file__).parent
#: Where a reply goes from its head on, and a request from its slot on.
WAY = (
    "relay/delivery.py", "relay/relay.py", "relay/whole.py", "relay/early_response.py",
    "relay/watch.py", "server/handler.py", "server/body_reading.py", "server/forwarding.py",
    "server/own_replies.py", "server/exchanges.py", "telemetry/accesslog.py",
    "telemetry/metrics.py", "upstream/", "planning/", "replying/", "dialects/", "usage/",
    "surfaces/envelopes.py", "surfaces/gemini.py", "surfaces/anthropic.py", "surfaces/openai.py",
    "wire/", "pools/", "jsonio.py",
)  # fmt: skip
#: What catches the bugs of all others, itself a line or two: behind it is nothing.
LAST = {
    "Handler.handle", "Exchange.let_go", "Exchanges.end", "NodeState.give_back",
    "Relay.connection_lost", "NodeConnection.connection_made",
}  # fmt: skip
#: What others than this exchange call: probes, timers of idle connections.
BESIDE = {"ConnectionPool._expire", "Deadlines._check"}

EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
REFUSED = WHOLE.replace(b"200 OK", b"400 Bad Request")


def event(delta: dict[str, object], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return chunk(b"data: " + json.dumps({"id": "1", "choices": [choice]}).encode() + b"\n\n")


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


CALL = {"index": 0, "id": "c", "function": {"name": "f", "arguments": '{"a": 1}'}}
USAGE = chunk(b'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}\n\n')
STREAM = (
    EVENTS,
    event({"role": "assistant", "content": "Hel"}),
    event({"content": "lo"}),
    event({"content": "!"}),
    event({"tool_calls": [CALL]}),
    event({}, "tool_calls"),
    USAGE,
    chunk(b"data: [DONE]\n\n"),
    b"0\r\n\r\n",
)
BODY = b'{"choices":[{"index":0,"message":{"content":"hi"},"finish_reason":"stop"}]}'
ANSWER = b'{"candidates":[{"content":{"parts":[{"text":"hi"}]},"finishReason":"STOP"}]}'
SURE = b'{"error":{"message":"no","type":"invalid_request_error"}}'
TOOL = {"name": "f", "description": "f", "input_schema": {"type": "object", "properties": {}}}
ANTHROPIC = {**ASK, "tools": [TOOL]}

#: By name: the request, and what the node does.
SCENES: dict[str, tuple[bytes, tuple[bytes | Step, ...]]] = {
    "whole": (asking(UNARY["openai"]), (WHOLE % (len(BODY), BODY),)),
    "whole in pieces": (
        asking(UNARY["openai"]),
        (WHOLE % (len(BODY), BODY[:10]), BODY[10:30], BODY[30:]),
    ),
    "verbatim": (asking(STREAMS["openai"]), STREAM),
    "verbatim, cut": (asking(STREAMS["openai"]), (*STREAM[:4], Step.CLOSE)),
    "array": (
        asking(STREAMS["array"]),
        (EVENTS.replace(b"text/event-stream", b"application/json"), chunk(b"[" + ANSWER),
         chunk(b"," + ANSWER + b"]"), b"0\r\n\r\n"),
    ),
    "old client": (asking(STREAMS["openai"]).replace(b"HTTP/1.1", b"HTTP/1.0"), STREAM),
    "refused": (asking(UNARY["openai"]), (REFUSED % (len(SURE), SURE),)),
    "anthropic stream": (asking((STREAMS["anthropic"][0], {**ANTHROPIC, "stream": True})), STREAM),
    "anthropic stream, cut": (
        asking((STREAMS["anthropic"][0], {**ANTHROPIC, "stream": True})),
        (*STREAM[:4], Step.CLOSE),
    ),
    "anthropic whole": (asking((UNARY["anthropic"][0], ANTHROPIC)), STREAM),
    "anthropic refused": (
        asking((UNARY["anthropic"][0], ANTHROPIC)),
        (REFUSED % (len(SURE), SURE),),
    ),
    "gemini stream": (asking((STREAMS["gemini"][0], GEMINI)), STREAM),
    "gemini array": (asking((STREAMS["array"][0], GEMINI)), STREAM),
    "gemini whole": (asking((UNARY["gemini"][0], GEMINI)), STREAM),
}  # fmt: skip
TRANSLATED = ("anthropic", "gemini")


class Injected(Exception):
    """An injected internal error."""


@contextmanager
def watched() -> Iterator[list[CodeType]]:
    """The functions that the request passes, each once, in order."""
    called: dict[CodeType, None] = {}
    listed: list[CodeType] = []

    def look(frame: FrameType, what: str, _: object) -> None:
        code = frame.f_code
        if what != "call" or not code.co_filename.startswith(str(ROOT)) or code in called:
            return
        name = code.co_filename[len(str(ROOT)) + 1 :]
        if not name.startswith(WAY) or code.co_qualname in LAST | BESIDE:
            return
        if code.co_name == "<genexpr>":  # Those raise in their callers.
            return
        called[code] = None

    sys.setprofile(look)
    try:
        yield listed
    finally:
        sys.setprofile(None)
        listed.extend(called)


@contextmanager
def raising(at: CodeType) -> Iterator[None]:
    """Let the first call of ``at`` raise an error."""

    def look(frame: FrameType, *_: object) -> None:
        if frame.f_code is at:
            # Python traces no more after this.
            raise Injected(at.co_qualname)

    sys.settrace(look)
    try:
        yield
    finally:
        sys.settrace(None)


async def ask(client: RawClient, request: bytes) -> Message | None:
    """The reply, or the part that arrived; None if there was none."""
    client.write(request)
    try:
        return await asyncio.wait_for(client.reply(), 10)
    except PeerGone:
        return None


async def settled(gateway: RunningGateway) -> None:
    """Wait until nothing of any exchange is held. No code of the request's way is called for
    that."""
    handler, admission = gateway.gateway._handler, gateway.gateway.dispatcher.slots.admission
    async with asyncio.timeout(10):
        while handler.exchanges.live or any(state.in_flight for state in admission.states.values()):
            await asyncio.sleep(0)
    assert not admission._waiting
    assert not handler.watch._watched


def comparable(reply: Message | None) -> bytes:
    """The body of a reply without the parts that differ each time."""
    assert reply is not None
    ident = reply.value("x-request-id")
    return reply.body.replace(ident, b"") if ident else reply.body


@pytest.mark.timeout(300)
@pytest.mark.parametrize("scene", SCENES)
async def test_a_bug_anywhere(scene: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    request, steps = SCENES[scene]
    request = request.replace(b"Host: test", b"Host: test\r\nx-request-id: the-same")
    speaks = ["openai"] if scene.startswith(TRANSLATED) else ["gemini", "openai"]
    quiet, failed = {"access_log": False}, []
    async with relay(*steps, server=quiet, speaks=speaks, max_streams=2) as (gateway, node):
        async with connect(gateway.url) as client:
            clean = await ask(client, request)
        async with connect(gateway.url) as client:
            with watched() as codes:
                clean = await ask(client, request)
                await settled(gateway)
        assert clean is not None
        assert len(codes) > 20
        for code in codes:
            try:
                await inject(gateway, code, request, clean)
            except (AssertionError, TimeoutError, PeerGone) as error:
                failed.append(
                    f"{code.co_filename}:{code.co_firstlineno} {code.co_qualname} {error!r}"
                )
        assert len(node.connections) > 1
    assert not failed, "\n".join(failed)
    gc.collect()


async def inject(gateway: RunningGateway, code: CodeType, request: bytes, clean: Message) -> None:
    async with connect(gateway.url) as client:
        with raising(code):
            reply = await ask(client, request)
            await settled(gateway)
        if reply is not None and reply.complete and reply.status == clean.status:
            # A reply that looks whole is whole. To a client of HTTP/1.0 every FIN is an end.
            told = client.parting is Parting.RST or b'"error"' in reply.body
            assert comparable(reply) == comparable(clean) or (b"HTTP/1.0" in request and told)
        if not client.gone.done() and reply is not None and reply.complete:
            # The connection carries another, or is closed.
            after = await ask(client, request)
            if after is not None:
                assert_same(after, clean)
                return
            assert client.gone.done()
    async with connect(gateway.url) as other:
        assert_same(await ask(other, request), clean)


def assert_same(reply: Message | None, clean: Message) -> None:
    assert reply is not None
    assert (reply.status, reply.complete) == (clean.status, clean.complete)
    assert comparable(reply) == comparable(clean)


async def test_a_sink_that_raises_holds_up_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """Sinks, such as the access log and the metrics, get every exchange."""
    request, steps = SCENES["whole"]
    told: list[str] = []

    def broken(_: object) -> None:
        raise Injected("a full disk")

    sinks = (broken, lambda outcome: told.append(outcome.terminal))
    async with relay(*steps, sinks=sinks) as (gateway, _):
        async with connect(gateway.url) as client:
            for _ in range(2):
                reply = await asyncio.wait_for(client.ask(request), 10)
                assert reply.complete
        await settled(gateway)
    assert told == ["completed", "completed"], "the other sinks are told"
    assert caplog.text.count("Injected: a full disk") == 2, "with its traceback"


async def test_a_fiber_that_fails_closes_its_connection() -> None:
    """No other code would close it, and its client would wait forever."""
    request, steps = SCENES["whole"]

    async def fails(_: object) -> bool:
        raise Injected("outside of all guards")

    async with relay(*steps) as (gateway, _):
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        gateway.gateway._public.answer = fails
        async with connect(gateway.url) as client:
            client.write(request)
            await asyncio.wait_for(client.until_gone(), 10)
