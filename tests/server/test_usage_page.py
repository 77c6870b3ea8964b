"""``GET /v1/usage``, as a key sees it."""

from __future__ import annotations

import asyncio
from datetime import UTC
from pathlib import Path

from casedesk_proxy.limits.use import Use
from casedesk_proxy.limits.windows import Calendar, Moment
from casedesk_proxy.server.usage_page import show_use
from tests.server.limited import end_of_day, limited, state_file


def test_nothing_is_used_at_first() -> None:
    assert set(show_use(Use(), Moment(1.0, 1.0, Calendar(UTC).today(1.0))).values()) == {0}


async def test_usage_tells_the_key_what_it_used_and_what_is_left(tmp_path: Path) -> None:
    limits = {"tokens_per_day": {"soft": 900, "hard": 1000}, "parallel": 4, "models": ["m"]}
    limits |= {"expires": "2999-01-31T00:00:00Z"}
    async with state_file(tmp_path) as store, limited(limits, store=store) as (asker, _):
        _, _, reply = await asker.chat()
        total = reply["usage"]["total_tokens"]
        for path in ("/v1/usage", "/proxy/desk/openai/v1/usage", "/proxy/desk/gemini/v1/usage"):
            status, headers, body = await asker.get(path)
            assert (status, headers["content-type"]) == (200, "application/json")
        assert (body["key"], body["deployment"]) == ("alice", "desk")
        assert body["used"] == {
            "requests_last_minute": 1,
            "tokens_last_minute": total,
            "tokens_today": total,
            "tokens_this_month": total,
        }
        day, parallel = body["limits"]
        assert (day["hard"], day["soft"], day["left"]) == (1000, 900, 1000 - total)
        assert day["resets"] == end_of_day()
        assert (parallel["limit"], parallel["left"], parallel["resets"]) == (
            "parallel",
            4,
            None,
        )
        assert (body["models"], body["expires"]) == (["m"], "2999-01-31T00:00:00Z")
        assert (await asker.session.get(f"{asker.url}/v1/usage")).status == 401
        assert (await asker.post("/v1/usage", {}))[0] == 405


async def test_a_key_without_limits_sees_its_use_in_the_ledger(tmp_path: Path) -> None:
    async with state_file(tmp_path) as store, limited(store=store) as (asker, _):
        _, _, reply = await asker.chat()
        await asyncio.wrap_future(store.perform(lambda connection: None))
        _, _, body = await asker.get("/v1/usage")
        assert body["used"]["tokens_today"] == reply["usage"]["total_tokens"]
        assert body["limits"] == []
    async with limited() as (asker, _):
        assert (await asker.get("/v1/usage"))[2]["used"] is None
