"""The page with the use, and the page with available models."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.console.rooms import API, room

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


async def test_one_s_own_use_and_everybody_s(tmp_path: Path) -> None:
    async with room(tmp_path) as one:
        for key in ("t0ken", "r00t"):
            headers = {"Authorization": f"Bearer {key}"}
            path = "/proxy/desk/openai/v1/chat/completions"
            assert (await one.browser().ask("POST", path, CHAT, headers=headers))[0] == 200
        alice, root = one.browser(), one.browser()
        await alice.sign_in(key="t0ken")
        await root.sign_in(key="r00t")
        while len((found := (await root.ask("GET", f"{API}/usage"))[1])["days"]) < 2:
            await asyncio.sleep(0.01)
        assert {row["key"] for row in found["days"]} == {"alice", "root"}
        code, found = await alice.ask("GET", f"{API}/usage?days=2")
        (row,) = found["days"]
        assert (code, row["key"], row["requests"], row["failed"]) == (200, "alice", 1, 0)
        assert row["output"] > 0


@pytest.mark.parametrize("days", ["0", "-1", "x", "401", "000401", "1" * 9])
async def test_what_is_no_number_of_days(days: str, tmp_path: Path) -> None:
    async with room(tmp_path) as one:
        headers = {"Authorization": "Bearer t0ken"}
        code, said = await one.browser().ask("GET", f"{API}/usage?days={days}", headers=headers)
        assert (code, "days" in said["error"]["message"]) == (400, True)


async def test_without_a_ledger_it_says_so(tmp_path: Path) -> None:
    async with room(tmp_path, ledger={"enabled": False}) as one:
        headers = {"Authorization": "Bearer t0ken"}
        code, said = await one.browser().ask("GET", f"{API}/usage", headers=headers)
        assert (code, "ledger" in said["error"]["message"]) == (503, True)


async def test_deployments_with_their_models(tmp_path: Path) -> None:
    deployments = {
        "desk": {"nodes": ["n"], "aliases": {"best": "m"}}, "hidden": {"nodes": ["n"]},
        "open": {"nodes": ["n"], "auth": "none", "models": ["m"], "prefix": "x-"},
    }  # fmt: skip
    async with room(tmp_path, deployments=deployments) as one:
        alice = one.browser()
        await alice.sign_in(key="t0ken")
        code, found = await alice.ask("GET", f"{API}/deployments")
        names = {one["name"]: one for one in found["deployments"]}
        assert (code, list(names)) == (200, ["desk", "open"])
        assert names["desk"]["models"][0] == "best"
        assert "m" in names["desk"]["models"]
        assert names["open"]["models"] == ["x-m"]
        for path in names["desk"]["surfaces"].values():
            assert (await alice.session.get(path)).status == 200
