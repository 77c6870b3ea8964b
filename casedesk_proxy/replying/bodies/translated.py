"""A reply in another protocol than the client's: the node's body passes through a translator."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from casedesk_proxy.dialects.core.contract import Translator
from casedesk_proxy.errors import ClientFault, NodeError, ProxyError, StreamBroken
from casedesk_proxy.pools.retry import RETRYABLE_STATUSES
from casedesk_proxy.replying.bodies.base import Breach, ReplyBody, frame
from casedesk_proxy.replying.endings import Form, place_error
from casedesk_proxy.replying.in_stream_errors import read_within
from casedesk_proxy.replying.node_errors import MAX_ERROR_BYTES, without_key
from casedesk_proxy.replying.record import Terminal, terminal_of
from casedesk_proxy.terms import Dialect, RawHeaders, Usage, record
from casedesk_proxy.wire.bodies import BodyReader
from casedesk_proxy.wire.chunked import HEADS, LAST_CHUNK, ChunkReader

__all__ = ["ReplyTranslation", "TranslatedBody"]

#: Longer documents are not passed to the kernel in one round of the loop.
_PIECE_BYTES = 128 * 1024


@record
class ReplyTranslation:
    """How one reply is translated for its client. ``key`` is the node's, which no client may
    learn."""

    translator: Translator
    surface: Dialect
    form: Form
    key: str | None = dataclasses.field(default=None, repr=False)

    @property
    def is_whole(self) -> bool:
        """Whether the client gets one document, not a stream."""
        return self.form is Form.UNARY

    def judge_error(self, status: int, headers: RawHeaders, body: bytes) -> ProxyError:
        """The error for the client, of a node's error reply or of an error in its reply."""
        shown = without_key(body[:MAX_ERROR_BYTES], self.key)
        return self.translator.refuse(status, headers, shown)

    def break_off(self, error: ProxyError) -> bytes:
        """The end of a reply that breaks: the bytes that were due, and the error after them."""
        due, position = self.translator.halt()
        return due + place_error(self.surface, self.form, position, error, first=due, last=due)


class TranslatedBody(ReplyBody):
    """A stream is sent while it is translated, any other reply in one piece at the end. The
    client's head is held back until there is something to send, so that an earlier failure can
    still be a plain error reply."""

    __slots__ = (
        "_early", "_on_first_bytes", "_translation", "_translator", "_whole", "feed", "is_whole",
    )  # fmt: skip

    is_translated = True

    def __init__(
        self,
        reader: BodyReader,
        translation: ReplyTranslation,
        *,
        bare: bool,
        on_first_bytes: Callable[[bytes], None] | None = None,
    ) -> None:
        """``bare`` only concerns streams. ``on_first_bytes`` gets the first bytes of the node's
        body."""
        self.is_whole = translation.is_whole
        super().__init__(reader, bare=bare and not self.is_whole)
        self.feed = translation.translator.feed
        self._translation = translation
        self._translator = translation.translator
        #: The beginning of the node's body.
        self._early = b""
        #: For a reply that is sent in one piece: what has been translated so far.
        self._whole = b""
        self._on_first_bytes = on_first_bytes

    @property
    def fast_path_limit(self) -> int:
        short = isinstance(self.reader, ChunkReader) and self.reader.at_boundary
        return len(HEADS) if short and not self.is_whole and not self.bare else 0

    def take(self, data: bytes, used: int, *, unsent: bool) -> bytes:
        payload = b"".join(self.reader.payload)
        if self._on_first_bytes is not None and payload and not self._early:
            self._on_first_bytes(payload)
        if len(self._early) < MAX_ERROR_BYTES and (unsent or not self._early):
            self._early += payload[:MAX_ERROR_BYTES]
        translated = self._translator.feed(payload) if payload else b""
        if self.is_whole:
            # It may be complete, but whether the node ends it correctly is not known yet.
            self._whole += translated
            return b""
        return frame(translated, bare=self.bare)

    def finish(self, *, unsent: bool) -> bytes | tuple[bytes, ...] | Breach:
        rest = self._translator.finish()
        if isinstance(rest, tuple):
            assert self.is_whole, "pieces are those of a body"
            return rest
        if self.is_whole:
            return _cut(self._whole + rest)
        return frame(rest, bare=self.bare) + (b"" if self.bare else LAST_CHUNK)

    def judge(self, error: StreamBroken, *, unsent: bool) -> Breach | None:
        """An error in a reply of status 200 is judged as an HTTP error, as long as that is
        possible."""
        if self._translator.complete:
            return None
        if not isinstance(error, NodeError):
            return Breach(error, Terminal.NODE_BROKE)
        fault = self._translation.judge_error(error.answered, (), error.body)
        if isinstance(fault, ClientFault):
            return Breach(fault, Terminal.COMPLETED if unsent else terminal_of(fault))
        if not unsent or read_within(self._early) is None:
            # A part of the answer had arrived: if the client repeats the request, it is generated
            # again.
            error.said = fault.said
            return Breach(error, Terminal.NODE_BROKE)
        # The fault is the node's. If it reports that it has not begun, another node may get the
        # request.
        return Breach(fault, Terminal.NODE_BROKE, lost=error.answered in RETRYABLE_STATUSES)

    def keep_alive(self) -> bytes:
        return b"" if self.is_whole else frame(self._translator.keepalive(), bare=self.bare)

    def error_bytes(self, error: ProxyError) -> bytes:
        return frame(self._translation.break_off(error), bare=self.bare)

    def is_answered(self) -> bool:
        return self._translator.complete

    def usage(self, dialect: Dialect) -> Usage:
        return self._translator.usage

    @property
    def refusal(self) -> tuple[int, bytes]:
        return 200, self._early


def _cut(document: bytes) -> bytes | tuple[bytes, ...]:
    """The document, in pieces if it is large."""
    if len(document) <= _PIECE_BYTES:
        return document
    places = range(0, len(document), _PIECE_BYTES)
    return tuple(document[at : at + _PIECE_BYTES] for at in places)
