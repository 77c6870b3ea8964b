"""Ollama's API through the proxy: relayed byte by byte, merged, refused, and never with a false
end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from casedesk_proxy.replying.record import ExchangeRecord, Terminal
from tests.fixtures.proxy import key_entry, proxy_here
from tests.fixtures.raw_client import ask, connect, request
from tests.fixtures.raw_node import NodeConnection, raw_node
from tests.fixtures.recorded_nodes import OLLAMA, OLLAMA_MISSING, RecordedNode, reply, running

KEY = "cdp-the-key"
ENTRY = {"name": "b:1b", "model": "b:1b", "modified_at": "2027-01-01T00:00:00Z", "digest": "ab"}
NEWER = {
    "GET /api/version": reply('{"version":"0.14.0"}'),
    "GET /api/tags": reply(json.dumps({"models": [ENTRY]})),
    "GET /api/ps": reply(json.dumps({"models": [{**ENTRY, "expires_at": "2027-01-01T01:00:00Z"}]})),
    "POST /api/show": reply('{"capabilities":["completion"]}'),
    "GET /v1/models": reply('{"object":"list","data":[{"id":"b:1b","owned_by":"library"}]}'),
}


def config(*nodes: RecordedNode, **deployment: Any) -> dict[str, Any]:
    names = [f"n{at}" for at in range(len(nodes))]
    return {
        "nodes": {name: {"url": node.url} for name, node in zip(names, nodes, strict=True)},
        "deployments": {"d": {"nodes": names, "auth": "none", **deployment}},
        "default_deployment": "d",
    }


async def fetch(url: str, path: str, method: str = "GET") -> tuple[int, Any]:
    got = await ask(url, request(path, method=method))
    return got.status, json.loads(got.body)


def names(listing: Mapping[str, Any]) -> list[str]:
    assert all(one["name"] == one["model"] for one in listing["models"])
    return [one["name"] for one in listing["models"]]


async def test_lists_of_all_nodes_with_aliases() -> None:
    async with (
        running(OLLAMA, OLLAMA_MISSING) as old,
        running(NEWER, OLLAMA_MISSING) as new,
        running({"GET /v1/models": reply('{"data":[{"id":"other"}]}')}) as other,
        proxy_here(config(old, other, new, aliases={"fast": "b:1b"})) as proxy,
    ):
        for base in ("", "/proxy/d/ollama", "/ollama"):
            status, tags = await fetch(proxy.url, f"{base}/api/tags")
            assert status == 200
            assert names(tags)[:2] == ["b:1b", "fast"], "the newest first"
            assert "tiny:latest" in names(tags)
            assert "other" not in names(tags), "nobody can be asked for it here"
        assert tags["models"][1]["digest"] == "ab"
        _, loaded = await fetch(proxy.url, "/api/ps")
        assert {"b:1b", "fast"} <= set(names(loaded))
        assert all("expires_at" in one for one in loaded["models"])
        assert await fetch(proxy.url, "/api/version") == (200, {"version": "0.9.3"})
        await old.end()
        async with connect(proxy.url) as client:
            client.write(request("/api/version", method="HEAD"))
            headed = await client.reply(bodyless=True)
        assert headed.status == 200
    assert all(one.startswith(("GET", "POST /api/show")) for one in old.asked)


async def test_a_deployment_shows_what_it_serves() -> None:
    async with (
        running(OLLAMA, OLLAMA_MISSING) as node,
        proxy_here(config(node, models=["tiny"], prefix="desk-")) as proxy,
    ):
        _, tags = await fetch(proxy.url, "/api/tags")
        assert names(tags) == ["desk-tiny:latest"]


async def test_nodes_of_other_kinds_are_named_with_what_works() -> None:
    async with (
        running({"GET /v1/models": reply('{"data":[{"id":"m"}]}')}) as node,
        proxy_here(config(node)) as proxy,
    ):
        for path in ("/api/tags", "/api/ps", "/api/version"):
            status, told = await fetch(proxy.url, path)
            assert status == 400
            assert told["error"].startswith(
                "unsupported_dialect: no node of this deployment speaks Ollama's own API; they "
                "speak openai, and OpenAI clients find them at /proxy/d/openai/v1"
            )
        got = await ask(proxy.url, request("/api/chat", {"model": "m", "messages": []}))
        assert got.status == 400
        assert "no node with the model 'm' speaks ollama" in json.loads(got.body)["error"]
        assert "OpenAI's API" in json.loads(got.body)["error"]


async def test_nobody_answers() -> None:
    async with running(OLLAMA, OLLAMA_MISSING) as node:
        given = config(node)
        given["nodes"]["n0"]["engine"] = "ollama"
    async with proxy_here(given) as proxy:
        status, told = await fetch(proxy.url, "/api/tags")
        assert status == 503
        no_node = "no node of this deployment that speaks Ollama's API responded"
        assert told == {"error": f"{no_node}; try again later"}


ADMINISTRATION = [
    ("POST", "/api/pull"), ("POST", "/api/push"), ("POST", "/api/create"), ("POST", "/api/copy"),
    ("DELETE", "/api/delete"), ("HEAD", "/api/blobs/sha256:00"), ("POST", "/api/blobs/sha256:00"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), ADMINISTRATION)
async def test_administration_is_refused(method: str, path: str) -> None:
    async with running(OLLAMA, OLLAMA_MISSING) as node, proxy_here(config(node)) as proxy:
        for base in ("", "/proxy/d/ollama"):
            async with connect(proxy.url) as client:
                client.write(request(base + path, {"model": "x"}, method=method))
                got = await client.reply(bodyless=method == "HEAD")
            assert got.status == 403
            if method != "HEAD":
                assert "administers Ollama; only inference" in json.loads(got.body)["error"]
        assert not any(path in one for one in node.asked)


async def test_a_wrong_key_and_an_unknown_model_in_ollama_s_envelope() -> None:
    async with running(OLLAMA, OLLAMA_MISSING) as node:
        given = config(node, auth="keys")
        given["keys"] = [key_entry(KEY, "d")]
        async with proxy_here(given) as proxy:
            for path in ("/api/tags", "/api/version"):
                status, told = await fetch(proxy.url, path)
                assert status == 401
                assert isinstance(told["error"], str)
            bearer = f"Authorization: Bearer {KEY}"
            asked = request("/api/generate", {"model": "nope"}, bearer)
            got = await ask(proxy.url, asked)
            assert got.status == 404
            assert json.loads(got.body)["error"].startswith("model 'nope' not found: ")


HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
)
LINE = b'{"model":"m","message":{"content":"w"},"done":false}\n'
DONE = (
    b'{"model":"m","message":{"content":""},"done_reason":"stop","done":true,"total_duration":9,'
    b'"prompt_eval_count":12,"eval_count":21}\n'
)
BODY = (
    b'{"model": "fast",  "messages":[{"role":"user","content":"hi","images":[]}],"think":"low",\n'
    b'"options":{"num_ctx":1.50,"model":"x"},"format":{"type":"object"},"keep_alive":-1,"tools":[]}'
)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def config_of(url: str, **deployment: Any) -> dict[str, Any]:
    return {
        "nodes": {"n": {"url": url, "engine": "ollama", "models": ["m"]}},
        "deployments": {
            "d": {"nodes": ["n"], "auth": "none", "aliases": {"fast": "m"}, **deployment}
        },
        "default_deployment": "d",
    }


def posted(path: str, body: bytes) -> bytes:
    return b"POST %b HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%b" % (
        path.encode(), len(body), body,
    )  # fmt: skip


async def answer_facts(connection: NodeConnection) -> bytes:
    """Answer the first POST; requests for metadata get an empty answer."""
    while True:
        message = await connection.request()
        if message.method == "POST":
            return message.body
        await connection.send(reply("{}", "404 Not Found"))


@pytest.mark.parametrize(
    ("pieces", "told", "terminal", "code"),
    [
        ([chunk(LINE), chunk(DONE), b"0\r\n\r\n"], b"", Terminal.COMPLETED, ""),
        # It breaks off between lines, within one, and ends cleanly without its last line.
        ([chunk(LINE)], b"node n closed the connection", Terminal.NODE_BROKE, "node_broke"),
        ([chunk(LINE + LINE[:9])], None, Terminal.NODE_BROKE, "node_broke"),
        ([chunk(LINE), b"0\r\n\r\n"], b"node n's reply ended", Terminal.NODE_BROKE,
         "node_broke"),
        ([chunk(LINE), chunk(b'{"error":"out of memory"}\n'), b"0\r\n\r\n"], b"",
         Terminal.NODE_BROKE, "node_broke"),
    ],
)  # fmt: skip
async def test_streams_end_honestly(
    pieces: list[bytes], told: bytes | None, terminal: Terminal, code: str
) -> None:
    bodies: list[bytes] = []
    ended: list[ExchangeRecord] = []

    async def play(connection: NodeConnection) -> None:
        bodies.append(await answer_facts(connection))
        await connection.send(HEAD, *pieces)

    async with raw_node(play=play) as node, proxy_here(config_of(node.url)) as proxy:
        proxy.sinks.append(ended.append)
        async with connect(proxy.url) as client:
            client.write(posted("/api/chat", BODY))
            got = await client.reply()
    assert bodies == [BODY.replace(b'"fast"', b'"m"', 1)], "the name alone has changed"
    assert got.status == 200
    sent = b"".join(pieces).removesuffix(b"0\r\n\r\n")
    if terminal is Terminal.COMPLETED or told == b"":
        assert got.complete
        assert b"".join(map(chunk, got.chunks)) == sent
    else:
        assert not got.complete
        lines = got.body.splitlines(keepends=True)
        if told is None:
            assert got.body == LINE + LINE[:9]
        else:
            assert lines[0] == LINE
            assert told.decode() in json.loads(lines[1])["error"]
    (record,) = ended
    assert (record.terminal, record.code) == (terminal, code)
    if terminal is Terminal.COMPLETED:
        assert (record.usage.prompt, record.usage.output) == (12, 21)
        assert (record.surface, record.action) == ("ollama", "api/chat")


async def test_keep_alives_stand_before_the_next_line() -> None:
    go_on = asyncio.Event()

    async def play(connection: NodeConnection) -> None:
        await answer_facts(connection)
        await go_on.wait()
        await connection.send(HEAD, chunk(LINE), chunk(DONE), b"0\r\n\r\n")

    async with raw_node(play=play) as node:
        given = config_of(node.url, heartbeat_verbatim=True, heartbeat="10ms")
        async with proxy_here(given) as proxy, connect(proxy.url) as client:
            client.write(posted("/api/generate", b'{"model":"m","prompt":"hi"}'))
            await client.until_received(b"1\r\n \r\n")
            go_on.set()
            got = await client.reply()
    assert got.complete
    assert got.value("content-type") == b"application/x-ndjson"
    assert [json.loads(line)["done"] for line in got.body.splitlines()] == [False, True]


async def test_a_node_that_dies_behind_a_keep_alive_is_told_in_its_line() -> None:
    die = asyncio.Event()

    async def play(connection: NodeConnection) -> None:
        await answer_facts(connection)
        await die.wait()

    async with raw_node(play=play) as node:
        given = config_of(node.url, heartbeat_verbatim=True, heartbeat="10ms")
        async with proxy_here(given) as proxy, connect(proxy.url) as client:
            client.write(posted("/api/generate", b'{"model":"m","prompt":"hi"}'))
            await client.until_received(b"1\r\n \r\n")
            die.set()
            got = await client.reply()
    assert not got.complete
    assert "sent no reply" in json.loads(got.body)["error"]
