"""Where a reply stands after the bytes that have passed: the rows of the table in `endings`."""

from __future__ import annotations

from casedesk_proxy.replying.endings import Form
from casedesk_proxy.terms import Position
from casedesk_proxy.usage.tap import Tap
from casedesk_proxy.wire.jsonarray import ArrayScanner, ArrayTooLarge, NotAnArray
from casedesk_proxy.wire.sse import EVENT_ENDS

__all__ = ["ArrayTap", "position_of"]


class ArrayTap(Tap):
    """A tap that follows the position in a streamed JSON array. It must get every byte; for an
    event stream the last bytes are enough."""

    __slots__ = ("_scanner",)

    def __init__(self) -> None:
        super().__init__()
        self._scanner: ArrayScanner | None = ArrayScanner()

    def take(self, payload: bytes) -> None:
        super().take(payload)
        if self._scanner is not None:
            try:
                self._scanner.feed(payload)
            except (NotAnArray, ArrayTooLarge):
                self._scanner = None

    @property
    def position(self) -> Position:
        scanner = self._scanner
        if scanner is None:
            return Position.INSIDE
        if not scanner.begun:
            return Position.UNOPENED
        if not scanner.at_boundary:
            return Position.INSIDE
        return Position.BETWEEN if scanner.separator else Position.OPENED


def position_of(form: Form, tap: Tap) -> Position:
    """The position in a body. ``tap`` has seen its last bytes or, for an array, all bytes."""
    if isinstance(tap, ArrayTap):
        return tap.position
    if form is Form.LINES:
        whole = not tap.last or tap.last.endswith(b"\n")
        return Position.BETWEEN if whole else Position.INSIDE
    between = form is Form.EVENTS and (not tap.last or tap.last.endswith(EVENT_ENDS))
    return Position.BETWEEN if between else Position.INSIDE
