"""Large requests beside streams: what is sent, how it is counted, and the report."""

from __future__ import annotations

import itertools
import json
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.engine.histogram import Histogram
from bench.large import Window, as_markdown
from bench.large_cases import CASES, Case, Senders, write_embeddings
from bench.target import Target


def test_requests_are_what_they_are_called() -> None:
    for case in CASES:
        if case.name.startswith(("1 MB", "picture of 10 MB")):
            body = case.make()
            megabytes = 10 if "10 MB" in case.name else 1
            assert 0.9 < len(body) / megabytes / 1e6 < 1.1, case.name
            assert json.loads(body)


def test_the_node_s_vectors_are_whole() -> None:
    reply = write_embeddings()
    assert reply.count(b'"index":') == 2000
    first = reply[reply.index(b'{"object":"embedding"') : reply.index(b"]") + 2]
    assert len(json.loads(first)["embedding"]) == 1024


class Answering(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        said = b""
        while not said.endswith(b"END"):
            said += self.request.recv(1 << 16)
        self.request.sendall(
            b"HTTP/1.1 503 No\r\n\r\n" if b"/no" in said else b"HTTP/1.1 200 OK\r\n\r\n"
        )


@contextmanager
def answering() -> Iterator[int]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_requests_are_sent_at_their_pace_and_counted() -> None:
    with answering() as port:
        for path, answered in (("/yes", True), ("/no", False)):
            target = Target("x", "1", [], port, headers={"Authorization": "Bearer k"})
            senders = Senders(target, Case("x", 50, lambda: b"x" * 100_000 + b"END", path))
            looks = itertools.count()
            senders.run(time.monotonic() + 0.1, lambda looks=looks: next(looks))
            assert next(looks)
            assert bool(senders.seconds) is answered
            assert bool(senders.failures.get("503")) is not answered


def test_the_report_has_each_case_of_each_relay() -> None:
    def window(late_ns: int) -> Window:
        return Window(Histogram(((1_000_000, 999), (late_ns, 1))), 0, [0.5], {}, 0, 1, 2048, 0.5)

    turn = {"proxy": {"nothing else": window(2_000_000), "1 MB": window(5_000_000)}}
    turn["nginx"] = {"nothing else": window(1_000_000)}
    facts = {
        "versions": {"proxy": "1", "nginx": "2"}, "cases": {"nothing else": 0, "1 MB": 10},
        "settings": {"streams": 4, "rate": 5.0, "seconds": 1.0}, "machine": {}, "skipped": {},
    }  # fmt: skip
    rows = [line.split("|") for line in as_markdown([turn, turn], facts).splitlines()]
    cells = [[cell.strip() for cell in row[1:4]] for row in rows if len(row) > 4]
    assert cells[2:] == [
        ["nothing else", "0", "proxy"], ["nothing else", "0", "nginx"], ["1 MB", "10", "proxy"],
    ]  # fmt: skip
