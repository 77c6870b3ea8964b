"""The console on both listeners of one gateway."""

from __future__ import annotations

from pathlib import Path

from tests.console.rooms import API, room


async def test_both_listeners_share_sessions(tmp_path: Path) -> None:
    async with room(tmp_path) as one:
        alice = one.browser()
        await alice.sign_in(key="t0ken")
        cookie = {"Cookie": f"casedesk-session={alice.cookie}"}
        on_admin = one.browser(one.gateway.admin_urls[0])
        code, said = await on_admin.ask("GET", f"{API}/session", headers=cookie)
        assert (code, said["name"]) == (200, "alice")
        assert (await on_admin.ask("GET", "/status"))[0] == 200


async def test_each_exchange_is_in_the_figures(tmp_path: Path) -> None:
    async with room(tmp_path) as one:
        body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
        headers = {"Authorization": "Bearer t0ken"}
        path = "/proxy/desk/openai/v1/chat/completions"
        await one.browser().ask("POST", path, body, headers=headers)
        found = (await one.browser().ask("GET", f"{API}/status", headers=headers))[1]
        (model,) = (row for row in found["nodes"][0]["models"] if row["name"] == "m")
        assert (model["requests"], model["failures"]) == (1, 0)
