"""A node's reply that is an error by its status: collected, judged, then sent."""

from __future__ import annotations

from collections.abc import Callable

from casedesk_proxy.errors import ProxyError, StreamBroken
from casedesk_proxy.replying.bodies.base import Breach, ReplyBody, frame
from casedesk_proxy.replying.bodies.translated import ReplyTranslation
from casedesk_proxy.replying.node_errors import MAX_ERROR_BYTES
from casedesk_proxy.replying.record import Terminal, terminal_of
from casedesk_proxy.terms import Dialect, Usage
from casedesk_proxy.wire.bodies import BodyReader
from casedesk_proxy.wire.http1 import ResponseHead

__all__ = ["NodeErrorBody", "TranslatedErrorBody"]


class _CollectedError(ReplyBody):
    """The part of the node's body that is examined."""

    __slots__ = ("_body",)

    def __init__(self, reader: BodyReader, *, bare: bool = False) -> None:
        super().__init__(reader, bare=bare)
        self._body = b""

    def take(self, data: bytes, used: int, *, unsent: bool) -> bytes:
        # One byte more than the limit shows that it is too long.
        self._body = (self._body + b"".join(self.reader.payload))[: MAX_ERROR_BYTES + 1]
        if len(self._body) > MAX_ERROR_BYTES and not self.reader.ended:
            raise StreamBroken("is too long", its="error")
        return b""


class NodeErrorBody(_CollectedError):
    """``judge_body`` returns the error to send, or None to send the body unchanged."""

    __slots__ = ("_judge_body",)

    is_whole = True

    def __init__(
        self,
        reader: BodyReader,
        judge_body: Callable[[bytes], ProxyError | None],
    ) -> None:
        super().__init__(reader)
        self._judge_body = judge_body

    def finish(self, *, unsent: bool) -> bytes | Breach:
        fault = self._judge_body(self._body)
        return self._body if fault is None else _breach(fault, unsent=unsent)

    def judge(self, error: StreamBroken, *, unsent: bool) -> Breach | None:
        """An incomplete error reply is still an error reply."""
        return _breach(self._judge_body(self._body) or error, unsent=unsent)


class TranslatedErrorBody(_CollectedError):
    """The same for a node that speaks another protocol. The node's body is not sent; if the client
    has received keepalives, the error follows them in the stream."""

    __slots__ = ("_head", "_translation")

    is_translated = True

    def __init__(
        self,
        reader: BodyReader,
        head: ResponseHead,
        translation: ReplyTranslation,
        *,
        bare: bool,
    ) -> None:
        super().__init__(reader, bare=bare and not translation.is_whole)
        self._head = head
        self._translation = translation

    def finish(self, *, unsent: bool) -> bytes | Breach:
        return self._judge(unsent=unsent)

    def judge(self, error: StreamBroken, *, unsent: bool) -> Breach | None:
        return self._judge(unsent=unsent)

    def error_bytes(self, error: ProxyError) -> bytes:
        return frame(self._translation.break_off(error), bare=self.bare)

    def usage(self, dialect: Dialect) -> Usage:
        return self._translation.translator.usage

    @property
    def refusal(self) -> tuple[int, bytes]:
        return self._head.status, self._body[:MAX_ERROR_BYTES]

    def _judge(self, *, unsent: bool) -> Breach:
        fault = self._translation.judge_error(self._head.status, self._head.headers, self._body)
        return _breach(fault, unsent=unsent)


def _breach(fault: ProxyError, *, unsent: bool) -> Breach:
    """A client that has received keepalives has its status: the error is then inside the reply."""
    return Breach(fault, Terminal.COMPLETED if unsent else terminal_of(fault))
