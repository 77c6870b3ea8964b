"""The common interface of all reply bodies: what `ReplyMachine` calls.

A body belongs to one reply. If the client has the node's own framing, ``take`` returns the very
bytes object that the node sent.
"""

from __future__ import annotations

from collections.abc import Callable

from casedesk_proxy.errors import ProxyError, StreamBroken
from casedesk_proxy.replying.record import Terminal
from casedesk_proxy.terms import Dialect, Usage, record
from casedesk_proxy.wire.bodies import BodyReader, LengthReader
from casedesk_proxy.wire.chunked import frame_chunk

__all__ = ["Breach", "EarlyBody", "ReplyBody", "frame"]


@record
class Breach:
    """A reply that ends with an error: ``terminal`` is the exchange's end. ``lost``: the node
    reports that it has not begun the request."""

    error: ProxyError
    terminal: Terminal
    lost: bool = False


class ReplyBody:
    """A reply of which nothing is sent; subclasses override what they do differently.

    ``reader`` follows the node's framing. ``bare``: the client has no framing, so that the end of
    its connection is the end of the message (HTTP/1.0). ``is_whole``: the body is sent in one piece
    at its end, with its length. ``goes_ahead``: the head is sent as soon as the node's has arrived.
    ``is_translated``: a translator makes the reply; ``is_trimmed``: an event is removed from it.
    ``feed`` translates a chunk's payload on the fast path; None: the client gets the same chunk.
    """

    __slots__ = ("bare", "reader")

    is_whole = False
    goes_ahead = False
    is_translated = False
    is_trimmed = False
    feed: Callable[[bytes], bytes] | None = None

    def __init__(self, reader: BodyReader, *, bare: bool = False) -> None:
        self.reader = reader
        self.bare = bare

    @property
    def fast_path_limit(self) -> int:
        """Reads shorter than this may take the fast path now, if they are exactly one chunk."""
        return 0

    def take(self, data: bytes, used: int, *, unsent: bool) -> bytes:
        """Bytes for the client's wire, for a read whose first ``used`` bytes belong to the message;
        ``reader`` has the payload. ``unsent``: nothing has been sent to the client yet. Raises
        StreamBroken."""
        return b""

    def lets_by(self, chunk: bytes) -> bool:
        """Whether a long read that is exactly one chunk may be sent unchanged, if the fast path is
        open. If so, it is recorded, and ``reader`` need not see it."""
        return False

    def recall(self, reads: int, pieces: tuple[bytes, ...]) -> None:
        """Record reads that took the fast path; ``pieces`` are the last of them, unchanged."""

    def finish(self, *, unsent: bool) -> bytes | tuple[bytes, ...] | Breach:
        """The node's message is complete, or is ended in its place: the rest to send, with the end
        of the client's message; in pieces if it is a large whole body. Raises StreamBroken if the
        answer is not complete."""
        return b""

    def judge(self, error: StreamBroken, *, unsent: bool) -> Breach | None:
        """The consequence of the node's reply having broken; None if everything was already
        sent."""
        return Breach(error, Terminal.NODE_BROKE)

    def keep_alive(self) -> bytes:
        """Keepalive bytes for the client's wire; empty if none may be sent here."""
        return b""

    def error_bytes(self, error: ProxyError) -> bytes:
        """Bytes for the client's wire that report ``error``; empty if they may not be sent here."""
        return b""

    def is_answered(self) -> bool:
        """Whether the client has, or gets, the protocol's last event, so that the message may be
        ended in the node's place."""
        return False

    def usage(self, dialect: Dialect) -> Usage:
        """The token counts that the node reported in its reply, which is in ``dialect``."""
        return Usage()

    def is_given_up(self, dialect: Dialect) -> bool:
        """Whether the node reports in a complete reply that it did not finish its answer."""
        return False

    @property
    def refusal(self) -> tuple[int, bytes]:
        """For a translated reply: its status and the beginning of its body, as long as nothing of
        it has been sent. (0, b"") for others."""
        return 0, b""


class EarlyBody(ReplyBody):
    """What is sent before a node's head has arrived: ``keepalive`` returns one, ``ending`` the
    bytes that report an error after them."""

    __slots__ = ("_ending", "_keepalive")

    def __init__(
        self,
        keepalive: Callable[[], bytes],
        ending: Callable[[ProxyError], bytes],
        *,
        bare: bool,
    ) -> None:
        super().__init__(LengthReader(0), bare=bare)
        self._keepalive = keepalive
        self._ending = ending

    def keep_alive(self) -> bytes:
        return frame(self._keepalive(), bare=self.bare)

    def error_bytes(self, error: ProxyError) -> bytes:
        return frame(self._ending(error), bare=self.bare)


def frame(payload: bytes, *, bare: bool) -> bytes:
    """A payload made by the proxy, framed for the client's wire."""
    return payload if bare or not payload else frame_chunk(payload)
