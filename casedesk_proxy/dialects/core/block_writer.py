"""The common part of writers for client protocols whose replies consist of blocks."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Protocol

from casedesk_proxy.dialects.core.block_sequencer import THINKING, BlockForm, BlockSequencer
from casedesk_proxy.dialects.core.calls import ToolCall
from casedesk_proxy.dialects.core.contract import Context
from casedesk_proxy.dialects.core.ids import make_token, reply_token
from casedesk_proxy.dialects.core.reply import Finish, ReplyChoice
from casedesk_proxy.errors import StreamBroken
from casedesk_proxy.terms import Usage

__all__ = ["BlockWriter"]


class _Form(BlockForm, Protocol):
    """The form of one reply: events, or one body."""

    content_type: str

    def take(self) -> bytes: ...

    def close(self) -> bytes: ...

    def more(self, text: bytes) -> bytes: ...


class BlockWriter:
    """See ``reply.ReplyWriter``. For a reply of one choice. ``names`` maps the node's function
    names to the client's; ``call_prefix`` is the beginning of ids that are made for calls."""

    def __init__(
        self,
        context: Context,
        form: _Form,
        *,
        names: Mapping[str, str] | None = None,
        call_prefix: str = "",
    ) -> None:
        self.content_type = form.content_type
        self.take = form.take
        self.close = form.close
        self.more = form.more
        self._context = context
        make_id = functools.partial(_make_call_id, call_prefix, context.request_id)
        self._blocks = BlockSequencer(form, names or {}, make_id)
        self._begun = False

    def begin(self, model: Any, ident: Any, usage: Usage, *, answers: bool) -> None:
        if not self._begun:
            self._begun = True
            self._open(reply_token(ident, self._context.request_id), usage)

    def _open(self, token: str, usage: Usage) -> None:
        """Write the reply's beginning, once. ``token`` is the unique part of the reply's id."""
        raise NotImplementedError

    def choice(self, index: int) -> ReplyChoice:
        return ReplyChoice(index)

    def thought(self, choice: ReplyChoice, text: str) -> None:
        self._blocks.words(THINKING, text)

    def call(self, choice: ReplyChoice, call: ToolCall, piece: str) -> None:
        self._blocks.call(call, piece)

    def finish(self, choice: ReplyChoice) -> None:
        if choice.finish is Finish.REPETITION:
            # No protocol of blocks has a reason for this, and each existing reason means something
            # else.
            raise StreamBroken("stopped the model because it repeated itself")

    def repeats(self, choice: ReplyChoice) -> bool:
        return self._blocks.speaks


def _make_call_id(prefix: str, request_id: str, nth: int) -> str:
    return prefix + make_token(f"{request_id}/call {nth}")
