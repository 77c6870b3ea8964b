"""server/handler: a whole short exchange, or stream, with test transports for client and node.

Everything that Python does for a chat request whose reply arrives in one piece with its head: read,
judged, planned, sent, answered, counted and logged. A stream's first event comes with its head,
and the second with its end. Sockets, the kernel and uvloop's reads and
writes are measured by bench/unary.py. Requests differ only in length, as on a connection that a
client keeps.
"""

from __future__ import annotations

import asyncio
import atexit
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest import mock

import uvloop

from bench.micro.work import Case, Work
from casedesk_proxy.config.load import load_config
from casedesk_proxy.server.app import Gateway
from casedesk_proxy.store.writer import StoreWriter
from casedesk_proxy.telemetry import log_output
from casedesk_proxy.telemetry.logwriter import LogWriter
from casedesk_proxy.upstream import dispatch
from casedesk_proxy.upstream.connection import NodeConnection
from casedesk_proxy.upstream.pool import ConnectionPool

_REQUESTS = 50
_KEY = "a-key-for-the-benchmark"
_CONFIG = f"""
server: {{listen: "127.0.0.1:0", admin: null, keepalive_timeout: 1h, planners: PLANNERS}}
default_deployment: bench
nodes:
  node: {{url: "http://127.0.0.1:9", engine: vllm, models: [bench]}}
deployments:
  bench: {{nodes: [node]}}
keys:
  - name: bench
    sha256: "{sha256(_KEY.encode()).hexdigest()}"
    deployments: [bench]
    limits: LIMITS
"""
#: All limits that a key may have; none is reached.
_LIMITS = (
    "{requests_per_minute: 10000000, tokens_per_minute: 100000000, tokens_per_day: 10000000000,"
    " tokens_per_month: 100000000000, parallel: 10000}"
)
_BODY = (
    b'{"id":"chatcmpl-bench","object":"chat.completion","created":1700000000,"model":"bench",'
    b'"choices":[{"index":0,"message":{"role":"assistant","content":"All is well."},'
    b'"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":4}}'
)
_REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(_BODY), _BODY,
)  # fmt: skip

_COUNTS = (
    b'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,'
    b'"model":"bench","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}\n\n'
)
_EVENT = (
    b'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,'
    b'"model":"bench","choices":[{"index":0,"delta":{"content":"All"},"finish_reason":%b}]}\n\n'
)
_EVENTS = _EVENT % b"null", _EVENT % b'"stop"', _COUNTS, b"data: [DONE]\n\n"
_FIRST, *_REST = (b"%x\r\n%b\r\n" % (len(one), one) for one in _EVENTS)
_LAST = b"".join(_REST) + b"0\r\n\r\n"
_STREAM = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n" + _FIRST
)


class _Side(asyncio.Transport):
    """The part of a socket's transport that a connection uses; ``heard`` is all that was
    written."""

    def __init__(self, protocol: Any) -> None:
        super().__init__()
        self.protocol = protocol
        self.heard: list[Any] = []
        self.write = self.heard.append  # type: ignore[method-assign]
        protocol.connection_made(self)

    def is_closing(self) -> bool:
        return False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def get_write_buffer_size(self) -> int:
        return 0

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def get_protocol(self) -> Any:
        return self.protocol

    def is_reading(self) -> bool:
        return True

    def resume_reading(self) -> None:
        """It never paused."""


def _request(number: int, *, streams: bool) -> bytes:
    content = b"x" * (90 + number % 20)
    stream = b'"stream":true,' if streams else b""
    body = b'{"model":"bench",%b"messages":[{"role":"user","content":"%b"}]}' % (stream, content)
    return (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nAccept: */*\r\n"
        b"User-Agent: bench\r\nAuthorization: Bearer %b\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (_KEY.encode(), len(body), body)
    )


@contextmanager
def _lines_unread() -> Iterator[None]:
    """Log lines are written as usual, but nothing reads them."""
    with open(os.devnull, "wb") as nobody:
        writer = LogWriter(nobody.fileno(), log_output._format_own)
        with mock.patch.object(log_output, "_writer", writer):
            yield
        writer.flush(1.0)


class _Exchanges:
    """A gateway with one client and one node, on a loop that runs only for what is measured.
    ``limited``: with a key that has limits, and a ledger, whose thread is not measured.
    ``streams``: the replies are streams."""

    def __init__(self, planners: int, *, limited: bool, streams: bool) -> None:
        self._replies = (_STREAM, _LAST) if streams else (_REPLY,)
        self._pieces = _REQUESTS * len(self._replies)
        self._planners = planners
        self._limits = _LIMITS if limited else "{}"
        #: Never started: rows wait in it until the next run.
        self._store = StoreWriter(Path("no file")) if limited else None
        self._loop = uvloop.new_event_loop()
        atexit.register(self._loop.close)
        self._requests = [_request(number, streams=streams) for number in range(_REQUESTS)]
        self._connection = connection = NodeConnection(self._loop)
        self.node = _Side(connection)

        async def open_connection(pool: ConnectionPool) -> NodeConnection:
            return connection

        # Only here, since the pool keeps connections that it opened once. Between two batches more
        # time may pass than connections are kept for.
        kept = partial(ConnectionPool, idle_timeout_s=3600.0)
        with (
            mock.patch.object(ConnectionPool, "open", open_connection),
            mock.patch.object(dispatch, "ConnectionPool", kept),
            _lines_unread(),
        ):
            self._loop.run_until_complete(self._prepare())
        assert connection.uses == _REQUESTS, "the connection is kept"

    async def _prepare(self) -> None:
        text = _CONFIG.replace("PLANNERS", str(self._planners)).replace("LIMITS", self._limits)
        gateway = Gateway(load_config(text, "bench.yaml").config, {}, store=self._store)
        # Limits are read again in each new second, and how often one begins depends on the machine.
        limiter = gateway.limiter
        limiter._second = replace(limiter._second, until=math.inf)
        self.client = _Side(gateway._public())
        for request in self._requests:
            await self._exchange(request)

    async def _exchange(self, request: bytes) -> None:
        self.client.protocol.data_received(request)
        while not self.node.heard:  # noqa: ASYNC110 - one round of the loop, the first time
            await asyncio.sleep(0)
        self.node.heard.clear()
        for reply in self._replies:
            self.node.protocol.data_received(reply)
        while self.node.protocol is not self._connection:  # noqa: ASYNC110 - the same
            await asyncio.sleep(0)

    def run(self, _: None) -> list[bytes]:
        self.client.heard.clear()
        if self._store is not None:
            for source in self._store._sources:
                source.rows.let_go(len(source.rows))
        with _lines_unread():
            self._loop.run_until_complete(self._run())
        return self.client.heard

    async def _run(self) -> None:
        for request in self._requests:
            await self._exchange(request)
        while len(self.client.heard) < self._pieces:  # noqa: ASYNC110 - the round in which it is sent
            await asyncio.sleep(0)


def _prepare(planners: int = 2, *, limited: bool = False, streams: bool = False) -> Work:
    exchanges = _Exchanges(planners, limited=limited, streams=streams)

    def check(heard: list[bytes]) -> None:
        assert len(heard) == _REQUESTS
        for reply in heard:
            assert reply.startswith(b"HTTP/1.1 200 OK\r\n")
            assert reply.endswith(_BODY)
        assert len({reply.partition(b"x-request-id: ")[2][:32] for reply in heard}) == _REQUESTS

    def check_streams(heard: list[bytes]) -> None:
        said = b"".join(heard)
        assert said.count(b"text/event-stream") == said.count(_EVENTS[0]) == _REQUESTS
        assert said.count(b"[DONE]") == said.count(b"\r\n0\r\n\r\n") == _REQUESTS

    return Work(exchanges.run, check_streams if streams else check, _REQUESTS)


CASES = (
    Case("server/handler", "short exchange", _prepare),
    # Small requests cost no more if large ones are planned in planners.
    Case("server/handler alone", "the same without planners", partial(_prepare, 0)),
    Case("server/handler limited", "with a ledger and limits", partial(_prepare, limited=True)),
    Case("server/handler stream", "short stream", partial(_prepare, streams=True)),
)
