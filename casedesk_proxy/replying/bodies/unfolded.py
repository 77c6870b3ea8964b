"""The reply of a node that answers a request for a stream with one document: some engines ignore
``stream``, for a model, for tools, or always (cyllama). SDKs do not notice: OpenAI's yield nothing.

The client gets the stream that it asked for. A stream of which only the content type is wrong is
recognised by its first bytes and passed on, and Google's array, for which ``alt=sse`` was lost on
its way, becomes the events.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from casedesk_proxy.dialects.anthropic.unfolding import unfold_message
from casedesk_proxy.dialects.core.body_translator import LateReply
from casedesk_proxy.dialects.core.events import MAX_HELD_BYTES, read_reply
from casedesk_proxy.dialects.gemini.unfolding import unfold_content
from casedesk_proxy.dialects.openai.unfolding import unfold_chat, unfold_completion
from casedesk_proxy.dialects.responses.unfolding import unfold_response
from casedesk_proxy.errors import StreamBroken
from casedesk_proxy.jsonio import TooDeep
from casedesk_proxy.replying.bodies.translated import TranslatedBody
from casedesk_proxy.replying.completeness import is_given_up, is_unfinished
from casedesk_proxy.replying.endings import Form
from casedesk_proxy.replying.in_stream_errors import read_within
from casedesk_proxy.replying.positions import position_of
from casedesk_proxy.terms import Action, Dialect, Position
from casedesk_proxy.usage.extract import find_usage
from casedesk_proxy.usage.tap import MAX_PIECE_BYTES, Tap
from casedesk_proxy.wire.jsonarray import ArrayScanner, ArrayTooLarge, NotAnArray
from casedesk_proxy.wire.sse import google_frame

__all__ = ["UNFOLDERS", "Unfold", "UnfoldedBody", "UnfoldingTranslator"]

#: The stream that has the content of a node's object. Raises StreamBroken if it is not an
#: answer.
Unfold = Callable[[dict[str, Any]], bytes]

UNFOLDERS: Mapping[Action, Unfold] = {
    Action.CHAT: unfold_chat,
    Action.COMPLETE: unfold_completion,
    Action.MESSAGES: unfold_message,
    Action.RESPOND: unfold_response,
    Action.STREAM_GENERATE: unfold_content,
}
#: The beginning of a stream: a line of an event, or a comment.
_EVENT = re.compile(rb"(?:\xef\xbb\xbf)?(?:data|event|id|retry)?:")

_IN_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")


class UnfoldingTranslator(LateReply):
    """See ``dialects.core.contract.Translator``. ``keepalive``: the bytes for a client that
    waits."""

    def __init__(self, surface: Dialect, asked: str, unfold: Unfold, keepalive: bytes) -> None:
        super().__init__(surface, asked)
        self.content_type = "text/event-stream; charset=utf-8"
        self._unfold = unfold
        self._keepalive = keepalive
        self._body = bytearray()
        #: For a stream, and Google's array in its place.
        self._tap: Tap | None = None
        self._elements: ArrayScanner | None = None

    def feed(self, data: bytes) -> bytes:
        if self._tap is not None:
            data = self._as_events(data)
            self._tap.take(data)
            return data
        self._body += data
        if len(self._body) > MAX_HELD_BYTES:
            raise StreamBroken("is too large", its="reply")
        begun = bytes(self._body[:MAX_PIECE_BYTES]).lstrip()
        if not begun or begun.startswith(b"{") or len(self._body) < 8:
            return b""
        return self._pass_on(bytes(self._body))

    def finish(self) -> bytes:
        body = bytes(self._body)
        if self._tap is None:
            if not body.strip():
                raise StreamBroken("was empty", its="reply")
            document = read_reply(body)
            try:
                made = self._unfold(document)
            except TooDeep:
                raise StreamBroken("sent a reply that is nested too deeply") from None
        elif self._is_unfinished(self._tap):
            raise StreamBroken("ended before the answer was complete", its="reply")
        else:
            made = b""
        self.usage = find_usage(self._surface, b"", self.tail)
        self.complete = True
        return made

    def halt(self) -> tuple[bytes, Position]:
        tap = self._tap
        return b"", Position.BETWEEN if tap is None else position_of(Form.EVENTS, tap)

    def keepalive(self) -> bytes:
        return self._keepalive if self.halt()[1] is Position.BETWEEN else b""

    @property
    def tail(self) -> bytes:
        """The last bytes of the node's body."""
        return bytes(self._body[-MAX_PIECE_BYTES:]) if self._tap is None else self._tap.last

    def _as_events(self, data: bytes) -> bytes:
        if self._elements is None:
            return data
        try:
            # Google writes each in several lines, which end outside of texts.
            elements = (one.translate(_IN_ONE_LINE) for one in self._elements.feed(data))
            return b"".join(map(google_frame, elements))
        except (NotAnArray, ArrayTooLarge) as error:
            raise StreamBroken(f"sent an array that cannot be read: {error}") from None

    def _is_unfinished(self, tap: Tap) -> bool:
        if self._elements is not None and not self._elements.ended:
            return True
        return is_unfinished(self._surface, tap.first, tap.last)

    def _pass_on(self, data: bytes) -> bytes:
        if (error := read_within(data)) is not None:
            raise error
        if self._surface is Dialect.GEMINI and data.lstrip().startswith(b"["):
            self._elements = ArrayScanner()
            data = self._as_events(data)
        elif _EVENT.match(data.lstrip(b"\r\n")) is None:
            raise StreamBroken("answered a request for a stream with neither events nor JSON")
        self._tap = Tap()
        self._body.clear()
        self._tap.take(data)
        return data


class UnfoldedBody(TranslatedBody):
    """A reply that `UnfoldingTranslator` translates."""

    _translator: UnfoldingTranslator

    def is_given_up(self, dialect: Dialect) -> bool:
        return is_given_up(dialect, self._translator.tail)
