"""The status page, and a stream that is ended from its table."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.console.rooms import API, Browser, Room, room

CHAT = "/proxy/desk/openai/v1/chat/completions"


def chat(model: str) -> dict[str, Any]:
    return {"model": model, "stream": True, "messages": [{"role": "user", "content": "hi"}]}


async def stream(one: Room, key: str = "t0ken", model: str = "slow") -> aiohttp.ClientResponse:
    """A stream that has begun and does not end."""
    browser = one.browser()
    reply = await browser.session.post(
        CHAT, json=chat(model), headers={"Authorization": f"Bearer {key}"}
    )
    await reply.content.readuntil(b"\n\n")
    return reply


async def rest_of(reply: aiohttp.ClientResponse) -> str:
    """The rest of a reply, up to the end of the connection."""
    pieces = [b""]
    with pytest.raises(aiohttp.ClientPayloadError):
        while True:
            pieces.append(await reply.content.readany())
    reply.close()
    return b"".join(pieces).decode()


async def count_rounds(future: asyncio.Future[Any]) -> int:
    """Count the rounds of the loop until it is done."""
    rounds = 0
    while not future.done():
        await asyncio.sleep(0)
        rounds += 1
    return rounds


async def status(browser: Browser) -> Any:
    code, found = await browser.ask("GET", f"{API}/status")
    assert code == 200
    return found


async def test_a_stream_is_in_the_table_and_is_ended_from_there(tmp_path: Path) -> None:
    async with room(tmp_path) as one:
        reply = await stream(one)
        alice, root = one.browser(), one.browser()
        await alice.sign_in(key="t0ken")
        await root.sign_in(key="r00t")
        for browser in (alice, root):
            found = await status(browser)
            (row,) = found["streams"]["rows"]
            assert found["streams"]["total"] == 1
            assert (row["key"], row["model"], row["node"]) == ("alice", "slow", "n")
            assert (row["state"], row["surface"]) == ("streaming", "openai")
            assert row["tokens"] >= 1
            assert row["bytes"] > 0
        node = found["nodes"][0]
        assert (node["name"], node["state"], node["in_flight"]) == ("n", "up", 1)
        assert (found["ready"], found["started"] <= found["now"]) == (True, True)
        (slow,) = (model for model in node["models"] if model["name"] == "slow")
        assert (slow["streams"], slow["waiting"]) == (1, 0)
        assert {"m", "slow"} <= {model["name"] for model in node["models"]}
        assert node["models_left"] == 0
        rest = asyncio.ensure_future(rest_of(reply))
        asked = next(call for call in one.node.requests if call.method == "POST")
        code, said = await alice.ask("POST", f"{API}/streams/{row['id']}/cancel")
        assert await count_rounds(asked.closed) < 20, "something waits for a timer"
        assert (code, said) == (202, {"cancelled": row["id"]})
        assert "this request was ended at the proxy's console" in await rest
        assert (await status(root))["streams"] == {"total": 0, "rows": []}
        code, said = await alice.ask("POST", f"{API}/streams/{row['id']}/cancel")
        assert (code, said["error"]["code"]) == (404, "stream_not_found")


async def test_others_streams_are_nobody_s_business(tmp_path: Path) -> None:
    async with room(tmp_path) as one:
        reply = await stream(one, "r00t")
        alice, dora = one.browser(), one.browser()
        await alice.sign_in(key="t0ken")
        await dora.sign_in(name="dora", password="s3cret pass")
        (row,) = (await status(dora))["streams"]["rows"]
        assert (await status(alice))["streams"] == {"total": 0, "rows": []}
        code, _ = await alice.ask("POST", f"{API}/streams/{row['id']}/cancel")
        assert code == 404
        assert (await dora.ask("POST", f"{API}/streams/{row['id']}/cancel"))[0] == 202
        await rest_of(reply)


async def test_who_waits_is_in_the_queue_and_can_be_ended_there(tmp_path: Path) -> None:
    async with room(tmp_path) as one:
        running = [await stream(one) for _ in range(2)]
        root = one.browser()
        await root.sign_in(key="r00t")
        headers = {"Authorization": "Bearer t0ken"}
        waiting = [
            asyncio.ensure_future(
                one.browser().session.post(CHAT, json=chat("slow"), headers=headers)
            )
            for _ in range(2)
        ]
        while len((queue := (await status(root))["queue"])["rows"]) < 2:
            await asyncio.sleep(0)
        assert [row["position"] for row in queue["rows"]] == [1, 2]
        # Counts rest for a moment.
        while (node := (await status(root))["nodes"][0])["waiting"] < 2:
            await asyncio.sleep(0.01)
        assert node["state"] == "full"
        waiting_for = {model["name"]: model["waiting"] for model in node["models"]}
        assert (waiting_for["slow"], waiting_for["m"]) == (2, 0)
        for row in queue["rows"]:
            assert (row["key"], row["deployment"], row["model"]) == ("alice", "desk", "slow")
            assert (await root.ask("POST", f"{API}/streams/{row['id']}/cancel"))[0] == 202
        for one_reply in await asyncio.gather(*waiting):
            assert one_reply.status == 403
            assert (await one_reply.json())["error"]["code"] == "cancelled"
        failures = (await status(root))["failures"]
        assert [failure["ending"] for failure in failures] == ["cancelled", "cancelled"]
        for reply in running:
            reply.close()


async def test_a_failure_says_why(tmp_path: Path) -> None:
    async with room(tmp_path) as one:
        alice = one.browser()
        await alice.sign_in(key="t0ken")
        assert (await alice.ask("POST", CHAT, chat("none")))[0] == 404
        (failure,) = (await status(alice))["failures"]
        assert (failure["status"], failure["code"]) == (404, "model_not_found")
        assert (failure["key"], failure["model"]) == ("alice", "none")


async def test_the_admin_listener_shows_all_and_changes_nothing_without_an_admin(
    tmp_path: Path,
) -> None:
    async with room(tmp_path) as one:
        reply = await stream(one)
        program = one.browser(one.gateway.admin_urls[0])
        (row,) = (await status(program))["streams"]["rows"]
        path = f"{API}/streams/{row['id']}/cancel"
        assert (await program.ask("POST", path))[0] == 401
        root = {"Authorization": "Bearer r00t"}
        assert (await program.ask("POST", path, headers=root))[0] == 202
        await rest_of(reply)
