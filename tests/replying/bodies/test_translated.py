"""A reply in another protocol than the client's: the node's body through a translator."""

from __future__ import annotations

from collections.abc import Callable

from casedesk_proxy.errors import BadRequest, Busy, NodeError, NoNode, ProxyError, StreamBroken
from casedesk_proxy.replying.bodies.base import Breach
from casedesk_proxy.replying.bodies.translated import ReplyTranslation, TranslatedBody
from casedesk_proxy.replying.endings import Form
from casedesk_proxy.replying.record import Terminal
from casedesk_proxy.terms import Dialect, RawHeaders, Usage
from casedesk_proxy.wire.bodies import CloseReader
from casedesk_proxy.wire.chunked import LAST_CHUNK, ChunkReader, frame_chunk
from tests.fixtures.table import table
from tests.replying.shouting import Shouting

FIRST = b'{"error":{"message":"no","code":503}}'


class Refusing(Shouting):
    """Judges every error with the same result; ``seen`` is the error."""

    def __init__(self, fault: ProxyError) -> None:
        super().__init__("at once")
        self.fault = fault
        self.seen: tuple[int, bytes] = (0, b"")

    def refuse(self, status: int, headers: RawHeaders, body: bytes) -> ProxyError:
        self.seen = status, body
        return self.fault


def translated(
    translator: Shouting | None = None,
    *,
    whole: bool = False,
    bare: bool = False,
    key: str | None = None,
    on_first_bytes: Callable[[bytes], None] | None = None,
) -> TranslatedBody:
    reader = CloseReader() if bare else ChunkReader()
    made, form = translator or Shouting("at once"), Form.UNARY if whole else Form.EVENTS
    translation = ReplyTranslation(made, Dialect.OPENAI, form, key)
    return TranslatedBody(reader, translation, bare=bare, on_first_bytes=on_first_bytes)


def feed(body: TranslatedBody, payload: bytes, *, unsent: bool = True) -> bytes:
    wire = payload if isinstance(body.reader, CloseReader) else frame_chunk(payload)
    return body.take(wire, body.reader.read(wire), unsent=unsent)


def test_a_stream_goes_out_as_it_is_translated() -> None:
    body = translated()
    assert feed(body, b"one ") == frame_chunk(b"ONE ")
    assert not body.is_answered()
    assert feed(body, b"two.") == frame_chunk(b"TWO.")
    assert body.is_answered()
    assert body.finish(unsent=False) == LAST_CHUNK
    assert body.usage(Dialect.OPENAI) == Usage(1, 2)
    assert body.refusal == (200, b"one two.")


def test_how_the_node_s_answer_begins_is_told_once() -> None:
    seen: list[bytes] = []
    body = translated(on_first_bytes=seen.append)
    for piece in (b"one ", b"two."):
        feed(body, piece)
    assert seen == [b"one "]


def test_a_document_goes_out_in_one_piece() -> None:
    body = translated(whole=True)
    assert feed(body, b"one ") == b""
    assert feed(body, b"two.") == b""
    assert body.keep_alive() == b""
    assert body.finish(unsent=True) == b"ONE TWO."


def test_a_large_document_goes_out_in_its_pieces() -> None:
    made = Shouting("late")
    body = translated(made, whole=True)
    feed(body, b"all.")
    made.pieces = 2
    assert body.finish(unsent=True) == (b"AL", b"L.")


def test_a_large_document_is_cut() -> None:
    body, text = translated(whole=True), b"x" * 300_000 + b"."
    feed(body, text)
    pieces = body.finish(unsent=True)
    assert isinstance(pieces, tuple)
    assert [*map(len, pieces)] == [131_072, 131_072, 37_857]
    assert b"".join(pieces) == text.upper()


def test_without_framing() -> None:
    body = translated(bare=True)
    assert feed(body, b"all.") == b"ALL."
    assert body.finish(unsent=False) == b""
    assert body.error_bytes(NoNode("gone")).startswith(b"<")


@table(("more", "is_open"), [({}, True), ({"whole": True}, False), ({"bare": True}, False)])
def test_the_short_way_is_for_streams_of_chunks(more: dict[str, bool], is_open: bool) -> None:
    body = translated(**more)
    assert (body.fast_path_limit > 0) is is_open
    body.reader.read(b"5\r\nhe")
    assert body.fast_path_limit == 0


def test_what_breaks_behind_the_answer_is_of_no_matter() -> None:
    body = translated()
    feed(body, b"all.")
    assert body.judge(StreamBroken("x"), unsent=False) is None


def test_what_is_no_error_of_the_nodes_own_is_a_break() -> None:
    error = StreamBroken("x")
    assert translated().judge(error, unsent=True) == Breach(error, Terminal.NODE_BROKE)


@table("unsent", [True, False])
def test_a_fault_of_the_request_is_told_as_one(unsent: bool) -> None:
    judge = Refusing(BadRequest("m"))
    body = translated(judge, key="secret-key")
    breach = body.judge(NodeError(400, b"for secret-key"), unsent=unsent)
    assert judge.seen == (400, b"for ..."), "the node's key is nobody's"
    assert breach is not None
    assert breach.error is judge.fault
    assert breach.terminal is (Terminal.COMPLETED if unsent else Terminal.REFUSED)


@table(("answered", "lost"), [(503, True), (500, False)])
def test_an_error_that_comes_first_may_send_the_request_elsewhere(
    answered: int, lost: bool
) -> None:
    judge = Refusing(Busy("m"))
    body = translated(judge)
    feed(body, FIRST)
    breach = body.judge(NodeError(answered, FIRST), unsent=True)
    assert breach == Breach(judge.fault, Terminal.NODE_BROKE, lost=lost)


@table(("first", "unsent"), [(b"words ", True), (FIRST, False)])
def test_behind_a_part_of_the_answer_the_reply_is_broken(first: bytes, unsent: bool) -> None:
    judge = Refusing(Busy("m"))
    judge.fault.said = "out of memory"
    body = translated(judge)
    feed(body, first)
    error = NodeError(503, FIRST)
    assert body.judge(error, unsent=unsent) == Breach(error, Terminal.NODE_BROKE)
    assert error.said == "out of memory", "for the log"
