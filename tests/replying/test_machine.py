"""One reply for one client, without a transport: whole, byte by byte, and with every interleaving
of ticks, pauses, cuts, losses and disconnects."""

from __future__ import annotations

import json

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from casedesk_proxy.errors import NoNode, ProxyError, StreamBroken, UpstreamTimeout
from casedesk_proxy.replying.bodies.base import EarlyBody
from casedesk_proxy.replying.bodies.relayed import VerbatimBody
from casedesk_proxy.replying.bodies.translated import ReplyTranslation, TranslatedBody
from casedesk_proxy.replying.commands import End, Postpone, State
from casedesk_proxy.replying.endings import Form, Parting
from casedesk_proxy.replying.machine import ReplyMachine
from casedesk_proxy.replying.record import Terminal
from casedesk_proxy.terms import Dialect, Framing
from casedesk_proxy.wire.bodies import LengthReader
from casedesk_proxy.wire.chunked import LAST_CHUNK, MAX_CHUNKS, ChunkReader, frame_chunk
from tests.fixtures.effort import examples
from tests.fixtures.table import table
from tests.replying.played import Played, head_of
from tests.replying.shouting import Shouting

EVENTS = [b'data: {"choices":[{"delta":{"content":"w"}}]}\n\n'] * 3
END = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"
ARRAY = [b'[{"a":1}', b',{"b":"]"}', b"]"]
OVER = (State.ENDED, State.BROKEN)


SSE = head_of("200 OK", "chunked", "text/event-stream")
WIRE = b"".join(map(frame_chunk, [*EVENTS, END, DONE])) + LAST_CHUNK


@table("size", [1, 2, 7, 10_000])
def test_a_whole_reply_is_the_nodes_bytes_whatever_the_pieces(size: int) -> None:
    played = Played(SSE)
    played.feed(*(WIRE[at : at + size] for at in range(0, len(WIRE), size)))
    assert played.body == WIRE
    assert played.end == End(Terminal.COMPLETED, clean=True, parting=Parting.KEEP)
    assert played.machine.state is State.ENDED
    assert played.machine.sent == len(WIRE)


@table("keep", range(0, len(WIRE), 3))
@table("modern", [True, False])
def test_a_reply_that_is_lost_anywhere_does_not_look_whole(keep: int, modern: bool) -> None:
    played = Played(SSE, modern=modern)
    played.feed(*(WIRE[at : at + 1] for at in range(keep)))
    played.do(played.machine.lose(reset=False))
    assert played.machine.state is State.BROKEN
    assert played.end is not None
    told = b'"error"' in played.body
    if modern:
        assert not is_complete(played.body)
        assert played.end.parting is Parting.CLOSE
    else:
        assert played.end.parting is (Parting.CLOSE if told else Parting.RESET)


def test_the_states_in_order() -> None:
    played = Played(SSE, kept_alive=True)
    assert played.machine.state is State.KEPT_ALIVE
    played.feed(frame_chunk(EVENTS[0]))
    assert played.machine.state is State.BODY
    played.do(played.machine.tick())
    assert played.machine.state is State.BODY
    played.do(played.machine.cut(Terminal.TIMED_OUT, UpstreamTimeout("silent")))
    assert played.machine.state is State.BROKEN
    assert (played.machine.code, played.machine.reason) == ("node_timeout", "silent")


def test_the_head_goes_ahead_of_a_relayed_reply() -> None:
    played = Played(SSE)
    assert played.machine.state is State.HEAD_SENT
    assert played.body == b""
    played.do(played.machine.tick())
    assert played.machine.state is State.KEPT_ALIVE


@table("how", ["lost", "broken", "cut", "bug"])
def test_a_translated_reply_that_fails_unsent_is_a_plain_error(how: str) -> None:
    played = Played(SSE, translated=True)
    assert played.machine.is_unsent
    if how == "lost":
        played.do(played.machine.lose(reset=True))
    elif how == "broken":
        played.feed(frame_chunk(b"!"))
    elif how == "cut":
        played.do(played.machine.cut(Terminal.SHUT_DOWN, NoNode("restarting")))
    else:
        played.do(played.machine.fail())
    assert played.wire == b""
    assert played.machine.fault is not None
    assert played.machine.fault.__traceback__ is None
    assert played.end is not None
    assert played.end.parting is Parting.KEEP


def late(text: bytes, pieces: int) -> ReplyMachine:
    """A document that is complete with ``text``, and is sent in pieces of that size."""
    translator, reader = Shouting("late"), LengthReader(len(text))
    translator.pieces = pieces
    translation = ReplyTranslation(translator, Dialect.OPENAI, Form.UNARY)
    body = TranslatedBody(reader, translation, bare=False)
    return ReplyMachine(lambda length: b"%d bytes" % (length or 0), body)


@table("reachable", [True, False])
def test_a_large_document_goes_out_piece_by_piece(reachable: bool) -> None:
    machine = late(b"all.", 3)
    if not reachable:
        machine.unreachable()
    *written, end = machine.data(b"all.")
    assert written == ([b"4 bytes", b"ALL", b"."] if reachable else [])
    assert isinstance(end, End)
    assert machine.sent == (4 if reachable else 0)


VERY_LARGE = b"a" * 400_000 + b"b" * 200_000 + b"."


def test_a_very_large_one_takes_several_rounds() -> None:
    machine = late(VERY_LARGE, 200_000)
    head, *pieces, again = machine.data(VERY_LARGE)
    assert (head, pieces, again) == (b"600001 bytes", [b"A" * 200_000] * 2, Postpone(b""))
    # The node has said all: what becomes of it does not matter any more.
    assert (machine.lose(reset=True), machine.conclude(), machine.tick()) == ((), [], [])
    *pieces, end = machine.data(b"")
    assert (pieces, end) == (
        [b"B" * 200_000, b"."],
        End(Terminal.COMPLETED, clean=True, parting=Parting.KEEP),
    )
    assert machine.sent == 600_001
    assert machine.data(b"") == ()


def test_one_that_is_left_in_between_is_not_complete() -> None:
    left, cut = late(VERY_LARGE, 200_000), late(VERY_LARGE, 200_000)
    for machine in (left, cut):
        machine.data(VERY_LARGE)
    for (end,), terminal in (
        (left.leave(Terminal.CLIENT_GONE), Terminal.CLIENT_GONE),
        (cut.cut(Terminal.SHUT_DOWN, NoNode("restarting")), Terminal.SHUT_DOWN),
    ):
        assert isinstance(end, End)
        assert end.terminal is terminal
        assert end.parting is not Parting.KEEP


def test_behind_a_large_read_others_have_their_turn() -> None:
    played = Played(SSE)
    played.feed(frame_chunk(EVENTS[0]))
    large = frame_chunk(b"x" * 300_000)
    commands = played.machine.data(large)
    assert commands == [large, Postpone(b"")]
    assert played.machine.data(b"") == []
    assert played.machine.data(large[:1000]) == [large[:1000]]


def test_a_stumble_on_the_short_way_is_told_in_the_stream() -> None:
    played = Played(SSE, translated=True)
    played.feed(frame_chunk(b"one "))
    played.machine.passed(2, 100, (b"", b"", b""))
    assert (played.machine.reads, played.machine.sent) == (3, 100 + len(frame_chunk(b"ONE ")))
    played.do(played.machine.stumble(StreamBroken("sent rubbish; wait")))
    assert b'"message":"the node sent rubbish; wait"' in played.body.replace(b": ", b":")
    assert played.machine.terminal is Terminal.NODE_BROKE


@table("event", ["tick", "data", "lose", "conclude", "stumble", "cut", "leave"])
def test_nothing_comes_behind_the_end(event: str) -> None:
    played = Played(SSE)
    played.feed(WIRE)
    machine, before = played.machine, played.wire
    calls = {
        "tick": machine.tick,
        "data": lambda: machine.data(b"x"),
        "lose": lambda: machine.lose(reset=False),
        "conclude": machine.conclude,
        "stumble": lambda: machine.stumble(StreamBroken("x")),
        "cut": lambda: machine.cut(Terminal.TIMED_OUT, UpstreamTimeout("x")),
        "leave": lambda: machine.leave(Terminal.CLIENT_GONE),
    }
    assert list(calls[event]()) == []
    assert played.wire == before


def test_a_bug_behind_the_end_drops_the_client() -> None:
    """The reply had ended, but it is unknown how much of its end was carried out."""
    machine = Played(SSE).machine
    machine.data(WIRE)
    assert list(machine.fail()) == [End(Terminal.FAILED, clean=False, parting=Parting.ABORT)]


def test_what_was_due_before_a_bug_goes_before_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(_: object) -> bool:
        raise ZeroDivisionError

    played = Played(SSE)
    monkeypatch.setattr(VerbatimBody, "is_answered", raises)
    with pytest.raises(ZeroDivisionError):
        played.feed(frame_chunk(EVENTS[0]))
    played.do(played.machine.fail())
    assert played.body.startswith(frame_chunk(EVENTS[0]))
    assert b"internal error" in played.body


def test_an_unreachable_client_is_sent_nothing_more() -> None:
    played = Played(SSE)
    played.feed(frame_chunk(EVENTS[0]))
    before = played.wire
    played.machine.unreachable()
    played.do(played.machine.tick())
    played.do(played.machine.cut(Terminal.TIMED_OUT, UpstreamTimeout("silent")))
    assert played.wire == before


def test_a_reply_without_a_body_has_its_head_at_once() -> None:
    played = Played(head_of("200 OK", "length", "text/plain") % 0, framing=Framing.UNARY)
    assert played.wire
    assert played.end == End(Terminal.COMPLETED, clean=True, parting=Parting.KEEP)


def test_the_head_of_an_empty_reply_reaches_a_client_without_framing() -> None:
    head = head_of("200 OK", "chunked", "application/json")
    played = Played(head, framing=Framing.UNARY, translated=True, modern=False)
    played.feed(frame_chunk(b"."), LAST_CHUNK)
    assert played.wire
    assert played.machine.terminal is Terminal.COMPLETED


def test_an_answer_that_is_complete_is_concluded_without_the_node() -> None:
    played = Played(SSE)
    played.feed(frame_chunk(EVENTS[0]))
    assert not played.concluding
    played.do(played.machine.conclude())
    assert played.end is None, "it is not complete"
    played.feed(frame_chunk(DONE))
    assert played.concluding
    played.do(played.machine.conclude())
    assert is_complete(played.body)
    assert played.end == End(Terminal.COMPLETED, clean=False, parting=Parting.KEEP)


def test_a_client_that_leaves_with_the_last_event_has_all_of_it() -> None:
    for piece, terminal in ((EVENTS[0], Terminal.CLIENT_GONE), (DONE, Terminal.COMPLETED)):
        played = Played(SSE)
        played.feed(frame_chunk(piece))
        played.do(played.machine.leave(Terminal.CLIENT_GONE))
        assert played.machine.terminal is terminal


def test_how_the_node_leaves_behind_a_complete_translation_does_not_matter() -> None:
    played = Played(SSE, translated=True)
    played.feed(frame_chunk(b"all."))
    played.do(played.machine.lose(reset=True))
    assert played.machine.terminal is Terminal.COMPLETED
    assert is_complete(played.body)


@table(("last", "ends"), [(DONE, True), (EVENTS[0], False)])
def test_a_node_without_framing_ends_its_reply_by_closing(last: bytes, ends: bool) -> None:
    for reset in (False, True):
        played = Played(head_of("200 OK", "close", "text/event-stream"))
        played.feed(last)
        played.do(played.machine.lose(reset=reset))
        assert is_complete(played.body) is (ends and not reset)
        assert (played.machine.terminal is Terminal.COMPLETED) is (ends and not reset)
        assert played.machine.lost is reset


def test_a_read_of_very_many_chunks_is_taken_in_several_rounds() -> None:
    played = Played(SSE)
    many = frame_chunk(b"x") * (MAX_CHUNKS + 7)
    played.feed(many)
    assert played.postponed == frame_chunk(b"x") * 7
    assert played.body == frame_chunk(b"x") * MAX_CHUNKS


def test_a_long_chunk_is_the_very_read() -> None:
    played, long = Played(SSE), frame_chunk(b"data: " + b"x" * 9000 + b"\n\n")
    played.feed(frame_chunk(EVENTS[0]))
    assert played.machine.data(long) == [long]
    (read,) = played.machine.data(long)
    assert read is long
    assert (played.machine.reads, played.machine.sent) == (
        3,
        len(frame_chunk(EVENTS[0]) + 2 * long),
    )
    played.feed(frame_chunk(END), frame_chunk(DONE) + LAST_CHUNK)
    assert played.machine.terminal is Terminal.COMPLETED


def test_a_reply_that_is_no_chunked_framing_is_malformed() -> None:
    played = Played(SSE)
    played.feed(b"no size\r\n")
    assert played.machine.reason == "the node's reply is malformed"
    assert played.machine.terminal is Terminal.NODE_BROKE


def test_a_translated_error_behind_keep_alives_is_told_in_the_stream() -> None:
    head = head_of("503 No", "chunked", "application/json")
    for kept_alive in (False, True):
        played = Played(head, translated=True, kept_alive=kept_alive)
        played.feed(frame_chunk(b'{"error":"x"}') + LAST_CHUNK)
        assert (b"node said 503" in played.body) is kept_alive
        assert (played.machine.fault is not None) is not kept_alive


def test_a_cut_behind_keep_alives_is_told_by_what_sent_them() -> None:
    early = ReplyMachine(lambda length: b"HEAD ", EarlyBody(lambda: b": \n\n", error, bare=False))
    assert early.tick() == [b"HEAD " + frame_chunk(b": \n\n")]
    told, end = early.cut(Terminal.BUSY, NoNode("none is free"))
    assert told == frame_chunk(b"none is free")
    assert end == End(Terminal.BUSY, clean=False, parting=Parting.CLOSE)


def error(told: ProxyError) -> bytes:
    return told.message.encode()


def test_the_short_way_is_open_between_chunks_alone() -> None:
    played = Played(SSE)
    assert played.machine.fast_path_limit > 0
    played.feed(frame_chunk(EVENTS[0])[:-1])
    assert played.machine.fast_path_limit == 0
    played.feed(b"\n")
    assert played.machine.fast_path_limit > 0
    played.feed(frame_chunk(DONE) + LAST_CHUNK)
    assert played.machine.fast_path_limit == 0, "it has ended"
    assert Played(SSE, translated=True).machine.fast_path_limit == 0, "nothing was sent yet"


def is_complete(wire: bytes) -> bool:
    reader = ChunkReader()
    reader.read(wire)
    return reader.ended


KINDS = {
    "verbatim": (SSE, Framing.SSE, False, True),
    "reframed": (head_of("200 OK", "close", "text/event-stream"), Framing.SSE, False, True),
    "bare": (SSE, Framing.SSE, False, False),
    "array": (head_of("200 OK", "chunked", "application/json"), Framing.JSON_ARRAY, False, True),
    "translated": (SSE, Framing.SSE, True, True),
    "translated bare": (SSE, Framing.SSE, True, False),
    "translated whole": (SSE, Framing.UNARY, True, True),
    "refused": (head_of("400 No", "chunked", "application/json"), Framing.UNARY, False, True),
    "translated refused": (
        head_of("503 No", "chunked", "application/json"), Framing.SSE, True, True,
    ),
}  # fmt: skip


class Interleaving(RuleBasedStateMachine):
    """One reply of any kind, and all events that may happen between its bytes."""

    @initialize(kind=st.sampled_from(sorted(KINDS)), kept=st.booleans(), lacks=st.booleans())
    def begin(self, kind: str, kept: bool, lacks: bool) -> None:
        head, framing, translated, modern = KINDS[kind]
        kept = kept and framing is not Framing.UNARY
        self.kind, self.framing = kind, framing
        self.chunked = b"chunked" in head
        if translated:
            parts = [b"one ", b"two ", b"three" if lacks else b"three."]
        elif framing is Framing.JSON_ARRAY:
            parts = ARRAY
        else:
            parts = EVENTS if lacks else [*EVENTS, END, DONE]
        self.text = b"".join(parts)
        wire = [frame_chunk(part) for part in parts] + [LAST_CHUNK]
        self.left = b"".join(wire) if self.chunked else self.text
        self.played = Played(
            head, framing=framing, translated=translated, modern=modern, kept_alive=kept
        )
        self.states = [self.played.machine.state]

    def is_running(self) -> bool:
        return hasattr(self, "played") and self.played.end is None

    @precondition(is_running)
    @rule(size=st.integers(1, 60))
    def data(self, size: int) -> None:
        piece, self.left = self.left[:size], self.left[size:]
        if piece:
            self.played.feed(piece)

    @precondition(is_running)
    @rule(reset=st.booleans())
    def lose(self, reset: bool) -> None:
        self.played.do(self.played.machine.lose(reset=reset))

    @precondition(is_running)
    @rule()
    def tick(self) -> None:
        self.played.do(self.played.machine.tick())

    @precondition(is_running)
    @rule()
    def conclude(self) -> None:
        self.played.do(self.played.machine.conclude())

    @precondition(is_running)
    @rule(terminal=st.sampled_from([Terminal.TIMED_OUT, Terminal.SHUT_DOWN]))
    def cut(self, terminal: Terminal) -> None:
        self.played.do(self.played.machine.cut(terminal, UpstreamTimeout("it was cut")))

    @precondition(is_running)
    @rule(terminal=st.sampled_from([Terminal.CLIENT_GONE, Terminal.CLIENT_STALLED]))
    def leave(self, terminal: Terminal) -> None:
        before = self.played.wire
        self.played.do(self.played.machine.leave(terminal))
        assert self.played.wire == before

    @precondition(is_running)
    @rule()
    def fail(self) -> None:
        self.played.do(self.played.machine.fail())
        assert self.played.machine.state is State.BROKEN

    @precondition(is_running)
    @rule()
    def unreachable(self) -> None:
        self.played.machine.unreachable()

    @precondition(lambda self: not self.is_running())
    @rule(event=st.sampled_from(["tick", "conclude", "lose", "data", "cut", "leave"]))
    def nothing_behind_the_end(self, event: str) -> None:
        machine = self.played.machine
        given = {
            "lose": lambda: machine.lose(reset=True),
            "data": lambda: machine.data(b"x"),
            "cut": lambda: machine.cut(Terminal.SHUT_DOWN, NoNode("x")),
            "leave": lambda: machine.leave(Terminal.CLIENT_GONE),
        }
        assert list(given.get(event, getattr(machine, event))()) == []

    @invariant()
    def moves_forward(self) -> None:
        if not hasattr(self, "played"):
            return
        machine, states = self.played.machine, list(State)
        assert (machine.state in OVER) == (self.played.end is not None)
        assert (machine.terminal is not None) == (self.played.end is not None)
        if machine.state is State.KEPT_ALIVE and self.states[-1] is State.HEAD_SENT:
            pass  # The one step between neighbours that goes either way.
        else:
            assert states.index(machine.state) >= states.index(self.states[-1])
        self.states.append(machine.state)

    @invariant()
    def sends_nothing_that_could_still_be_a_plain_error(self) -> None:
        if hasattr(self, "played") and self.played.machine.fault is not None:
            assert self.played.wire == b""
            assert self.played.machine.sent == 0
        elif hasattr(self, "played") and self.played.machine.is_unsent:
            assert self.played.wire == b""

    @invariant()
    def counts_what_it_sends(self) -> None:
        if hasattr(self, "played"):
            assert self.played.machine.sent == len(self.played.body)

    @invariant()
    def ends_honestly(self) -> None:
        if not hasattr(self, "played") or self.played.end is None:
            return
        end, played = self.played.end, self.played
        if end.parting is Parting.KEEP and played.machine.fault is None and played.wire:
            assert end.terminal is Terminal.COMPLETED
        if played.modern and self.framing is not Framing.UNARY and played.wire:
            # The client's last chunk comes with a complete answer alone.
            assert not is_complete(played.body) or end.terminal is Terminal.COMPLETED
            assert b'"error"' not in played.body or not is_complete(played.body)
        if not played.modern and end.terminal is not Terminal.COMPLETED and played.wire:
            assert end.parting is not Parting.KEEP
            told = b'"error"' in played.body
            assert end.parting is Parting.RESET or told

    @invariant()
    def tells_errors_behind_whole_events_only(self) -> None:
        if (
            not hasattr(self, "played")
            or self.framing is Framing.UNARY
            or "translated" in self.kind
        ):
            return
        body = self.played.body
        if self.played.modern:
            reader = ChunkReader()
            reader.read(body)
            body = b"".join(reader.payload)
        if b'"error"' not in body:
            return
        if self.framing is Framing.JSON_ARRAY:
            assert json.loads(body + b"]")[-1]["error"]
        else:
            assert json.loads(body.rpartition(b"data: ")[2])["error"]
            assert body.endswith(b"\n\n")


Interleaving.TestCase.settings = settings(examples(100), stateful_step_count=20)
TestInterleaving = Interleaving.TestCase
