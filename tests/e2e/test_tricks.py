"""What the tricks promise: with or without them, the same bytes reach client and node, and the same
is logged and counted."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from hashlib import sha256

import pytest

from casedesk_proxy.config.load import load_config
from casedesk_proxy.fastpath.switches import Trick, turn_off
from casedesk_proxy.server.app import Gateway
from casedesk_proxy.telemetry.log_output import flushed
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.raw_client import RawClient, open_client
from tests.fixtures.raw_node import NodeConnection, raw_node
from tests.server.gateways import SSE, chunk

CONFIG = """
server: {{listen: "127.0.0.1:0", admin: null}}
default_deployment: d
nodes:
  n:
    {{url: "http://127.0.0.1:{port}", engine: openai, speaks: [openai, anthropic], models: [m],
    probe_interval: 0, api_key: "key-of-the-node"}}
deployments:
  d: {{nodes: [n], aliases: {{mine: m}}}}
keys: [{{name: alice, sha256: "{hash}", deployments: [d]}}]
"""
KEY = "key-of-alice"


def whole(body: bytes, status: bytes = b"200 OK", kind: bytes = b"application/json") -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b" % (
        status, kind, len(body), body,
    )  # fmt: skip


def event(**delta: object) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": None}
    return b"data: " + json.dumps({"id": "c", "choices": [choice]}).encode() + b"\n\n"


ANSWER = (
    b'{"id":"c","object":"chat.completion","model":"m","choices":[{"index":0,"message":'
    b'{"role":"assistant","content":"All is well."},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":5,"completion_tokens":4}}'
)
MESSAGE = (
    b'{"id":"a","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":'
    b'"Hi"}],"stop_reason":"end_turn","usage":{"input_tokens":5,"output_tokens":1}}'
)
TOKENS = [event(role="assistant", content="")] + [event(content=f"word {n} ") for n in range(9)]
END = (
    b'data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":9}}\n\n'
    b"data: [DONE]\n\n"
)
STREAM = [SSE, *map(chunk, TOKENS), chunk(END), b"0\r\n\r\n"]
BREAK = b""


@dataclass(frozen=True)
class Exchange:
    """A request for ``target``, and the pieces that the node sends for it, each separately; BREAK:
    it closes the connection. Without pieces the node gets no request."""

    target: str
    body: dict[str, object]
    pieces: tuple[bytes, ...] = ()
    headers: str = f"Authorization: Bearer {KEY}\r\n"

    def request(self) -> bytes:
        data = json.dumps(self.body).encode()
        return (
            f"POST {self.target} HTTP/1.1\r\nHost: h\r\n{self.headers}"
            f"Content-Length: {len(data)}\r\n\r\n".encode()
            + data
        )


def chat(*pieces: bytes, model: str = "m", said: str = "x", **more: object) -> Exchange:
    body = {"model": model, "messages": [{"role": "user", "content": said}], **more}
    return Exchange("/v1/chat/completions", body, pieces)


def gemini(action: str, *pieces: bytes) -> Exchange:
    body: dict[str, object] = {"contents": [{"role": "user", "parts": [{"text": "x"}]}]}
    headers = f"x-goog-api-key: {KEY}\r\n"
    return Exchange(f"/v1beta/models/m:{action}", body, pieces, headers)


EXCHANGES = {
    "whole": chat(whole(ANSWER)),
    "whole again, of another length": chat(whole(ANSWER), said="x" * 50),
    # On a connection that was used before: it is repeated on another.
    "a reply that is none": chat(BREAK),
    "whole, by an alias": chat(whole(ANSWER), model="mine"),
    "head and body apart": chat(whole(ANSWER)[: -len(ANSWER)], ANSWER),
    "a body in pieces": chat(whole(ANSWER)[:-40], ANSWER[-40:-20], ANSWER[-20:]),
    "messages": Exchange(
        "/v1/messages",
        {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]},
        (whole(MESSAGE),),
        f"x-api-key: {KEY}\r\nanthropic-version: 2023-06-01\r\n",
    ),
    "an error": chat(whole(b'{"error":{"message":"too long"}}', b"400 Bad Request")),
    "an error with status 200": chat(whole(b'{"error":{"message":"bad","code":400}}')),
    "no such model": chat(model="other"),
    "no key": Exchange("/v1/chat/completions", {"model": "m"}, headers=""),
    "another key": Exchange("/v1/chat/completions", {"model": "m"}, headers="x-api-key: no\r\n"),
    "a stream": chat(*STREAM, stream=True),
    "a stream again": chat(*STREAM, stream=True),
    "a stream in other pieces": chat(
        SSE, b"".join(STREAM[1:4])[:-3], b"".join(STREAM[1:4])[-3:], *STREAM[4:], stream=True
    ),
    "a stream that breaks": chat(*STREAM[:6], BREAK, stream=True),
    "a stream that ends too early": chat(*STREAM[:6], b"0\r\n\r\n", stream=True),
    "translated": gemini("generateContent", whole(ANSWER)),
    "a translated stream": gemini("streamGenerateContent?alt=sse", *STREAM),
    "a translated stream again": gemini("streamGenerateContent?alt=sse", *STREAM),
    "a translated stream that breaks": gemini("streamGenerateContent?alt=sse", *STREAM[:6], BREAK),
    "a translated array": gemini("streamGenerateContent", *STREAM),
}

#: All others are 200.
STATUSES = {
    "an error": 400,
    "an error with status 200": 400,
    "a reply that is none": 502,
    "no such model": 404,
    "no key": 401,
    "another key": 401,
}
#: Stands for the end that a stream did not have.
CUT = b"(cut)"


class Node:
    """Sends the pieces of the current exchange, and keeps the requests that it got."""

    def __init__(self) -> None:
        self.exchange: Exchange | None = None
        self.heard: list[bytes] = []

    async def play(self, connection: NodeConnection) -> None:
        while True:
            asked = await connection.request()
            self.heard.append(asked.head + asked.body)
            assert self.exchange is not None
            for piece in self.exchange.pieces:
                if piece is BREAK:
                    connection.close()
                    return
                await connection.send(piece)
                # All of this is in one loop: by then the gateway has read it.
                for _ in range(10):
                    await asyncio.sleep(0)


async def read_reply(client: RawClient) -> bytes:
    """A reply as it is on the wire; if a stream is cut, the part that arrived."""
    reply = await client.reply()
    return reply.head + reply.framed + (b"" if reply.complete else CUT)


@dataclass(frozen=True)
class Seen:
    """All that must be the same with and without tricks; replies by exchange."""

    replies: dict[str, bytes]
    heard: list[bytes]
    ahead: list[bytes]
    log: list[bytes]
    metrics: list[bytes]


_MASKED = [
    (re.compile(rb"(?i)(request-id: )[0-9a-f]{32}"), rb"\1ID"),
    (re.compile(rb"(\bid=)[0-9a-f]{32}"), rb"\1ID"),
    (re.compile(rb"\b(ttfb|duration|queued|overhead)=[0-9.e-]+"), rb"\1=T"),
    (re.compile(rb"^\d{4}-\d\d-\d\dT[0-9:.]+Z"), b"TIME"),
    (re.compile(rb'("request_id":\s*")[0-9a-f]{32}'), rb"\1ID"),
]


def masked(text: bytes) -> bytes:
    """The text without the parts that differ between runs."""
    for pattern, by in _MASKED:
        text = pattern.sub(by, text)
    return text


def counted(page: bytes) -> list[bytes]:
    """The metrics that count; those that measure are left out."""
    measures = re.compile(
        rb"^(# |process_|casedesk_[a-z_]*(seconds|lag|timestamp|build|cpu|memory))"
    )
    return [line for line in page.splitlines() if not measures.match(line)]


async def run_all(off: set[Trick], capture: pytest.CaptureFixture[bytes]) -> Seen:
    """Run the exchanges one after another, on one connection if possible, and then send some ahead
    on another connection."""
    node = Node()
    before = turn_off(off)
    try:
        async with raw_node(play=node.play) as behind:
            text = CONFIG.format(port=behind.port, hash=sha256(KEY.encode()).hexdigest())
            gateway = Gateway(load_config(text, "x.yaml").config, {"n": "key-of-the-node"})
            await gateway.start()
            try:
                return await _run(gateway, node, behind.port, capture)
            finally:
                await gateway.stop()
    finally:
        turn_off(before)


async def _run(
    gateway: Gateway, node: Node, port: int, capture: pytest.CaptureFixture[bytes]
) -> Seen:
    await flushed(PATIENCE_S)
    capture.readouterr()
    replies: dict[str, bytes] = {}
    client = await open_client(gateway.urls[0])
    for name, node.exchange in EXCHANGES.items():
        assert node.exchange is not None
        client.write(node.exchange.request())
        replies[name] = masked(await read_reply(client))
        if replies[name].endswith(CUT):
            await client.end()
            client = await open_client(gateway.urls[0])
    node.exchange = EXCHANGES["whole"]
    wanted = [EXCHANGES[name] for name in ("whole", "no such model", "whole", "no key", "whole")]
    client.write(b"".join(one.request() for one in wanted))
    ahead = [masked(await read_reply(client)) for _ in wanted]
    await client.end()
    while any((await gateway.count_phases()).values()) or gateway.connections:
        await asyncio.sleep(0)
    await flushed(PATIENCE_S)
    log = [masked(line) for line in capture.readouterr().err.splitlines() if b" id=" in line]
    heard = [masked(text.replace(b":%d" % port, b":PORT")) for text in node.heard]
    return Seen(replies, heard, ahead, log, counted(gateway.metrics.render()))


@pytest.mark.parametrize(
    "off", [{trick} for trick in Trick] + [set(Trick)], ids=lambda off: "+".join(sorted(off))
)
async def test_a_trick_changes_nothing(
    off: set[Trick], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    usual = await run_all(set(), capfdbinary)
    plain = await run_all(off, capfdbinary)
    assert plain.replies == usual.replies
    assert plain.heard == usual.heard
    assert plain.ahead == usual.ahead
    assert plain.log == usual.log
    assert plain.metrics == usual.metrics


async def test_the_exchanges_are_what_they_are_called(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    seen = await run_all(set(), capfdbinary)
    for name, reply in seen.replies.items():
        assert int(reply[9:12]) == STATUSES.get(name, 200), name
        assert reply.endswith(CUT) is ("breaks" in name or "early" in name), name
    assert len(seen.heard) == 4 + sum(bool(one.pieces) for one in EXCHANGES.values())
    assert len(seen.log) == len(EXCHANGES) + len(seen.ahead)
    assert any(b"casedesk_" in line for line in seen.metrics)
