"""Writes a reply for a Responses client.

A reply that the node did not end is never ended here: there is then no ``response.completed``.
"""

from __future__ import annotations

from typing import Any

from casedesk_proxy.dialects.core.block_sequencer import TEXT
from casedesk_proxy.dialects.core.block_writer import BlockWriter
from casedesk_proxy.dialects.core.contract import Context
from casedesk_proxy.dialects.core.reply import Finish, ReplyChoice
from casedesk_proxy.dialects.responses.forms import REFUSAL, ResponseForm
from casedesk_proxy.terms import Position, Usage

__all__ = ["ResponsesWriter"]

#: The most characters of a node's own id.
_MAX_ID_CHARS = 64
#: Why an answer is incomplete, in OpenAI's terms.
_REASONS = {
    Finish.LENGTH: "max_output_tokens",
    Finish.FILTER: "content_filter",
    Finish.REFUSAL: "content_filter",
}


class ResponsesWriter(BlockWriter):
    """See ``BlockWriter``. The form maps names back."""

    def __init__(self, context: Context, form: ResponseForm) -> None:
        super().__init__(context, form, call_prefix="call_")
        #: A comment: nothing else is allowed before the first event, or between two.
        self.keepalive = form.ping
        self._form = form

    def _open(self, token: str, usage: Usage) -> None:
        ident = f"resp_{token[:_MAX_ID_CHARS]}"
        self._form.begin(ident, self._context.asked, int(self._context.now))

    def text(self, choice: ReplyChoice, text: str, *, last: bool = False) -> None:
        self._blocks.words(REFUSAL if choice.refused else TEXT, text)

    def log(self, choice: ReplyChoice, tokens: list[Any]) -> None:
        logprobs = [_read_logprob(one, alternatives=True) for one in tokens]
        self._form.say_logprobs([one for one in logprobs if one is not None])

    def end(self, choices: list[ReplyChoice], usage: Usage) -> None:
        finish = choices[0].finish
        cut = self._form.cut = finish is Finish.LENGTH
        self._blocks.complete(cut=cut, keep=cut)
        self._form.end(_REASONS.get(finish, "") if finish is not None else "", usage)

    def halt(self) -> tuple[bytes, Position]:
        self.begin(None, None, Usage(), answers=False)
        return self._form.halt()


def _read_logprob(one: Any, *, alternatives: bool = False) -> dict[str, Any] | None:
    """Chat's have the same form; OpenAI's types require each field."""
    token = one.get("token") if isinstance(one, dict) else None
    logprob = one.get("logprob") if isinstance(one, dict) else None
    if not isinstance(token, str) or type(logprob) not in (int, float):
        return None
    raw = one.get("bytes")
    whole = isinstance(raw, list) and all(type(byte) is int for byte in raw)
    read: dict[str, Any] = {
        "token": token,
        "bytes": raw if whole else list(token.encode("utf-8", "replace")),
        "logprob": logprob,
    }
    if alternatives:
        others = one.get("top_logprobs")
        top = [_read_logprob(other) for other in (others if isinstance(others, list) else ())]
        read["top_logprobs"] = [other for other in top if other is not None]
    return read
