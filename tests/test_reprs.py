"""No repr contains a credential: a traceback, a debugger or a careless %r must not reveal it.

Two ways: every object of ours that is alive while requests run, and every field that a dataclass of
the package would show, by its name and type.
"""

from __future__ import annotations

import dataclasses
import gc
import importlib
import pkgutil
import re
from collections.abc import Iterator
from hashlib import sha256

import pytest

import casedesk_proxy
from casedesk_proxy.config.load import load_config
from casedesk_proxy.server.app import Gateway
from tests.fixtures.raw_client import connect, request
from tests.fixtures.raw_node import NodeConnection
from tests.server.gateways import SSE, chunk, staged

NODE_KEY, KEY = "the-key-of-the-node", "the-key-of-the-client"
CONFIG = """
server: {{listen: "127.0.0.1:0", admin: null, access_log: false}}
default_deployment: d
nodes:
  n:
    {{url: "http://127.0.0.1:{port}", engine: openai, models: [m], probe_interval: 0,
    api_key: "{key}"}}
deployments: {{d: {{nodes: [n], aliases: {{"*": m}}}}}}
keys: [{{name: alice, sha256: {hash}, deployments: [d]}}]
"""
CHAT = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"x"}]}'
MESSAGES = CHAT.replace(b"{", b'{"max_tokens":9,', 1)
GEMINI = b'{"contents":[{"parts":[{"text":"x"}]}]}'
STREAM = "/v1beta/models/m:streamGenerateContent?alt=sse"
REQUESTS = [
    ("/v1/chat/completions", f"Authorization: Bearer {KEY}", CHAT),
    ("/v1/messages", f"anthropic-version: 2023-06-01\r\nx-api-key: {KEY}", MESSAGES),
    (STREAM, f"x-goog-api-key: {KEY}", GEMINI),
    (f"{STREAM}&key={KEY}", "X-Other: 1", GEMINI),
    (f"{STREAM}&access_token={KEY}", f"Cookie: {KEY}\r\nx-goog-api-key: {KEY}", GEMINI),
]
HELD = ("prompt", "output", "max", "cached", "thought", "count")


async def hold(connection: NodeConnection) -> None:
    await connection.request()
    await connection.send(
        SSE.replace(b"\r\n\r\n", b"\r\nSet-Cookie: %b\r\n\r\n" % NODE_KEY.encode(), 1),
        chunk(b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'),
    )
    await connection.until_gone()


def leaks() -> Iterator[str]:
    secrets = re.compile(f"{NODE_KEY}|{KEY}")
    for one in gc.get_objects():
        ours = str(type(one).__module__).startswith("casedesk_proxy")
        if ours and secrets.search(repr(one)):
            yield type(one).__qualname__


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda one: one[0].partition("?")[2] or one[0])
async def test_nothing_alive_shows_a_credential(request_: tuple[str, str, bytes]) -> None:
    target, header, body = request_
    async with staged(hold) as stage:
        [(_, port, *_)] = stage.gateway.dispatcher._pools
        text = CONFIG.format(port=port, key=NODE_KEY, hash=sha256(KEY.encode()).hexdigest())
        gateway = Gateway(load_config(text, "x").config, {"n": NODE_KEY})
        await gateway.start()
        try:
            async with connect(gateway.urls[0]) as client:
                client.write(request(target, body, header))
                assert (await client.head()).status == 200
                assert sorted(set(leaks())) == []
        finally:
            await gateway.stop()


def fields() -> Iterator[tuple[type, dataclasses.Field[object]]]:
    for module in pkgutil.walk_packages(casedesk_proxy.__path__, "casedesk_proxy."):
        if module.name.endswith("__main__"):
            continue
        for one in vars(importlib.import_module(module.name)).values():
            if (
                isinstance(one, type)
                and one.__module__ == module.name
                and dataclasses.is_dataclass(one)
            ):
                for field in dataclasses.fields(one):
                    yield one, field


#: Names of what is, or holds, a credential.
SUSPECT = re.compile(
    r"key|secret|credential|password|headers?$|head_templates?$|raw$|query$|^target$"
)
#: What has such a name and is none.
HARMLESS = {
    "CallFacts.key": "a name",
    "ExchangeRecord.key": "a name",
    "Query.key": "a name",
    "Ticket.key": "a name",
    "Snapshot.keys": "by hashes, and without a repr",
    "Snapshot.stored_keys": "by hashes, and without a repr",
    "Demand.affinity_key": "the hash of a conversation's beginning",
    "Detected.needs_key": "a truth value",
    "Finding.at_key": "a truth value",
    "Tree.keys": "places in a file",
    "Spent.key": "a name",
    "PastSum.key": "a name",
    "ExchangeRecord.target": "scrubbed",
    "Sample.target": "the doctor's own path",
    "Sample.headers": "the doctor's own, without a credential",
    "NodeSpec.host_header": "a host",
    "TranslatedRequest.headers": "ours, for the node",
    "Answered.headers": "ours, for the client",
    "Route.reply_headers": "ours, for the client",
    "UploadRoute.reply_headers": "ours, for the client",
    "FilledRoute.reply_headers": "ours, for the client",
    "HeldRoute.reply_headers": "ours, for the client",
    "OwnReply.headers": "ours, for the client",
}


def test_no_dataclass_shows_a_field_that_may_hold_one() -> None:
    shown = {
        f"{one.__qualname__}.{field.name}"
        for one, field in fields()
        if field.repr and SUSPECT.search(field.name) and not field.name.startswith(HELD)
    }
    assert sorted(shown - HARMLESS.keys()) == []
    assert shown == HARMLESS.keys(), "what is not there any more need not be excused"
