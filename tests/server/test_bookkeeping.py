"""Which sinks get each exchange, by configuration."""

from __future__ import annotations

import asyncio
from pathlib import Path

from casedesk_proxy.config.load import load_config
from casedesk_proxy.replying.record import ExchangeRecord, Terminal
from casedesk_proxy.server.bookkeeping import Bookkeeping
from casedesk_proxy.server.runtime import Serving, first_runtime
from casedesk_proxy.store.writer import StoreWriter
from casedesk_proxy.telemetry.log_output import LogFormatter

CONFIG = """
nodes: {n: {url: "http://127.0.0.1:9", models: [m]}}
deployments: {d: {nodes: [n], auth: none}}
"""
DONE = ExchangeRecord("r", 1.0, key="alice", ended=2.0, terminal=Terminal.COMPLETED)


def keep(store: StoreWriter | None = None, settings: str = "") -> Bookkeeping:
    config = load_config(CONFIG + settings, "t").config
    serving = Serving(first_runtime(config, {}, LogFormatter()))
    return Bookkeeping(asyncio.get_running_loop(), serving, store, lambda: None)


async def test_without_a_state_file_nothing_is_kept() -> None:
    kept = keep()
    assert (kept.stored_keys, kept.past) == (None, None)
    heard: list[ExchangeRecord] = []
    for recipient in kept.list_recipients(heard.append):
        recipient(DONE)
    assert heard == [DONE]
    assert b'casedesk_key_tokens_total{key="alice"' in kept.metrics.render()


async def test_with_one_the_ledger_is_written_and_keys_are_dated(tmp_path: Path) -> None:
    store = StoreWriter(tmp_path / "state.db")
    kept = keep(store)
    assert kept.stored_keys is not None
    assert kept.past is not None
    assert len(kept.list_recipients()) == 4


async def test_keys_are_stored_without_a_ledger(tmp_path: Path) -> None:
    kept = keep(StoreWriter(tmp_path / "state.db"), "ledger: {enabled: false}")
    assert kept.stored_keys is not None
    assert kept.past is None
    assert len(kept.list_recipients()) == 3
