"""A node for tests: answers each (method, path) with recorded bytes, header block and all."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

CORPUS = Path(__file__).parents[1] / "corpus" / "nodes"


def recorded(name: str) -> bytes:
    return (CORPUS / f"{name}.http").read_bytes()


def reply(body: str | bytes, status: str = "200 OK", headers: str = "") -> bytes:
    data = body.encode() if isinstance(body, str) else body
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{headers}"
    return f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data


class FakeNode:
    """``asked`` lists what it was asked, in order; ``heads`` the request heads."""

    def __init__(self, replies: Mapping[str, bytes], missing: bytes) -> None:
        self.replies = replies
        self.missing = missing
        self.asked: list[str] = []
        self.heads: list[str] = []
        self.url = ""
        self.open: dict[asyncio.StreamWriter, asyncio.Event] = {}

    async def end(self) -> None:
        """Every connection, so that none is left when the test's loop closes."""
        for writer in list(self.open):
            writer.transport.abort()
        for ended in list(self.open.values()):
            await ended.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open[writer] = ended = asyncio.Event()
        try:
            await self.answer(reader, writer)
        finally:
            del self.open[writer]
            ended.set()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
                await reader.readexactly(int(length[1]) if length else 0)
                method, path, _ = head.split(" ", 2)
                self.asked.append(f"{method} {path}")
                self.heads.append(head)
                data = self.replies.get(f"{method} {path}", self.missing)
                writer.write(data)
                await writer.drain()
                if re.search(rb"(?i)\r\nconnection: close", data.partition(b"\r\n\r\n")[0]):
                    break
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


NOT_FOUND = reply('{"detail":"Not Found"}', "404 Not Found")


@asynccontextmanager
async def running(
    replies: Mapping[str, bytes], missing: bytes = NOT_FOUND, port: int = 0
) -> AsyncIterator[FakeNode]:
    node = FakeNode(replies, missing)
    server = await asyncio.start_server(node.serve, "127.0.0.1", port)
    node.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        try:
            yield node
        finally:
            server.close()
            for _ in range(3):  # who has just been accepted has a task one round later
                await asyncio.sleep(0)
                await node.end()


OLLAMA = {
    "GET /": recorded("ollama-0.9.3.root"),
    "GET /api/version": recorded("ollama-0.9.3.version"),
    "GET /api/tags": recorded("ollama-0.9.3.tags"),
    "GET /api/ps": recorded("ollama-0.9.3.ps"),
    "POST /api/show": recorded("ollama-0.9.3.show"),
    "GET /v1/models": recorded("ollama-0.9.3.v1-models"),
}
OLLAMA_MISSING = recorded("ollama-0.9.3.error-path")
LLAMA = {
    "GET /props": recorded("llama-server.props"),
    "GET /v1/models": recorded("llama-server.models"),
}
LLAMA_MISSING = recorded("llama-server.error-path")
VLLM = {
    "GET /version": recorded("vllm-0.32.0.version"),
    "GET /v1/models": recorded("vllm-0.32.0.models"),
}
VLLM_MISSING = recorded("vllm-0.32.0.gemini-models")
SGLANG = {
    "GET /get_model_info": recorded("sglang-0.5.23.model-info"),
    "GET /v1/models": recorded("sglang-0.5.23.models"),
    "GET /api/tags": recorded("sglang-0.5.23.ollama-tags"),
    "POST /api/show": recorded("sglang-0.5.23.ollama-show"),
}
SGLANG_MISSING = recorded("sglang-0.5.23.gemini-models")
#: From TGI's documentation: no package of it runs here.
TGI = {
    "GET /info": reply(
        '{"model_id":"bigscience/bloom-560m","model_sha":"e985","max_concurrent_requests":128,'
        '"max_input_tokens":1024,"max_total_tokens":2048,"version":"3.3.7","docker_label":null}'
    ),
    "GET /v1/models": reply(
        '{"object":"list","data":[{"id":"bigscience/bloom-560m","object":"model","created":0,'
        '"owned_by":"bigscience/bloom-560m"}]}'
    ),
}
#: The paths that FastAPI describes for the application of release 5.17.
TRANSFORMERS = {
    "GET /openapi.json": reply(
        '{"openapi":"3.1.0","info":{"title":"FastAPI","version":"0.1.0"},"paths":{'
        '"/v1/chat/completions":{},"/v1/completions":{},"/v1/responses":{},'
        '"/v1/audio/transcriptions":{},"/load_model":{},"/reset":{},"/v1/models":{},"/health":{}}}'
    ),
    "GET /v1/models": recorded("transformers-5.23.0.models"),
}
TRANSFORMERS_MISSING = recorded("transformers-5.23.0.gemini-models")
