"""Keys over HTTP: which caller may change them, and the errors for wrong requests."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from casedesk_proxy.admin import key_api
from casedesk_proxy.config.load import load_config
from casedesk_proxy.keystore.changes import KeyFault
from casedesk_proxy.server.app import Gateway
from casedesk_proxy.store.file import FILE_NAME
from casedesk_proxy.store.writer import StoreWriter
from tests.keystore.keys import digest

CONFIG = f"""
server: {{listen: "127.0.0.1:0", admin: "127.0.0.1:0", access_log: false}}
nodes: {{n: {{url: "http://127.0.0.1:1", models: [m], probe_interval: 0}}}}
deployments: {{d: {{nodes: [n]}}}}
keys:
- {{name: root, sha256: "{digest("root")}", deployments: [], admin: true}}
- {{name: alice, sha256: "{digest("alice")}", deployments: [d]}}
"""

Ask = Callable[..., Awaitable[tuple[int, dict[str, Any]]]]


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    store = StoreWriter(tmp_path / FILE_NAME, gather_s=0.001)
    await asyncio.to_thread(store.start)
    gateway = Gateway(load_config(CONFIG, "t").config, {}, store=store)
    await gateway.start()
    yield gateway
    await gateway.stop()
    await asyncio.to_thread(store.close, 10)


@pytest.fixture
async def ask(gateway: Gateway) -> AsyncIterator[Ask]:
    async with aiohttp.ClientSession(gateway.admin_urls[0]) as session:

        async def ask(
            method: str, path: str, body: object = None, key: str = "root", **more: Any
        ) -> tuple[int, dict[str, Any]]:
            given = {"json": body} if body is not None else {}
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            async with session.request(method, path, headers=headers, **given, **more) as reply:
                assert reply.headers["Cache-Control"] == "no-store"
                return reply.status, await reply.json()

        yield ask


async def test_a_key_s_life(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="casedesk_proxy.admin.key_api")
    wanted = {"name": "bob", "deployments": ["d"], "note": "n", "expires": "1d", "admin": True}
    status, made = await ask("POST", "/keys", wanted)
    assert (status, made["name"], made["deployments"], made["note"]) == (201, "bob", ["d"], "n")
    assert made["expires"] == pytest.approx(made["created"] + 86400)
    listed = {one["name"]: one for one in (await ask("GET", "/keys"))[1]["keys"]}
    assert listed == {"bob": {key: one for key, one in made.items() if key != "key"}}
    assert await ask("GET", "/keys/bob") == (200, listed["bob"])
    status, rotated = await ask("POST", "/keys/bob/rotate", {"grace": "1h"})
    assert (status, rotated["grace"]) == (201, 3600.0)
    assert rotated["key"] not in (made["key"], "")
    assert (await ask("POST", "/keys/bob/rotate"))[0] == 201
    assert await ask("POST", "/keys/bob/expire", {"at": "never"}) == (
        200, {"name": "bob", "expires": None},
    )  # fmt: skip
    assert await ask("DELETE", "/keys/bob") == (200, {"revoked": "bob"})
    assert (await ask("GET", "/keys/bob"))[0] == 404
    entries = (await ask("GET", "/key-audit"))[1]["entries"]
    done = ["revoke", "expire", "rotate", "rotate", "new"]
    assert [(one["actor"], one["action"]) for one in entries] == [("key root", one) for one in done]
    assert caplog.messages == [
        f"key bob: {what}, by key root"
        for what in ("new", "rotated", "rotated", "another expiry", "revoked")
    ]
    assert made["key"] not in str(entries) + caplog.text


async def test_a_key_that_does_not_say_what_it_opens_opens_the_only_deployment(ask: Ask) -> None:
    for fields, opened in (({}, ["d"]), ({"admin": True}, []), ({"deployments": []}, [])):
        status, made = await ask("POST", "/keys", {"name": "bob", **fields})
        assert (status, made["deployments"]) == (201, opened)
        await ask("DELETE", "/keys/bob")


@pytest.mark.parametrize(
    ("default", "names", "opened"),
    [("d", "d e", ["d"]), (None, "d e", None), (None, "d", ["d"]), (None, "", None)],
)
def test_of_several_deployments_the_default_one_is_meant(
    default: str | None, names: str, opened: list[str] | None
) -> None:
    snapshot: Any = SimpleNamespace(
        default_deployment=default, deployments=dict.fromkeys(names.split())
    )
    with nullcontext() if opened else pytest.raises(KeyFault, match="deployments: is missing"):
        assert key_api._choose({}, snapshot) == opened


async def test_a_change_counts_at_once_and_the_rest_stays(ask: Ask, gateway: Gateway) -> None:
    limits = {"parallel": 2, "tokens_per_day": 9}
    _, made = await ask("POST", "/keys", {"name": "bob", "deployments": ["d"], "limits": limits})
    status, altered = await ask("PATCH", "/keys/bob", {"limits": {"parallel": 5}, "note": "n"})
    assert (status, altered["note"], altered["limits"]["parallel"]) == (200, "n", 5)
    assert altered["limits"]["tokens_per_day"] == {"hard": 9, "soft": None}
    assert await ask("GET", "/keys/bob") == (200, altered)
    principal = gateway.serving.snapshot.find_principal(made["key"])
    assert principal is not None
    assert principal.limits is not None
    assert principal.limits.parallel == 5
    (entry, *_) = (await ask("GET", "/key-audit"))[1]["entries"]
    assert (entry["action"], entry["detail"]) == (
        "set", "note n (before: none); parallel 5 (before: 2)",
    )  # fmt: skip
    for change, field in (
        ({"deployments": ["d", "x"]}, "deployments[1]"),
        ({"deployments": [3]}, "deployments[0]"),
        ({"limits": {"parallel": 0}}, "limits.parallel"),
        ({"sha256": digest("x")}, "sha256"),
    ):
        status, refused = await ask("PATCH", "/keys/bob", change)
        assert (status, refused["error"]["field"]) == (400, field)
    assert (await ask("PATCH", "/keys/nobody", {"note": "n"}))[0] == 404
    assert (await ask("PATCH", "/keys/bob", {"note": "x"}, key="alice"))[0] == 403


async def test_what_a_new_key_with_limits_has_used_is_known_before_it_asks(
    ask: Ask, gateway: Gateway
) -> None:
    """Another instance may have served the key before, so its use is read from the ledger."""
    limits = {"tokens_per_day": 9}
    await ask("POST", "/keys", {"name": "carol", "deployments": ["d"]})
    await ask("POST", "/keys", {"name": "bob", "deployments": ["d"], "limits": limits})
    assert gateway.limiter.scopes.by_name.keys() == {("key", "bob")}
    await ask("PATCH", "/keys/carol", {"limits": limits})
    assert gateway.limiter.scopes.by_name.keys() == {("key", "bob"), ("key", "carol")}


@pytest.mark.parametrize(
    ("key", "status", "code", "message"),
    [
        ("", 401, "unauthenticated", "an admin key is required; send it as "),
        ("nobody's", 401, "invalid_key", "unknown key; check it for typing errors, or "),
        ("alice", 403, "not_admin", "this key has no admin rights; use an admin's key"),
    ],
)
@pytest.mark.parametrize("path", ["/keys", "/keys/x", "/key-audit"])
async def test_only_admin_keys(
    ask: Ask, path: str, key: str, status: int, code: str, message: str
) -> None:
    found, body = await ask("GET", path, key=key)
    told = body["error"]
    assert (found, told["code"], told["field"]) == (status, code, None)
    assert told["message"].startswith(message)


async def test_a_stored_admin_key_may_too_until_it_is_revoked(ask: Ask) -> None:
    _, made = await ask("POST", "/keys", {"name": "deputy", "admin": True})
    async with asyncio.timeout(10):
        assert (await ask("GET", "/keys", key=made["key"]))[0] == 200
        await ask("DELETE", "/keys/deputy", key=made["key"])
        assert (await ask("GET", "/keys", key=made["key"]))[0] == 401


@pytest.mark.parametrize(
    ("path", "body", "status", "field", "message"),
    [
        ("/keys", {}, 400, "name", "is missing"),
        ("/keys", {"name": "a b"}, 400, "name", "is not a name"),
        ("/keys", {"name": "x", "deployments": ["e"]}, 400, "deployments[0]", "no such deployment"),
        ("/keys", {"name": "x", "nam": 1}, 400, "nam", "unknown setting; did you mean name?"),
        ("/keys", {"name": "x", "sha256": "00"}, 400, "sha256", "the key is made here"),
        ("/keys", {"name": "x", "expires": "soon"}, 400, "expires", "is not a time"),
        ("/keys", {"name": "alice"}, 409, "name", "the configuration has a key of this name"),
        ("/keys", [], 400, None, "the body must be a JSON object"),
        ("/keys", {"name": "x", "note": "n" * 70_000}, 413, None, "the body is longer than"),
        ("/keys/no/expire", {"at": "1d"}, 404, "name", "the state file has no key no;"),
        ("/keys/no/expire", {}, 400, "at", "must be the only field"),
        ("/keys/no/expire", {"at": "x"}, 400, "at", "is not a time"),
        ("/keys/no/rotate", {"grace": "x"}, 400, "grace", ""),
        ("/keys/no/rotate", {"x": 1}, 400, "x", "unknown field; only grace is allowed"),
        ("/keys/%00%F0%9F%92%A9'--/rotate", {}, 404, "name", "the state file has no key"),
    ],
)
async def test_slips(
    ask: Ask, path: str, body: object, status: int, field: str | None, message: str
) -> None:
    found, told = await ask("POST", path, body)
    assert (found, told["error"]["field"]) == (status, field)
    assert told["error"]["message"].startswith(message)


async def test_a_body_that_is_no_json(ask: Ask) -> None:
    found, told = await ask("POST", "/keys", data=b"{")
    assert (found, told["error"]["message"][:26]) == (400, "the body is not valid JSON")


async def test_a_name_is_given_once(ask: Ask) -> None:
    replies = await asyncio.gather(*(ask("POST", "/keys", {"name": "bob"}) for _ in range(5)))
    assert sorted(status for status, _ in replies) == [201, 409, 409, 409, 409]


async def test_a_file_that_cannot_be_written(gateway: Gateway, ask: Ask) -> None:
    assert gateway.store is not None
    await asyncio.to_thread(gateway.store.close, 10)
    assert await ask("DELETE", "/keys/bob") == (
        503, {"error": {"code": "no_state", "field": None, "message": "the proxy is stopping"}},
    )  # fmt: skip
    gateway.store = None
    status, told = await ask("GET", "/keys")
    assert (status, told["error"]["message"][:26]) == (503, "there is no state file; th")
