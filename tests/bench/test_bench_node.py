"""The node sends real heads, valid JSON, one chunk per event, and its marks."""

from __future__ import annotations

import http.client
import json
import re
import socket
from contextlib import closing
from typing import Any

import pytest

from tests.fixtures.patience import PATIENCE_S

MARK = re.compile(r"\[\[b([0-9a-f]{8})([0-9a-f]{8})([0-9a-f]{16})\]\]")
PATHS = {
    "openai": "/v1/chat/completions",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/bench:streamGenerateContent?alt=sse",
}
QUICK = ("--rate", "500", "--events", "5")


def connect(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)


def post(port: int, path: str, **more: Any) -> bytes:
    with closing(connect(port)) as connection:
        connection.request("POST", path, json.dumps({"model": "bench", **more}))
        reply = connection.getresponse()
        assert reply.status == 200
        kind = "text/event-stream" if more["stream"] else "application/json"
        assert reply.getheader("content-type") == kind
        return reply.read()


def frames(body: bytes) -> list[dict[str, Any]]:
    text = body.decode().replace("\r\n", "\n")
    assert text.endswith("\n\n")
    lines = [line for frame in text.split("\n\n") for line in frame.split("\n")]
    data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    return [json.loads(datum) for datum in data if datum != "[DONE]"]


def texts(protocol: str, found: list[dict[str, Any]]) -> list[str]:
    if protocol == "openai":
        deltas = [frame["choices"][0]["delta"] for frame in found if frame["choices"]]
        return [delta["content"] for delta in deltas if delta.get("content")]
    if protocol == "anthropic":
        return [f["delta"]["text"] for f in found if f["type"] == "content_block_delta"]
    parts = [frame["candidates"][0]["content"]["parts"][0] for frame in found]
    return [part["text"] for part in parts if part["text"]]


@pytest.mark.parametrize("protocol", PATHS)
def test_streams_numbered_stamped_events(start_node: Any, protocol: str) -> None:
    body = post(start_node(*QUICK), PATHS[protocol], stream=True)
    marks = [MARK.match(text) for text in texts(protocol, frames(body))]
    assert [int(mark[1], 16) for mark in marks if mark] == [0, 1, 2, 3, 4]
    stamps = [int(mark[3], 16) for mark in marks if mark]
    assert stamps == sorted(stamps)
    assert len({mark[2] for mark in marks if mark}) == 1


@pytest.mark.parametrize(
    ("protocol", "read"),
    [
        ("openai", lambda found: found[-1]["usage"]["completion_tokens"]),
        ("anthropic", lambda found: found[-2]["usage"]["output_tokens"]),
        ("gemini", lambda found: found[-1]["usageMetadata"]["candidatesTokenCount"]),
    ],
)
def test_tells_how_many_events_it_sent(start_node: Any, protocol: str, read: Any) -> None:
    assert read(frames(post(start_node(*QUICK), PATHS[protocol], stream=True))) == 5


@pytest.mark.parametrize("size", [300, 16384])
def test_events_have_the_asked_size_and_a_chunk_each(start_node: Any, size: int) -> None:
    port = start_node(*QUICK, "--size", str(size))
    body = b'{"stream": true}'
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
        client.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        raw = b"".join(iter(lambda: client.recv(65536), b""))
    head, _, rest = raw.partition(b"\r\n\r\n")
    assert b"Connection: close" in head
    sizes = []
    while rest:
        line, _, rest = rest.partition(b"\r\n")
        length = int(line, 16)
        chunk, rest = rest[:length], rest[length + 2 :]
        assert not chunk or (chunk.startswith(b"data: ") and chunk.count(b"\n\n") == 1)
        sizes += [length] if b"[[b" in chunk else []
    assert sizes == [size] * 5


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/v1/chat/completions", "choices"),
        ("/v1/messages", "content"),
        ("/v1beta/models/bench:generateContent", "candidates"),
    ],
)
def test_answers_in_one_piece_when_no_stream_is_asked(start_node: Any, path: str, key: str) -> None:
    assert key in json.loads(post(start_node(), path, stream=False))


def test_lists_one_model_and_keeps_the_connection(start_node: Any) -> None:
    with closing(connect(start_node())) as connection:
        for _ in range(2):
            connection.request("GET", "/v1/models")
            first = connection.sock
            models = json.load(connection.getresponse())["data"]
            assert [model["id"] for model in models] == ["bench"]
            assert connection.sock is first is not None


def test_reads_chunked_bodies_with_trailers_in_small_pieces(start_node: Any) -> None:
    port = start_node(*QUICK)
    request = (
        b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        b'6;a=b\r\n{"stre\r\na\r\nam": true }\r\n0\r\nx-t: y\r\n\r\n'
    )
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for place in range(len(request)):
            client.sendall(request[place : place + 1])
        # The next request waits in line for the stream's end.
        client.sendall(b"GET /v1/models HTTP/1.0\r\n\r\n")
        raw = b"".join(iter(lambda: client.recv(65536), b""))
    assert raw.index(b"message_stop") < raw.index(b'"object":"list"')


def test_lives_lie_between_their_two_lengths_and_differ(start_node: Any) -> None:
    port = start_node("--rate", "100", "--seconds", "0.1", "--seconds-most", "0.3")
    counts = {
        len(texts("openai", frames(post(port, PATHS["openai"], stream=True)))) for _ in "1234"
    }
    assert len(counts) > 2
    assert all(9 <= count <= 31 for count in counts), "by the schedule, however late it runs"


def test_routers_that_ask_for_health_version_and_models_are_answered(start_node: Any) -> None:
    told = {}
    with closing(connect(start_node())) as connection:
        for path in ("/health", "/version", "/v1/models"):
            connection.request("GET", path)
            reply = connection.getresponse()
            assert (reply.status, reply.getheader("content-type")) == (200, "application/json")
            told[path] = json.loads(reply.read())
    assert told["/health"] == {}
    assert set(told["/version"]) == {"version"}
    assert [model["id"] for model in told["/v1/models"]["data"]] == ["bench"]
