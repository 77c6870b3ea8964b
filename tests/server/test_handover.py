"""A reply whose last bytes overfill its client's buffer pauses the node's connection, which must be
reading again when it returns to the pool (tests/e2e/test_large.py: the same over sockets)."""

from __future__ import annotations

import asyncio

import pytest

from casedesk_proxy.relay.relay import Relay
from casedesk_proxy.replying.bodies.base import ReplyBody
from casedesk_proxy.replying.bodies.content import ArrayRest, Content
from casedesk_proxy.replying.bodies.node_error import NodeErrorBody
from casedesk_proxy.replying.bodies.relayed import ReframedBody, VerbatimBody
from casedesk_proxy.replying.bodies.translated import ReplyTranslation, TranslatedBody
from casedesk_proxy.replying.endings import Form
from casedesk_proxy.replying.machine import ReplyMachine
from casedesk_proxy.replying.record import Terminal
from casedesk_proxy.terms import Dialect
from casedesk_proxy.upstream.connection import NodeConnection
from casedesk_proxy.wire.chunked import ChunkReader
from tests.replying.shouting import Shouting
from tests.server.transports import RecordingTransport


def chunked(*bodies: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in bodies) + b"0\r\n\r\n"


class Overfull(RecordingTransport):
    """A client's transport that is over its limit after every write, and reports it during the
    write."""

    relay: Relay | None = None

    def write(self, data: bytes) -> None:
        super().write(data)
        if self.relay is not None:
            self.relay.pause()


def make(kind: str, loop: asyncio.AbstractEventLoop, client: Overfull) -> Relay:
    reader, surface = ChunkReader(), Dialect.OPENAI
    content = Content(surface, Form.EVENTS)
    body: ReplyBody
    if kind == "verbatim":
        body = VerbatimBody(reader, content)
    elif kind == "reframed":
        body = ReframedBody(reader, content, bare=True)
    elif kind == "continued":
        body = ReframedBody(reader, ArrayRest(Dialect.GEMINI, keepalive=b""))
    elif kind == "refused":
        body = NodeErrorBody(reader, lambda body: None)
    else:
        form = Form.EVENTS if kind == "translated" else Form.UNARY
        translation = ReplyTranslation(Shouting("at once"), surface, form)
        body = TranslatedBody(reader, translation, bare=False)
    return Relay(loop, client, ReplyMachine(lambda length: b"HEAD", body))


@pytest.mark.parametrize("begun", ["with its end", "before it"])
@pytest.mark.parametrize(
    "kind", ["verbatim", "reframed", "continued", "refused", "translated", "translated whole"]
)
async def test_the_last_write_pauses_the_node_of_nobody_else(kind: str, begun: str) -> None:
    loop = asyncio.get_running_loop()
    client, node = Overfull(), RecordingTransport()
    connection = NodeConnection(loop)
    node.set_protocol(connection)
    connection.connection_made(node)
    client.relay = relay = make(kind, loop, client)
    body = chunked(b"[1].")
    connection.buffered_body = body if begun == "with its end" else b""
    relay.begin(connection)
    if begun == "before it":
        relay.data_received(body)
    assert relay.terminal is Terminal.COMPLETED
    assert client.written
    assert relay.paused_at is not None, "the client had enough"
    assert connection.is_reusable()
    # Nor does what the client does later reach the connection's next borrower.
    before = list(node.asked)
    relay.resume()
    relay.pause()
    assert node.asked == before
