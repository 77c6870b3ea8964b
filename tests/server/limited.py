"""A proxy whose keys are limited, with the simulated node, and requests to it."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

from casedesk_proxy.simulator.script import Script
from casedesk_proxy.store.file import FILE_NAME
from casedesk_proxy.store.writer import StoreWriter
from tests.fixtures.noon import zone_at_noon
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.proxy import RunningGateway, proxy_here
from tests.fixtures.simulated import simulator

#: Whose days and months the limits count.
ZONE = zone_at_noon()
#: An answer of 8 words, each a token.
SCRIPT = Script(words=8)
KEYS = {name: hashlib.sha256(f"cdp-{name}".encode()).hexdigest() for name in ("alice", "bob")}


def limited_config(
    url: str, alice: Mapping[str, Any], desk: Mapping[str, Any], **limits: Any
) -> dict[str, Any]:
    return {
        "nodes": {"n": {"url": url, "engine": "vllm", "speaks": ["openai", "gemini", "anthropic"]}},
        "deployments": {"desk": {"nodes": ["n"], "limits": dict(desk)}},
        "limits": {"time_zone": ZONE.key, **limits},
        "keys": [
            {"name": name, "sha256": digest, "deployments": ["desk"]}
            | ({"limits": dict(alice)} if name == "alice" else {})
            for name, digest in KEYS.items()
        ],
    }


def end_of_day() -> str:
    """When the limits of today end, as replies show it."""
    tomorrow = datetime.fromtimestamp(time.time(), ZONE) + timedelta(days=1)
    midnight = tomorrow.replace(hour=0, minute=0, second=0)
    return f"{midnight.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


class Asker:
    """A client with a key. Its methods return the status, the headers and the body of a reply."""

    def __init__(self, session: aiohttp.ClientSession, url: str, key: str = "alice") -> None:
        self.session = session
        self.url = url
        self.headers = {"Authorization": f"Bearer cdp-{key}"}

    async def chat(self, model: str = "m", **more: Any) -> tuple[int, Any, Any]:
        body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}
        return await self.post("/v1/chat/completions", body)

    async def messages(self) -> tuple[int, Any, Any]:
        body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
        return await self.post("/v1/messages", body, {"anthropic-version": "2023-06-01"})

    async def generate(self) -> tuple[int, Any, Any]:
        body = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
        return await self.post("/v1beta/models/m:generateContent", body)

    async def respond(self) -> tuple[int, Any, Any]:
        return await self.post("/v1/responses", {"model": "m", "input": "hi"})

    async def ollama(self) -> tuple[int, Any, Any]:
        body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": False}
        return await self.post("/api/chat", body)

    async def post(
        self, path: str, body: Any, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any, Any]:
        sent = {**self.headers, **(headers or {})}
        async with self.session.post(self.url + path, json=body, headers=sent) as reply:
            return reply.status, reply.headers, await reply.json(content_type=None)

    async def get(self, path: str) -> tuple[int, Any, Any]:
        async with self.session.get(self.url + path, headers=self.headers) as reply:
            return reply.status, reply.headers, await reply.json(content_type=None)


@asynccontextmanager
async def limited(
    alice: Mapping[str, Any] | None = None,
    desk: Mapping[str, Any] | None = None,
    *,
    store: StoreWriter | None = None,
    pace: float = 0.0,
    script: Script = SCRIPT,
    **limits: Any,
) -> AsyncIterator[tuple[Asker, RunningGateway]]:
    async with simulator(pace, m=script) as node, aiohttp.ClientSession() as session:
        config = limited_config(node.url, alice or {}, desk or {}, **limits)
        async with proxy_here(config, store=store) as proxy:
            yield Asker(session, proxy.url), proxy


@asynccontextmanager
async def state_file(folder: Path) -> AsyncIterator[StoreWriter]:
    store = StoreWriter(folder / FILE_NAME, gather_s=0.01)
    await asyncio.to_thread(store.start)
    try:
        yield store
    finally:
        await asyncio.to_thread(store.close, PATIENCE_S)
