"""The input of the benchmarks: bytes recorded from real nodes and SDKs, and the load's own.

Nothing here uses the measured package: both trees get the same bytes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Reply", "Request", "load_events", "load_lines", "read_reply", "read_requests"]

CORPUS = Path(__file__).parent.parent.parent / "tests" / "corpus"
#: In engine/node.c's form, and about as large as in relay_cost.py.
_EVENT = (
    'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,'
    '"model":"bench","choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}]}\n\n'
)
_EVENT_SIZE = 300
#: Ollama's, of the same size.
_LINE = (
    '{"model":"bench","created_at":"2026-11-21T07:19:10.702261551Z","message":{"role":"assistant",'
    '"content":"%s"},"done":false}\n'
)


@dataclass(frozen=True, slots=True)
class Reply:
    """``head`` without its empty line; ``payloads`` are its chunks' content, in the node's
    pieces."""

    head: bytes
    payloads: tuple[bytes, ...]

    @property
    def body(self) -> bytes:
        return b"".join(self.payloads)

    @property
    def reads(self) -> tuple[bytes, ...]:
        """The body as a relay reads it: a chunk at a time, then the last one."""
        return (*(b"%x\r\n%b\r\n" % (len(one), one) for one in self.payloads), b"0\r\n\r\n")


@dataclass(frozen=True, slots=True)
class Request:
    """``block`` is the head without its empty line."""

    method: str
    target: str
    headers: tuple[tuple[bytes, bytes], ...]
    block: bytes
    body: bytes


def read_reply(name: str) -> Reply:
    """A chunked reply from tests/corpus/replies."""
    raw = (CORPUS / "replies" / f"{name}.http").read_bytes()
    head, _, rest = raw.partition(b"\r\n\r\n")
    payloads = []
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        if not length:
            break
        payloads.append(rest[:length])
        rest = rest[length + 2 :]
    return Reply(head, tuple(payloads))


def read_requests(*names: str) -> list[Request]:
    """Requests of SDKs from tests/corpus/clients, each file's first streaming request if any."""
    return [_first(CORPUS / "clients" / f"{name}.json") for name in names]


def _first(path: Path) -> Request:
    told = json.loads(path.read_text())
    streams = [one for one in told if "stream" in one["label"]]
    facts = (streams or told)[0]
    lines = [line.encode() for line in facts["headers"]]
    start = f"{facts['method']} {facts['target']} HTTP/1.1".encode()
    pairs = tuple((name, value.strip()) for name, _, value in (x.partition(b":") for x in lines))
    return Request(
        method=facts["method"],
        target=facts["target"],
        headers=pairs,
        block=b"\r\n".join([start, *lines]),
        body=json.dumps(facts.get("body", {})).encode(),
    )


def load_events(count: int) -> Reply:
    """A stream of the load's own node: events of 300 bytes, followed by usage and the end."""
    pad = _EVENT_SIZE - len(_EVENT % "")
    events = [(_EVENT % f"{number:0{pad}}").encode() for number in range(count)]
    usage = {"prompt_tokens": 7, "completion_tokens": count, "total_tokens": count + 7}
    last = b'data: {"choices":[],"usage":%b}\n\n' % json.dumps(usage).encode()
    finish = (_EVENT % "").replace('"finish_reason":null', '"finish_reason":"stop"').encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked"
    return Reply(head, (*events, finish, last, b"data: [DONE]\n\n"))


def load_lines(count: int) -> Reply:
    """The same in Ollama's form, one line for each event."""
    pad = _EVENT_SIZE - len(_LINE % "")
    lines = [(_LINE % f"{number:0{pad}}").encode() for number in range(count)]
    end = {"done_reason": "stop", "prompt_eval_count": 7, "eval_count": count}
    last = json.dumps({**json.loads(_LINE % ""), "done": True, **end}).encode() + b"\n"
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked"
    return Reply(head, (*lines, last))
