"""What all ways of passing on a reply have in common: what `ReplyMachine` asks of them.

A body belongs to one reply. Where the client has the node's own framing, ``take`` returns the very
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
    """A reply that ends with an error: ``terminal`` is the exchange's end then. ``lost``: the node
    says that it has not begun to work."""

    error: ProxyError
    terminal: Terminal
    lost: bool = False


class ReplyBody:
    """A reply of which nothing goes out; the others say what they do differently.

    ``reader`` follows the node's framing. ``bare``: the client has no framing, so that the end of
    its connection is the end of the message (HTTP/1.0). ``is_whole``: the body goes out in one
    piece at its end, with its length. ``goes_ahead``: the head goes out as soon as the node's has
    come. ``is_translated``: the reply is made by a translator; ``is_trimmed``: an event is taken
    out of it. ``feed`` makes a chunk's payload the client's on the short way; None: the client gets
    the very chunk.
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
    def room(self) -> int:
        """Reads shorter than this may take the short way now, if they are exactly one chunk."""
        return 0

    def take(self, data: bytes, used: int, *, unsent: bool) -> bytes:
        """Bytes for the client's wire, for a read of which the first ``used`` bytes are the
        message's and ``reader`` has the payload. ``unsent``: nothing has gone to the client yet.
        Raises StreamBroken."""
        return b""

    def lets_by(self, chunk: bytes) -> bool:
        """Whether a long read that is exactly one chunk may go out as it is, where the short way is
        open. It has been taken note of then, and ``reader`` need not see it."""
        return False

    def recall(self, reads: int, pieces: tuple[bytes, ...]) -> None:
        """Reads went the short way; ``pieces`` are the last of them, as they came."""

    def finish(self, *, unsent: bool) -> bytes | tuple[bytes, ...] | Breach:
        """The node's message is complete, or is ended in its place: what is still to go out, with
        the end of the client's message; in pieces where it is a large body that is whole. Raises
        StreamBroken where the answer is not complete."""
        return b""

    def judge(self, error: StreamBroken, *, unsent: bool) -> Breach | None:
        """What it means that the node's reply broke; None: nothing, all of it has been said."""
        return Breach(error, Terminal.NODE_BROKE)

    def keep_alive(self) -> bytes:
        """Bytes for the client's wire that say nothing; empty where there is no place for them."""
        return b""

    def error_bytes(self, error: ProxyError) -> bytes:
        """Bytes for the client's wire that tell of ``error``; empty where there is no place."""
        return b""

    def is_answered(self) -> bool:
        """Whether the client has, or gets, the protocol's last event, so that the message may be
        ended in the node's place."""
        return False

    def usage(self, dialect: Dialect) -> Usage:
        """The token counts that the node told in its reply, spoken in ``dialect``."""
        return Usage()

    def is_given_up(self, dialect: Dialect) -> bool:
        """Whether the node says in a complete reply that it did not finish its answer."""
        return False

    @property
    def refusal(self) -> tuple[int, bytes]:
        """Of a translated reply: its status and the beginning of its body, as long as nothing of it
        had been sent. (0, b"") for others."""
        return 0, b""


class EarlyBody(ReplyBody):
    """What goes out before a node's head has come: ``signs`` gives keep-alives, ``ending`` what
    tells of an error behind them."""

    __slots__ = ("_ending", "_signs")

    def __init__(
        self,
        signs: Callable[[], bytes],
        ending: Callable[[ProxyError], bytes],
        *,
        bare: bool,
    ) -> None:
        super().__init__(LengthReader(0), bare=bare)
        self._signs = signs
        self._ending = ending

    def keep_alive(self) -> bytes:
        return frame(self._signs(), bare=self.bare)

    def error_bytes(self, error: ProxyError) -> bytes:
        return frame(self._ending(error), bare=self.bare)


def frame(payload: bytes, *, bare: bool) -> bytes:
    """A payload of our own making for the client's wire."""
    return payload if bare or not payload else frame_chunk(payload)
