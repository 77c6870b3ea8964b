"""Writes a reply for an Anthropic client.

A reply that the node did not end is never ended here: there is then no ``message_stop``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from casedesk_proxy.dialects.anthropic.forms import ReplyForm
from casedesk_proxy.dialects.core.block_writer import BlockWriter
from casedesk_proxy.dialects.core.contract import Context
from casedesk_proxy.dialects.core.reply import Finish, ReplyChoice
from casedesk_proxy.terms import Usage

__all__ = ["AnthropicWriter"]


class AnthropicWriter(BlockWriter):
    """See ``BlockWriter``. ``stops`` are the client's stop strings."""

    def __init__(
        self,
        context: Context,
        form: ReplyForm,
        *,
        names: Mapping[str, str] | None = None,
        stops: tuple[str, ...] = (),
    ) -> None:
        super().__init__(context, form, names=names)
        self.halt = form.halt
        self.text = self._blocks.text
        self._form = form
        self._stops = stops

    def expect(self, prompt_tokens: int) -> None:
        """Set the prompt's size as the node's tokenizer counted it, for the beginning of the
        message."""
        self._context = replace(self._context, prompt_tokens=prompt_tokens)

    def _open(self, token: str, usage: Usage) -> None:
        counts = {"input_tokens": 0} | self._counts(usage)
        self._form.begin(f"msg_{token}", self._context.asked, counts)

    def log(self, choice: ReplyChoice, tokens: list[Any]) -> None:
        """Anthropic's API has no log probabilities."""

    def end(self, choices: list[ReplyChoice], usage: Usage) -> None:
        choice = choices[0]
        matched = self._matched(choice)
        cut = choice.finish is Finish.LENGTH
        whole = self._blocks.complete(cut=cut or matched is not None, keep=cut)
        reason = self._reason(choice, matched, whole)
        sequence = matched if reason == "stop_sequence" else None
        self._form.end(reason, sequence, self._counts(usage))

    def keepalive(self) -> bytes:
        """A ping, after the beginning of the message: no event is allowed before it."""
        self.begin(None, None, Usage(), answers=False)
        return self._form.ping()

    def _matched(self, choice: ReplyChoice) -> str | None:
        """The stop string that ended the answer."""
        if isinstance(choice.matched, str) and choice.matched in self._stops:
            return choice.matched
        only = choice.finish is Finish.STOP_SEQUENCE and len(self._stops) == 1
        return self._stops[0] if only else None

    def _reason(self, choice: ReplyChoice, matched: str | None, whole: bool) -> str:
        """The calls themselves decide whether tools are used, never the node's finish reason: vLLM
        sends ``stop`` after a named choice, and ``tool_calls`` without any call (vLLM 53255)."""
        if choice.finish is Finish.LENGTH:
            return "max_tokens"
        if choice.refused or choice.finish in (Finish.FILTER, Finish.REFUSAL):
            return "refusal"
        if self._blocks.uses_tools and whole:
            return "tool_use"
        # A call that a stop string cut short must not look complete.
        return "end_turn" if matched is None else "stop_sequence"

    def _counts(self, usage: Usage) -> dict[str, Any]:
        """Anthropic's input excludes tokens that came from the cache; its output includes
        thinking."""
        prompt = usage.prompt if usage.prompt is not None else self._context.prompt_tokens
        cached = usage.cached or 0
        counts: dict[str, Any] = {} if prompt is None else {"input_tokens": max(prompt - cached, 0)}
        counts["cache_creation_input_tokens"] = 0
        counts["cache_read_input_tokens"] = cached
        counts["output_tokens"] = usage.output or 0
        if usage.thoughts:
            counts["output_tokens_details"] = {"thinking_tokens": usage.thoughts}
        return counts
