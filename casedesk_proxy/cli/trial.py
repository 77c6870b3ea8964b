"""Sends tiny requests through a proxy in this process, to each model on each surface."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import aiohttp
from yarl import URL

from casedesk_proxy import jsonio
from casedesk_proxy.catalog.lists import offered
from casedesk_proxy.config.schema import Config
from casedesk_proxy.planning.forecast import SURFACES, sample_request
from casedesk_proxy.server.app import Gateway
from casedesk_proxy.snapshot import Snapshot
from casedesk_proxy.terms import Dialect, ModelInfo

__all__ = ["try_models"]

#: Seconds; an unloaded model is read from its disk first.
_PATIENCE_S = 120.0
_MAX_TOKENS = 16


def try_models(
    config: Config,
    secrets: dict[str, str],
    snapshot: Snapshot,
    reported: Mapping[str, tuple[ModelInfo, ...]],
) -> Iterator[tuple[str, bool]]:
    """A line for each request when it ends, and whether it failed."""
    with asyncio.Runner() as runner:
        trials = _try_all(config, secrets, snapshot, reported)
        while (line := runner.run(anext(trials, None))) is not None:
            yield line


async def _try_all(
    config: Config,
    secrets: dict[str, str],
    snapshot: Snapshot,
    reported: Mapping[str, tuple[ModelInfo, ...]],
) -> AsyncIterator[tuple[str, bool]]:
    gateway = Gateway(_opened(config), secrets)
    await gateway.start()
    try:
        async with aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=_PATIENCE_S)
        ) as session:
            for name, deployment in snapshot.deployments.items():
                for model in offered(deployment.rules, reported):
                    for surface in SURFACES:
                        base = f"{gateway.urls[0]}/proxy/{name}"
                        what = f"{model} with {surface}, deployment {name}"
                        said, failed = await _try_one(session, base, surface, model)
                        yield f"{what}: {said}", failed
    finally:
        await gateway.stop()


def _opened(config: Config) -> Config:
    """For this process only: its own port on this machine, no keys, no admin listener; each result
    is reported without a log line."""
    server = config.server.model_copy(
        update={
            "listen": "127.0.0.1:0",
            "admin": None,
            "tls": None,
            "state_directory": None,
            "access_log": False,
        }
    )
    deployments = {
        name: one.model_copy(update={"auth": "none"}) for name, one in config.deployments.items()
    }
    return config.model_copy(update={"server": server, "deployments": deployments})


async def _try_one(
    session: aiohttp.ClientSession, base: str, surface: Dialect, model: str
) -> tuple[str, bool]:
    sample = sample_request(surface, "text", model)
    assert sample is not None, "every surface has text"
    headers = {name.decode(): value.decode() for name, value in sample.headers}
    began = time.perf_counter()
    try:
        async with session.post(
            URL(base + sample.target, encoded=True), headers=headers,
            json=_shorten(surface, sample.body),
        ) as reply:  # fmt: skip
            text = await reply.read()
    except (aiohttp.ClientError, TimeoutError) as error:
        return f"failed: {type(error).__name__}", True
    if reply.status == 200:
        return f"works, {time.perf_counter() - began:.2f} s", False
    return f"failed, {reply.status}: {_message(text)}", True


def _shorten(surface: Dialect, body: dict[str, Any]) -> dict[str, Any]:
    match surface:
        case Dialect.GEMINI:
            return {**body, "generationConfig": {"maxOutputTokens": _MAX_TOKENS}}
        case Dialect.RESPONSES:
            return {**body, "max_output_tokens": _MAX_TOKENS}
        case _:
            return {**body, "max_tokens": _MAX_TOKENS}


def _message(text: bytes) -> str:
    try:
        error = jsonio.loads(text)["error"]
    except (jsonio.JSONError, KeyError, TypeError):
        return "an error without a message"
    return str(error.get("message")) if isinstance(error, dict) else str(error)
