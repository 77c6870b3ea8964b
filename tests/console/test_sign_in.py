"""Signing in and out: with which credentials, from which addresses, and the end of sessions."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from casedesk_proxy.console.passwords import hash_password
from tests.console.rooms import API, USER, Browser, Room, room
from tests.fixtures.proxy import key_entry, proxy_here

MODELS = "/proxy/desk/openai/v1/models"
SESSION = f"{API}/session"


async def test_a_key_opens_a_session_and_the_session_the_api(tmp_path: Path) -> None:
    async with room(tmp_path) as one:
        alice = one.browser()
        assert (await alice.ask("GET", MODELS))[0] == 401
        assert (await alice.ask("GET", SESSION))[1]["signed_in"] is False
        code, said = await alice.sign_in(key="t0ken")
        assert (code, said["signed_in"], said["name"], said["how"]) == (200, True, "alice", "key")
        assert (said["admin"], said["deployments"]) == (False, ["desk"])
        assert (await alice.ask("GET", SESSION))[1] | {"idle_expires": 0} == said | {
            "idle_expires": 0
        }
        code, listed = await alice.ask("GET", MODELS)
        assert (code, listed["object"]) == (200, "list")
        cookie = alice.cookie
        assert (await alice.ask("DELETE", SESSION))[0] == 204
        assert alice.cookie == ""
        old = {"Cookie": f"casedesk-session={cookie}"}
        assert (await alice.ask("GET", MODELS, headers=old))[0] == 401


async def test_name_and_password_do_the_same(tmp_path: Path) -> None:
    async with room(tmp_path) as one:
        dora = one.browser()
        code, said = await dora.sign_in(name="dora", password="s3cret pass")
        assert (code, said["name"], said["how"], said["admin"]) == (200, "dora", "password", True)
        assert (await dora.ask("GET", MODELS))[0] == 200


@pytest.mark.parametrize(
    "fields",
    [{"key": "wrong"}, {"key": ""}, {"name": "dora", "password": "wrong"}, {"name": "dora"},
     {"name": "nobody", "password": "s3cret pass"}, {"password": "s3cret pass"}, {}],
)  # fmt: skip
async def test_what_is_wrong_is_told_in_the_same_words(
    fields: dict[str, str], tmp_path: Path
) -> None:
    async with room(tmp_path) as one:
        browser = one.browser()
        code, said = await browser.sign_in(**fields)
        assert (code, said["error"]["code"]) == (401, "wrong_credentials")
        assert (
            said["error"]["message"]
            == "unknown key, or wrong name or password; correct it, or ask an admin"
        )
        assert browser.cookie == ""


@pytest.mark.parametrize(
    ("body", "status"),
    [({"key": 1}, 400), ({"key": "k", "more": "x"}, 400),
     (["key"], 400), ({"key": "x" * 1001}, 400)],
)  # fmt: skip
async def test_what_is_no_sign_in(body: Any, status: int, tmp_path: Path) -> None:
    async with room(tmp_path) as one:
        assert (await one.browser().ask("POST", SESSION, body))[0] == status


#: What other pages try, with what they can set.
ELSEWHERE = [
    {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.test"},
    {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
    {"Sec-Fetch-Site": "same-origin", "Host": "evil.test"},
]


@pytest.mark.parametrize("headers", ELSEWHERE, ids=lambda one: ",".join(one.values()))
async def test_nobody_is_signed_in_or_out_by_another_page(
    headers: dict[str, str], tmp_path: Path
) -> None:
    async with room(tmp_path) as one:
        alice = one.browser()
        await alice.sign_in(key="t0ken")
        assert (await alice.ask("POST", SESSION, {"key": "r00t"}, headers=headers))[0] == 403
        assert (await alice.ask("DELETE", SESSION, headers=headers))[0] == 403
        code, _ = await alice.ask("GET", MODELS, headers=headers)
        assert code in (401, 403)
        assert (await alice.ask("GET", SESSION))[1]["name"] == "alice"


async def test_a_form_signs_nobody_in(tmp_path: Path) -> None:
    async with room(tmp_path) as one, one.browser().session.post(
        SESSION, data={"key": "t0ken"}
    ) as reply:  # fmt: skip
        assert reply.status == 415


async def test_nobody_is_given_the_id_of_before(tmp_path: Path) -> None:
    async with room(tmp_path) as one:
        alice, root = one.browser(), one.browser()
        await alice.sign_in(key="t0ken")
        planted = {"Cookie": f"casedesk-session={alice.cookie}"}
        first = alice.cookie
        await root.ask("POST", SESSION, {"key": "r00t"}, headers=planted)
        assert root.cookie not in ("", first)
        # Whose session was shown at a sign-in is signed out.
        assert (await alice.ask("GET", SESSION))[1]["signed_in"] is False


async def test_the_cookie_says_what_a_browser_is_to_do(tmp_path: Path) -> None:
    async with room(tmp_path) as one, one.browser().session.post(
        SESSION, json={"key": "t0ken"}
    ) as reply:  # fmt: skip
        name, *parts = reply.headers["Set-Cookie"].split("; ")
        assert name.startswith("casedesk-session=")
        assert parts == ["Path=/", "Max-Age=604800", "HttpOnly", "SameSite=Strict"]


async def test_a_revoked_key_ends_its_sessions(tmp_path: Path) -> None:
    async with room(tmp_path) as one:
        root = one.browser()
        await root.sign_in(key="r00t")
        code, made = await root.ask(
            "POST", f"{API}/keys",
            {"name": "bob", "deployments": ["desk"], "limits": {"parallel": 2}},
        )  # fmt: skip
        assert code == 201
        bob = one.browser()
        while (await bob.sign_in(key=made["key"]))[0] != 200:
            await asyncio.sleep(0.05)
        assert (await bob.ask("GET", f"{API}/keys"))[0] == 403
        assert (await root.ask("DELETE", f"{API}/keys/bob"))[1] == {"revoked": "bob"}
        while (await bob.ask("GET", SESSION))[1]["signed_in"]:
            await asyncio.sleep(0.05)


async def test_a_session_survives_a_restart_and_counts_on_other_instances(tmp_path: Path) -> None:
    async with room(tmp_path) as one:
        alice = one.browser()
        await alice.sign_in(key="t0ken")
        cookie = {"Cookie": f"casedesk-session={alice.cookie}"}
    async with room(tmp_path) as two, room(tmp_path) as three:
        for there in (two, three):
            code, said = await there.browser().ask("GET", SESSION, headers=cookie)
            assert (code, said["signed_in"]) == (200, True)
        assert (await two.browser().ask("DELETE", SESSION, headers=cookie))[0] == 204
        assert not await signed_in(two, cookie)
        while await signed_in(three, cookie):
            await asyncio.sleep(0.05)


async def signed_in(there: Room, cookie: dict[str, str]) -> bool:
    browser = there.browser()
    return bool((await browser.ask("GET", SESSION, headers=cookie))[1]["signed_in"])


async def test_who_fails_often_waits(tmp_path: Path) -> None:
    async with room(tmp_path) as one:
        browser = one.browser()
        for _ in range(3):
            assert (await browser.sign_in(key="wrong"))[0] == 401
        # What was noted later than now counts as now: a slow machine lets no wait pass.
        later = "UPDATE sign_in_failures SET last = last + 600"
        await asyncio.wrap_future(one.store.perform(lambda file: file.execute(later)))
        async with browser.session.post(SESSION, json={"key": "t0ken"}) as reply:
            assert reply.status == 429
            assert (await reply.json())["error"]["code"] == "too_many_attempts"
            assert reply.headers["Retry-After"] == "1"


async def test_without_a_state_file_guessers_wait_all_the_same() -> None:
    config = {
        "nodes": {"n": {"url": "http://127.0.0.1:9", "engine": "openai", "models": ["m"]}},
        "deployments": {"desk": {"nodes": ["n"]}},
        "keys": [key_entry("t0ken", "desk")],
    }
    async with proxy_here(config) as proxy:
        browser = Browser(proxy.url)
        codes: list[int] = []
        # On a slow machine the first waits have passed when the next attempt comes; they grow.
        while 429 not in codes:
            codes.append((await browser.sign_in(key="wrong"))[0])
        await browser.session.close()
    assert codes[:3] == [401, 401, 401]
    assert set(codes) == {401, 429}


async def test_a_reverse_proxy_that_is_listed_signs_its_users_in(tmp_path: Path) -> None:
    console = {"identity_header": "Remote-User", "identity_proxies": ["127.0.0.1"]}
    named = {"Remote-User": "dora"}
    async with room(tmp_path, console=console) as one:
        dora = one.browser()
        code, said = await dora.ask("GET", SESSION, headers=named)
        assert (code, said["name"], said["how"]) == (200, "dora", "proxy")
        assert (await dora.ask("GET", f"{API}/status", headers=named))[0] == 200
        assert (await dora.ask("GET", MODELS, headers=named))[0] == 200
        # Somebody else, or nobody, has been signed in by the proxy meanwhile.
        for other in ({"Remote-User": "nobody"}, {}):
            assert (await dora.ask("GET", f"{API}/status", headers=other))[0] == 401


async def test_one_that_is_not_listed_signs_nobody_in(tmp_path: Path) -> None:
    console = {"identity_header": "Remote-User", "identity_proxies": ["10.0.0.0/8"]}
    async with room(tmp_path, console=console) as one:
        code, said = await one.browser().ask("GET", SESSION, headers={"Remote-User": "dora"})
        assert (code, said["signed_in"]) == (200, False)


@pytest.mark.parametrize("settings", [{"console": {"enabled": False}}])
async def test_a_console_that_is_off_says_so(settings: dict[str, Any], tmp_path: Path) -> None:
    async with room(tmp_path, **settings) as one:
        code, said = await one.browser().ask("GET", SESSION)
        assert (code, said["error"]["code"]) == (404, "console_off")


async def test_a_header_goes_before_a_session(tmp_path: Path) -> None:
    async with room(tmp_path) as one:
        root = one.browser()
        await root.sign_in(key="r00t")
        headers = {"Authorization": "Bearer wrong"}
        assert (await root.ask("GET", MODELS, headers=headers))[0] == 401
        assert (await root.ask("GET", f"{API}/status", headers=headers))[0] == 401


async def test_another_password_ends_the_sessions_of_the_old_one(tmp_path: Path) -> None:
    async with room(tmp_path) as one:
        dora = one.browser()
        await dora.sign_in(name="dora", password="s3cret pass")
        cookie = {"Cookie": f"casedesk-session={dora.cookie}"}
    changed = {**USER, "password": hash_password("another", log2_n=4)}
    async with room(tmp_path, users=[changed]) as two:
        assert not await signed_in(two, cookie)


async def test_who_is_signed_in_at_one_instance_is_so_at_the_next_request(tmp_path: Path) -> None:
    async with room(tmp_path) as one, room(tmp_path) as other:
        alice, there = one.browser(), other.browser()
        for _ in range(2):
            await alice.sign_in(key="t0ken")
            cookie = {"Cookie": f"casedesk-session={alice.cookie}"}
            assert (await there.ask("GET", f"{API}/status", headers=cookie))[0] == 200
