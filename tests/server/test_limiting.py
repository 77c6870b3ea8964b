"""Limits as clients see them: which requests are refused, with which words, and what is left."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
import pytest

from casedesk_proxy.limits.use import count_tokens
from casedesk_proxy.replying.record import ExchangeRecord
from casedesk_proxy.server.limiting import Limiter
from casedesk_proxy.simulator.script import Script
from casedesk_proxy.terms import Limit, UseRules
from tests.daemon.held_node import HeldNode, held_node
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.proxy import RunningGateway, proxy_here
from tests.server.limited import Asker, end_of_day, limited, limited_config, state_file

DAY = {"tokens_per_day": 1}
MINUTE = {"requests_per_minute": 1}
STREAM = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "hi"}]}


async def refused(asker: Asker, surface: str) -> tuple[Any, Any]:
    """The second request; the first one was admitted."""
    assert (await asker.chat())[0] == 200
    status, headers, body = await getattr(asker, surface)()
    assert status == 429
    return headers, body


@pytest.mark.parametrize("surface", ["chat", "respond"])
async def test_openai_is_told_of_a_rate_and_of_a_quota(surface: str) -> None:
    async with limited(MINUTE) as (asker, _):
        headers, body = await refused(asker, surface)
        assert body["error"]["code"] == "rate_limit_exceeded"
        assert body["error"]["type"] == "requests"
        assert 50 <= int(headers["retry-after"]) <= 60
        assert headers["x-ratelimit-limit-requests"] == "1"
        assert headers["x-ratelimit-remaining-requests"] == "0"
        assert "x-should-retry" not in headers
    async with limited(DAY) as (asker, _):
        headers, body = await refused(asker, surface)
        assert body["error"]["code"] == body["error"]["type"] == "insufficient_quota"
        assert "tokens_per_day" in body["error"]["message"]
        assert headers["x-should-retry"] == "false"
        assert headers["x-ratelimit-remaining-tokens"] == "0"


async def test_anthropic_is_told_of_its_rate_limits() -> None:
    async with limited(MINUTE | DAY) as (asker, _):
        headers, body = await refused(asker, "messages")
        assert body["error"]["type"] == "rate_limit_error"
        assert headers["anthropic-ratelimit-tokens-remaining"] == "0"
        assert headers["anthropic-ratelimit-tokens-reset"] == end_of_day()
        assert headers["x-should-retry"] == "false"


async def test_google_is_told_of_a_quota_failure() -> None:
    async with limited(DAY) as (asker, _):
        headers, body = await refused(asker, "generate")
        error = body["error"]
        assert (error["code"], error["status"]) == (429, "RESOURCE_EXHAUSTED")
        details = {one["@type"].rpartition(".")[2]: one for one in error["details"]}
        (violation,) = details["QuotaFailure"]["violations"]
        assert violation["quotaId"] == "TokensPerDayPerKey"
        assert violation["subject"] == "key:alice"
        assert violation["quotaValue"] == "1"
        assert details["RetryInfo"]["retryDelay"] == f"{headers['retry-after']}s"


async def test_ollama_has_an_error_and_nothing_else() -> None:
    async with limited(MINUTE) as (asker, _):
        headers, body = await refused(asker, "ollama")
        assert body["error"].startswith("the limit of 1 requests a minute")
        assert "retry-after" in headers


async def test_heads_say_what_is_left() -> None:
    limits = {"requests_per_minute": 5, "tokens_per_day": 1000}
    async with limited(limits, {"requests_per_minute": 3}) as (asker, _):
        for left in ("2", "1"):
            _, headers, _ = await asker.chat()
            assert headers["x-ratelimit-remaining-requests"] == left
        _, headers, _ = await asker.messages()
        assert headers["anthropic-ratelimit-requests-remaining"] == "0"
        assert int(headers["anthropic-ratelimit-tokens-remaining"]) < 1000
        _, headers, _ = await Asker(asker.session, asker.url, "bob").chat()
        assert headers["x-ratelimit-limit-requests"] == "3"
        assert "x-ratelimit-limit-tokens" not in headers


async def test_beyond_a_soft_limit_heads_say_what_is_left_too() -> None:
    limits = {"requests_per_minute": {"soft": 1, "hard": 3}, "tokens_per_day": 1000}
    async with limited(limits) as (asker, _):
        for left in ("2", "1", "0"):
            _, headers, _ = await asker.chat()
            assert headers["x-ratelimit-remaining-requests"] == left
        assert "x-casedesk-limit-warning" in headers


async def test_what_is_not_looked_at_beyond_a_soft_limit_counts_too(tmp_path: Path) -> None:
    """A key above its soft limit is enough to know that not all is calm. The deployment's use,
    which has not been read since the start, counts all the same."""
    async with state_file(tmp_path) as store, limited(store=store) as (asker, _):
        await asker.chat()
    soft, desk = {"tokens_per_day": {"soft": 1}}, {"requests_per_minute": 9}
    async with state_file(tmp_path) as store, limited(soft, desk, store=store) as (asker, proxy):
        for left in ("7", "6"):
            status, headers, _ = await asker.chat()
            assert (status, headers["x-ratelimit-remaining-requests"]) == (200, left)
            assert "x-casedesk-limit-warning" in headers
        used, _ = proxy.gateway.limiter.list_all(2)
        assert (used.kind, used.used) == ("deployment", 3), "the one before the start is counted"


async def test_what_counts_a_key_is_the_same_for_all_its_clients() -> None:
    async with limited({"requests_per_minute": 9}) as (asker, proxy):
        found = set()
        for left in ("8", "7", "6", "5"):
            asker.headers["User-Agent"] = f"client {int(left) % 2}"
            _, headers, _ = await asker.chat()
            assert headers["x-ratelimit-remaining-requests"] == left
            found |= set(proxy.gateway.limiter._meters.values())
        assert len(found) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_streams_too_say_what_is_left(stream: bool) -> None:
    async with limited({"tokens_per_day": 1000}) as (asker, _):
        body = {"model": "m", "stream": stream, "messages": [{"role": "user", "content": "hi"}]}
        async with asker.session.post(
            f"{asker.url}/v1/chat/completions", json=body, headers=asker.headers
        ) as reply:
            assert reply.headers["x-ratelimit-remaining-tokens"] == "1000"
            await reply.read()


async def test_nobody_is_bothered_without_limits() -> None:
    async with limited() as (asker, proxy):
        _, headers, _ = await asker.chat()
        assert not [name for name in headers if "ratelimit" in name.lower()]
        assert proxy.gateway.limiter.list_standings(()) == []


async def test_a_soft_limit_warns_and_refuses_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async with limited({"tokens_per_day": {"soft": 1}}) as (asker, proxy):
        _, headers, _ = await asker.chat()
        assert "x-casedesk-limit-warning" not in headers
        for _ in range(2):
            status, headers, _ = await asker.chat()
            assert status == 200
            assert headers["x-casedesk-limit-warning"].startswith("tokens_per_day of key alice:")
        assert proxy.gateway.limiter.warned == {("key", "alice", "tokens_per_day"): 2}
    assert caplog.text.count("key alice is beyond its soft limit tokens_per_day") == 1


async def test_the_other_keys_are_not_meant_but_the_deployment_is_everybodys() -> None:
    async with limited(MINUTE) as (asker, _):
        bob = Asker(asker.session, asker.url, "bob")
        assert [(await asker.chat())[0], (await asker.chat())[0]] == [200, 429]
        assert (await bob.chat())[0] == 200
    async with limited({}, MINUTE) as (asker, _):
        bob = Asker(asker.session, asker.url, "bob")
        assert [(await asker.chat())[0], (await bob.chat())[0]] == [200, 429]


async def test_keys_without_limits_have_those_of_all_keys() -> None:
    async with limited({"requests_per_minute": None}, keys=MINUTE) as (asker, _):
        bob = Asker(asker.session, asker.url, "bob")
        assert [(await bob.chat())[0], (await bob.chat())[0]] == [200, 429]
        assert [(await asker.chat())[0], (await asker.chat())[0]] == [200, 200]


async def test_who_is_refused_has_used_nothing() -> None:
    async with limited({"tokens_per_day": 1000}, MINUTE) as (asker, proxy):
        await asker.chat()
        (before,) = proxy.gateway.limiter.list_standings(
            [one for one in proxy.gateway.serving.snapshot.all_limits if one.kind == "key"]
        )
        for _ in range(5):
            assert (await asker.chat())[0] == 429
        (after,) = proxy.gateway.limiter.list_standings(
            [one for one in proxy.gateway.serving.snapshot.all_limits if one.kind == "key"]
        )
        assert before.used == after.used > 0
        assert proxy.gateway.limiter.refused == {("deployment", "desk", "requests_per_minute"): 5}


async def test_an_expired_key_is_refused() -> None:
    async with limited({"expires": "2020-01-31"}) as (asker, _):
        status, _, body = await asker.chat()
        assert (status, body["error"]["code"]) == (401, "key_expired")
        assert body["error"]["message"].startswith("the key expired on 2020-01-")
        assert (await asker.get("/v1/models"))[0] == 401
    async with limited({"expires": "2999-01-31"}) as (asker, _):
        assert (await asker.chat())[0] == 200


async def test_a_clock_that_is_set_is_heard_of_in_the_next_second() -> None:
    async with limited(DAY) as (asker, proxy):
        limiter = proxy.gateway.limiter
        assert [(await asker.chat())[0], (await asker.chat())[0]] == [200, 429]
        limiter._wall = lambda: time.time() + 86400
        async with asyncio.timeout(PATIENCE_S):
            while (await asker.chat())[0] != 200:
                await asyncio.sleep(0.05)
        limiter._wall = time.time
        async with asyncio.timeout(PATIENCE_S):
            while (await asker.chat())[0] != 429:
                await asyncio.sleep(0.05)


async def test_a_model_that_is_not_the_keys_is_not_there() -> None:
    async with limited({"models": ["gemma2*"]}) as (asker, _):
        status, _, body = await asker.get("/v1/models")
        assert [one["id"] for one in body["data"]] == ["gemma2:9b"]
        status, _, body = await asker.chat("m")
        assert (status, body["error"]["code"]) == (404, "model_not_found")
        assert "or not to your key" in body["error"]["message"]
        assert (await asker.chat("gemma2:9b"))[0] == 200
        bob = Asker(asker.session, asker.url, "bob")
        assert len((await bob.get("/v1/models"))[2]["data"]) > 1


class Running:
    """Streams of alice's that run until `end`; later ones end at once."""

    def __init__(self, asker: Asker, proxy: RunningGateway, node: HeldNode) -> None:
        self.asker = asker
        self.seats = proxy.gateway.limiter.scopes.by_name["key", "alice"].seats
        self._queue = proxy.gateway.dispatcher.slots.admission
        self._node = node
        self._streams: list[aiohttp.ClientResponse] = []

    async def begin(self) -> None:
        url, headers = f"{self.asker.url}/v1/chat/completions", self.asker.headers
        self._streams.append(await self.asker.session.post(url, json=STREAM, headers=headers))
        assert self._streams[-1].status == 200

    async def ask_and_wait(self, count: int) -> asyncio.Future[list[int]]:
        """So many requests wait; their statuses, once there are replies."""

        async def ask() -> int:
            return (await self.asker.chat())[0]

        asking = asyncio.gather(*(ask() for _ in range(count)))
        async with asyncio.timeout(PATIENCE_S):
            while self._queue.waiting("desk") < count:
                await asyncio.sleep(0.001)
        return asking

    async def end(self) -> None:
        self._node.release()
        for stream in self._streams:
            await stream.read()


@asynccontextmanager
async def running(count: int, **limits: Any) -> AsyncIterator[Running]:
    with held_node() as node:
        config = limited_config(node.url, limits, {})
        async with aiohttp.ClientSession() as session, proxy_here(config) as proxy:
            here = Running(Asker(session, proxy.url), proxy, node)
            for _ in range(count):
                await here.begin()
            yield here


async def test_more_at_once_are_refused() -> None:
    async with running(2, parallel=2, over_parallel="refuse") as here:
        for _ in range(3):
            status, _, body = await here.asker.chat()
            assert status == 429
            assert "requests at once (parallel)" in body["error"]["message"]
        await here.end()
        assert (await here.asker.chat())[0] == 200


async def test_more_at_once_wait() -> None:
    async with running(2, parallel=2) as here:
        asking = await here.ask_and_wait(3)
        assert here.seats.taken == 2
        await here.end()
        assert await asking == [200] * 3
        assert here.seats.taken == 0


async def test_who_has_waited_is_judged_again() -> None:
    # More than a half of the stream uses, and less than the whole.
    async with running(1, parallel=1, tokens_per_day=35) as here:
        asking = await here.ask_and_wait(3)
        await here.end()
        assert await asking == [429] * 3


async def test_a_refusal_after_keep_alives_is_counted() -> None:
    with held_node() as node:
        # More than a half of the first one uses, and less than the whole.
        config = limited_config(node.url, {"parallel": 1, "tokens_per_day": 35}, {})
        config["deployments"]["desk"] |= {"heartbeat": "20ms", "heartbeat_verbatim": True}
        async with aiohttp.ClientSession() as session, proxy_here(config) as proxy:
            headers = Asker(session, proxy.url).headers
            url = f"{proxy.url}/v1/chat/completions"
            async with session.post(url, json=STREAM, headers=headers) as first:
                assert first.status == 200
                # Its head comes with the first keepalive, while it waits for the other.
                async with session.post(url, json=STREAM, headers=headers) as second:
                    assert second.status == 200
                    node.release()
                    await first.read()
                    with contextlib.suppress(aiohttp.ClientPayloadError):
                        await second.read()
            assert proxy.gateway.limiter.refused == {("key", "alice", "tokens_per_day"): 1}


async def test_no_more_than_what_runs_goes_beyond_a_limit() -> None:
    """The use beyond a limit is at most the requests in parallel, times the use of one."""
    slow = Script(words=10, head_delay=0.05)
    limits = {"parallel": 3, "tokens_per_day": 60}
    async with limited(limits, script=slow) as (asker, proxy):
        replies = await asyncio.gather(*(asker.chat() for _ in range(30)))
        passed = [body for status, _, body in replies if status == 200]
        one = passed[0]["usage"]["total_tokens"]
        assert 60 <= one * len(passed) < 60 + 3 * one
        (standing,) = proxy.gateway.limiter.list_standings(
            list(proxy.gateway.serving.snapshot.all_limits)
        )[:1]
        assert standing.used == one * len(passed)


async def test_what_a_running_stream_has_produced_counts() -> None:
    slow = Script(words=1000, words_per_second=200)
    async with (
        limited({"tokens_per_day": 20}, script=slow) as (asker, _),
        asker.session.post(
            f"{asker.url}/v1/chat/completions", json=STREAM, headers=asker.headers
        ) as reply,
    ):
        await reply.content.readexactly(9000)
        status, _, refusal = await asker.chat()
        assert (status, refusal["error"]["code"]) == (429, "insufficient_quota")


async def test_streams_that_are_left_block_nobody_and_count_what_they_produced() -> None:
    """Gateways that reserve use are known to refuse keys whose streams were left."""
    slow = Script(words=300, words_per_second=2000)
    limits = {"tokens_per_day": 10**6, "parallel": 8, "over_parallel": "refuse"}
    async with limited(limits, script=slow) as (asker, proxy):
        await asker.get("/v1/usage")
        seats, ended = proxy.gateway.limiter.scopes.by_name["key", "alice"].seats, proxy.sinks

        async def leave(size: int) -> int:
            reply = await asker.session.post(
                f"{asker.url}/v1/chat/completions", json=STREAM, headers=asker.headers
            )
            await reply.content.read(size)
            reply.close()
            return reply.status

        records: list[ExchangeRecord] = []
        ended.append(records.append)
        for turn in range(6):
            statuses = await asyncio.gather(*(leave(100 + 500 * turn) for _ in range(8)))
            assert statuses == [200] * 8
            async with asyncio.timeout(PATIENCE_S):
                while len(records) < 8 * (turn + 1) or seats.taken:
                    await asyncio.sleep(0.001)
        used, parallel = proxy.gateway.limiter.list_all(1)
        assert used.used == sum(count_tokens(one.usage) for one in records) > 0
        assert parallel.used == 0


async def test_a_restart_gives_nobody_a_new_day(tmp_path: Path) -> None:
    async with state_file(tmp_path) as store, limited(store=store) as (asker, _):
        await asker.chat()
    async with state_file(tmp_path) as store, limited(DAY, store=store) as (asker, _):
        assert (await asker.chat())[0] == 429


async def test_two_instances_see_each_others_use(tmp_path: Path) -> None:
    async with (
        state_file(tmp_path) as one,
        state_file(tmp_path) as two,
        limited(DAY, store=one) as (first, _),
        limited(DAY, store=two) as (second, _),
    ):
        assert (await first.chat())[0] == 200
        async with asyncio.timeout(PATIENCE_S):
            while (await second.get("/v1/usage"))[2]["limits"][0]["left"]:
                await asyncio.sleep(0.02)
        assert (await second.chat())[0] == 429


class Many:
    """Stands in for an active configuration, with limits of many keys."""

    def __init__(self, keys: int, zone: str = "UTC") -> None:
        bounds = ((Limit.TOKENS_PER_DAY, 9, None),)
        self.rules = [UseRules("key", f"k{number}", bounds) for number in range(keys)]
        self.time_zone = ZoneInfo(zone)

    @property
    def snapshot(self) -> Any:
        return self

    @property
    def all_limits(self) -> Iterator[UseRules]:
        return iter(self.rules)


async def test_the_limits_of_many_keys_are_taken_in_turns() -> None:
    current = Many(1100)
    limiter = Limiter(asyncio.get_running_loop(), current)
    limiter.take_keys()
    counts = [len(limiter.scopes.by_name)]
    # Others come before all of those are taken, and again as many.
    current.rules = [*current.rules, *(replace(one, name=f"{one.name}+") for one in current.rules)]
    limiter.take_keys()
    while len(limiter.scopes.by_name) < 2200:
        counts.append(len(limiter.scopes.by_name))
        await asyncio.sleep(0)
    steps = [after - before for before, after in pairwise(counts)]
    assert counts[0] == max(steps) == 200
    await asyncio.sleep(0)
    assert len(limiter.scopes.by_name) == 2200


async def test_a_start_waits_for_all() -> None:
    limiter = Limiter(asyncio.get_running_loop(), Many(1100))
    limiter.apply()
    await limiter.start()
    assert len(limiter.scopes.by_name) == 1100


async def test_a_reload_reads_the_past_anew_where_days_are_others() -> None:
    current = Many(3)
    limiter = Limiter(asyncio.get_running_loop(), current)
    limiter.apply()
    await limiter.start()
    begun: list[None] = []
    limiter.follower.begin_anew = lambda: begun.append(None)  # type: ignore[method-assign]
    limiter.apply()
    assert begun == []
    current.time_zone = ZoneInfo("Europe/Vienna")
    limiter.apply()
    assert len(begun) == 1
