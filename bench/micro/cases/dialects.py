"""dialects: recorded streams through the translators, up to and including the end of the answer.

Reads are the node's own chunks. The translators are made before the clock runs, as `translate`
makes them for a short question; its own cost is not included.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from bench.micro.recorded import read_reply
from bench.micro.work import Case, Work
from casedesk_proxy.dialects.core.contract import Context, TranslatedRequest
from casedesk_proxy.dialects.pairs import anthropic_openai, gemini_anthropic, gemini_openai
from casedesk_proxy.engines.vllm import SPEC as VLLM
from casedesk_proxy.terms import Action, Call, Dialect, Framing

_SAID = "Hello, this is a"
_GEMINI: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
_ANTHROPIC: dict[str, Any] = {
    "model": "tiny", "max_tokens": 64, "stream": True,
    "messages": [{"role": "user", "content": "Hi"}],
}  # fmt: skip


def _prepare(pair: Any, call: Call, body: dict[str, Any], recorded: str, end: bytes) -> Work:
    reads = read_reply(recorded).payloads
    context = Context(model="tiny", asked="tiny", engine=VLLM, request_id="r1")

    def make() -> Any:
        made = pair.translate(call, body, context)
        assert isinstance(made, TranslatedRequest)
        return made.translator

    def run(machine: Any) -> list[bytes]:
        feed = machine.feed
        pieces = [feed(read) for read in reads]
        pieces.append(machine.finish())
        return pieces

    def check(pieces: list[bytes]) -> None:
        sent = b"".join(pieces)
        words = re.findall(rb'"text":\s*"([^"]*)"', sent)
        assert b"".join(words).decode().startswith(_SAID)
        assert end in sent

    return Work(run, check, len(reads), make)


def _gemini(pair: Any, recorded: str) -> Callable[[], Work]:
    call = Call(Dialect.GEMINI, Action.STREAM_GENERATE, None, "tiny", "v1beta", framing=Framing.SSE)
    return lambda: _prepare(pair, call, _GEMINI, recorded, b'"finishReason":"STOP"')


def _anthropic() -> Work:
    call = Call(Dialect.ANTHROPIC, Action.MESSAGES, None)
    recorded = "vllm-0.32.0.chat-stream-usage"
    return _prepare(anthropic_openai, call, _ANTHROPIC, recorded, b"event: message_stop")


CASES = (
    Case(
        "dialects/gemini_openai", "chunk of a vLLM chat",
        _gemini(gemini_openai, "vllm-0.32.0.chat-stream-usage"),
    ),
    Case(
        "dialects/gemini_anthropic", "chunk of vLLM messages",
        _gemini(gemini_anthropic, "vllm-0.32.0.messages-stream"),
    ),
    Case("dialects/anthropic_openai", "chunk of a vLLM chat", _anthropic),
)  # fmt: skip
