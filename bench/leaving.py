#!/usr/bin/env python3
"""How soon a node is freed when its client leaves, seen from outside the proxy: from the client's
close to the end of the node's connection, while the other clients' streams continue.

python bench/leaving.py                       # 50, 200 and 500 streams, 50 clients leave
python bench/leaving.py -n 500 --gap 0.05

Half leave with a FIN, half with an RST. The exit code is 1 if a node was freed later than after
100 ms or not at all.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import re
import select
import socket
import struct
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.chaos import serving

CONFIG = """
server: {{listen: "127.0.0.1:0", admin: "127.0.0.1:0", access_log: false}}
default_deployment: d
nodes: {{n: {{url: "http://127.0.0.1:{port}", engine: openai, models: [m], max_streams: 2000}}}}
deployments: {{d: {{auth: none, nodes: [n]}}}}
"""
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
DATA = b'data: {"choices":[{"index":0,"delta":{"content":"' + b"x" * 200 + b'"}}]}\n\n'
EVENT = b"%x\r\n%s\r\n" % (len(DATA), DATA)
LIMIT_MS = 100.0
NUMBER = re.compile(rb'"user":\s*"(\d+)"')


def play_node(listener: socket.socket, ended: Connection, rate: float) -> None:
    """A node that sends one event after another to every client, and reports when a connection
    ended: (the request's number, CLOCK_MONOTONIC seconds). One process, one epoll: ends are handled
    before events, and between two sends."""
    poll, peers = select.epoll(), dict[int, socket.socket]()
    heard: dict[int, bytes] = {}
    numbers: dict[int, int] = {}
    poll.register(listener, select.EPOLLIN)

    def look(timeout: float) -> None:
        for fd, what in poll.poll(timeout):
            now = time.monotonic()
            if fd == listener.fileno():
                peer, _ = listener.accept()
                peers[peer.fileno()], heard[peer.fileno()] = peer, b""
                poll.register(peer, select.EPOLLIN | select.EPOLLRDHUP)
            elif what & (select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR):
                poll.unregister(fd)
                peers.pop(fd).close()
                del heard[fd]
                if (number := numbers.pop(fd, None)) is not None:
                    ended.send((number, now))
            else:
                heard[fd] += peers[fd].recv(65536)
                if match := NUMBER.search(heard[fd]):
                    heard[fd] = b""
                    numbers[fd] = int(match[1])
                    peers[fd].send(HEAD)
                elif heard[fd].startswith(b"GET "):
                    peers[fd].send(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")
                    heard[fd] = b""

    while True:
        begun = time.monotonic()
        for fd in list(numbers):
            look(0)
            if fd in numbers:
                try:
                    peers[fd].send(EVENT, socket.MSG_DONTWAIT)
                except OSError:
                    continue  # the poll reports its end
        while (left := begun + 1 / rate - time.monotonic()) > 0:
            look(left)


def ask(port: int, number: int) -> socket.socket:
    peer = socket.create_connection(("127.0.0.1", port), timeout=10)
    body = (
        b'{"model": "m", "stream": true, "user": "%d", "messages": [{"role": "user",'
        b' "content": "x"}]}' % number
    )
    peer.sendall(
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    )
    said = peer.recv(65536)
    if not said.startswith(b"HTTP/1.1 200"):
        raise click.ClickException(f"no stream: {said!r}")
    peer.setblocking(False)
    return peer


def drink(peers: dict[int, socket.socket], seconds: float) -> None:
    """Read what has arrived, for so long."""
    end = time.monotonic() + seconds
    with select.epoll() as poll:
        for peer in peers.values():
            poll.register(peer, select.EPOLLIN)
        by_fd = {peer.fileno(): peer for peer in peers.values()}
        while (left := end - time.monotonic()) > 0:
            for fd, _ in poll.poll(left):
                by_fd[fd].recv(65536)


def leave_one_by_one(
    port: int, streams: int, leaving: int, gap: float
) -> tuple[dict[int, tuple[str, float]], dict[int, socket.socket]]:
    """How and when (CLOCK_MONOTONIC) each client left, and which stayed."""
    peers = {number: ask(port, number) for number in range(streams)}
    drink(peers, 0.5)
    left: dict[int, tuple[str, float]] = {}
    for number in range(0, streams, max(streams // leaving, 1))[:leaving]:
        peer, how = peers.pop(number), ("FIN", "RST")[len(left) % 2]
        if how == "RST":
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            left[number] = how, time.monotonic()
            peer.close()
        else:
            left[number] = how, time.monotonic()
            peer.shutdown(socket.SHUT_WR)  # with unread bytes a close would become an RST
        drink(peers, gap)
        peer.close()
    drink(peers, 0.5)
    return left, peers


async def measure(streams: int, leaving: int, rate: float, gap: float) -> bool:
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    here, there = multiprocessing.Pipe(duplex=False)
    fork = multiprocessing.get_context("fork")
    node = fork.Process(target=play_node, args=(listener, there, rate), daemon=True)
    node.start()
    try:
        async with serving(CONFIG.format(port=listener.getsockname()[1])) as proxy:
            left, stayed = await asyncio.to_thread(
                leave_one_by_one, proxy.port, streams, leaving, gap
            )
            told = await proxy.seconds("casedesk_cancel_seconds")
            for peer in stayed.values():
                peer.close()
            freed: dict[int, float] = {}
            while here.poll(0.5):
                number, at = here.recv()
                freed.setdefault(number, at)
    finally:
        node.terminate()
        node.join()
        listener.close()
    return report(streams, left, freed, told)


def report(
    streams: int, left: dict[int, tuple[str, float]], freed: dict[int, float], told: str
) -> bool:
    """Whether every node was freed in time."""
    good = True
    for how in ("FIN", "RST"):
        numbers = [number for number in left if left[number][0] == how]
        took = sorted((freed[one] - left[one][1]) * 1e3 for one in numbers if one in freed)
        good = good and len(took) == len(numbers) and all(ms <= LIMIT_MS for ms in took)
        line = f"{streams:5} streams  {how}  {len(took)} of {len(numbers)} freed"
        if took:
            shown = [f"{took[int(share * (len(took) - 1) + 0.5)]:.2f}" for share in (0.5, 0.99, 1)]
            line += f"  ms p50 {shown[0]}  p99 {shown[1]}  max {shown[2]}"
        click.echo(line)
    load = " ".join(f"{one:.2f}" for one in os.getloadavg())
    click.echo(f"      casedesk_cancel_seconds within (99 %, all): {told}; load average {load}")
    return good


@click.command(help=__doc__)
@click.option("-n", "--streams", multiple=True, type=int, default=(50, 200, 500), show_default=True)
@click.option("--leaving", default=50, show_default=True, help="Clients that leave.")
@click.option("--rate", default=10.0, show_default=True, help="Events a second in each stream.")
@click.option("--gap", default=0.02, show_default=True, help="Seconds between two that leave.")
def main(streams: tuple[int, ...], leaving: int, rate: float, gap: float) -> None:
    good = [asyncio.run(measure(count, leaving, rate, gap)) for count in streams]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
