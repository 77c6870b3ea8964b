"""Responses streams in the forms of several engines, relayed in any pieces and cut at any byte."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.dialects.responses.names import FlatNames, QualifiedName
from casedesk_proxy.replying.bodies.choose import NodeReply, Recipient, choose_body
from casedesk_proxy.replying.commands import End
from casedesk_proxy.replying.machine import ReplyMachine
from casedesk_proxy.replying.namespaces import NameRestorer, NamespacedStream
from casedesk_proxy.replying.record import Terminal
from casedesk_proxy.terms import Dialect, Framing
from casedesk_proxy.wire.chunked import LAST_CHUNK, frame_chunk
from casedesk_proxy.wire.http1 import parse_response_head
from tests.dialects.replies import cuts, names, read_reply
from tests.fixtures.responders import FORMS, Form, frames
from tests.fixtures.table import table
from tests.replying.played import head_of

FLAT = "mcp__a__look"
PLAIN: dict[str, Any] = {"model": "m", "input": "x"}
CALLING = PLAIN | {"tools": [{"type": "function", "name": FLAT}]}
HEAD = parse_response_head(head_of("200 OK", "chunked", "text/event-stream"))
RECIPIENT = Recipient(Dialect.RESPONSES, "r", True, True, b"", Framing.SSE)
CASES = [(form, asked, named) for form in FORMS for asked in (PLAIN, CALLING) for named in (0, 1)]


def restorer() -> NameRestorer:
    flat = FlatNames(strict=False)
    flat.flatten(QualifiedName("look", "mcp__a"))
    return NameRestorer(flat, b"[]")


def play(pieces: list[bytes], *, named: int, ends: bool) -> tuple[bytes, End]:
    """What a client gets of a node's chunks, after which the connection breaks, and the end."""
    translator = NamespacedStream("m", restorer()) if named else None
    chosen = choose_body(RECIPIENT, NodeReply(HEAD, "n1", "m", b"h:1", None, translator))
    machine = ReplyMachine(chosen.make_head, chosen.body)
    commands = [*machine.open(surplus=False)]
    for piece in pieces:
        commands += machine.data(frame_chunk(piece))
    commands += machine.data(LAST_CHUNK) if ends else machine.lose(reset=True)
    wire = b"".join(one for one in commands if isinstance(one, bytes))
    (end,) = (one for one in commands if isinstance(one, End))
    return wire.partition(b"\r\n\r\n")[2] if wire else b"", end


def payload(wire: bytes) -> bytes:
    """The content of the chunks, and whether the message has ended."""
    out = b""
    while wire:
        size, _, wire = wire.partition(b"\r\n")
        if int(size, 16) == 0:
            return out + b"<end>"
        out, wire = out + wire[: int(size, 16)], wire[int(size, 16) + 2 :]
    return out


@table(("form", "asked", "named"), CASES)
def test_any_two_pieces_are_the_same_stream(form: Form, asked: dict[str, Any], named: int) -> None:
    stream = b"".join(frames(form, asked))
    whole, end = play([stream], named=named, ends=True)
    assert end.terminal is Terminal.COMPLETED
    assert payload(whole).endswith(b"<end>")
    if not named:
        assert payload(whole) == stream + b"<end>"
    elif asked is CALLING:
        assert FLAT.encode() not in whole
    for at in range(1, len(stream), 7):
        again, _ = play([stream[:at], stream[at:]], named=named, ends=True)
        assert payload(again) == payload(whole)


@table(("form", "asked", "named"), CASES)
@table("ends", [False, True])
def test_cut_at_any_byte_it_never_looks_complete(
    form: Form, asked: dict[str, Any], named: int, ends: bool
) -> None:
    """``ends``: with a clean end of the message, as a server does whose model has died."""
    made = frames(form, asked)
    completed = next(at for at, one in enumerate(made) if b"event: response.completed" in one)
    before = len(b"".join(made[:completed]))
    stream = b"".join(made)
    for at in range(len(made[0]), before, 11):
        wire, end = play([stream[:at]], named=named, ends=ends)
        assert end.terminal is Terminal.NODE_BROKE
        body = payload(wire)
        assert not body.endswith(b"<end>")
        assert b'"response.completed"' not in body
        last = body.rpartition(b"data: ")[2]
        if named or stream[:at].endswith(b"\n\n"):
            told = json.loads(last)
            assert told["type"] == "response.failed"
            assert told["response"]["id"] == f"resp_{form.name}1"
            assert told["response"]["error"]["message"]


@given(st.sampled_from(CASES), st.lists(st.integers(1, 3000), max_size=8))
def test_any_pieces_are_the_same_stream(
    case: tuple[Form, dict[str, Any], int], at: list[int]
) -> None:
    form, asked, named = case
    stream = b"".join(frames(form, asked))
    places = sorted({0, len(stream), *(cut for cut in at if cut < len(stream))})
    pieces = [stream[a:b] for a, b in pairwise(places)]
    whole, _ = play([stream], named=named, ends=True)
    again, _ = play(pieces, named=named, ends=True)
    assert payload(again) == payload(whole)


#: What engines really sent. SGLang and transformers serve are asked for Responses only where a node
#: is configured so (``speaks``).
RECORDED = names("*.responses-stream")


@table("name", RECORDED)
def test_a_recorded_stream_is_passed_on_in_any_two_pieces(name: str) -> None:
    stream = read_reply(name).body
    for at in [one for one in cuts(stream, len(stream) - 50) if 0 < one < len(stream)][::3]:
        for named in (0, 1):
            wire, end = play([stream[:at], stream[at:]], named=named, ends=True)
            assert end.terminal is Terminal.COMPLETED, at
            assert payload(wire) == stream + b"<end>", at


@table("name", RECORDED)
@table("ends", [False, True])
def test_a_recorded_stream_that_is_cut_never_looks_complete(name: str, ends: bool) -> None:
    stream = read_reply(name).body
    completed = stream.rindex(b'"response.completed"')
    last = max(stream.rfind(b"\n\n", 0, completed) + 2, 1)
    first = stream.index(b"\n\n") + 2
    ident = re.findall(rb'"id":\s?"(resp_[^"]+)"', stream)[0].decode()
    for at in [one for one in cuts(stream[:last], last) if first <= one <= last][::-3]:
        for named in (0, 1):
            wire, end = play([stream[:at]], named=named, ends=ends)
            assert end.terminal is Terminal.NODE_BROKE, at
            body = payload(wire)
            assert not body.endswith(b"<end>")
            if named or stream[:at].endswith(b"\n\n"):
                told = json.loads(body.rpartition(b"data: ")[2])
                assert (told["type"], told["response"]["id"]) == ("response.failed", ident)
