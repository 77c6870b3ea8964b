"""One reply on its way to one client, from before its node's head to its end: what is sent when,
what is held back, and how it ends. Without I/O and clock: it takes events and returns commands.

States::

    NOTHING_SENT ──tick──▶ KEPT_ALIVE ──data──▶ BODY ──finished──▶ ENDED
         │ └────head────▶ HEAD_SENT ───data──────▲ │
         │                                         └──broken, cut, left──▶ BROKEN
         └──broken: a plain error reply can still be sent──▶ BROKEN or ENDED

Events: ``tick`` (nothing was sent to the client for long), ``reply`` and ``open`` (the node's
head), ``data`` (the node's bytes), ``passed`` (the node's bytes that the relay passed on alone),
``lose`` (the node's connection ended), ``conclude`` (the answer is complete, but the node has not
ended the message in time), ``cut`` (a limit, a daemon that must stop), ``leave`` (the client left),
``unreachable`` (nothing can be sent to the client, though no event reported that it left),
``fail`` (an internal error).

What the machine guarantees:

* It ends once: one `End` command, the last; events after it give no commands.
* In NOTHING_SENT a failure is an error to answer with (``fault``). In every other state `endings`
  says which error can be sent inside the reply, and how the client's connection is ended.
* No incomplete reply looks complete: LAST_CHUNK, or the last byte of a length, is sent only when
  the body says that the answer is whole, or after an error as ``behind``.
* Nothing is sent twice, and nothing after an error.

Its `ReplyBody` decides what is done with the node's bytes (see `bodies`).

If an event raises, ``fail`` must be called. It also returns the commands that were due.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from casedesk_proxy.errors import InternalFault, ProxyError, StreamBroken
from casedesk_proxy.replying.bodies.base import Breach, ReplyBody
from casedesk_proxy.replying.commands import Command, ConcludeSoon, End, MakeHead, Postpone, State
from casedesk_proxy.replying.endings import EndBehind, Parting, drop, no_end, part
from casedesk_proxy.replying.record import Terminal
from casedesk_proxy.wire.bodies import CloseReader
from casedesk_proxy.wire.chunked import MalformedChunk, is_long_chunk

__all__ = ["ReplyMachine"]

#: After a longer read there is usually more to read, and the loop makes 32 such reads in a row.
_LARGE_READ_BYTES = 128 * 1024
#: Bytes sent in one round of the loop. The kernel takes a quarter of a millisecond to copy them.
_TURN_BYTES = 256 * 1024
_CONCLUDE_SOON = ConcludeSoon()
_NOTHING_SENT, _BODY = State.NOTHING_SENT, State.BODY


class ReplyMachine:
    """See the module.

    ``sent`` counts the body bytes for the client as on the wire, ``reads`` the pieces in which the
    node sent its body. ``terminal`` is None until the end. ``fault`` is the error to answer with if
    nothing has been sent; ``code`` and ``reason`` are those of the error that ended the reply.
    ``lost``: the node's connection ended too early, or the node reports that it has not begun to
    work. ``behind``: what follows an error inside. ``node``: the node's name. ``has_tokens``: a
    piece is about one token, so each of several in one read counts.
    """

    __slots__ = (
        "_due", "_end_behind", "_make_head", "_pieces", "_reachable", "body", "clean", "code",
        "fault", "has_tokens", "lost", "node", "reads", "reason", "sent", "state", "terminal",
    )  # fmt: skip

    def __init__(self, make_head: MakeHead, body: ReplyBody, behind: EndBehind = no_end) -> None:
        self.body = body
        self._end_behind = behind
        self._make_head: MakeHead | None = make_head
        self._due: list[Command] = []
        #: The unsent pieces of a large whole body.
        self._pieces: deque[bytes] = deque()
        self._reachable = True
        self.state = State.NOTHING_SENT
        self.terminal: Terminal | None = None
        self.clean = self.lost = self.has_tokens = False
        self.code = self.reason = self.node = ""
        self.fault: ProxyError | None = None
        self.sent = self.reads = 0

    @property
    def is_unsent(self) -> bool:
        """Whether an error can still be a plain reply."""
        return self.state is _NOTHING_SENT

    @property
    def fast_path_limit(self) -> int:
        """A read that is shorter than this and exactly one chunk may take the fast path: the relay
        sends its bytes (or the result of the body's ``feed``) and reports it by ``passed``."""
        sent = self.terminal is None and self.state is not _NOTHING_SENT
        return self.body.fast_path_limit if sent else 0

    @property
    def drop(self) -> Parting:
        """How a client's connection is closed at once."""
        return drop(bare=self.body.bare)

    # Events.

    def tick(self) -> Sequence[Command]:
        if self.terminal is None and self._reachable and (wire := self.body.keep_alive()):
            self._send(wire, State.BODY if self.state is State.BODY else State.KEPT_ALIVE)
        return self._take_due()

    def reply(self, make_head: MakeHead, body: ReplyBody) -> None:
        """The node's head has arrived. ``make_head`` is not called if a head has been sent."""
        self.body = body
        if self.is_unsent:
            self._make_head = make_head

    def open(self, *, surplus: bool) -> Sequence[Command]:
        """The node's head has arrived, and nothing of its body. ``surplus``: bytes followed the
        head although the reply has no body."""
        body = self.body
        if body.reader.ended:
            self._try_finish(surplus=surplus)
        elif body.goes_ahead and self.is_unsent:
            self._send(b"", State.HEAD_SENT)
        return self._take_due()

    def data(self, data: bytes) -> Sequence[Command]:
        """The node's bytes; b"" if a `Postpone` had no rest."""
        if self.terminal is not None:
            return ()
        if self._pieces:
            self._send_pieces()
        elif data:
            try:
                self._take(data)
            except StreamBroken as error:
                self._break(error)
            except MalformedChunk:
                self._break(StreamBroken("is malformed", its="reply"))
        return self._take_due()

    def passed(self, reads: int, sent: int, pieces: tuple[bytes, ...]) -> None:
        """``reads`` took the fast path; ``sent`` bytes of them were sent to the client. ``pieces``
        are the last of these reads, the newest at the end."""
        self.reads += reads
        self.sent += sent
        self.body.recall(reads, pieces)

    def lose(self, *, reset: bool) -> Sequence[Command]:
        """The node's connection ended: with an error if ``reset``, else with a FIN."""
        if self.terminal is not None or self._pieces:
            return ()
        if not reset and isinstance(self.body.reader, CloseReader):
            self._try_finish(surplus=True)
        else:
            self.lost = True
            self._break(StreamBroken("closed the connection in the middle of its reply"))
        return self._take_due()

    def conclude(self) -> Sequence[Command]:
        if self.terminal is None and not self._pieces and self.body.is_answered():
            self._try_finish(surplus=True)
        return self._take_due()

    def stumble(self, error: StreamBroken) -> Sequence[Command]:
        """The body's ``feed`` raised on the fast path."""
        if self.terminal is None:
            self._break(error)
        return self._take_due()

    def cut(self, terminal: Terminal, error: ProxyError) -> Sequence[Command]:
        """Stop a reply whose client still listens."""
        if self.terminal is None:
            self._fail_with(Breach(error, terminal))
        return self._take_due()

    def leave(self, terminal: Terminal) -> Sequence[Command]:
        """The client left, or reads no more. If it left after the protocol's last event, as SDKs
        do, it has all of its reply."""
        if self.terminal is None:
            has_all = not self._pieces and self.body.is_answered()
            if terminal is Terminal.CLIENT_GONE and has_all:
                terminal = Terminal.COMPLETED
            self._end(terminal, self.drop)
        return self._take_due()

    def unreachable(self) -> None:
        self._reachable = False

    def fail(self) -> Sequence[Command]:
        """An internal error was raised. The reply ends like one that broke, even if it was
        complete."""
        self.clean = False
        if self.terminal is None:
            return self.cut(Terminal.FAILED, InternalFault())
        return self.abandon(Terminal.FAILED)

    def abandon(self, terminal: Terminal) -> Sequence[Command]:
        """The same if no state can be trusted any more: only the end, without an error."""
        self.clean = False
        self._due = []
        self._end(terminal, self.drop)
        return self._take_due()

    # Changes of the state by events.

    def _take_due(self) -> Sequence[Command]:
        due, self._due = self._due, []
        return due

    def _try_finish(self, *, surplus: bool) -> None:
        try:
            self._finish(surplus=surplus)
        except StreamBroken as error:
            self._break(error)

    def _take(self, data: bytes) -> None:
        body, reader, pieces = self.body, self.body.reader, 1
        if is_long_chunk(data) and self.fast_path_limit and body.lets_by(data):
            used, wire = len(data), data
        else:
            used = reader.read(data)
            pieces = len(reader.payload) or 1 if self.has_tokens else 1
            wire = body.take(data, used, unsent=self.state is _NOTHING_SENT)
        if wire:
            self._send(wire, _BODY)
        self.reads += pieces
        if reader.ended:
            self._finish(surplus=used < len(data))
            return
        if used < len(data) or len(data) >= _LARGE_READ_BYTES:
            self._due.append(Postpone(data[used:]))
        if body.is_answered():
            self._due.append(_CONCLUDE_SOON)

    def _finish(self, *, surplus: bool) -> None:
        rest = self.body.finish(unsent=self.is_unsent)
        self.clean = not surplus
        if isinstance(rest, Breach):
            self._fail_with(rest)
            return
        if isinstance(rest, tuple) and self._reachable:
            assert self._make_head is not None, "nothing of it has been sent"
            self._due.append(self._make_head(sum(map(len, rest))))
            self._pieces.extend(rest)
            self._send_pieces()
            return
        if self._reachable and (rest or self.is_unsent) and not isinstance(rest, tuple):
            self._send(rest, _BODY)
        self._end(Terminal.COMPLETED, Parting.KEEP)

    def _break(self, error: StreamBroken) -> None:
        error.__traceback__ = None  # Its frames may hold it: see `Handler.handle`.
        breach = self.body.judge(error, unsent=self.is_unsent)
        if breach is None:
            # The answer is complete; it no longer matters how the node closed.
            self._finish(surplus=True)
        else:
            self._fail_with(breach)

    def _fail_with(self, breach: Breach) -> None:
        error = breach.error.with_node(self.node)
        self.code, self.reason = error.code, error.reason
        if self.is_unsent:
            self.lost = self.lost or breach.lost
            # Without its traceback, whose frames hold this machine.
            self.fault = error.with_traceback(None)
            self._end(breach.terminal, Parting.KEEP)
            return
        shown = self.body.error_bytes(error) if self._reachable and not self._pieces else b""
        if shown:
            self._send(shown if self.body.bare else shown + self._end_behind(error), self.state)
        self._end(breach.terminal, part(bare=self.body.bare, shown=bool(shown)))

    def _send(self, wire: bytes, state: State) -> None:
        """Send body bytes as on the wire, after the head if that is due."""
        self.sent += len(wire)
        if self.state is _NOTHING_SENT:
            assert self._make_head is not None
            wire = self._make_head(len(wire) if self.body.is_whole else None) + wire
            # Free what it holds: a stream may run for hours.
            self._make_head = None
        self.state = state
        self._due.append(wire)

    def _send_pieces(self) -> None:
        """Send as many bytes of a whole body as one turn of the loop may handle."""
        size, self.state = 0, _BODY
        while self._pieces and size < _TURN_BYTES:
            self._due.append(piece := self._pieces.popleft())
            size += len(piece)
        self.sent += size
        if self._pieces:
            self._due.append(Postpone(b""))
        else:
            self._end(Terminal.COMPLETED, Parting.KEEP)

    def _end(self, terminal: Terminal, parting: Parting) -> None:
        self.terminal = terminal
        self.state = State.ENDED if terminal is Terminal.COMPLETED else State.BROKEN
        self._due.append(End(terminal, self.clean, parting))
