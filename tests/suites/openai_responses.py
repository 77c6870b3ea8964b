"""openai-python's own tests of Responses, run directly on a scripted node and through the proxy:
``python -m tests.suites.openai_responses``. No test that passes directly may fail through the
proxy.

The tests are not in the wheel: the source distribution of the installed version is downloaded. The
node answers every request with a response in vLLM's form, as the mock server does for which the
tests were written. Through the proxy, the responses that they request by id are created before.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.fixtures.proxy import key_entry, proxy_process
from tests.fixtures.responders import VLLM, answer, frames, response
from tests.suites.suite import fetch, run

#: What the tests' clients have for a key, and the ids that they ask for.
KEY = "My API Key"
IDS = ("resp_677efb5139a88190b512bc3fef8e535d", "response_id", "resp_123", "previous_response_id")
TESTS = ("tests/api_resources/test_responses.py", "tests/api_resources/responses")


class Node(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if "/input_items" in self.path:
            self._send({"object": "list", "data": [], "has_more": False})
        elif "stream=true" in self.path:
            self._stream({})
        else:
            self._send(response(VLLM, {}, [], "completed"))

    def do_DELETE(self) -> None:
        self._send({})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"] or 0)) or b"{}")
        if self.path.endswith(("/input_tokens", "/tokenize")):
            self._send({"object": "response.input_tokens", "input_tokens": 5, "count": 5})
        elif not asked and self.path.endswith("/responses"):
            # Every node refuses what asks for nothing; the mock server answers it.
            self.send_error(400)
        elif asked.get("stream"):
            self._stream(asked)
        else:
            made = response(VLLM, asked, [answer({})], "completed")
            self._send(made | {"id": (asked.get("metadata") or {}).get("id", made["id"])})

    def handle(self) -> None:
        with suppress(ConnectionResetError):
            super().handle()

    def _send(self, value: dict[str, Any]) -> None:
        usage = value.get("usage")
        if usage:
            # The tests compare with the types of OpenAI's own, which engines lack in parts.
            usage = usage | {"input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 0}}
            value = value | {"created_at": 1764380000.5, "usage": usage}
        body = json.dumps(value).encode()
        self._head("application/json", len(body))
        self.wfile.write(body)

    def _stream(self, asked: dict[str, object]) -> None:
        body = b"".join(frames(VLLM, {**asked, "tools": []}))
        self._head("text/event-stream", len(body))
        self.wfile.write(body)

    def _head(self, kind: str, length: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def serving() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Node)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


def make_responses(base: str) -> None:
    """The responses that the tests request."""
    for ident in IDS:
        body = json.dumps(
            {"model": "gpt-6-astra", "input": "x", "metadata": {"id": ident}}
        ).encode()
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
        made = urllib.request.Request(f"{base}/responses", body, headers)
        with urllib.request.urlopen(made) as reply:
            assert json.load(reply)["id"] == ident


def main() -> None:
    with tempfile.TemporaryDirectory() as name, serving() as node:
        folder = Path(name)
        source = fetch("openai", folder)
        alone = run(source, TESTS, {"TEST_API_BASE_URL": f"{node}/v1"})
        # Some name no model: there is only one, and the other name for it is listed nowhere.
        models = {"models": ["gpt-6-astra"], "speaks": ["openai", "responses"]}
        config = {
            "default_deployment": "d",
            "nodes": {"n": {"url": node, "engine": "openai", **models}},
            "deployments": {"d": {"nodes": ["n"], "aliases": {"mod[e]l": "gpt-6-astra"}}},
            "keys": [key_entry(KEY, "d")],
        }
        with proxy_process(folder, config) as proxy:
            make_responses(f"{proxy.url}/v1")
            through = run(source, TESTS, {"TEST_API_BASE_URL": f"{proxy.url}/v1"})
    worse = [one for one in alone if alone[one] == "PASSED" and through.get(one) != "PASSED"]
    for told, results in (("directly", alone), ("through the proxy", through)):
        passed = sum(result == "PASSED" for result in results.values())
        print(f"{told}: {passed} of {len(results)} passed")
    print("\n".join(["worse:", *worse]) if worse else "nothing that passes directly fails")
    sys.exit(bool(worse))


if __name__ == "__main__":
    main()
