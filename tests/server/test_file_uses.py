"""Requests that name stored files: what nodes get, and the errors for clients."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from casedesk_proxy.config.fetching import FetchUrls
from casedesk_proxy.files.fetching import Fetched, FetchFault
from casedesk_proxy.files.store import FileStore
from casedesk_proxy.filing.draft import FileDraft
from casedesk_proxy.filing.stored_file import StoredFile, name_file
from casedesk_proxy.terms import Dialect
from casedesk_proxy.wire.web_addresses import WebAddress
from tests.files.stores import Clock, opened
from tests.files.test_pdf_texts import make_pdf
from tests.fixtures.messages import Message
from tests.fixtures.proxy import RunningGateway, proxy_here
from tests.fixtures.raw_client import ask
from tests.fixtures.raw_node import NodeConnection, RawNode, raw_node

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 3000
CHAT = json.dumps(
    {
        "id": "c", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{
            "index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "ok"},
        }],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
).encode()  # fmt: skip
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(CHAT), CHAT,
)  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FileStore]:
    with opened(tmp_path, Clock()) as store:
        yield store


async def put(store: FileStore, content: bytes, mime: str, owner: str = "anonymous") -> StoredFile:
    draft = FileDraft("a.bin", mime)
    begun = await store.begin(owner, draft)
    upload = await store.write(begun.ident)
    await store.append(upload, [content])
    try:
        return await store.finish(upload, draft)
    finally:
        await store.put_by(upload)


class Stage:
    def __init__(self, proxy: RunningGateway, nodes: list[RawNode]) -> None:
        self.url = proxy.url
        self.uses = proxy.gateway._handler._forwarder.files
        self.memory = proxy.gateway._public.body_memory
        self.nodes = nodes

    async def post(self, path: str, body: Any, *headers: str) -> Message:
        lines = (f"Host: h\r\nContent-Type: application/json\r\n{''.join(headers)}").encode()
        data = json.dumps(body).encode()
        head = b"POST %b HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n" % (
            path.encode(),
            lines,
            len(data),
        )
        return await ask(self.url, head + data)

    def posted(self) -> list[bytes]:
        """The requests to the nodes, without those for metadata."""
        requests = [one for node in self.nodes for one in node.requests]
        return [one.body for one in requests if one.start.startswith(b"POST")]

    def sent(self) -> Any:
        return json.loads(self.posted()[-1])


@asynccontextmanager
async def staged(
    store: FileStore | None,
    server: Mapping[str, Any] = MappingProxyType({}),
    *,
    engine: str = "llama-server",
    reply: bytes = OK,
    **deployment: Any,
) -> AsyncIterator[Stage]:
    async with raw_node(reply) as node:
        config = {
            "server": {"access_log": False, **server},
            "default_deployment": "d",
            "nodes": {"n": {"url": node.url, "engine": engine, "models": ["m"]}},
            "deployments": {"d": {"nodes": ["n"], "auth": "none", **deployment}},
        }
        async with proxy_here(config, files=store) as proxy:
            yield Stage(proxy, [node])


def gemini(uri: str, mime: str = "") -> dict[str, Any]:
    data = {"fileUri": uri} | ({"mimeType": mime} if mime else {})
    return {"contents": [{"parts": [{"text": "What is it?"}, {"fileData": data}]}]}


async def test_an_image_of_a_gemini_request_reaches_a_chat_node(store: FileStore) -> None:
    file = await put(store, PNG, "image/png")
    async with staged(store) as stage:
        uri = f"https://elsewhere.example/v1beta/files/{file.id}"
        reply = await stage.post("/v1beta/models/m:generateContent", gemini(uri))
        assert reply.status == 200, reply.body
        [text, image] = stage.sent()["messages"][0]["content"]
    assert text["text"] == "What is it?"
    url = image["image_url"]["url"]
    assert url == "data:image/png;base64," + base64.b64encode(PNG).decode()


async def test_only_the_named_bytes_of_a_relayed_chat_change(store: FileStore) -> None:
    file = await put(store, PNG, "image/png")
    ident = name_file(Dialect.OPENAI, file.id)
    async with staged(store) as stage:
        body = b'{"model" : "m","messages":[{"role":"user","content":[%b]}], "x":1.0}'
        part = b'{"type":"file", "file":{"file_id":"%b"}}' % ident.encode()
        asked = body % part
        head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n"
        reply = await ask(stage.url, head % len(asked) + asked)
        assert reply.status == 200
        url = b"data:image/png;base64," + base64.b64encode(PNG)
        wanted = b'{"type":"image_url","image_url":{"url":"%b"}}' % url
        assert stage.posted()[-1] == body % wanted


async def test_text_becomes_a_part_of_the_prompt(store: FileStore) -> None:
    file = await put(store, "Grüße\n".encode(), "text/plain")
    source = {"type": "file", "file_id": name_file(Dialect.ANTHROPIC, file.id)}
    body = {
        "model": "m", "max_tokens": 5,
        "messages": [{"role": "user", "content": [{"type": "document", "source": source}]}],
    }  # fmt: skip
    async with staged(store, engine="vllm") as stage:
        reply = await stage.post("/v1/messages", body, "anthropic-version: 2023-06-01\r\n")
        assert reply.status == 200, reply.body
        assert "Grüße" in json.dumps(stage.sent(), ensure_ascii=False)


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        (
            "/v1beta/models/m:generateContent", gemini("files/abcdef"), 403,
            "You do not have permission to access the File abcdef or it may not exist.",
        ),
        (
            # Of a URI nothing else is said again.
            "/v1beta/models/m:generateContent", gemini("https://h.example/v1/files/abcdef"), 403,
            "You do not have permission to access the File abcdef or it may not exist.",
        ),
        (
            "/v1/messages",
            {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": [
                {"type": "image", "source": {"type": "file", "file_id": "file_" + "0" * 24}}]}]},
            404, f"File not found: file_{'0' * 24}",
        ),
        (
            "/v1/responses",
            {"model": "m", "input": [{"role": "user", "content": [
                {"type": "input_image", "file_id": "file-" + "0" * 24}]}]},
            404, f"No such File object: file-{'0' * 24}",
        ),
    ],
)  # fmt: skip
async def test_a_file_that_is_not_there_is_the_vendor_s_error(
    store: FileStore, path: str, body: Any, status: int, words: str
) -> None:
    async with staged(store) as stage:
        reply = await stage.post(path, body, "anthropic-version: 2023-06-01\r\n")
        assert reply.status == status
        assert words in reply.body.decode()
        assert stage.posted() == []


async def test_another_key_s_file_is_not_there(store: FileStore) -> None:
    file = await put(store, PNG, "image/png", owner="bob")
    async with staged(store) as stage:
        reply = await stage.post("/v1beta/models/m:generateContent", gemini(f"files/{file.id}"))
    assert reply.status == 403


@pytest.mark.parametrize("documents", ["text", "as-they-are"])
async def test_a_pdf_is_text_where_the_deployment_says_so(store: FileStore, documents: str) -> None:
    file = await put(store, make_pdf("Hello pages"), "application/pdf")
    part = {"type": "input_file", "file_id": name_file(Dialect.OPENAI, file.id)}
    body = {"model": "m", "input": [{"role": "user", "content": [part]}]}
    async with staged(store, documents=documents) as stage:
        reply = await stage.post("/v1/responses", body)
        if documents == "text":
            assert reply.status == 200, reply.body
            assert "Hello pages" in json.dumps(stage.sent())
        else:
            assert reply.status == 400
            assert "input[0].content[0].file" in json.loads(reply.body)["error"]["param"]
            assert stage.posted() == []


def inline_pdf(path: str, data: str) -> Any:
    """A request that contains a PDF."""
    match path:
        case "/v1beta/models/m:generateContent":
            blob = {"mimeType": "application/pdf", "data": data}
            return {"contents": [{"parts": [{"text": "What is it?"}, {"inlineData": blob}]}]}
        case "/v1/messages":
            source = {"type": "base64", "media_type": "application/pdf", "data": data}
            part: Any = {"type": "document", "source": source}
        case "/v1/chat/completions":
            url = f"data:application/pdf;base64,{data}"
            part = {"type": "file", "file": {"filename": "a.pdf", "file_data": url}}
        case _:
            url = f"data:application/pdf;base64,{data}"
            part = {"type": "input_file", "filename": "a.pdf", "file_data": url}
    messages = [{"role": "user", "content": [part]}]
    if path == "/v1/responses":
        return {"model": "m", "input": messages}
    return {"model": "m", "max_tokens": 5, "messages": messages}


INLINE = (
    "/v1beta/models/m:generateContent",
    "/v1/messages",
    "/v1/chat/completions",
    "/v1/responses",
)


@pytest.mark.parametrize("is_large", [False, True])
@pytest.mark.parametrize("path", INLINE)
async def test_a_pdf_in_the_request_is_text_too(path: str, is_large: bool) -> None:
    """A process of its own finds the text of a large PDF; a planner plans a request whose text is
    large."""
    lines = ["Hello pages", *(["x" * 40_000] * 8 if is_large else [])]
    content = make_pdf(*lines)
    data = base64.b64encode(content).decode()
    async with staged(None, documents="text") as stage:
        reply = await stage.post(path, inline_pdf(path, data), "anthropic-version: 2023-06-01\r\n")
        assert reply.status == 200, reply.body
        sent = stage.posted()[-1]
        assert b"Hello pages" in sent
        assert data[:40].encode() not in sent
        assert stage.memory.used == 0


@pytest.mark.parametrize("path", INLINE)
async def test_a_pdf_that_cannot_be_read_is_refused_by_place(path: str) -> None:
    async with staged(None, documents="text") as stage:
        for data, why in (("JVBERi0*", "is not valid base64"), ("JVBERi0x", "cannot be read")):
            reply = await stage.post(
                path, inline_pdf(path, data), "anthropic-version: 2023-06-01\r\n"
            )
            assert reply.status == 400
            message = json.loads(reply.body)["error"]["message"]
            assert f"the PDF {why}" in message
            assert "source" in message or "Data" in message or "file_data" in message
        assert stage.posted() == []


@pytest.mark.parametrize("path", [one for one in INLINE if one != "/v1/chat/completions"])
async def test_where_a_node_takes_no_pdf_the_setting_is_named(path: str) -> None:
    async with staged(None) as stage:
        reply = await stage.post(
            path, inline_pdf(path, "JVBERi0x"), "anthropic-version: 2023-06-01\r\n"
        )
        assert reply.status == 400
        assert "documents: text" in reply.body.decode()
        assert stage.posted() == []


async def test_a_pdf_of_a_relayed_chat_is_refused_by_place(store: FileStore) -> None:
    file = await put(store, make_pdf("x"), "application/pdf")
    part = {"type": "file", "file": {"file_id": name_file(Dialect.OPENAI, file.id)}}
    body = {"model": "m", "messages": [{"role": "user", "content": [part]}]}
    async with staged(store) as stage:
        reply = await stage.post("/v1/chat/completions", body)
        assert reply.status == 400
        assert json.loads(reply.body)["error"]["param"] == "messages[0].content[0].file.file_id"
        assert "documents: text" in reply.body.decode()
    async with staged(store, engine="openai") as stage:
        assert (await stage.post("/v1/chat/completions", body)).status == 200
        assert "base64," in stage.sent()["messages"][0]["content"][0]["file"]["file_data"]


IMAGE = "https://img.test/a.png"
WEB = {
    "/v1/chat/completions": {"type": "image_url", "image_url": {"url": IMAGE, "detail": "low"}},
    "/v1/messages": {"type": "image", "source": {"type": "url", "url": IMAGE}},
    "/v1/responses": {"type": "input_image", "image_url": IMAGE},
}


def asking(path: str) -> Any:
    messages = [{"role": "user", "content": [WEB[path]]}]
    if path == "/v1/responses":
        return {"model": "m", "input": messages}
    return {"model": "m", "max_tokens": 5, "messages": messages}


async def fetch_here(
    where: WebAddress, settings: FetchUrls, most: int, take: Callable[[int], None]
) -> Fetched:
    take(len(PNG))
    assert where == WebAddress(IMAGE, "img.test")
    return Fetched("image/png", PNG)


@pytest.mark.parametrize("path", WEB)
async def test_an_address_of_an_allowed_host_is_fetched(path: str) -> None:
    async with staged(None, fetch_urls={"allow": ["*.test"]}) as stage:
        stage.uses._fetch = fetch_here
        reply = await stage.post(path, asking(path), "anthropic-version: 2023-06-01\r\n")
        assert reply.status == 200, reply.body
        sent = stage.posted()[-1]
    assert base64.b64encode(PNG) in sent
    assert b"img.test" not in sent


async def test_what_gemini_names_by_an_address_is_fetched(store: FileStore) -> None:
    body = gemini(IMAGE, "image/png")
    async with staged(store, fetch_urls={"allow": ["img.test"]}) as stage:
        stage.uses._fetch = fetch_here
        reply = await stage.post("/v1beta/models/m:generateContent", body)
        assert reply.status == 200, reply.body
        assert base64.b64encode(PNG) in stage.posted()[-1]


@pytest.mark.parametrize("path", WEB)
async def test_an_address_of_another_host_is_refused_by_place(path: str) -> None:
    async with staged(None, fetch_urls={"allow": ["other.test"]}) as stage:
        reply = await stage.post(path, asking(path), "anthropic-version: 2023-06-01\r\n")
        assert reply.status == 400
        assert "fetch_urls.allow" in reply.body.decode()
        assert stage.posted() == []


async def test_what_is_fetched_takes_room_among_the_bodies() -> None:
    path, server = "/v1/chat/completions", {"max_body": 600_000, "max_bodies": 600_000}
    async with staged(None, server, fetch_urls={"allow": ["img.test"]}) as stage:
        stage.uses._fetch = fetch_here
        reply = await stage.post(path, asking(path))
        assert (reply.status, json.loads(reply.body)["error"]["code"]) == (503, "bodies_full")
        assert stage.posted() == []
        assert stage.memory.used == 0


async def test_text_of_a_file_takes_room_among_the_bodies(store: FileStore) -> None:
    file = await put(store, b"x" * 400_000, "text/plain")
    ident = name_file(Dialect.OPENAI, file.id)
    part = {"type": "file", "file": {"file_id": ident}}
    body = {"model": "m", "messages": [{"role": "user", "content": [part]}]}
    async with staged(store, {"max_body": 600_000, "max_bodies": 600_000}) as stage:
        stage.memory.used += 300_000
        reply = await stage.post("/v1/chat/completions", body)
        assert (reply.status, json.loads(reply.body)["error"]["code"]) == (503, "bodies_full")
        stage.memory.used -= 300_000
        assert (await stage.post("/v1/chat/completions", body)).status == 200
        assert stage.memory.used == 0


async def test_an_address_that_cannot_be_fetched_is_refused_by_place() -> None:
    async def fail(where: WebAddress, settings: FetchUrls, most: int, take: object) -> Fetched:
        raise FetchFault("its host answered with status 404")

    path = "/v1/chat/completions"
    async with staged(None, fetch_urls={"allow": ["img.test"]}) as stage:
        stage.uses._fetch = fail
        error = json.loads((await stage.post(path, asking(path))).body)["error"]
    assert error["param"] == "messages[0].content[0].image_url.url"
    assert error["code"] == "url_not_fetched"
    assert "status 404" in error["message"]


@pytest.mark.parametrize("path", WEB)
async def test_an_address_is_refused_by_place_where_nothing_is_fetched(path: str) -> None:
    async with staged(None) as stage:
        reply = await stage.post(path, asking(path), "anthropic-version: 2023-06-01\r\n")
        assert reply.status == 400
        assert "url" in reply.body.decode()
        assert stage.posted() == []


async def test_a_relayed_address_is_the_node_s_where_it_may_fetch() -> None:
    path = "/v1/chat/completions"
    async with staged(None) as stage:
        refused = json.loads((await stage.post(path, asking(path))).body)["error"]
        assert refused["param"] == "messages[0].content[0].image_url.url"
        assert "nodes_fetch_urls" in refused["message"]
    async with staged(None, nodes_fetch_urls=True) as stage:
        assert (await stage.post(path, asking(path))).status == 200
        assert stage.sent() == asking(path)


async def test_what_is_too_large_for_a_vendor_is_uploaded_there_once(store: FileStore) -> None:
    file = await put(store, b"\0" * 15_000_001, "video/mp4")
    both = {
        "file": {"name": "files/x", "uri": "https://g/v1beta/files/x", "state": "ACTIVE"},
        "candidates": [
            {"content": {"role": "model", "parts": [{"text": "ok"}]}, "finishReason": "STOP"}
        ],
    }
    data = json.dumps(both).encode()
    reply = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
    async with staged(store, engine="gemini", reply=reply % (len(data), data)) as stage:
        for _ in range(2):
            path = "/v1beta/models/m:generateContent"
            assert (await stage.post(path, gemini(f"files/{file.id}"))).status == 200
        upload, *asked = stage.posted()
    assert len(upload) > file.size
    named = {"mimeType": "video/mp4", "fileUri": "https://g/v1beta/files/x"}
    for body in asked:
        assert json.loads(body)["contents"][0]["parts"][1] == {"fileData": named}
    assert len(asked) == 2


async def test_another_node_gets_the_same_where_one_is_lost(store: FileStore) -> None:
    file = await put(store, PNG, "image/png")
    lost: list[bytes] = []

    async def lose(connection: NodeConnection) -> None:
        await connection.until(lambda: len(connection.received) > 2**19 or None)
        lost.append(bytes(connection.received))
        connection.reset()

    async with raw_node(play=lose) as one, raw_node(OK) as other:
        nodes = {"one": one, "other": other}
        config = {
            "server": {"access_log": False},
            "nodes": {
                name: {"url": node.url, "engine": "vllm", "models": ["m"]}
                for name, node in nodes.items()
            },
            "deployments": {"d": {"nodes": [*nodes], "auth": "none", "policy": "ordered"}},
        }
        async with proxy_here(config, files=store) as proxy:
            stage = Stage(proxy, [other])
            path = "/proxy/d/gemini/v1beta/models/m:generateContent"
            reply = await stage.post(path, gemini(f"files/{file.id}"))
            assert reply.status == 200, reply.body
            url = stage.sent()["messages"][0]["content"][1]["image_url"]["url"]
    assert lost
    assert url.endswith(base64.b64encode(PNG).decode())
