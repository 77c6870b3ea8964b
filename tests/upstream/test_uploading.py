"""The methods that an attempt, a connection and an upload need of each other."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from casedesk_proxy.relay.upload import ClientUpload
from casedesk_proxy.upstream.connection import NodeConnection
from casedesk_proxy.upstream.uploading import NodeSink, Upload
from tests.server.transports import RecordingTransport


def test_the_real_ones_fit() -> None:
    for protocol, party in ((Upload, ClientUpload), (NodeSink, NodeConnection)):
        asked = [name for name in vars(protocol) if not name.startswith("_")]
        assert [name for name in asked if not hasattr(party, name)] == []


class Noted:
    """An upload that records the calls of its connection."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return lambda: self.told.append(name)


async def test_a_connection_tells_its_upload_what_the_node_takes() -> None:
    connection, upload = NodeConnection(asyncio.get_running_loop()), Noted()
    connection.pause_writing()
    connection.resume_writing()
    connection.upload = cast(Upload, upload)
    connection.pause_writing()
    connection.resume_writing()
    connection.connection_lost(None)
    assert upload.told == ["pause", "resume", "lose"]


async def test_a_body_goes_behind_its_head_and_nowhere_once_the_node_has_gone() -> None:
    connection = NodeConnection(asyncio.get_running_loop())
    connection.send_more(b"nowhere")
    transport = RecordingTransport()
    connection.connection_made(cast(Any, transport))
    waiter = connection.send_request(b"head ")
    connection.send_more(b"body")
    assert transport.written == b"head body"
    connection.expect(0.001)
    connection.fail(ValueError("no"))
    connection.send_more(b"nowhere")
    connection.fail(ValueError("twice"))
    connection.expect(1)
    assert transport.written == b"head body"
    with pytest.raises(ValueError, match="no"):
        await waiter
