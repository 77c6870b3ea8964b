"""A client in memory, for tests of handlers."""

from __future__ import annotations

import asyncio

from casedesk_proxy.relay.body_memory import BodyMemory
from casedesk_proxy.relay.flow import Flow
from casedesk_proxy.relay.parties import Client
from casedesk_proxy.relay.request import ClientRequest
from casedesk_proxy.wire.http1 import parse_request_head
from tests.server.transports import RecordingTransport


class FakeClient:
    """A `relay.parties.Client` whose writes are in ``transport.written``."""

    def __init__(self) -> None:
        self.peer = "192.0.2.7"
        self.relay: Flow | None = None
        self.gone_at: float | None = None
        self.transport = RecordingTransport()
        self.was_reset = False

    @property
    def has_left(self) -> bool:
        return self.gone_at is not None

    @property
    def is_open(self) -> bool:
        return not self.has_left

    def flushed_transport(self) -> asyncio.Transport | None:
        return None if self.has_left else self.transport

    def write(self, message: bytes) -> None:
        if not self.has_left:
            self.transport.write(message)

    def write_whole(self, message: bytes) -> None:
        self.write(message)

    def reset(self) -> None:
        self.was_reset = True

    def cancel_answer(self) -> None:
        raise NotImplementedError

    def read_more(self) -> None:
        """Nothing more arrives."""

    def take_over(self, reader: asyncio.Protocol) -> asyncio.Transport | None:
        return self.flushed_transport()

    def give_back(self) -> None:
        """No other code reads it."""

    def pause_reading(self) -> None:
        """Nothing arrives in any case."""

    def resume_reading(self) -> None:
        """Nothing arrives in any case."""

    def watch_stall(self) -> None:
        """The client accepts everything."""


def request_of(client: Client, wire: bytes) -> ClientRequest:
    """The part of ``client``'s request that has arrived."""
    head, _, body = wire.partition(b"\r\n\r\n")
    request = ClientRequest(parse_request_head(head), client, BodyMemory(lambda: 2**20))
    if body:
        request.feed(body)
    return request
