"""Text, thoughts and calls in the order in which a node sends them, as blocks that never overlap.

Anthropic's blocks and the items of OpenAI's Responses follow one another, while the fragments of
chat's parallel calls may be mixed. Content that arrives while a call is incomplete waits until the
call is complete, at the latest until the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from casedesk_proxy.dialects.core.calls import ToolCall, plain_arguments
from casedesk_proxy.dialects.core.reply import ReplyChoice
from casedesk_proxy.errors import StreamBroken
from casedesk_proxy.jsonio import PieceRepair

__all__ = ["TEXT", "THINKING", "TOOL_USE", "BlockForm", "BlockSequencer"]

THINKING, TEXT, TOOL_USE = "thinking", "text", "tool_use"

#: TGI gives all calls the id "0": a shorter id does not distinguish calls in a conversation.
_MIN_ID_CHARS = 4


class BlockForm(Protocol):
    """Takes blocks one by one. ``kind`` is one of those above, or a further kind of text. ``keep``
    is False for a call that was cut short and must not be shown as a call."""

    def start(self, kind: str, ident: str = "", name: str = "") -> None: ...

    def add(self, text: str) -> None: ...

    def stop(self, *, keep: bool = True) -> None: ...


class BlockSequencer:
    """``names`` maps the node's function names to the client's; ``make_id`` makes the id of the
    n-th call if the node's cannot be used."""

    def __init__(
        self, form: BlockForm, names: Mapping[str, str], make_id: Callable[[int], str]
    ) -> None:
        #: Whether the client has been shown anything, and whether that included a call.
        self.shown = False
        self.uses_tools = False
        self._form = form
        self._names = names
        self._make_id = make_id
        self._kind = ""
        self._open: ToolCall | None = None
        self._sent_pieces = 0  # how many pieces of the open call's arguments the client has
        self._repair = PieceRepair()  # SDKs cannot read half a surrogate pair
        self._blank = ""
        self._begun: dict[ToolCall, str] = {}
        self._waiting: list[ToolCall | tuple[str, str]] = []

    @property
    def speaks(self) -> bool:
        """Whether more text can be sent directly to the client."""
        return self._kind is TEXT and not self._waiting

    def text(self, choice: ReplyChoice, text: str, *, last: bool = False) -> None:
        """See ``reply.ReplyWriter``."""
        if self._kind is TEXT and not self._waiting:
            self._form.add(text)
        else:
            self.words(TEXT, text)

    def words(self, kind: str, text: str) -> None:
        """More text or thinking."""
        if kind is self._kind and not self._waiting:
            self._form.add(text)
        elif not self._waiting and self._is_call_whole():
            self._show_words(kind, text)
        else:
            self._waiting.append((kind, text))
            self._advance()

    def call(self, call: ToolCall, piece: str) -> None:
        """Take more of a call: a new one, or a piece of its arguments, which the call already
        contains."""
        if call is self._open:
            self._send_pieces(call)
        elif call in self._begun:
            if piece.strip():
                raise StreamBroken("sent more of a tool call that was already complete")
        elif call not in self._waiting:
            self._waiting.append(call)
            self._advance()
        elif self._open is None or len(call.pieces) == 1:  # its name or arguments may have arrived
            self._advance()

    def complete(self, *, cut: bool, keep: bool) -> bool:
        """Show what still waits, and end the last block. Returns whether every call is whole.

        ``cut``: the reply was cut short, so the last call may be broken; ``keep``: it is shown
        nevertheless, if possible. Otherwise raises StreamBroken for a broken call.
        """
        calls = [*self._begun, *[item for item in self._waiting if isinstance(item, ToolCall)]]
        broken = [call for call in calls if call.arguments() is None or not call.name]
        if broken and not cut:
            if not all(call.name for call in broken):
                raise StreamBroken("sent a tool call without a name")
            raise StreamBroken("sent a tool call whose arguments are not a JSON object")
        if self._open is not None:
            self._close(keep=keep or self._open not in broken)
        for item in self._waiting:
            if not isinstance(item, ToolCall):
                self._show_words(*item)
            elif item not in broken:
                self._show(item)
        self._close()
        if not self.shown:
            self._show_nothing()
        return not broken

    def _advance(self) -> None:
        """Show the blocks that wait, as long as all blocks before them are whole. A name that is
        not whole for certain may get longer until the arguments begin."""
        while self._waiting and self._is_call_whole():
            first = self._waiting[0]
            if not isinstance(first, ToolCall):
                self._show_words(*first)
            elif first.name and (first.is_named or first.pieces):
                self._show(first)
            else:
                return
            del self._waiting[0]

    def _is_call_whole(self) -> bool:
        """A call without any argument so far may still get some."""
        call = self._open
        return call is None or (bool(call.pieces) and call.arguments() is not None)

    def _show_words(self, kind: str, text: str) -> None:
        """Blanks alone do not make a block: templates leave them between thoughts, text and calls,
        and Anthropic's own API refuses such a block when it is sent back."""
        if kind is self._kind:
            self._form.add(text)
            return
        if kind is TEXT:
            text, self._blank = self._blank + text, ""
        if text.strip():
            self._start(kind)
            self._form.add(text)
        elif kind is TEXT:
            self._blank = text

    def _show(self, call: ToolCall) -> None:
        ident = call.id
        if len(ident) < _MIN_ID_CHARS or ident in self._begun.values():
            ident = self._make_id(len(self._begun))
        self._begun[call] = ident
        self._start(TOOL_USE, ident, self._names.get(call.name, call.name))
        self._open = call
        self.uses_tools = True
        self._sent_pieces, self._repair = 0, PieceRepair()
        self._send_pieces(call)

    def _send_pieces(self, call: ToolCall) -> None:
        """Show the arguments that have arrived, unless it is not known yet what they are."""
        if not self._sent_pieces and call.is_undecided():
            return
        for piece in call.pieces[self._sent_pieces :]:
            self._form.add(self._repair.feed(piece))
        self._sent_pieces = len(call.pieces)

    def _show_nothing(self) -> None:
        self._start(TEXT)
        self._form.add(self._blank)
        self._close()

    def _start(self, kind: str, ident: str = "", name: str = "") -> None:
        self._close()
        self._kind = kind
        self.shown = True
        self._form.start(kind, ident, name)

    def _close(self, *, keep: bool = True) -> None:
        call, kind = self._open, self._kind
        self._open, self._kind = None, ""
        if call is not None:
            if not self._sent_pieces:
                self._form.add(self._repair.feed(plain_arguments("".join(call.pieces))))
            self._form.add(self._repair.finish())
        if kind:
            self._form.stop(keep=keep)
