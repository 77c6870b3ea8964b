"""Two daemons of one host share the slots of a node, and the slots of a killed one are released."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from casedesk_proxy.config.load import load_config
from casedesk_proxy.config.schema import Config
from casedesk_proxy.daemon.sharing import open_table
from casedesk_proxy.instances.table import FILE_NAME
from casedesk_proxy.simulator.script import Script
from tests.daemon.process import Process, daemon
from tests.daemon.streams import ask, stream
from tests.fixtures.simulated import simulator_thread

CONFIG = """\
server: {{listen: "127.0.0.1:0", admin: "127.0.0.1:0", instances_directory: "{place}"}}
default_deployment: d
nodes:
  n: {{url: "{url}", engine: openai, models: [m], max_streams: 2, probe_interval: 0s}}
deployments:
  d: {{auth: none, nodes: [n]}}
"""


def config(server: str = "") -> Config:
    text = f"server: {{{server}}}\nnodes: {{n: {{url: 'http://127.0.0.1:1'}}}}\n"
    return load_config(text + "deployments: {d: {auth: none, nodes: [n]}}", "c.yaml").config


def test_where_the_configuration_or_the_environment_says(tmp_path: Path) -> None:
    assert open_table(config(), {}) is None
    for server, environ, place in (
        (f"instances_directory: {tmp_path}/one", {}, "one"),
        ("", {"CASEDESK_PROXY_INSTANCES": f"{tmp_path}/two"}, "two"),
    ):
        table = open_table(config(server), environ)
        assert table is not None
        table.close()
        assert (tmp_path / place / FILE_NAME).is_file()


def test_a_place_that_is_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    assert open_table(config(), {"CASEDESK_PROXY_INSTANCES": f"{tmp_path}/file"}) is None
    assert "slots and queues are not shared with other instances" in caplog.text


async def begin(process: Process) -> asyncio.Task:  # type: ignore[type-arg]
    first = asyncio.Event()
    task = asyncio.ensure_future(
        stream(process.public, "words=9000&words_per_second=20", first=first)
    )
    await asyncio.wait_for(first.wait(), 20)
    return task


def waiting(process: Process) -> int:
    found: int = json.loads(process.get("/status")[1])["waiting"]["d"]
    return found


def elsewhere(process: Process) -> int:
    found: int = json.loads(process.get("/status")[1])["nodes"]["n"]["elsewhere"]
    return found


async def test_slots_are_shared_until_one_is_killed(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    with simulator_thread(m=Script()) as node:
        text = CONFIG.format(place=tmp_path / "shared", url=node.url)
        with (
            daemon(tmp_path / "a", node.url, text=text, CASEDESK_PROXY_INSTANCE="a") as one,
            daemon(tmp_path / "b", node.url, text=text, CASEDESK_PROXY_INSTANCE="b") as two,
        ):
            running = [await begin(one), await begin(one)]
            # Without a request of its own an instance looks every quarter of a second.
            while not await asyncio.to_thread(elsewhere, two):
                await asyncio.sleep(0.01)
            asked = await asyncio.gather(
                *(asyncio.to_thread(two.get, f"/all/{path}") for path in ("status", "metrics"))
            )
            found = json.loads(asked[0][1])["instances"]
            assert {name: one["streams"] for name, one in found.items()} == {"a": 2, "b": 0}
            assert found["b"]["nodes"]["n"]["elsewhere"] == 2
            assert 'casedesk_streams{instance="a"} 2.0' in asked[1][1]
            third = asyncio.ensure_future(ask(two.public))
            while not await asyncio.to_thread(waiting, two):
                await asyncio.sleep(0.01)
            assert not third.done()
            one.popen.kill()
            assert (await asyncio.wait_for(third, 20)).status == 200
            two.read_until("has ended; its slots are free again")
            await asyncio.gather(*running, return_exceptions=True)
