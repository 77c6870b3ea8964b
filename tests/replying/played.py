"""A reply machine with a client that records what it gets, without a transport."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from casedesk_proxy.errors import ProxyError
from casedesk_proxy.replying.bodies.base import EarlyBody
from casedesk_proxy.replying.bodies.choose import NodeReply, Recipient, choose_body
from casedesk_proxy.replying.commands import Command, ConcludeSoon, End, Postpone
from casedesk_proxy.replying.endings import Form, place_error
from casedesk_proxy.replying.machine import ReplyMachine
from casedesk_proxy.terms import Dialect, Framing, Position
from casedesk_proxy.wire.http1 import parse_response_head
from tests.replying.shouting import Shouting


def head_of(status: str, framing: str, content_type: str) -> bytes:
    lines = {
        "chunked": "\r\nTransfer-Encoding: chunked",
        "length": "\r\nContent-Length: %d",
        "close": "\r\nConnection: close",
    }
    return f"HTTP/1.1 {status}\r\nContent-Type: {content_type}{lines[framing]}".encode()


def early_machine(framing: Framing, *, modern: bool) -> ReplyMachine:
    """A machine for a reply whose node has sent nothing yet."""
    ending = _ending(_surface(framing), framing)
    early = EarlyBody(_keepalives(framing), ending, bare=not modern)
    return ReplyMachine(lambda length: b"EARLY\r\n\r\n", early)


def take_head(
    machine: ReplyMachine,
    head: bytes,
    framing: Framing,
    *,
    translated: bool,
    modern: bool,
    kept_alive: bool,
    key: str | None = None,
) -> None:
    """Let the node's head arrive."""
    recipient = Recipient(
        _surface(framing), "r", modern, True, b"", framing, is_kept_alive=kept_alive
    )
    translator = Shouting("at once") if translated else None
    reply = NodeReply(parse_response_head(head), "n1", "m", b"host:1", key, translator)
    chosen = choose_body(recipient, reply)
    machine.reply(chosen.make_head, chosen.body)


class Played:
    """A machine, and what its commands mean for a client: ``wire`` has the client's bytes."""

    def __init__(
        self,
        head: bytes,
        *,
        framing: Framing = Framing.SSE,
        translated: bool = False,
        modern: bool = True,
        kept_alive: bool = False,
        key: str | None = None,
    ) -> None:
        self.wire = b""
        self.postponed = b""
        self.concluding = False
        self.end: End | None = None
        self.modern = modern
        self.machine = early_machine(framing, modern=modern)
        if kept_alive:
            self.do(self.machine.tick())
        take_head(
            self.machine, head, framing, translated=translated, modern=modern,
            kept_alive=kept_alive, key=key,
        )  # fmt: skip
        self.do(self.machine.open(surplus=False))

    def do(self, commands: Iterable[Command]) -> None:
        for command in commands:
            assert self.end is None, "the end is the last command"
            if isinstance(command, bytes):
                self.wire += command
            elif isinstance(command, End):
                self.end = command
            elif isinstance(command, Postpone):
                self.postponed = command.rest
            else:
                assert isinstance(command, ConcludeSoon)
                self.concluding = True

    def feed(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.do(self.machine.data(piece))

    @property
    def body(self) -> bytes:
        return self.wire.partition(b"\r\n\r\n")[2]


def _surface(framing: Framing) -> Dialect:
    return Dialect.GEMINI if framing is Framing.JSON_ARRAY else Dialect.OPENAI


def _keepalives(framing: Framing) -> Callable[[], bytes]:
    keepalives = (
        iter([b"[", *[b"\n"] * 1000]) if framing is Framing.JSON_ARRAY else iter([b": \n\n"] * 1000)
    )
    return lambda: next(keepalives)


def _ending(surface: Dialect, framing: Framing) -> Callable[[ProxyError], bytes]:
    array = framing is Framing.JSON_ARRAY
    form, position = (Form.ARRAY, Position.OPENED) if array else (Form.EVENTS, Position.BETWEEN)
    return lambda error: place_error(surface, form, position, error)
