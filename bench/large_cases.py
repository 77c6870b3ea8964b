"""Large requests and replies, and clients that send them at a pace."""

from __future__ import annotations

import json
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from bench.target import Target

__all__ = ["CASES", "Case", "Senders", "write_embeddings"]

MB = 1_000_000
CHAT = "/proxy/bench/openai/v1/chat/completions"
GEMINI = "/proxy/bench/gemini/v1beta/models/bench:"
ANTHROPIC = "/proxy/bench/anthropic/v1/messages"
_TURN = (
    'The quick brown fox jumps over the lazy dog, says "so" and – naïvely – does it again. ' * 48
)
_VECTORS, _DIMENSIONS = 2000, 1024
#: Requests of one case that may run at once; further ones are skipped and counted.
_MAX_RUNNING = 8
#: Seconds within which each must be answered.
_PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class Case:
    """``per_second`` requests, each on a connection of its own, however long the answers take.
    ``path`` None: the relay's own for chats. ``everybody``: a relay that does not read bodies
    supports it."""

    name: str
    per_second: float
    make: Callable[[], bytes] = bytes
    path: str | None = None
    everybody: bool = False


def _turns(size: int) -> Iterator[str]:
    return (_TURN for _ in range(size // len(_TURN.encode())))


def _write_chat(size: int, model: str = "bench") -> bytes:
    roles = ("user", "assistant")
    said = [{"role": roles[n % 2], "content": one} for n, one in enumerate(_turns(size))]
    return json.dumps({"model": model, "messages": said}, ensure_ascii=False).encode()


def _write_gemini(size: int) -> bytes:
    roles = ("user", "model")
    said = [{"role": roles[n % 2], "parts": [{"text": one}]} for n, one in enumerate(_turns(size))]
    return json.dumps({"contents": said}, ensure_ascii=False).encode()


def _write_picture(size: int) -> bytes:
    picture = {"inlineData": {"mimeType": "image/png", "data": "iVBORw0K" * (size // 8)}}
    parts = [{"text": "Was ist das – “ein Bild”?"}, picture]
    return json.dumps({"contents": [{"role": "user", "parts": parts}]}, ensure_ascii=False).encode()


def _write_anthropic(size: int) -> bytes:
    chat = json.loads(_write_chat(size))
    return json.dumps({**chat, "max_tokens": 9}, ensure_ascii=False).encode()


def _write_inputs(*, batch: bool) -> bytes:
    if not batch:
        return json.dumps({"model": "bench", "input": ["text"] * _VECTORS}).encode()
    one = {"model": "models/bench", "content": {"parts": [{"text": "text"}]}}
    return json.dumps({"requests": [one] * _VECTORS}).encode()


def write_embeddings() -> bytes:
    """A node's reply: 44 MB of vectors, in llama-server's form."""
    draw = random.Random(7)
    written = [json.dumps([draw.gauss(0, 0.03) for _ in range(_DIMENSIONS)]) for _ in range(50)]
    data = ",".join(
        f'{{"object":"embedding","index":{at},"embedding":{written[at % len(written)]}}}'
        for at in range(_VECTORS)
    )
    usage = '{"prompt_tokens":2000,"total_tokens":2000}'
    return f'{{"object":"list","data":[{data}],"model":"bench","usage":{usage}}}'.encode()


def _verbatim(megabytes: int, per_second: float) -> Case:
    name = f"{megabytes} MB as it is"
    return Case(name, per_second, lambda: _write_chat(megabytes * MB), everybody=True)


def _gemini(megabytes: int, per_second: float) -> Case:
    name, path = f"{megabytes} MB, Gemini to OpenAI", f"{GEMINI}generateContent"
    return Case(name, per_second, lambda: _write_gemini(megabytes * MB), path)


CASES = (
    Case("nothing else", 0, everybody=True),
    *(_verbatim(size, pace) for size, pace in ((1, 10), (10, 2), (30, 2))),
    Case("10 MB, model renamed", 2, lambda: _write_chat(10 * MB, "large"), CHAT),
    *(_gemini(size, pace) for size, pace in ((1, 10), (10, 2), (30, 2))),
    Case("10 MB, Anthropic to OpenAI", 2, lambda: _write_anthropic(10 * MB), ANTHROPIC),
    Case("picture of 10 MB, Gemini to OpenAI", 2, lambda: _write_picture(10 * MB),
         f"{GEMINI}generateContent"),
    Case("44 MB of vectors as they are", 1, lambda: _write_inputs(batch=False),
         "/v1/embeddings", everybody=True),
    Case("44 MB of vectors, OpenAI to Gemini", 1, lambda: _write_inputs(batch=True),
         f"{GEMINI}batchEmbedContents"),
)  # fmt: skip


@dataclass
class Senders:
    """``run`` sends one case's requests to a relay; afterwards ``seconds`` has the time of each,
    and ``failures`` the errors of the others."""

    target: Target
    case: Case
    seconds: list[float] = field(default_factory=list)
    failures: dict[str, int] = field(default_factory=dict)
    left_out: int = 0

    def run(self, until: float, each: Callable[[], None]) -> None:
        """Until ``until`` on the monotonic clock; ``each`` is called several times a second."""
        message, running = self._message(), []
        due = time.monotonic()
        while (now := time.monotonic()) < until:
            if self.case.per_second and now >= due:
                due += 1 / self.case.per_second
                running = [one for one in running if one.is_alive()]
                if len(running) < _MAX_RUNNING:
                    running.append(threading.Thread(target=self._send, args=(message,)))
                    running[-1].start()
                else:
                    self.left_out += 1
            each()
            time.sleep(
                max(0.0, min(due if self.case.per_second else until, until, now + 0.2) - now)
            )
        for one in running:
            one.join()

    def _message(self) -> bytes:
        body, path = self.case.make(), self.case.path or self.target.path
        if path.startswith("/v1/"):
            path = self.target.path.replace("/v1/chat/completions", path)
        lines = [f"POST {path} HTTP/1.1", "Host: bench", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in self.target.headers.items()]
        lines += ["Content-Type: application/json", "anthropic-version: 2023-06-01"]
        return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body

    def _send(self, message: bytes) -> None:
        begun, size, first = time.monotonic(), 0, b""
        try:
            with socket.create_connection(("127.0.0.1", self.target.port), _PATIENCE_S) as sock:
                sock.sendall(message)
                while piece := sock.recv(1 << 18):
                    first, size = first or piece, size + len(piece)
        except OSError as error:
            self._fail(type(error).__name__)
            return
        if first.startswith(b"HTTP/1.1 200 "):
            self.seconds.append(time.monotonic() - begun)
        else:
            self._fail(first[9:12].decode() or "closed")

    def _fail(self, why: str) -> None:
        self.failures[why] = self.failures.get(why, 0) + 1
