"""What counts where limits come and go while requests run."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from casedesk_proxy.config.load import load_config
from casedesk_proxy.limits.past import Past
from casedesk_proxy.limits.use import count_tokens
from casedesk_proxy.replying.record import ExchangeRecord
from casedesk_proxy.simulator.script import Script
from tests.daemon.held_node import held_node
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.proxy import RunningGateway, config_text, proxy_here
from tests.fixtures.simulated import simulator
from tests.server.limited import Asker, limited_config, state_file

#: A reply whose end a test can wait for while it does something else.
SLOW = Script(words=20, words_per_second=200)
MUCH = {"tokens_per_day": 10**6}
STREAM = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "hi"}]}


class Scene:
    """A proxy whose limits change while it runs."""

    def __init__(
        self,
        proxy: RunningGateway,
        session: aiohttp.ClientSession,
        node: str,
        records: Sequence[ExchangeRecord],
        release: Callable[[], None],
    ) -> None:
        self.proxy = proxy
        self.records = records
        self.limiter = proxy.gateway.limiter
        self.alice = Asker(session, proxy.url)
        self._node = node
        self._release = release

    def limit(
        self, alice: Mapping[str, Any] | None = None, desk: Mapping[str, Any] | None = None
    ) -> None:
        """These are the limits from now on."""
        text = config_text(limited_config(self._node, alice or {}, desk or {}))
        gateway = self.proxy.gateway
        gateway.apply(gateway.compile(load_config(text, "reloaded.yaml").config, {}))

    async def used(self) -> dict[str, int]:
        """The use of each limit, by its kind, once the ledger was read."""
        await self.limiter.follower.read_now()
        return {one.kind: one.used for one in self.limiter.list_all(9)}

    async def shown(self) -> dict[str, int]:
        found: dict[str, int] = (await self.alice.get("/v1/usage"))[2]["used"]
        return found

    @property
    def spent(self) -> int:
        """What all requests have used that have ended."""
        return sum(count_tokens(one.usage) for one in self.records)

    @asynccontextmanager
    async def streaming(self) -> AsyncIterator[None]:
        """A stream runs; afterwards it has ended."""
        ended = len(self.records)
        request = self.alice.session.post(
            f"{self.alice.url}/v1/chat/completions", json=STREAM, headers=self.alice.headers
        )
        async with request as reply:
            await reply.content.readany()
            yield
            self._release()
            await reply.read()
        async with asyncio.timeout(PATIENCE_S):
            while len(self.records) == ended:
                await asyncio.sleep(0.001)


@asynccontextmanager
async def scene(
    folder: Path,
    alice: Mapping[str, Any] | None = None,
    *,
    has_ledger: bool = True,
    is_held: bool = False,
) -> AsyncIterator[Scene]:
    """``is_held``: no stream ends before the first block of `Scene.streaming` does."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(state_file(folder)) if has_ledger else None
        if is_held:
            held = stack.enter_context(held_node())
            node, release = held.url, held.release
        else:
            node = (await stack.enter_async_context(simulator(m=SLOW))).url
            release = lambda: None  # noqa: E731
        session = await stack.enter_async_context(aiohttp.ClientSession())
        records: list[ExchangeRecord] = []
        config = limited_config(node, alice or {}, {})
        proxy = await stack.enter_async_context(
            proxy_here(config, store=store, sinks=[records.append])
        )
        yield Scene(proxy, session, node, records, release)


@pytest.mark.parametrize("has_ledger", [True, False])
async def test_what_runs_when_it_gets_a_limit_counts(tmp_path: Path, has_ledger: bool) -> None:
    async with scene(tmp_path, has_ledger=has_ledger) as here:
        async with here.streaming():
            here.limit(desk=MUCH)
        async with here.streaming():
            here.limit(MUCH, MUCH)
        used = {one.kind: one.used for one in here.limiter.list_all(9)}
        assert 0 < used["key"] <= used["deployment"] == here.spent
        assert (await here.used())["deployment"] == here.spent
        await here.alice.chat()
        assert (await here.used())["deployment"] == here.spent


@pytest.mark.parametrize("has_ledger", [True, False])
async def test_what_is_used_while_there_is_no_limit_counts_once_there_is_one_again(
    tmp_path: Path, has_ledger: bool
) -> None:
    async with scene(tmp_path, MUCH, has_ledger=has_ledger) as here:
        await here.alice.chat()
        async with here.streaming():
            here.limit()
            assert here.limiter.list_all(9) == []
            await here.alice.chat()
            here.limit(MUCH)
            await here.alice.chat()
        assert await here.used() == {"key": here.spent}
        assert len(here.records) == 4


async def test_a_limit_that_goes_leaves_nothing_behind(tmp_path: Path) -> None:
    async with scene(tmp_path, MUCH | {"parallel": 2}, is_held=True) as here:
        scopes = here.limiter.scopes
        async with here.streaming():
            here.limit()
            assert scopes.by_name["key", "alice"].seats.taken == 1, "as long as something runs"
            here.limit(desk=MUCH)
        here.limit(desk=MUCH)
        assert set(scopes.by_name) == {("deployment", "desk")}
        assert (await here.used())["deployment"] == here.spent


@pytest.mark.parametrize("later", [{"parallel": 5}, {"requests_per_minute": 99}, {}])
async def test_requests_that_wait_run_with_the_limit_that_is_now(
    tmp_path: Path, later: Mapping[str, Any]
) -> None:
    """Otherwise those that come later would always be before them."""
    async with scene(tmp_path, {"parallel": 1}, is_held=True) as here, here.streaming():
        waiting = [asyncio.ensure_future(here.alice.chat()) for _ in range(3)]
        admission = here.proxy.gateway.dispatcher.slots.admission
        while admission.waiting("desk") < 3:
            await asyncio.sleep(0.001)
        here.limit(desk={"parallel": 3})
        assert admission.waiting("desk") == 0
        here.limit({"parallel": 1})
        more = asyncio.ensure_future(here.alice.chat())
        while not admission.waiting("desk"):
            await asyncio.sleep(0.001)
        here.limit(later)
        assert admission.waiting("desk") == 0
        assert [(await one)[0] for one in (*waiting, more)] == [200] * 4


async def test_a_key_without_limits_sees_all_that_it_used(tmp_path: Path) -> None:
    async with scene(tmp_path) as here:
        for desk in ({}, MUCH):
            here.limit(desk=desk)
            for _ in range(3):
                await here.alice.chat()
                assert (await here.shown())["tokens_today"] == here.spent
            async with here.streaming():
                pass
            shown = await here.shown()
            assert shown["tokens_today"] == here.spent
            assert shown["requests_last_minute"] == len([one for one in here.records if one.node])


async def test_whoever_leaves_while_its_use_is_read_takes_it_from_nobody(tmp_path: Path) -> None:
    async with scene(tmp_path) as here:
        await here.alice.chat()
        reader = here.limiter.follower._past
        assert reader is not None
        may_read, really_read = threading.Event(), reader.read_past

        def read(*given: Any) -> Past:
            may_read.wait(PATIENCE_S)
            return really_read(*given)

        reader.read_past = read  # type: ignore[method-assign, assignment]
        asked = asyncio.ensure_future(here.alice.get("/v1/usage"))
        while ("key", "alice") not in here.limiter._book.scopes:
            await asyncio.sleep(0.001)
        asked.cancel()
        while here.proxy.gateway._handler.exchanges.live:
            await asyncio.sleep(0.001)
        may_read.set()
        async with asyncio.timeout(PATIENCE_S):
            while (await here.shown())["tokens_today"] != here.spent:
                await asyncio.sleep(0.001)
