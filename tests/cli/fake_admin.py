"""An admin listener that answers as a test requires, and records the requests."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


class FakeAdmin:
    """``replies`` by method and path; ``asked`` are the method and path of each request, with its
    key."""

    def __init__(self, replies: dict[str, tuple[int, Any]]) -> None:
        self.replies = replies
        self.asked: list[tuple[str, str]] = []
        fake = self

        class Answer(BaseHTTPRequestHandler):
            def answer(self) -> None:
                asked = f"{self.command} {self.path}"
                fake.asked.append((asked, self.headers.get("Authorization", "")))
                status, body = fake.replies.get(
                    asked, (404, {"error": {"message": "no such page"}})
                )
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

            do_GET = do_POST = answer

            def log_message(self, *args: object) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Answer)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.server_address[1]}"


@contextmanager
def fake_admin(replies: dict[str, tuple[int, Any]]) -> Iterator[FakeAdmin]:
    fake = FakeAdmin(replies)
    thread = threading.Thread(target=fake.server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield fake
    finally:
        fake.server.shutdown()
        fake.server.server_close()
        thread.join()


def stream(number: int, **changes: Any) -> dict[str, Any]:
    """One row of the console's status."""
    return {
        "id": f"r{number}", "key": f"key{number}", "deployment": "main", "surface": "openai",
        "model": "gemma2:9b", "node": "gpu0", "state": "streaming", "started": 1.0,
        "age_s": float(number), "tokens": number * 10, "tokens_per_second": 12.34, "bytes": 5,
        "queued_s": 0.0, **changes,
    }  # fmt: skip


def told(*rows: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The console's status."""
    node = {
        "name": "gpu0", "state": "up", "healthy": True, "in_flight": 3, "limit": 16, "waiting": 0,
        "asked": 40, "last_error": "", "models": [{"name": "gemma2:9b", "tokens_per_second": 40.4}],
    }  # fmt: skip
    return {
        "version": "1.2.3", "now": 1.0, "started": 0.0, "draining": False,
        "nodes": [node, {**node, "name": "gpu1", "state": "down", "limit": None, "models": [],
                         "last_error": "refused"}],
        "streams": {"total": len(rows), "rows": list(rows)},
        "queue": {"total": 2, "rows": []},
        "failures": [], "config": {"loaded": 0.0, "tried": 0.0, "refusal": None}, **changes,
    }  # fmt: skip
