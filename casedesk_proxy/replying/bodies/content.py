"""The state of a reply in the client's own protocol while its bytes pass: its position, whether its
answer is complete, and what may be inserted between the node's events."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from casedesk_proxy.errors import ClientFault, NodeError, ProxyError, StreamBroken
from casedesk_proxy.pools.retry import RETRYABLE_STATUSES
from casedesk_proxy.replying.bodies.base import Breach
from casedesk_proxy.replying.completeness import is_answered, is_given_up, is_unfinished
from casedesk_proxy.replying.endings import Form, place_error
from casedesk_proxy.replying.in_stream_errors import read_within
from casedesk_proxy.replying.positions import ArrayTap, position_of
from casedesk_proxy.replying.record import Terminal
from casedesk_proxy.terms import Dialect, Position
from casedesk_proxy.usage.tap import Tap

__all__ = ["ArrayRest", "Content"]


class Content:
    """``keepalive``: its bytes, b"" if keepalives are off. ``answers``: the dialect of a stream
    that must end as its answers do; None: any end is accepted. ``within`` judges an error at the
    beginning of a reply of status 200; None: the error is sent unchanged. ``on_first_bytes`` gets
    the first bytes of an answer. ``may_be_empty``: an empty body is accepted."""

    __slots__ = (
        "_answers", "_form", "_keepalive", "_may_be_empty", "_on_first_bytes", "_surface",
        "_within", "tap",
    )  # fmt: skip

    def __init__(
        self,
        surface: Dialect,
        form: Form,
        *,
        keepalive: bytes = b"",
        answers: Dialect | None = None,
        within: Callable[[NodeError], ProxyError] | None = None,
        on_first_bytes: Callable[[bytes], None] | None = None,
        may_be_empty: bool = True,
    ) -> None:
        self.tap = ArrayTap() if form is Form.ARRAY else Tap()
        self._surface = surface
        self._form = form
        self._keepalive = keepalive
        self._answers = answers
        self._within = within
        self._on_first_bytes = on_first_bytes
        self._may_be_empty = may_be_empty

    @property
    def is_watchful(self) -> bool:
        """Whether every byte must be examined, not only the first and the last."""
        return self._form is Form.ARRAY

    @property
    def has_begun(self) -> bool:
        return bool(self.tap.first)

    @property
    def position(self) -> Position:
        return position_of(self._form, self.tap)

    def take(self, payload: bytes, *, unsent: bool) -> bytes:
        """Take the next bytes of the body; return those for the client. Raises StreamBroken if a
        reply begins with an error or a web page, or an array does not begin as one."""
        if unsent and self._within is not None and (error := read_within(payload)) is not None:
            raise error
        if payload:
            self.tap.take(payload)
            if self._on_first_bytes is not None:
                report, self._on_first_bytes = self._on_first_bytes, None
                report(payload)
            if unsent and self.is_watchful and payload.lstrip()[:1] not in (b"", b"["):
                raise StreamBroken("did not answer with a JSON array")
        return payload

    def recall(self, payloads: Sequence[bytes], *, missed: bool) -> None:
        """Record payloads that passed without being examined; ``missed``: there were more."""
        if missed:
            self.tap.skip()
        for payload in payloads:
            self.tap.take(payload)

    def keep_alive(self) -> bytes:
        """Never inside an event or an element that the node has begun."""
        return self._keepalive if self._keepalive and self.position.is_open else b""

    def error_bytes(self, error: ProxyError, *, bare: bool) -> bytes:
        first, last = self.tap.first, self.tap.last
        return place_error(
            self._surface, self._form, self.position, error, bare=bare, first=first, last=last
        )

    def is_answered(self) -> bool:
        """Whether the protocol's last event has arrived."""
        return self._answers is not None and is_answered(self._answers, self.tap.last)

    def is_complete(self) -> bool:
        """Whether the message may end here."""
        answers, tap = self._answers, self.tap
        if self._is_empty():
            return False
        first = None if tap.has_gap else tap.first
        return answers is None or not is_unfinished(answers, first, tap.last)

    def check_complete(self) -> None:
        """Raises StreamBroken where the message must not end here."""
        if self._is_empty():
            raise StreamBroken("was empty", its="reply")
        if not self.is_complete():
            raise StreamBroken("ended before the answer was complete", its="reply")

    def _is_empty(self) -> bool:
        """Whether the reply has no answer at all."""
        return not (self._may_be_empty or self.tap.first)

    def is_given_up(self, dialect: Dialect) -> bool:
        return is_given_up(dialect, self.tap.last)

    def judge(self, error: StreamBroken, *, unsent: bool) -> Breach:
        if not isinstance(error, NodeError) or self._within is None or not unsent:
            return Breach(error, Terminal.NODE_BROKE)
        fault = self._within(error)
        own = isinstance(fault, ClientFault)
        # If the node reports that it has not begun, another node may get the request.
        return Breach(
            fault,
            Terminal.COMPLETED if own else Terminal.NODE_BROKE,
            lost=error.answered in RETRYABLE_STATUSES,
        )


class ArrayRest(Content):
    """A JSON array whose opening bracket the client already has, as a keepalive: all but that
    bracket and the blanks before it."""

    __slots__ = ("_begun",)

    def __init__(self, surface: Dialect, *, keepalive: bytes) -> None:
        super().__init__(surface, Form.ARRAY, keepalive=keepalive)
        self._begun = False

    @property
    def position(self) -> Position:
        return super().position if self._begun else Position.OPENED

    def take(self, payload: bytes, *, unsent: bool) -> bytes:
        if not self._begun:
            payload = payload.lstrip()
            if not payload:
                return b""
            if not payload.startswith(b"["):
                raise StreamBroken("did not answer with a JSON array")
            self._begun, payload = True, payload[1:]
            self.tap.take(b"[")
        # The bracket has been sent, and judged.
        return super().take(payload, unsent=False)

    def is_complete(self) -> bool:
        return self._begun and super().is_complete()

    def _is_empty(self) -> bool:
        return not self._begun
