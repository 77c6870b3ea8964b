"""Which nodes share connections, and what a reload keeps of them."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace

import pytest

from casedesk_proxy.snapshot import Snapshot
from casedesk_proxy.upstream.dispatch import Dispatcher
from casedesk_proxy.upstream.pool import ConnectionPool
from tests.planning.configs import make_snapshot


@pytest.fixture
async def dispatcher() -> Dispatcher:
    return Dispatcher(asyncio.get_running_loop())


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> list[ConnectionPool]:
    pools: list[ConnectionPool] = []
    close = ConnectionPool.close

    def note(pool: ConnectionPool) -> None:
        pools.append(pool)
        close(pool)

    monkeypatch.setattr(ConnectionPool, "close", note)
    return pools


def nodes_at(*hosts: str, tls: ssl.SSLContext | None = None) -> Snapshot:
    made = make_snapshot()
    one = next(node for node in made.nodes.values() if not node.secure)
    nodes = {
        f"n{number}": replace(
            one, name=f"n{number}", host=host, secure=tls is not None, tls=tls, key=f"k{number}"
        )
        for number, host in enumerate(hosts)
    }
    return replace(made, nodes=nodes)


async def test_nodes_at_one_address_share_its_connections(
    dispatcher: Dispatcher, closed: list[ConnectionPool]
) -> None:
    """A node for each key of a person, or for each set of models, is a usual configuration."""
    first = nodes_at("a", "a", "b")
    dispatcher.apply(first)
    a, also_a, b = (dispatcher._pool(node) for node in first.nodes.values())
    assert a is also_a
    assert a is not b
    again = nodes_at("a", "a", "c")
    dispatcher.apply(again)
    assert [dispatcher._pool(node) is a for node in again.nodes.values()] == [True, True, False]
    assert closed == [b]
    dispatcher.close()
    assert len(closed) == 3


async def test_another_authority_is_asked_for_at_once(
    dispatcher: Dispatcher, closed: list[ConnectionPool]
) -> None:
    """The idle connections were made to a node that the old authority had certified."""
    old, new = (ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) for _ in range(2))
    before = nodes_at("a", tls=old)
    dispatcher.apply(before)
    pool = dispatcher._pool(before.nodes["n0"])
    dispatcher.apply(nodes_at("a", tls=old))
    assert closed == []
    after = nodes_at("a", tls=new)
    dispatcher.apply(after)
    assert closed == [pool]
    assert dispatcher._pool(after.nodes["n0"]) is not pool
    dispatcher.close()
