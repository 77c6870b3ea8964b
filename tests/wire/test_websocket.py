"""Frames are followed with every split, and the library reads our close frame."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Close, Frame, Opcode
from websockets.streams import StreamReader

from casedesk_proxy.wire.websocket import FrameFollower, close_frame
from tests.fixtures.table import table

KINDS = st.sampled_from([Opcode.TEXT, Opcode.BINARY, Opcode.CONT, Opcode.PING, Opcode.PONG])


def frame(opcode: Opcode, size: int, *, masked: bool) -> bytes:
    control = opcode in (Opcode.PING, Opcode.PONG, Opcode.CLOSE)
    data = b"x" * (min(size, 125) if control else size)
    return Frame(opcode, data).serialize(mask=masked)


@given(
    st.lists(st.tuples(KINDS, st.sampled_from([0, 1, 2, 125, 126, 127, 128, 65535, 65536]))),
    st.booleans(),
    st.lists(st.integers(1, 70_000), max_size=8),
)
def test_boundaries(kinds: list[tuple[Opcode, int]], masked: bool, cuts: list[int]) -> None:
    frames = [frame(opcode, size, masked=masked) for opcode, size in kinds]
    ends = {0}
    for one in frames:
        ends.add(max(ends) + len(one))
    data, at, follower = b"".join(frames), 0, FrameFollower()
    for size in [*cuts, len(data)]:
        follower.follow(data[at : at + size])
        at = min(at + size, len(data))
        assert follower.at_boundary is (at in ends)
    assert not follower.closed


@table("masked", [False, True])
@table("size", [0, 5, 125, 126, 70_000])
def test_one_frame_whole_and_in_two(size: int, masked: bool) -> None:
    data = frame(Opcode.TEXT, size, masked=masked)
    for cut in (0, 1, 2, 3, 5, len(data) // 2):
        follower = FrameFollower()
        follower.follow(data[:cut])
        assert follower.at_boundary is (cut == 0 or cut >= len(data))
        follower.follow(data[cut:])
        assert follower.at_boundary
        assert not follower.closed


@table("masked", [False, True])
@table("before", [b"", frame(Opcode.TEXT, 5, masked=False)])
def test_a_close_is_seen_byte_by_byte_and_whole(before: bytes, masked: bool) -> None:
    data = before + frame(Opcode.CLOSE, 2, masked=masked)
    whole, crumbs = FrameFollower(), FrameFollower()
    whole.follow(data)
    for at in range(len(data)):
        crumbs.follow(data[at : at + 1])
    assert whole.closed
    assert crumbs.closed
    assert whole.at_boundary


@table("mask", [b"", b"\1\2\3\4"])
@table("reason", ["", "restarting", "ä" * 100])
def test_a_close_of_ours(mask: bytes, reason: str) -> None:
    data, reader = close_frame(1012, reason, mask), StreamReader()
    reader.feed_data(data)
    parsing = Frame.parse(reader.read_exact, mask=bool(mask))
    with pytest.raises(StopIteration) as done:
        next(parsing)
    read = done.value.value
    close = Close.parse(read.data)
    assert (read.opcode, close.code) == (Opcode.CLOSE, 1012)
    assert reason.startswith(close.reason)
    assert len(close.reason.encode()) > 120 or close.reason == reason
    follower = FrameFollower()
    follower.follow(data)
    assert follower.closed
    assert follower.at_boundary
