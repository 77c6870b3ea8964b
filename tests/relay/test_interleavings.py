"""A reply between two transports, with every interleaving of reads, pauses, rounds of the loop,
ticks, cuts, losses and disconnects. In every case the client gets the whole reply, or is shown that
it is incomplete, and the node's connection is used again only if the message on it is complete."""

from __future__ import annotations

import asyncio
import json

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from casedesk_proxy.errors import UpstreamTimeout
from casedesk_proxy.relay.relay import Relay
from casedesk_proxy.replying.record import Terminal
from casedesk_proxy.terms import Framing
from casedesk_proxy.turns import Turns
from casedesk_proxy.upstream.connection import NodeConnection
from casedesk_proxy.wire.chunked import LAST_CHUNK, MAX_CHUNKS, ChunkReader, frame_chunk
from tests.fixtures.effort import examples
from tests.replying.played import early_machine, take_head
from tests.replying.test_machine import ARRAY, DONE, END, EVENTS, KINDS
from tests.server.transports import RecordingTransport

LOOP = asyncio.new_event_loop()
#: More chunks than one round of the loop takes, and a read as long as it makes them.
MANY, LONG = MAX_CHUNKS + 200, 140_000


def run_a_round() -> None:
    LOOP.call_soon(LOOP.stop)
    LOOP.run_forever()


class Interleavings(RuleBasedStateMachine):
    @initialize(
        kind=st.sampled_from(sorted(KINDS)),
        kept=st.booleans(),
        size=st.sampled_from(["short", "many", "long"]),
        patient=st.booleans(),
    )
    def begin(self, kind: str, kept: bool, size: str, patient: bool) -> None:
        """``patient``: one round of the loop can end several replies; otherwise they wait for their
        turn."""
        head, self.framing, translated, self.modern = KINDS[kind]
        kept = kept and self.framing is not Framing.UNARY
        parts = self.parts_of(translated=translated, size=size)
        self.kind, self.text = kind, b"".join(parts)
        chunked = b"chunked" in head
        self.pieces = [*map(frame_chunk, parts), LAST_CHUNK] if chunked else parts
        self.by_length = not chunked
        self.client, self.node = RecordingTransport(), RecordingTransport()
        self.connection = NodeConnection(LOOP)
        self.connection.connection_made(self.node)
        machine = early_machine(self.framing, modern=self.modern)
        turns = Turns(LOOP, budget_s=60.0 if patient else 0.0)
        self.relay = Relay(LOOP, self.client, machine, turns)
        if kept:
            self.relay.keep_alive()
        take_head(
            machine, head, self.framing, translated=translated, modern=self.modern,
            kept_alive=kept,
        )  # fmt: skip
        self.relay.begin(self.connection)
        self.is_lost = self.is_left = False

    def parts_of(self, *, translated: bool, size: str) -> list[bytes]:
        if translated:
            return {"short": [b"one ", b"two ", b"three."], "many": [b"w"] * MANY + [b"."]}.get(
                size, [b"w" * LONG, b"."]
            )
        if self.framing is Framing.JSON_ARRAY:
            more = {"many": [b",1"] * MANY, "long": [b"," + json.dumps("w" * LONG).encode()]}
            return [*ARRAY[:-1], *more.get(size, ()), ARRAY[-1]]
        more = {"many": EVENTS[:1] * MANY, "long": [EVENTS[0].replace(b"w", b"w" * LONG)]}
        return [*EVENTS, *more.get(size, ()), END, DONE]

    def is_running(self) -> bool:
        return hasattr(self, "relay") and self.relay.terminal is None

    def may_read(self) -> bool:
        return (
            self.is_running()
            and not self.is_lost
            and self.node.is_reading()
            and not self.node.is_closing()
            and bool(self.pieces)
        )

    @precondition(may_read)
    @rule(count=st.integers(1, 3))
    def chunks(self, count: int) -> None:
        """A read that is exactly one chunk does not pass the machine."""
        read, self.pieces = b"".join(self.pieces[:count]), self.pieces[count:]
        self.relay.data_received(read)

    @precondition(may_read)
    @rule(size=st.integers(1, 60))
    def part(self, size: int) -> None:
        first = self.pieces[0]
        self.pieces[:1] = [first[size:]] if first[size:] else []
        self.relay.data_received(first[:size])

    @precondition(may_read)
    @rule()
    def rest(self) -> None:
        read, self.pieces = b"".join(self.pieces), []
        self.relay.data_received(read)

    @precondition(is_running)
    @rule()
    def round(self) -> None:
        run_a_round()

    @precondition(is_running)
    @rule()
    def pause(self) -> None:
        """The client's buffer is full. Bytes that follow can only come with an end."""
        if self.relay.paused_at is None and not self.client.is_closing():
            self.relay.pause()
            assert self.is_lost or not self.node.is_reading()

    @precondition(is_running)
    @rule()
    def resume(self) -> None:
        if self.relay.paused_at is not None:
            self.relay.resume()

    @precondition(is_running)
    @rule()
    def tick(self) -> None:
        before = self.client.written
        self.relay.keep_alive()
        assert self.client.written.startswith(before)
        assert self.relay.paused_at is None or self.client.written == before

    @precondition(is_running)
    @rule(terminal=st.sampled_from([Terminal.TIMED_OUT, Terminal.SHUT_DOWN]))
    def cut(self, terminal: Terminal) -> None:
        self.relay.cut(terminal, UpstreamTimeout("it was cut"))
        assert self.relay.terminal is terminal

    @precondition(is_running)
    @rule(terminal=st.sampled_from([Terminal.CLIENT_GONE, Terminal.CLIENT_STALLED]))
    def leave(self, terminal: Terminal) -> None:
        self.is_left, before = True, self.client.written
        self.relay.leave(terminal)
        assert self.relay.terminal in (terminal, Terminal.COMPLETED)
        assert self.client.written == before

    @precondition(lambda self: self.is_running() and not self.is_lost)
    @rule(how=st.sampled_from(["reset", "fin"]))
    def lose(self, how: str) -> None:
        self.is_lost = True
        if how == "reset":
            self.relay.connection_lost(ConnectionResetError())
        else:
            self.relay.eof_received()

    @precondition(is_running)
    @rule()
    def close_unnoticed(self) -> None:
        """The client's transport has closed, but the relay does not know it yet."""
        if not self.client.is_closing():
            self.is_left = True
            self.client.asked.append("close")

    @precondition(lambda self: hasattr(self, "relay") and not self.is_running())
    @rule(event=st.sampled_from(["keep_alive", "conclude", "leave", "cut", "lose", "round"]))
    def nothing_behind_the_end(self, event: str) -> None:
        before, terminal = self.client.written, self.relay.terminal
        given = {
            "leave": lambda: self.relay.leave(Terminal.CLIENT_GONE),
            "cut": lambda: self.relay.cut(Terminal.SHUT_DOWN, UpstreamTimeout("x")),
            "lose": lambda: self.node.protocol.connection_lost(None),  # type: ignore[union-attr]
            "round": run_a_round,
        }
        given.get(event, getattr(self.relay, event, None))()
        assert (self.client.written, self.relay.terminal) == (before, terminal)

    @property
    def body(self) -> bytes:
        return self.client.written.partition(b"\r\n\r\n")[2]

    def has_all(self) -> bool:
        """Whether the client has the node's text from its beginning to its end."""
        payload, head = self.body, self.client.written.partition(b"\r\n\r\n")[0]
        if (head == b"EARLY" and self.modern) or b"transfer-encoding: chunked" in head.lower():
            reader, at, found = ChunkReader(), 0, list[bytes]()
            while at < len(self.body) and not reader.ended:
                at += reader.read(self.body, at)
                found += reader.payload
            payload = b"".join(found)
        if "translated" in self.kind:
            return payload.replace(b": \n\n", b"") == self.text.upper()
        if self.framing is Framing.JSON_ARRAY:
            return bool(json.loads(payload) == json.loads(self.text))
        return payload.replace(b": \n\n", b"") == self.text

    @invariant()
    def counts_what_it_sends(self) -> None:
        if hasattr(self, "relay"):
            assert self.relay.sent == len(self.body)

    @invariant()
    def a_connection_is_used_again_at_its_end_alone(self) -> None:
        if hasattr(self, "relay") and not self.is_running():
            is_back = self.node.protocol is self.connection and not self.node.is_closing()
            assert is_back == self.relay.clean
            assert not (is_back and self.pieces and not self.by_length)

    @invariant()
    def ends_honestly(self) -> None:
        if not hasattr(self, "relay") or self.is_running() or not self.client.written:
            return
        if self.relay.terminal is not Terminal.COMPLETED and self.relay.machine.fault is None:
            assert self.client.is_closing(), "it would wait for the rest"
        if self.relay.terminal is Terminal.COMPLETED and "refused" not in self.kind:
            assert self.has_all() or self.is_left

    def teardown(self) -> None:
        """Without further events the reply must end."""
        if not hasattr(self, "relay"):
            return
        rounds = 0
        while self.relay.terminal is None:
            rounds += 1
            assert rounds < 20_000, "it never ends"
            if self.relay.paused_at is not None:
                self.relay.resume()
            elif self.may_read():
                self.rest()
            elif not self.pieces and not self.is_lost and self.by_length:
                self.lose("fin")
            run_a_round()
        run_a_round()
        self.ends_honestly()
        self.a_connection_is_used_again_at_its_end_alone()
        self.counts_what_it_sends()


Interleavings.TestCase.settings = settings(examples(100), stateful_step_count=20)
TestInterleavings = Interleavings.TestCase
