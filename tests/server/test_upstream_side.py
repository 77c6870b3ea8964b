"""The nodes' side: put together, and applied as one."""

from __future__ import annotations

import asyncio
from pathlib import Path

from casedesk_proxy.config.load import load_config
from casedesk_proxy.instances.table import HostTable
from casedesk_proxy.server.runtime import Serving, first_runtime
from casedesk_proxy.server.upstream_side import UpstreamSide
from casedesk_proxy.server.waits import WAITS
from casedesk_proxy.telemetry.log_output import LogFormatter
from casedesk_proxy.turns import Turns

CONFIG = """
nodes: {%s: {url: "http://127.0.0.1:9", engine: openai, models: [m], probe_interval: 0}}
deployments: {d: {nodes: [%s], auth: none}}
"""


def serving(node: str) -> Serving:
    config = load_config(CONFIG % (node, node), "t").config
    return Serving(first_runtime(config, {}, LogFormatter()))


def put_together(current: Serving, table: HostTable | None = None) -> UpstreamSide:
    loop = asyncio.get_running_loop()
    return UpstreamSide(loop, current, WAITS, Turns(loop), table)


async def test_another_configuration_is_everybody_s() -> None:
    current = serving("n")
    side = put_together(current)
    side.apply(None)
    assert list(side.dispatcher.slots.states) == ["n"]
    before, other = current.snapshot, serving("other")
    current.current = other.current
    side.apply(before)
    assert list(side.dispatcher.slots.states) == ["other"]
    side.dispatcher.close()


async def test_what_looks_after_nodes_runs_until_it_is_cancelled() -> None:
    side = put_together(serving("n"))
    assert side.siblings is None
    chores = {name: chore for chore, name in side.list_chores()}
    assert chores.keys() == {"metadata", "probes"}
    for chore in chores.values():
        chore.close()


async def test_instances_of_a_host_are_counted_together(tmp_path: Path) -> None:
    table = await asyncio.to_thread(HostTable, tmp_path)
    side = put_together(serving("n"), table)
    side.apply(None)
    assert side.siblings is not None
    assert table.column("n") is not None
    side.dispatcher.close()
    table.close()
