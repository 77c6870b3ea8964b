"""A node with its own file store gets each file once, if the file would make a request too
large."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from casedesk_proxy.config.load import load_config
from casedesk_proxy.errors import UpstreamFault
from casedesk_proxy.filing.stored_file import StoredFile
from casedesk_proxy.planning.filling import (
    MARK_BEGIN,
    MARK_CHARS,
    ContentPart,
    FileUse,
    FilledRoute,
)
from casedesk_proxy.snapshot import NodeSpec, compile_snapshot
from casedesk_proxy.surfaces.file_references import FilePlace
from casedesk_proxy.terms import Dialect
from casedesk_proxy.upstream.node_files import NodeFiles
from casedesk_proxy.upstream.pool import ConnectionPool, NodeAddress
from tests.fixtures.proxy import config_text
from tests.fixtures.raw_node import NodeConnection, RawNode, raw_node
from tests.upstream.test_file_upload import Contents

#: Larger, in base64, than any of the three takes; nothing reads all of it where nothing is sent.
CONTENT = bytes(range(256)) * 100
MARK = MARK_BEGIN + "0" * MARK_CHARS
FILE = StoredFile("a" * 24, "alice", 'my "file".png', "image/png", len(CONTENT), "00", 0.0, None)

ENGINES = ("gemini", "anthropic", "openai")
SNAPSHOT = compile_snapshot(
    load_config(
        config_text(
            {
                "nodes": {e: {"url": "http://127.0.0.1:1/base", "engine": e} for e in ENGINES},
                "deployments": {"d": {"nodes": [*ENGINES], "auth": "none"}},
            }
        ),
        "test.yaml",
    ).config,
    dict.fromkeys(ENGINES, "node-key"),
)


def reply(body: Any, status: bytes = b"200 OK") -> bytes:
    data = json.dumps(body).encode()
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(data), data)


@asynccontextmanager
async def answering(engine: str, *replies: bytes) -> AsyncIterator[tuple[RawNode, NodeSpec]]:
    """A node of an engine with a limit so small that each file is uploaded."""
    left = list(replies)

    async def play(connection: NodeConnection) -> None:
        await connection.request()
        await connection.send(left.pop(0))

    async with raw_node(play=play) as node:
        spec = SNAPSHOT.nodes[engine]
        small = replace(spec.engine, max_inline=1000)
        port = int(node.url.rpartition(":")[2])
        yield node, replace(spec, engine=small, port=port)


def route_of(dialect: Dialect, place: FilePlace, inline: bytes, mime: str) -> FilledRoute:
    body = b'{"x":[' + inline + b"]}"
    before, behind = body.split(MARK.encode())
    use = FileUse(FILE, mime, MARK, inline, "there", place)
    return FilledRoute(
        dialect, "/v1/there", (), "r1", body, parts=(before, ContentPart(FILE), behind), uses=(use,)
    )


GEMINI = (
    Dialect.GEMINI, FilePlace.PART,
    b'{"inlineData":{"mimeType":"image/png","data":"%b"}}' % MARK.encode(), "image/png",
)  # fmt: skip
ANTHROPIC = (
    Dialect.ANTHROPIC, FilePlace.DOCUMENT_SOURCE,
    b'{"type":"base64","media_type":"application/pdf","data":"%b"}' % MARK.encode(),
    "application/pdf",
)  # fmt: skip
OPENAI = (
    Dialect.RESPONSES, FilePlace.INPUT_FILE,
    b'{"type":"input_image","image_url":"data:image/png;base64,%b"}' % MARK.encode(), "image/png",
)  # fmt: skip
INLINE_GEMINI = (GEMINI[0], GEMINI[1], GEMINI[2][1:-1], GEMINI[3])


def pool_of(node: NodeSpec) -> ConnectionPool:
    return ConnectionPool(asyncio.get_running_loop(), NodeAddress(node.host, node.port))


async def fit(files: NodeFiles, route: FilledRoute, node: NodeSpec) -> FilledRoute:
    return await files.fit(route, node, pool_of(node), Contents(CONTENT))


async def test_gemini_gets_a_file_once_and_is_asked_when_it_is_ready() -> None:
    file = {"name": "files/x", "uri": "https://g/v1beta/files/x", "state": "PROCESSING"}
    ready = reply(file | {"state": "ACTIVE"})
    route = route_of(*INLINE_GEMINI)
    async with answering("gemini", reply({"file": file}), ready) as (raw, node):
        files = NodeFiles(asyncio.get_running_loop(), look_pause_s=0.001)
        one, other = await asyncio.gather(fit(files, route, node), fit(files, route, node))
        assert await fit(files, route, node) == one == other
        sent, looked = raw.requests
    stored = b'"fileData":{"mimeType":"image/png","fileUri":"https://g/v1beta/files/x"}'
    assert one.parts == (b'{"x":[' + stored + b"]}",)
    assert sent.start == b"POST /base/upload/v1beta/files?uploadType=multipart HTTP/1.1"
    assert (b"x-goog-api-key", b"node-key") in sent.headers
    assert CONTENT in sent.body
    assert b'"displayName":"my__file_.png"' in sent.body
    assert looked.start == b"GET /base/v1beta/files/x HTTP/1.1"


@pytest.mark.parametrize("status", [b"200 OK", b"201 Created"])
async def test_anthropic_gets_a_form(status: bytes) -> None:
    async with answering("anthropic", reply({"id": "file_1"}, status)) as (raw, node):
        fitted = await fit(NodeFiles(asyncio.get_running_loop()), route_of(*ANTHROPIC), node)
        [sent] = raw.requests
        assert b"\r\nanthropic-beta: files-api-2025-04-14\r\n" in fitted.request_for(node)
    assert fitted.parts == (b'{"x":[{"type":"file","file_id":"file_1"}]}',)
    assert (b"anthropic-beta", b"files-api-2025-04-14") in sent.headers
    assert b'name="file"; filename="my__file_.png"\r\nContent-Type: application/pdf' in sent.body
    assert CONTENT in sent.body


async def test_openai_is_told_what_it_is_for() -> None:
    async with answering("openai", reply({"id": "file-1"})) as (raw, node):
        fitted = await fit(NodeFiles(asyncio.get_running_loop()), route_of(*OPENAI), node)
        [sent] = raw.requests
    [body] = fitted.parts
    assert isinstance(body, bytes)
    assert json.loads(body)["x"] == [{"type": "input_image", "detail": "auto", "file_id": "file-1"}]
    assert b'name="purpose"\r\n\r\nvision\r\n' in sent.body


async def test_what_is_small_enough_stays_inline() -> None:
    route = route_of(*OPENAI)
    for most in (None, 10**6):
        async with answering("openai") as (raw, node):
            node = replace(node, engine=replace(node.engine, max_inline=most))
            assert await fit(NodeFiles(asyncio.get_running_loop()), route, node) is route
            assert raw.requests == []


@pytest.mark.parametrize(
    "answer",
    [
        reply({"error": "no"}, b"400 Bad"), reply([]), reply({"id": 1}), b"HTTP/1.1 200 OK\r\n\r\n",
        reply({"file": {"state": "FAILED"}}), b"nonsense\r\n\r\n",
    ],
)  # fmt: skip
async def test_a_node_that_takes_no_file_is_named(answer: bytes) -> None:
    route = route_of(*INLINE_GEMINI)
    async with answering("gemini", answer, answer) as (_, node):
        files = NodeFiles(asyncio.get_running_loop())
        for _ in range(2):
            with pytest.raises(UpstreamFault, match=r"node gemini .*a file of the request"):
                await fit(files, route, node)
