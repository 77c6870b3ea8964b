"""Where a reply stands after the bytes that have passed."""

from __future__ import annotations

from casedesk_proxy.replying.endings import Form
from casedesk_proxy.replying.positions import ArrayTap, position_of
from casedesk_proxy.terms import Position
from casedesk_proxy.usage.tap import Tap
from tests.fixtures.table import table


@table(
    ("form", "last", "position"),
    [
        *[
            (Form.EVENTS, last, Position.BETWEEN)
            for last in (b"", b"x\n\n", b"x\r\n\r\n", b"x\r\r")
        ],
        *[(Form.EVENTS, last, Position.INSIDE) for last in (b"data: {", b"data: {}\n")],
        *[(Form.LINES, last, Position.BETWEEN) for last in (b"", b"{}\n")],
        (Form.LINES, b"{", Position.INSIDE),
        (Form.UNARY, b"", Position.INSIDE),
    ],
)
def test_the_last_bytes_show_it(form: Form, last: bytes, position: Position) -> None:
    tap = Tap()
    tap.take(last)
    assert position_of(form, tap) is position


@table(
    ("sent", "position"),
    [
        (b"", Position.UNOPENED),
        (b"[", Position.OPENED),
        (b'[{"a":', Position.INSIDE),
        (b'[{"a":"]"}', Position.BETWEEN),
        (b"{}", Position.INSIDE),
    ],
)
def test_of_an_array_every_byte_counts(sent: bytes, position: Position) -> None:
    tap = ArrayTap()
    for at in range(len(sent)):
        tap.take(sent[at : at + 1])
    assert position_of(Form.ARRAY, tap) is position
