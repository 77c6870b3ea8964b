"""A stream without the event with counts that its client did not request."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.errors import StreamBroken
from casedesk_proxy.replying.bodies.content import Content
from casedesk_proxy.replying.bodies.trimmed import (
    EVENT_END,
    NOWHERE,
    TrimmedBody,
    find_choices,
    may_hold_counts,
)
from casedesk_proxy.replying.endings import Form
from casedesk_proxy.terms import Dialect, Usage
from casedesk_proxy.wire.chunked import HEADS, ChunkReader, frame_chunk, is_long_chunk
from tests.fixtures.table import table

ROLE = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'
WORD = b'data: {"choices":[{"index":0,"delta":{"content":"a"}}],"usage":null}\n\n'
#: Its model's own words look like what is looked for.
WILES = (
    b'data: {"choices":[{"delta":{"content":"\\"choices\\":[],\\"usage\\":{}"}}]}\n\n',
    b'data: {"choices":[{"delta":{"tool_calls":[],"content":"[]"}}],"usage":{"n":1}}\n\n',
    b'data: {"choices":[],"usage":null}\n\n',
    b'data: {"choices":[], "usage"\n\n',
    b'data: [[],"usage"]\n\n',
)
FINISH = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
COUNTS = (
    b'data: {"id":"x","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3}}\n\n',
    b'data: {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 3}, "o": ""}'
    b"\r\n\r\n",
)
DONE = b"data: [DONE]\n\n"
#: Longer than HEADS knows, with one event and with very many lists.
LONG = (
    WORD.replace(b'"a"', b'"%b"' % (b"a" * 9000)),
    WORD * 200,
    b'data: "%b"\n\n' % (b"[" * 9000),
)


def body() -> TrimmedBody:
    content = Content(Dialect.OPENAI, Form.EVENTS, answers=Dialect.OPENAI)
    return TrimmedBody(ChunkReader(), content)


def play(body: TrimmedBody, wire: bytes, cuts: list[int]) -> bytes:
    """What a client gets of the stream, without its framing; the fast path is taken as the relay
    takes it."""
    out = b""
    last = 0
    for cut in [*sorted({one for one in cuts if one < len(wire)}), len(wire)]:
        data, last = wire[last:cut], cut
        short = len(data) < body.fast_path_limit and data.startswith(HEADS[len(data)])
        if short and data.endswith(b"\r\n") and not may_hold_counts(data):
            out += data
            body.recall(1, (b"", b"", data))
            continue
        if body.fast_path_limit and is_long_chunk(data) and body.lets_by(data):
            out += data
            continue
        used = body.reader.read(data)
        out += body.take(data, used, unsent=False)
    rest = body.finish(unsent=False)
    assert isinstance(rest, bytes)
    reader = ChunkReader()
    assert reader.read(out + rest) == len(out + rest)
    assert reader.ended
    return b"".join(reader.payload)


@table("counts", COUNTS)
def test_the_event_alone_is_gone(counts: bytes) -> None:
    events = [ROLE, WORD, *WILES, WORD, FINISH, counts, DONE]
    wire = b"".join(map(frame_chunk, events)) + b"0\r\n\r\n"
    starts = [len(b"".join(map(frame_chunk, events[:n]))) for n in range(len(events) + 1)]
    for cuts in (starts, list(range(len(wire))), [], starts[::2]):
        trimmed = body()
        assert play(trimmed, wire, cuts) == b"".join([ROLE, WORD, *WILES, WORD, FINISH, DONE])
        assert trimmed.usage(Dialect.OPENAI) == Usage(9, 3)


@table("ending", [b"\r", b"\r\n"])
def test_lines_that_end_in_another_way(ending: bytes) -> None:
    events = [ROLE, WORD, *WILES, FINISH, COUNTS[0], DONE]
    text = b"".join(events).replace(b"\n", ending)
    wanted = b"".join([*events[:-2], DONE]).replace(b"\n", ending)
    for size in (1, 7, 100, len(text)):
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        wire = b"".join(map(frame_chunk, pieces)) + b"0\r\n\r\n"
        trimmed = body()
        assert play(trimmed, wire, list(range(0, len(wire), 50))) == wanted
        assert trimmed.usage(Dialect.OPENAI) == Usage(9, 3)
    text = b"".join([ROLE, *WILES, FINISH, COUNTS[0], WORD]).replace(b"\n\n", b"\r\r\n")
    wire = frame_chunk(text) + b"0\r\n\r\n"
    assert play(body(), wire, []) == text.replace(COUNTS[0].replace(b"\n\n", b"\r\r\n"), b"")


@table("counts", COUNTS)
@table("long", LONG)
def test_long_chunks_go_by_but_for_the_event(counts: bytes, long: bytes) -> None:
    for chunks in ([WORD, long, FINISH, counts, DONE], [WORD, long + FINISH + counts, DONE]):
        framed = [*map(frame_chunk, chunks), b"0\r\n\r\n"]
        starts = [len(b"".join(framed[:n])) for n in range(len(framed) + 1)]
        for cuts in (starts, list(range(0, starts[-1], 1000))):
            trimmed = body()
            assert play(trimmed, b"".join(framed), cuts) == b"".join([WORD, long, FINISH, DONE])
            assert trimmed.usage(Dialect.OPENAI) == Usage(9, 3)


def test_a_reply_that_begins_with_a_long_chunk_is_looked_at() -> None:
    assert not body().lets_by(frame_chunk(LONG[0]))


@given(
    events=st.lists(st.sampled_from([WORD, *WILES]), max_size=8),
    data=st.data(),
    counts=st.sampled_from(COUNTS),
)
def test_however_it_is_cut(events: list[bytes], counts: bytes, data: st.DataObject) -> None:
    text = b"".join([ROLE, *events, FINISH, counts, DONE])
    places = st.integers(0, len(text))
    bounds = sorted({0, len(text), *data.draw(st.lists(places, max_size=6))})
    chunks = [text[a:b] for a, b in pairwise(bounds)]
    wire = b"".join(map(frame_chunk, chunks)) + b"0\r\n\r\n"
    cuts = data.draw(st.lists(st.integers(0, len(wire)), max_size=8))
    starts = [len(b"".join(map(frame_chunk, chunks[:n]))) for n in range(len(chunks))]
    wanted = b"".join([ROLE, *events, FINISH, DONE])
    assert play(body(), wire, [*cuts, *starts]) == wanted
    assert play(body(), wire, cuts) == wanted


def test_nothing_is_held_back_for_good() -> None:
    trimmed = body()
    wire = frame_chunk(WORD + COUNTS[0][:20])
    trimmed.reader.read(wire)
    assert trimmed.take(wire, len(wire), unsent=False) == frame_chunk(WORD)
    assert trimmed.fast_path_limit == 0, (
        "the rest of the event is to be looked at with its beginning"
    )
    with pytest.raises(StreamBroken):
        trimmed.finish(unsent=False)
    unended = ROLE + FINISH + DONE.rstrip() + b"\n"
    assert play(body(), frame_chunk(unended) + b"0\r\n\r\n", []) == unended
    no_boundary = COUNTS[0].rstrip()
    assert play(body(), frame_chunk(ROLE + FINISH + DONE + no_boundary) + b"0\r\n\r\n", []) == (
        ROLE + FINISH + DONE
    )


def test_what_is_another_event_goes_by_as_it_comes() -> None:
    for beginning in (WORD[:25], b"data: " + b"x" * 5000):
        trimmed = body()
        wire = frame_chunk(beginning)
        trimmed.reader.read(wire)
        assert trimmed.take(wire, len(wire), unsent=False) == wire
        assert trimmed.fast_path_limit == 0
        wire = frame_chunk(b"y\n") + frame_chunk(b"\n")
        trimmed.reader.read(wire)
        assert trimmed.take(wire, len(wire), unsent=False) == frame_chunk(b"y\n\n")
        assert trimmed.fast_path_limit > 0


def test_a_chunk_that_need_not_be_looked_at() -> None:
    assert not may_hold_counts(frame_chunk(WORD))
    assert may_hold_counts(frame_chunk(COUNTS[0]))
    assert may_hold_counts(frame_chunk(WORD[:-1]))


def test_several_events_in_one_read_without_an_empty_list_go_on_as_they_are() -> None:
    made = body()
    for events in (ROLE + WORD, WORD * 3, WORD + FINISH):
        wire = b"".join(frame_chunk(one) for one in (events[:40], events[40:]))
        used = made.reader.read(wire)
        assert made.take(wire, used, unsent=False) == frame_chunk(events)
    assert play(made, frame_chunk(COUNTS[0]) + frame_chunk(DONE), []) == DONE


def test_where_the_choices_of_an_event_are() -> None:
    spaced = WORD.replace(b":[{", b": [{")
    for chunk in (frame_chunk(WORD), frame_chunk(spaced)):
        found = find_choices(chunk)
        assert found is not None
        place, choices, rest = found
        assert chunk[place] == choices
        assert choices.endswith(b"[{")
        assert chunk[rest] + EVENT_END == chunk[place.start :]
    assert find_choices(frame_chunk(b"data: {}\n\n")) == NOWHERE
    assert find_choices(frame_chunk(COUNTS[0])) is None
