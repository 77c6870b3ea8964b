"""Which nodes' acknowledgements are delayed: the promise of the relay's cost hangs on it."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace

from casedesk_proxy.upstream.dispatch import Dispatcher
from tests.planning.configs import make_snapshot


async def test_only_local_engines_that_send_at_once() -> None:
    dispatcher = Dispatcher(asyncio.get_running_loop())
    snapshot = make_snapshot()
    google = replace(snapshot.nodes["google"], tls=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    dispatcher.apply(replace(snapshot, nodes={**snapshot.nodes, "google": google}))
    delayed = {pool._host: pool._delayed_acks for pool in dispatcher._pools.values()}
    assert delayed == {"127.0.0.1": True, "gemini.example": False, "::1": False}
    dispatcher.close()
