"""Keys of the state file with a real listener: created and withdrawn while requests come."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path

import pytest

from casedesk_proxy.config.load import load_config
from casedesk_proxy.keystore.changes import expire, revoke, rotate
from casedesk_proxy.keystore.rows import read_keys
from casedesk_proxy.server.app import Gateway
from casedesk_proxy.store.file import FILE_NAME, open_reader
from casedesk_proxy.store.schema import MIGRATIONS
from casedesk_proxy.store.writer import StoreWriter
from tests.fixtures.raw_client import RawClient, open_client, request
from tests.keystore.keys import BY, changing, digest, enter, made

CONFIG = """
server: {{listen: "127.0.0.1:0", admin: null, access_log: false}}
default_deployment: d
nodes: {{n: {{url: "http://127.0.0.1:9", models: [m], probe_interval: 0}}}}
deployments: {{d: {{nodes: [n]}}, e: {{nodes: [n]}}}}
keys: [{keys}]
"""
BOB = f'{{name: bob, sha256: "{digest("bob in the file")}", deployments: [d]}}'


class Client:
    """One connection that stays open."""

    def __init__(self, gateway: Gateway) -> None:
        self._url = gateway.urls[0]
        self._open: RawClient | None = None

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._open is not None:
            await self._open.end()

    async def ask(self, key: str) -> tuple[int, str]:
        """The status of a list of models, and the text of a refusal."""
        if self._open is None:
            self._open = await open_client(self._url)
        reply = await self._open.ask(request("/v1/models", None, f"Authorization: Bearer {key}"))
        return reply.status, json.loads(reply.body).get("error", {}).get("message", "")

    async def until(self, key: str, wanted: int) -> str:
        async with asyncio.timeout(10):
            while True:
                status, said = await self.ask(key)
                if status == wanted:
                    return said
                await asyncio.sleep(0.02)


@asynccontextmanager
async def instance(
    path: Path, keys: str = "", opened: Callable[[], None] = lambda: None
) -> AsyncIterator[Gateway]:
    """Another instance with the same file. ``opened`` is called before keys are read."""
    store = StoreWriter(path, gather_s=0.001)
    await asyncio.to_thread(store.start)
    opened()
    gateway = Gateway(load_config(CONFIG.format(keys=keys), "f").config, {}, store=store)
    await gateway.start()
    try:
        yield gateway
    finally:
        await gateway.stop()
        await asyncio.to_thread(store.close, 10)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    enter(tmp_path / FILE_NAME, made("alice"))
    return tmp_path / FILE_NAME


@pytest.fixture
def change(path: Path) -> Callable[..., Awaitable[None]]:
    def work(step: Callable[..., None], *given: object) -> None:
        with changing(path) as connection:
            step(connection, *given, BY)

    return lambda step, *given: asyncio.to_thread(work, step, *given)


async def test_keys_that_could_not_be_read_yet_are_not_called_unknown(path: Path) -> None:
    """A client gives up at 401; a full disk, or another program's lock, passes."""

    def set_version(number: int) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f"PRAGMA user_version = {number}")

    unreadable = instance(path, BOB, lambda: set_version(len(MIGRATIONS) + 1))
    async with unreadable as gateway, Client(gateway) as client:
        said = "the state file with the keys cannot be read now; send the request again"
        assert await client.ask("alice") == (503, said)
        assert (await client.ask("bob in the file"))[0] == 200
        set_version(len(MIGRATIONS))
        await client.until("alice", 200)
        assert (await client.ask("nobody's"))[0] == 401


async def test_a_change_counts_on_all_instances_and_kept_connections(
    path: Path, change: Callable[..., Awaitable[None]]
) -> None:
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(Client(await stack.enter_async_context(instance(path))))
            for _ in range(2)
        ]
        assert [await one.ask("alice") for one in clients] == [(200, "")] * 2
        await asyncio.to_thread(enter, path, made("carol"))
        for one in clients:
            await one.until("carol", 200)
        await change(rotate, "alice", digest("alice's new one"), 0.0)
        for one in clients:
            assert (await one.until("alice", 401)).startswith("the key was revoked on ")
            assert (await one.ask("alice's new one"))[0] == 200
        await change(expire, "carol", 1.0)
        for one in clients:
            assert (await one.until("carol", 401)).startswith("the key expired on 1970-01-01 ")
        await change(revoke, "alice")
        for one in clients:
            await one.until("alice's new one", 401)


async def test_what_changes_here_counts_at_once(path: Path) -> None:
    async with instance(path) as gateway, Client(gateway) as client:
        for name in ("carol", "dave"):
            await asyncio.to_thread(enter, path, made(name))
            await gateway.take_keys()
            assert (await client.ask(name))[0] == 200


async def test_the_configuration_wins_and_a_reload_keeps_the_rest(path: Path) -> None:
    await asyncio.to_thread(enter, path, made("bob", "bob in the store"))
    async with instance(path, BOB) as gateway, Client(gateway) as client:
        asked = ("bob in the file", "bob in the store", "alice")
        assert [(await client.ask(key))[0] for key in asked] == [200, 401, 200]
        without = load_config(CONFIG.format(keys=""), "f").config
        gateway.apply(await asyncio.to_thread(gateway.compile, without, {}))
        assert [(await client.ask(key))[0] for key in asked] == [401, 200, 200]


async def test_the_last_use_is_written_at_the_end(path: Path) -> None:
    def used() -> list[float | None]:
        with open_reader(path) as connection:
            return [key.used for key in read_keys(connection)]

    async with instance(path) as gateway, Client(gateway) as client:
        await client.until("alice", 200)
        assert await asyncio.to_thread(used) == [None]
    assert await asyncio.to_thread(used) != [None]
