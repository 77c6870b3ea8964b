"""Keys, managed by an admin who is signed in."""

from __future__ import annotations

from pathlib import Path

from tests.console.rooms import API, room


async def test_an_admin_makes_and_withdraws_keys_and_is_named_for_it(tmp_path: Path) -> None:
    async with room(tmp_path) as one:
        root, alice = one.browser(), one.browser()
        await root.sign_in(key="r00t")
        await alice.sign_in(key="t0ken")
        wanted = {"name": "bob", "deployments": ["desk"]}
        assert (await alice.ask("POST", f"{API}/keys", wanted))[0] == 403
        assert (await one.browser().ask("POST", f"{API}/keys", wanted))[0] == 401
        code, made = await root.ask("POST", f"{API}/keys", wanted)
        assert (code, made["key"][:4]) == (201, "cdp-")
        other = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.test"}
        assert (await root.ask("DELETE", f"{API}/keys/bob", headers=other))[0] == 403
        assert (await root.ask("DELETE", f"{API}/keys/bob"))[0] == 200
        entries = (await root.ask("GET", f"{API}/key-audit"))[1]["entries"]
        assert {entry["actor"] for entry in entries} == {"root at the console"}
