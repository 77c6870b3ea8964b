"""Events in the place of Google's JSON array, for which a client asks that leaves ``alt=sse`` out:
LiteLLM always sends events. Such clients read nothing but an array."""

from __future__ import annotations

from casedesk_proxy.dialects.core.body_translator import LateReply
from casedesk_proxy.dialects.core.events import read_object
from casedesk_proxy.errors import StreamBroken
from casedesk_proxy.replying.completeness import is_unfinished
from casedesk_proxy.terms import Dialect, Position
from casedesk_proxy.usage.tap import Tap
from casedesk_proxy.wire.jsonarray import ArrayWriter
from casedesk_proxy.wire.sse import Event, EventDecoder, EventTooLarge

__all__ = ["ArrayingTranslator"]


class ArrayingTranslator(LateReply):
    """See ``dialects.core.contract.Translator``. ``is_opened``: the client has the array's opening
    bracket, as a keepalive."""

    def __init__(self, asked: str, *, is_opened: bool) -> None:
        super().__init__(Dialect.GEMINI, asked)
        self._decoder, self._array = EventDecoder(), ArrayWriter()
        #: Of the events.
        self._tap = Tap()
        if is_opened:
            self._array.blank()

    def feed(self, data: bytes) -> bytes:
        self._tap.take(data)
        try:
            return self._write(self._decoder.feed(data))
        except EventTooLarge:
            raise StreamBroken("sent an event that is too large") from None

    def finish(self) -> bytes:
        last = self._write(self._decoder.finish())
        if self._array.position in (Position.UNOPENED, Position.OPENED):
            raise StreamBroken("was empty", its="reply")
        if is_unfinished(Dialect.GEMINI, self._tap.first, self._tap.last):
            raise StreamBroken("ended before the answer was complete", its="reply")
        self._count()
        self.complete = True
        return last + self._array.close()

    def halt(self) -> tuple[bytes, Position]:
        self._count()
        return b"", self._array.position

    def keepalive(self) -> bytes:
        return self._array.blank()

    def _count(self) -> None:
        self.usage = self._tap.usage(Dialect.GEMINI)

    def _write(self, events: list[Event]) -> bytes:
        return b"".join(self._array.element(_check(data)) for _, data in events if _says(data))


def _says(data: bytes) -> bool:
    """Whether it is more than a mark: some servers end with OpenAI's [DONE]."""
    return bool(data) and not data.isspace() and data.strip() != b"[DONE]"


def _check(data: bytes) -> bytes:
    """An element as it came: one that is not JSON would make the whole array unreadable. Raises
    what `read_object` raises."""
    read_object(data)
    return data.strip()
