"""Keepalives in every silence in which they are safe, and nowhere else."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Collection

import pytest

from casedesk_proxy.replying.record import Terminal
from tests.fixtures.patience import AT_ONCE_S, PATIENCE_S
from tests.fixtures.raw_client import RawClient
from tests.fixtures.raw_node import NodeConnection
from tests.server.gateways import SSE, chat, chunk
from tests.server.pooled import Member, PoolStage, pooled

OFTEN = ", heartbeat: 40ms"
#: A silence in which a sign would come, if one could.
SILENCE_S = 0.12
ALWAYS = ", heartbeat: 40ms, heartbeat_verbatim: true"
EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"w"}}]}\n\n'
FINISH = (
    b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}\n\ndata: [DONE]\n\n'
)
COMMENT = b": \n\n"
DONE = b"data: [DONE]\n\n"
END = chunk(DONE) + b"0\r\n\r\n"


def post(target: str, body: bytes, *headers: str) -> bytes:
    lines = [f"POST {target} HTTP/1.1", "Host: h", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


GEMINI_BODY = b'{"contents":[{"role":"user","parts":[{"text":"x"}]}]}'
REQUESTS = {
    "gemini sse": post("/v1beta/models/m:streamGenerateContent?alt=sse", GEMINI_BODY),
    "gemini array": post("/v1beta/models/m:streamGenerateContent", GEMINI_BODY),
    "anthropic": post(
        "/v1/messages",
        b'{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"x"}]}',
        "anthropic-version: 2023-06-01",
    ),
}
BEATS = {"gemini sse": b"data:  ", "gemini array": b"[", "anthropic": b"event: ping\n"}


class Slow:
    """A node that plays its steps when the test releases them. ``asked``: it has a request."""

    def __init__(self, *steps: bytes) -> None:
        self.steps = steps
        self.go = asyncio.Semaphore(0)
        self.asked = asyncio.Event()

    async def play(self, connection: NodeConnection) -> None:
        await connection.request()
        self.asked.set()
        for step in self.steps:
            await self.go.acquire()
            await connection.send(step)
        await connection.until_gone()


def openai_only(slow: Slow, more: str = "") -> Member:
    return Member("a", slow.play, more, speaks="openai")


async def wait_for(client: RawClient, pattern: bytes, behind: int = 0) -> int:
    """Wait until the content of the chunks matches ``pattern`` after ``behind`` bytes; returns its
    size."""

    def ready() -> int | None:
        body = carried(client.unread)
        return len(body) if re.search(pattern, body[behind:], re.DOTALL) else None

    async with asyncio.timeout(PATIENCE_S):
        return await client.until(ready)


def carried(raw: bytes) -> bytes:
    """The content of the chunks that arrived whole."""
    body = b""
    while (line := raw.find(b"\r\n")) > 0:
        size = int(raw[:line], 16)
        if not size or len(raw) < line + size + 4:
            break
        body += raw[line + 2 : line + 2 + size]
        raw = raw[line + size + 4 :]
    return body


@pytest.mark.parametrize("name", list(REQUESTS))
async def test_a_translated_stream_gets_signs_of_life_from_the_first_silence(name: str) -> None:
    slow = Slow(SSE, chunk(EVENT), chunk(FINISH) + b"0\r\n\r\n")
    async with pooled(openai_only(slow), deployment=OFTEN) as stage:
        client = await stage.connect()
        client.write(REQUESTS[name])
        assert (await client.head()).status == 200, "before the node has said a word"
        seen = 0
        for step in range(3):
            beats = re.escape(BEATS[name]) if step == 0 else rb"(\n|  |ping)"
            seen = await wait_for(client, beats, seen)
            slow.go.release()
        body = (await client.reply()).body
        texts = said(name, body)
        assert "".join(texts) == "w"
        outcome = await stage.outcome()
        assert outcome.terminal is Terminal.COMPLETED
        assert outcome.status == 200
        assert outcome.sent > len(body)
        assert stage.in_flight() == 0


def said(name: str, body: bytes) -> list[str]:
    """The texts of a reply, which is read strictly."""
    if name == "gemini array":
        assert body.startswith(b"[")
        assert body.endswith(b"]")
        frames = json.loads(body)
    else:
        lines = [line for line in body.split(b"\n") if line.startswith(b"data:")]
        frames = [json.loads(line.removeprefix(b"data:")) for line in lines]
    if name == "anthropic":
        assert frames[0]["type"] == "message_start"
        assert frames[-1]["type"] == "message_stop"
        return [one["delta"]["text"] for one in frames if one["type"] == "content_block_delta"]
    parts = [one["candidates"][0]["content"]["parts"] for one in frames]
    assert "finishReason" in frames[-1]["candidates"][0]
    return [part["text"] for some in parts for part in some]


@pytest.mark.parametrize("name", list(REQUESTS))
@pytest.mark.parametrize("status", [400, 500])
async def test_a_refusal_behind_a_sign_of_life_is_told_inside_the_stream(
    name: str, status: int
) -> None:
    body = b'{"error":{"message":"no","type":"x","code":%d}}' % status
    slow = Slow(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))
    async with pooled(openai_only(slow), deployment=OFTEN) as stage:
        client = await stage.connect()
        client.write(REQUESTS[name])
        assert (await client.head()).status == 200
        await wait_for(client, re.escape(BEATS[name]))
        slow.go.release()
        rest = await client.rest()
        assert b'"error"' in rest
        assert not rest.endswith(b"0\r\n\r\n")
        outcome = await stage.outcome()
        assert outcome.terminal in (Terminal.REFUSED, Terminal.NODE_UNAVAILABLE)
        await stage.quiet()


async def test_signs_of_life_in_the_queue_and_the_end_of_waiting() -> None:
    slow = Slow()
    limits = OFTEN + ", queue_timeout: 200ms"
    async with pooled(openai_only(slow, ", max_streams: 1"), deployment=limits) as stage:
        holder = await stage.connect()
        holder.write(REQUESTS["gemini sse"])
        async with asyncio.timeout(PATIENCE_S):
            while not stage.in_flight():
                await asyncio.sleep(0)
        client = await stage.connect()
        client.write(REQUESTS["gemini sse"])
        assert (await client.head()).status == 200
        rest = await client.rest()
        frame = json.loads(carried(rest).removeprefix(b"data: "))
        assert frame["error"]["code"] == 429
        assert frame["error"]["status"] == "RESOURCE_EXHAUSTED"
        assert not rest.endswith(b"0\r\n\r\n")
        outcome = await stage.outcome()
        assert (outcome.terminal, outcome.code) == (Terminal.BUSY, "overloaded")
        assert outcome.status == 200


@pytest.mark.parametrize("how", ["close", "reset", "half-close"])
async def test_a_client_that_leaves_behind_a_sign_of_life_frees_the_node(how: str) -> None:
    slow = Slow()
    member = openai_only(slow)
    async with pooled(member, deployment=OFTEN) as stage:
        client = await stage.connect()
        client.write(REQUESTS["gemini sse"])
        await client.head()
        await slow.asked.wait()
        client.leave(how)
        async with asyncio.timeout(AT_ONCE_S):
            await member.connections[0].until_gone()
        outcome = await stage.outcome()
        assert outcome.terminal is Terminal.CLIENT_GONE
        assert outcome.cancel is not None
        assert outcome.cancel < AT_ONCE_S
        assert stage.in_flight() == 0


async def test_a_stop_is_told_inside_a_stream_that_has_only_had_signs_of_life() -> None:
    slow = Slow(SSE)
    async with pooled(openai_only(slow), deployment=OFTEN) as stage:
        client = await stage.connect()
        client.write(REQUESTS["gemini sse"])
        await client.head()
        await stage.gateway.stop()
        rest = carried(await client.rest())
        assert "error" in json.loads(rest.removeprefix(b"data: "))
        assert (await stage.outcome()).terminal is Terminal.SHUT_DOWN


@pytest.mark.parametrize("extra", ["", ", heartbeat: 0", ", heartbeat: 40ms"])
async def test_a_verbatim_stream_has_none_unless_asked_for(extra: str) -> None:
    slow = Slow(SSE, chunk(EVENT), chunk(EVENT) + END)
    async with pooled(Member("a", slow.play), deployment=extra) as stage:
        raw = await exchange(stage, slow, chat())
        assert raw == chunk(EVENT) * 2 + END


async def test_a_unary_reply_has_none() -> None:
    body = b'{"choices":[{"message":{"content":"w"},"finish_reason":"stop"}]}'
    slow = Slow(b"HTTP/1.1 200 X\r\nContent-Length: %d\r\n\r\n" % len(body), body)
    for speaks, request in (
        ("openai", post("/v1beta/models/m:generateContent", GEMINI_BODY)),
        ("openai", chat(stream=False)),
    ):
        async with pooled(Member("a", slow.play, speaks=speaks), deployment=ALWAYS) as stage:
            client = await stage.connect()
            client.write(request)
            await asyncio.sleep(SILENCE_S)
            for _ in slow.steps:
                slow.go.release()
            head = await client.head()
            assert head.status == 200
            reply = (await client.reply()).body
            assert b'"w"' in reply


async def exchange(
    stage: PoolStage, slow: Slow, request: bytes, sign: bytes = b"", silent: Collection[int] = ()
) -> bytes:
    """The body of the reply as it was on the wire. Before each of its steps the node waits until
    ``sign`` has come, or, before the ``silent`` ones, for as long as one would take. Without a sign
    they all are silent."""
    client = await stage.connect()
    client.write(request)
    at = 0
    for number in range(len(slow.steps)):
        if not sign or number in silent:
            await asyncio.sleep(SILENCE_S)
        elif number:
            at = await sign_behind(client, sign, at)
        else:
            await client.head()
            at = await client.until(lambda: len(client.received) if client.unread else None)
        slow.go.release()
    async with asyncio.timeout(PATIENCE_S):
        return (await client.reply()).framed


async def sign_behind(client: RawClient, sign: bytes, at: int) -> int:
    """Wait for the next sign on the wire; returns its end."""

    def ready() -> int | None:
        found = client.received.find(sign, at)
        return None if found < 0 else found + len(sign)

    async with asyncio.timeout(PATIENCE_S):
        return await client.until(ready)


@pytest.mark.parametrize(
    ("request_", "sign"),
    [
        (chat(), COMMENT),
        (REQUESTS["gemini sse"], b"\n\n"),
        (REQUESTS["anthropic"], b'event: ping\ndata: {"type": "ping"}\n\n'),
    ],
)
async def test_verbatim_signs_of_life_stand_between_the_nodes_events_only(
    request_: bytes, sign: bytes
) -> None:
    """There are silences before the head, between events, inside an event and inside a chunk."""
    whole = chunk(EVENT)
    steps = (SSE, whole, chunk(EVENT[:20]), chunk(EVENT[20:]), whole[:9], whole[9:], END)
    slow = Slow(*steps)
    async with pooled(Member("a", slow.play), deployment=ALWAYS) as stage:
        raw = await exchange(stage, slow, request_, chunk(sign), silent=(3, 5))
        assert raw.endswith(b"0\r\n\r\n")
        assert whole in raw
        assert chunk(EVENT[:20]) + chunk(EVENT[20:]) in raw, "nothing inside an event"
        assert raw.count(chunk(sign)) >= 5
        assert raw.replace(chunk(sign), b"") == b"".join(steps[1:])
        assert raw.startswith(chunk(sign)), "before the node's head"
        assert (await stage.outcome()).terminal is Terminal.COMPLETED


async def test_a_client_that_bears_no_blank_frame_gets_one_that_says_nothing() -> None:
    slow = Slow(SSE, chunk(EVENT[:20]), chunk(EVENT[20:]), b"0\r\n\r\n")
    request = post(
        "/v1beta/models/m:streamGenerateContent?alt=sse",
        GEMINI_BODY,
        "x-goog-api-client: genai-js/0.24.1",
    )
    async with pooled(Member("a", slow.play), deployment=ALWAYS) as stage:
        raw = await exchange(stage, slow, request, b'"parts"', silent=(2,))
        frame = raw[raw.index(b"data:") : raw.index(b"\n\n") + 2]
        told = json.loads(frame.removeprefix(b"data: "))
        assert told["candidates"][0]["content"]["parts"] == [], "an empty text would lose the turn"
        assert raw.startswith(chunk(frame)), "before the node's head"
        rest = raw.replace(chunk(frame), b"")
        assert rest == chunk(EVENT[:20]) + chunk(EVENT[20:]) + b"0\r\n\r\n"


ELEMENT = b'{"candidates":[{"content":{"parts":[{"text":"w]"}],"role":"model"}}]}'
ARRAY = SSE.replace(b"text/event-stream", b"application/json")


async def array_exchange(stage: PoolStage, slow: Slow, silent: Collection[int] = ()) -> bytes:
    """The content of the chunks of a verbatim array, and its end if it arrived."""
    raw = await exchange(stage, slow, REQUESTS["gemini array"], chunk(b"\n"), silent)
    return carried(raw) + (b"END" if raw.endswith(b"0\r\n\r\n") else b"")


@pytest.mark.parametrize("start", [b"[", b" \r\n[", b"[" + ELEMENT])
async def test_signs_of_life_in_a_verbatim_array(start: bytes) -> None:
    """They are sent before the node's head, where the bracket is the first, and between elements;
    none is sent within an element."""
    half = len(ELEMENT) // 2
    rest = ELEMENT if start.endswith(b"[") else b"\n,\r\n" + ELEMENT
    cut = len(rest) - half
    slow = Slow(
        ARRAY, chunk(start), chunk(rest[:cut]), chunk(rest[cut:]), chunk(b"]"), b"0\r\n\r\n"
    )
    async with pooled(Member("a", slow.play), deployment=ALWAYS) as stage:
        body = await array_exchange(stage, slow, silent=(3, 5))
        assert body.startswith(b"[\n"), "before the node's head"
        assert body.endswith(b"]END"), "and nothing behind the bracket"
        assert ELEMENT in body, "nothing inside an element"
        assert body.count(b"\n") >= 3
        elements = json.loads(body.removesuffix(b"END"))
        assert elements == [json.loads(ELEMENT)] * (start + rest).count(ELEMENT)
        assert (await stage.outcome()).terminal is Terminal.COMPLETED


async def test_an_array_that_was_not_slow_has_signs_of_life_between_elements() -> None:
    slow = Slow(ARRAY + chunk(b"[" + ELEMENT), chunk(b"," + ELEMENT + b"]") + b"0\r\n\r\n")
    # So long that no machine lets the client wait for the first element.
    seldom = ALWAYS.replace("40ms", "600ms")
    async with pooled(Member("a", slow.play), deployment=seldom) as stage:
        slow.go.release()
        client = await stage.connect()
        client.write(REQUESTS["gemini array"])
        await sign_behind(client, chunk(b"\n"), 0)
        slow.go.release()
        body = (await client.reply()).body
        assert body.startswith(b"[" + ELEMENT + b"\n")
        assert json.loads(body) == [json.loads(ELEMENT)] * 2


@pytest.mark.parametrize(
    "steps",
    [
        (ARRAY, b"0\r\n\r\n"),
        (ARRAY, chunk(b"<html>")),
        (ARRAY, chunk(b"[" + ELEMENT), b"oh\r\n"),
        (b"HTTP/1.1 503 X\r\nContent-Length: 2\r\n\r\n{}",),
    ],
)
async def test_a_node_that_fails_in_an_array_that_was_begun_is_told_in_it(
    steps: tuple[bytes, ...],
) -> None:
    slow = Slow(*steps)
    async with pooled(Member("a", slow.play), deployment=ALWAYS) as stage:
        body = await array_exchange(stage, slow)
        assert not body.endswith(b"END")
        elements = json.loads(body + b"]")
        assert elements[-1]["error"]["message"]
        assert elements[:-1] == [json.loads(ELEMENT)] * (len(steps) - 2 if len(steps) == 3 else 0)
        assert (await stage.outcome()).terminal in (
            Terminal.NODE_BROKE,
            Terminal.NODE_UNAVAILABLE,
        )
        assert stage.in_flight() == 0


@pytest.mark.parametrize(
    ("reply", "end"),
    [
        (b"HTTP/1.1 503 X\r\nContent-Length: 2\r\n\r\n{}", Terminal.NODE_UNAVAILABLE),
        (
            b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
            Terminal.NODE_BROKE,
        ),
    ],
)
async def test_a_verbatim_reply_that_is_no_stream_ends_one_that_was_begun(
    reply: bytes, end: Terminal
) -> None:
    slow = Slow(reply)
    async with pooled(Member("a", slow.play), deployment=ALWAYS) as stage:
        raw = await exchange(stage, slow, chat(), chunk(COMMENT))
        assert not raw.endswith(b"0\r\n\r\n")
        last = carried(raw).rpartition(b"data: ")[2]
        assert json.loads(last)["error"]["message"]
        assert (await stage.outcome()).terminal is end
        assert stage.in_flight() == 0


def _ended(raw: bytes) -> bytes | None:
    return raw if raw.endswith(b"\r\n0\r\n\r\n") else None


async def test_a_document_continues_a_stream_that_was_begun() -> None:
    choice = {"index": 0, "message": {"content": "w"}, "finish_reason": "stop"}
    document = json.dumps({"choices": [choice]}).encode()
    head = b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    slow = Slow(head % len(document) + document[:9], document[9:])
    async with pooled(Member("a", slow.play), deployment=ALWAYS) as stage:
        client = await stage.connect()
        client.write(chat())
        assert (await client.head()).status == 200
        seen = 0
        for _ in slow.steps:
            seen = await wait_for(client, COMMENT, seen)
            slow.go.release()
        async with asyncio.timeout(PATIENCE_S):
            raw = await client.until(lambda: _ended(client.unread))
        signs, _, events = carried(raw).partition(b"data: ")
        assert signs == COMMENT * (len(signs) // len(COMMENT))
        assert b'"delta":{"content":"w"}' in events
        assert events.endswith(DONE)
        assert (await stage.outcome()).terminal is Terminal.COMPLETED


async def test_a_node_without_chunks_continues_a_stream_that_was_begun() -> None:
    head = b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    may_answer = asyncio.Event()

    async def play(connection: NodeConnection) -> None:
        await connection.request()
        await may_answer.wait()
        await connection.send(head, EVENT, EVENT, DONE)

    async with pooled(Member("a", play), deployment=ALWAYS) as stage:
        client = await stage.connect()
        client.write(chat())
        await client.head()
        may_answer.set()
        body = (await client.reply()).body
        assert body.replace(COMMENT, b"") == EVENT * 2 + DONE
        assert COMMENT in body


async def test_an_http_1_0_client_gets_them_without_chunks() -> None:
    slow = Slow(SSE, chunk(EVENT), END)
    async with pooled(Member("a", slow.play), deployment=ALWAYS) as stage:
        client = await stage.connect()
        client.write(chat(version="1.0"))
        at = (await client.head()).end
        for _ in slow.steps:
            at = await sign_behind(client, COMMENT, at)
            slow.go.release()
        body = await client.rest()
        assert body.replace(COMMENT, b"") == EVENT + DONE
        assert COMMENT in body
