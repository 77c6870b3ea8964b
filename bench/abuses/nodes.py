"""Nodes that misbehave, and clients that do not read a node's replies."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace

from bench.abuses.kind import Abuse, Victim, nothing
from bench.abuses.wire import connect, crowd, head, post, pour

__all__ = ["NODES", "answer_all"]

_CHAT = "/proxy/abuse/openai/v1/chat/completions"
_MESSAGES = "/proxy/abuse/anthropic/v1/messages"
_MODELS = "/proxy/abuse/openai/v1/models"
_SAID = [{"role": "user", "content": "x"}]
_STREAM = {"model": "bad", "stream": True, "max_tokens": 9, "messages": _SAID}
_CHUNKS = 3_000_000
_MANY_MODELS = 2_000
_BATCH = 10_000
#: MB that six clients that read nothing may occupy in the proxy: a few replies each.
_UNREAD_MB = 128.0

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\n"
_STREAMED = _HEAD % b"text/event-stream" + b"Transfer-Encoding: chunked\r\n\r\n"
_ANSWER = {
    "id": "x", "object": "chat.completion", "created": 1, "model": "bad",
    "choices": [{"index": 0, "finish_reason": "stop",
                 "message": {"role": "assistant", "content": "x"}}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}  # fmt: skip
_Misbehave = Callable[[socket.socket], None]


def answer_all(listener: socket.socket) -> None:
    """A node that answers every request with one word, however long the request was."""
    _serve(listener, lambda peer: peer.sendall(_sized(_ANSWER)))


def _serve(listener: socket.socket, answer: _Misbehave, models: int = 1) -> None:
    while True:
        peer, _ = listener.accept()
        threading.Thread(target=_talk, args=(peer, answer, models), daemon=True).start()


def _talk(peer: socket.socket, answer: _Misbehave, models: int) -> None:
    names = ["bad", *(f"bad-{number:058}" for number in range(1, models))]
    listed = _sized({"object": "list", "data": [{"id": name, "object": "model"} for name in names]})
    with suppress(OSError), peer:
        while (request := _read_head(peer)) is not None:
            if request.startswith(b"POST"):
                answer(peer)
            elif b"/models" in request.split(b"\r\n", 1)[0]:
                peer.sendall(listed)
            else:
                peer.sendall(_sized({}))


def _read_head(peer: socket.socket) -> bytes | None:
    """The next request's head; its body, which must have a length, is read and dropped."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = peer.recv(65536)
        if not piece:
            return None
        data += piece
    request, _, rest = data.partition(b"\r\n\r\n")
    left = -len(rest)
    for line in request.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            left += int(line.partition(b":")[2])
    while left > 0:
        piece = peer.recv(min(left, 1 << 20))
        if not piece:
            return None
        left -= len(piece)
    return request


def _sized(content: object) -> bytes:
    body = json.dumps(content).encode()
    return _HEAD % b"application/json" + b"Content-Length: %d\r\n\r\n" % len(body) + body


def _event(text: str) -> bytes:
    delta = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return b"data: " + json.dumps({**_ANSWER, "choices": [delta]}).encode() + b"\n\n"


def _reply_in_tiny_chunks(listener: socket.socket) -> None:
    """Events of 1 kB, 3 million bytes of them, a chunk for every byte."""
    chunked = b"".join(b"1\r\n%c\r\n" % byte for byte in _event("x" * 800))

    def answer(peer: socket.socket) -> None:
        peer.sendall(_STREAMED)
        for _ in range(0, _CHUNKS, 100 * len(chunked) // 6):
            peer.sendall(chunked * 100)
        peer.sendall(b"0\r\n\r\n")

    _serve(listener, answer)


def _reply_never(listener: socket.socket) -> None:
    """Endless interim replies."""

    def answer(peer: socket.socket) -> None:
        while True:
            peer.sendall(b"HTTP/1.1 102 Processing\r\n\r\n" * _BATCH)

    _serve(listener, answer)


def _reply_at_length(listener: socket.socket) -> None:
    """Endless streams, and a list of 2 000 models."""
    events = b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in [_event("x" * 4000)] * 100)

    def answer(peer: socket.socket) -> None:
        peer.sendall(_STREAMED)
        while True:
            peer.sendall(events)

    _serve(listener, answer, models=_MANY_MODELS)


def _ask_by_turns(victim: Victim) -> None:
    """Verbatim and translated in turn."""
    post(victim, _CHAT, _STREAM)
    post(victim, _MESSAGES, _STREAM)


def _hold_unread(requests: Callable[[Victim], list[bytes]]) -> Callable[[Victim], None]:
    """Six clients that send requests, never read a byte, and stay."""

    def act(victim: Victim) -> None:
        asked = requests(victim)
        with ExitStack() as stack:
            for _ in range(6):
                with suppress(OSError):
                    peer = stack.enter_context(connect(victim.port, receive_buffer=4096))
                    brief = replace(victim, seconds=min(1.0, victim.left), began=time.monotonic())
                    pour(peer, b"".join(asked), brief, read=False)
            time.sleep(max(0.0, victim.left))

    return act


def _lists(victim: Victim) -> list[bytes]:
    return [head(_MODELS, method="GET", key=victim.key)] * victim.scaled(200)


def _errors(victim: Victim) -> list[bytes]:
    """Replies that quote the request, 8 kB each."""
    body = json.dumps({**_STREAM, "model": "m" * 8000}).encode()
    return [head(_CHAT, key=victim.key, length=len(body)) + body] * victim.scaled(2000)


def _streams(victim: Victim) -> list[bytes]:
    body = json.dumps(_STREAM).encode()
    return [head(_CHAT, key=victim.key, length=len(body)) + body]


NODES = (
    Abuse("node-chunks", "a node's reply in 3 million chunks of one byte", crowd(1, _ask_by_turns),
          _reply_in_tiny_chunks),
    Abuse("node-1xx", "a node's interim replies without an end", crowd(1, _ask_by_turns),
          _reply_never),
    Abuse("unread-lists", "6 clients that read no model list (2 000 models)",
          _hold_unread(_lists), _reply_at_length, bound_mb=_UNREAD_MB),
    Abuse("unread-errors", "6 clients that read no error", _hold_unread(_errors), _reply_at_length,
          bound_mb=_UNREAD_MB),
    Abuse("unread-streams", "6 clients that read no stream", _hold_unread(_streams),
          _reply_at_length, bound_mb=_UNREAD_MB),
    Abuse("hung-node", "one of two nodes hangs (SIGSTOP)", nothing, stopped_twin=True, grace=9.0,
          least_seconds=15.0),
)  # fmt: skip
