"""A whole proxy with a state file and a simulated node, and browsers as its clients."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from casedesk_proxy.console.passwords import hash_password
from casedesk_proxy.server.app import Gateway
from casedesk_proxy.simulator.script import Ending, Script
from casedesk_proxy.store.file import FILE_NAME
from casedesk_proxy.store.writer import StoreWriter
from tests.fixtures.proxy import key_entry, proxy_here
from tests.fixtures.simulated import simulator

__all__ = ["API", "Browser", "Room", "room"]

API = "/console/api"
#: Cheap, so that tests do not wait.
PASSWORD_HASH = hash_password("s3cret pass", log2_n=4)
USER = {"name": "dora", "password": PASSWORD_HASH, "deployments": ["desk"], "admin": True}


class Browser:
    """One person's browser. It keeps cookies, and each request says that a page of this origin sent
    it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = aiohttp.ClientSession(
            url, cookie_jar=aiohttp.CookieJar(unsafe=True),
            headers={"Sec-Fetch-Site": "same-origin"},
        )  # fmt: skip

    async def ask(self, method: str, path: str, body: object = None, **more: Any) -> Any:
        """The status and the JSON of a reply; None if it has no body."""
        given = {} if body is None else {"json": body}
        async with self.session.request(method, path, **given, **more) as reply:
            data = await reply.read()
            return reply.status, json.loads(data) if data else None

    async def sign_in(self, **fields: str) -> Any:
        return await self.ask("POST", f"{API}/session", fields)

    @property
    def cookie(self) -> str:
        return {one.key: one.value for one in self.session.cookie_jar}.get("casedesk-session", "")


class Room:
    def __init__(self, gateway: Gateway, node: Any, store: StoreWriter) -> None:
        self.gateway = gateway
        self.node = node
        self.store = store
        self.url = gateway.urls[0]
        self.browsers: list[Browser] = []

    def browser(self, url: str = "") -> Browser:
        self.browsers.append(Browser(url or self.url))
        return self.browsers[-1]


@asynccontextmanager
async def room(folder: Path, **settings: Any) -> AsyncIterator[Room]:
    """A console with the keys alice (desk) and root (an admin), and the user dora. ``settings``
    replace parts of the configuration."""
    store = StoreWriter(folder / FILE_NAME, gather_s=0.001)
    await asyncio.to_thread(store.start)
    slow = Script(ending=Ending.HANG, after_events=3, words_per_second=0)
    root = {**key_entry("r00t", "desk", name="root"), "admin": True}
    async with simulator(m=Script(words=4, words_per_second=0), slow=slow) as node:
        config = {
            "server": {"admin": "127.0.0.1:0", "access_log": False},
            "nodes": {"n": {"url": node.url, "engine": "openai", "max_streams": 2}},
            "deployments": {"desk": {"nodes": ["n"]}},
            "keys": [key_entry("t0ken", "desk"), root],
            "users": [USER],
            **settings,
        }
        async with proxy_here(config, store=store) as proxy:
            here = Room(proxy.gateway, node, store)
            try:
                yield here
            finally:
                for one in here.browsers:
                    await one.session.close()
    await asyncio.to_thread(store.close, 10)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
