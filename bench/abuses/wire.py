"""Sockets of clients that misbehave."""

from __future__ import annotations

import json
import select
import socket
import threading
from collections.abc import Callable
from typing import Any

from bench.abuses.kind import Victim

__all__ = ["connect", "crowd", "drain", "head", "post", "pour", "status_of"]

_PIECE = 256 * 1024
_HOST = "127.0.0.1"


def connect(port: int, *, receive_buffer: int | None = None) -> socket.socket:
    """A connection; with a small ``receive_buffer`` a reply soon stays in the proxy."""
    peer = socket.socket()
    if receive_buffer is not None:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    peer.settimeout(10)
    try:
        peer.connect((_HOST, port))
    except OSError:
        peer.close()
        raise
    return peer


def head(
    path: str, *, method: str = "POST", key: str | None = None, length: int | None = None,
    close: bool = False,
) -> bytes:  # fmt: skip
    """A request's head; without a length its body is chunked; a GET has no body."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    if close:
        lines.append("Connection: close")
    if key is not None:
        lines.append(f"Authorization: Bearer {key}")
    if method == "POST":
        lines += ["Content-Type: application/json", "anthropic-version: 2023-06-01"]
        framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
        lines.append(framing)
    return "\r\n".join([*lines, "", ""]).encode()


def pour(peer: socket.socket, data: bytes, victim: Victim, *, read: bool = True) -> bytes:
    """Send, and read at the same time so that nothing waits for this side. Ends when all is sent,
    the proxy closes or the time is over; returns the first bytes that arrived."""
    peer.setblocking(False)
    view, sent, first = memoryview(data), 0, b""
    while sent < len(view) and victim.left > 0:
        readable, writable, _ = select.select(
            [peer] if read else [], [peer], [], min(1.0, victim.left)
        )
        try:
            if readable:
                piece = peer.recv(_PIECE)
                if not piece:
                    break
                first = first or piece[:4096]
                victim.said["bytes read"] += len(piece)
            if writable:
                sent += peer.send(view[sent : sent + _PIECE])
        except BlockingIOError:
            continue
        except OSError:
            victim.said["connections cut by the proxy"] += 1
            break
    victim.said["bytes sent"] += sent
    return first


def drain(peer: socket.socket, victim: Victim, *, seconds: float | None = None) -> bytes:
    """Read until the proxy closes or is silent for 300 ms after its first bytes; return its first
    bytes."""
    peer.setblocking(False)
    first = b""
    wait = victim.left if seconds is None else min(seconds, victim.left)
    while wait > 0:
        if not select.select([peer], [], [], wait)[0]:
            break
        try:
            piece = peer.recv(_PIECE)
        except OSError:
            break
        if not piece:
            break
        first = first or piece[:4096]
        victim.said["bytes read"] += len(piece)
        wait = min(0.3, victim.left)
    return first


def post(victim: Victim, path: str, body: bytes | dict[str, Any]) -> None:
    """One whole request on a connection of its own, and its reply, whose status is counted."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    try:
        with connect(victim.port) as peer:
            asked = head(path, key=victim.key, length=len(data), close=True)
            first = pour(peer, asked + data, victim)
            victim.said[status_of(first or drain(peer, victim))] += 1
            if first:
                drain(peer, victim)
    except OSError:
        victim.said["no connection"] += 1


def status_of(reply: bytes) -> str:
    words = reply.split(None, 2)
    return f"status {words[1].decode(errors='replace')}" if len(words) > 1 else "no reply"


def crowd(count: int, act: Callable[[Victim], None]) -> Callable[[Victim], None]:
    """So many abusers at once, each starting again until the time is over."""

    def run(victim: Victim) -> None:
        while victim.left > 0:
            act(victim)

    def act_all(victim: Victim) -> None:
        threads = [
            threading.Thread(target=run, args=(victim,), daemon=True)
            for _ in range(victim.scaled(count))
        ]
        for one in threads:
            one.start()
        for one in threads:
            one.join(max(0.1, victim.left + 1))

    return act_all
