"""Too few descriptors: logged and counted, and no node is blamed."""

from __future__ import annotations

import asyncio
import errno
import logging
import os

import pytest

from casedesk_proxy.telemetry.descriptors import DescriptorMonitor
from tests.fixtures.raw_node import NodeConnection
from tests.server.gateways import chat, staged


class Shortage:
    """The kernel's answer while ``lasts`` is true."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lasts = True
        self._open = os.open
        monkeypatch.setattr(os, "open", self.open)

    def open(self, *how: object) -> int:
        if self.lasts:
            raise OSError(errno.EMFILE, "Too many open files")
        return self._open(*how)  # type: ignore[arg-type]


def test_it_is_told_once_a_while_and_counted_always(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    counted, now = [], 0.0
    descriptors = DescriptorMonitor(lambda: counted.append(1), lambda: now)
    with monkeypatch.context() as patch:
        shortage = Shortage(patch)
        for _ in range(100):
            now += 0.5
            descriptors.look()
        shortage.lasts = False
        descriptors.look()
        descriptors.look()
    assert len(counted) == 100
    said = [one.getMessage() for one in caplog.records]
    assert ["in use" in line for line in said] == [True, True, False]
    assert "LimitNOFILE" in said[0]
    assert "again" in said[-1]


async def test_no_node_is_blamed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def play(connection: NodeConnection) -> None:
        await connection.until_gone()

    async def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    caplog.set_level(logging.INFO)
    async with staged(play) as stage:
        client = await stage.connect()
        pool = "casedesk_proxy.upstream.pool.ConnectionPool.open"
        monkeypatch.setattr(pool, refuse)
        for _ in range(5):
            client.write(chat(stream=False))
            reply = await client.reply()
            assert reply.status == 503
            assert int(reply.fields["retry-after"]) >= 1
        state = stage.gateway.nodes["n"]
        assert state.is_healthy(asyncio.get_running_loop().time())
        assert not state.last_error
        assert stage.in_flight() == 0
