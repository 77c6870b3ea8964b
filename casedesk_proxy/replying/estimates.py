"""Estimated counts of exchanges whose node reported none, or not all: mostly of streams that were
cut.

A node sends about one piece per token, and its clients' requests contain about a fixed number of
tokens per byte. The exact ratios are learned for each node and model from exchanges with reported
counts; before the first of them, a piece is a token and four bytes are one.
"""

from __future__ import annotations

from casedesk_proxy.jsonio import MAX_COUNT
from casedesk_proxy.replying.record import ExchangeRecord, Terminal
from casedesk_proxy.terms import Action, Usage

__all__ = ["Estimates"]

#: The most pieces of a stream without a token: its beginning; and, if it is whole, its end.
_MAX_FIRST_PIECES = 1
_MAX_EDGE_PIECES = 3
#: If nothing is known.
_TOKENS_PER_BYTE = 0.25
_MAX_PROMPT_TOKENS = 32_768
#: An estimate may be this many times the longest prompt that a node has reported: images are
#: bytes, too.
_LONGEST_FACTOR = 2
#: After so many pieces and bytes, what was learned counts half.
_MAX_LEARNED_PIECES = 100_000
_MAX_LEARNED_BYTES = 10_000_000
#: From so many requests on a line is fitted; with fewer the ratio is more reliable.
_MIN_LINE_REQUESTS = 8
_MAX_PIECE_TOKENS = 1000
#: Models at nodes; if there are more, learning starts again.
_MAX_MODELS = 1000

#: Actions for which a model runs.
_WORK = frozenset(
    one.value
    for one in (
        *(Action.GENERATE, Action.STREAM_GENERATE, Action.MESSAGES, Action.CHAT, Action.COMPLETE),
        *(Action.RESPOND, Action.EMBED, Action.BATCH_EMBED, Action.EMBEDDINGS),
    )
)
#: Ends at which a node may have worked although nothing of a reply arrived.
_STOPPED = frozenset(
    {
        Terminal.CLIENT_GONE,
        Terminal.CLIENT_STALLED,
        Terminal.TIMED_OUT,
        Terminal.SHUT_DOWN,
        Terminal.CANCELLED,
    }
)


class _Line:
    """The line through observations of two quantities. Its start is the fixed part of the second,
    such as the text around each prompt, and the pieces without a token at a stream's ends."""

    __slots__ = ("_both", "_count", "_squares", "_x", "_y")

    def __init__(self) -> None:
        self._count = self._x = self._y = self._squares = self._both = 0.0

    def add(self, x: int, y: int, most: float) -> None:
        """Earlier observations count half each time that more than ``most`` of the first quantity
        has been added."""
        self._count += 1
        self._x += x
        self._y += y
        self._squares += x * x
        self._both += x * y
        if self._x > most:
            self._count, self._x, self._y = self._count / 2, self._x / 2, self._y / 2
            self._squares, self._both = self._squares / 2, self._both / 2

    def draw(self, steepest: float) -> tuple[float, float] | None:
        """Its start and slope; only a ratio if there are too few observations, or no such line
        fits; None without any."""
        if not self._x:
            return None
        spread = self._count * self._squares - self._x * self._x
        if self._count >= _MIN_LINE_REQUESTS and spread > 0:
            slope = (self._count * self._both - self._x * self._y) / spread
            if 0 <= slope <= steepest:
                return (self._y - slope * self._x) / self._count, slope
        return 0.0, self._y / self._x


class _Learned:
    """What was learned of one model at one node."""

    __slots__ = ("longest", "outputs", "prompts", "whole_prompts")

    def __init__(self) -> None:
        self.longest = 0
        #: Requests for whole replies differ from requests for streams in content and wording.
        self.outputs, self.prompts, self.whole_prompts = _Line(), _Line(), _Line()

    def add(self, record: ExchangeRecord, prompt: int, output: int) -> None:
        if prompt > self.longest:
            self.longest = prompt
        if record.events > _MAX_EDGE_PIECES:
            self.prompts.add(record.received, prompt, _MAX_LEARNED_BYTES)
            self.outputs.add(record.events - _MAX_EDGE_PIECES, output, _MAX_LEARNED_PIECES)
        else:
            self.whole_prompts.add(record.received, prompt, _MAX_LEARNED_BYTES)

    def tokens(self, pieces: int) -> int:
        _, per_piece = self.outputs.draw(_MAX_PIECE_TOKENS) or (0.0, 1.0)
        # A node may report any count for its few pieces.
        return min(round(pieces * per_piece), MAX_COUNT)

    def prompt_tokens(self, size: int) -> int:
        """Cut replies are usually streams."""
        line = self.prompts.draw(1.0) or self.whole_prompts.draw(1.0)
        start, per_byte = line or (0.0, _TOKENS_PER_BYTE)
        most = _LONGEST_FACTOR * self.longest if self.longest else _MAX_PROMPT_TOKENS
        return min(max(round(start + size * per_byte), 0), most)


_NOTHING_LEARNED = _Learned()


class Estimates:
    """``fill`` is called for every exchange at its end."""

    def __init__(self) -> None:
        self._learned: dict[tuple[str, str], _Learned] = {}

    def fill(self, record: ExchangeRecord) -> ExchangeRecord:
        """The record with estimates for work that a node did not report, marked as such in its
        usage."""
        usage = record.usage
        if record.terminal is Terminal.COMPLETED and usage.prompt is not None:
            if usage.output is not None or record.events <= _MAX_EDGE_PIECES:
                if record.node and record.received:
                    self._learn(record, usage.prompt, usage.output or 0)
                return record
        elif not record.node:
            return record
        return record.with_usage(self._estimate(record)) if _has_worked(record) else record

    def _learn(self, record: ExchangeRecord, prompt: int, output: int) -> None:
        where = record.node, record.model
        learned = self._learned.get(where)
        if learned is None:
            if len(self._learned) >= _MAX_MODELS:
                self._learned.clear()
            learned = self._learned[where] = _Learned()
        learned.add(record, prompt, output)

    def _estimate(self, record: ExchangeRecord) -> Usage:
        usage = record.usage
        learned = self._learned.get((record.node, record.model), _NOTHING_LEARNED)
        prompt = usage.prompt
        if prompt is None:
            prompt = learned.prompt_tokens(record.received)
        output = usage.output
        if record.terminal is not Terminal.COMPLETED:
            # It may have reported only its first count, at the beginning.
            if output is None or output <= 1:
                output = learned.tokens(max(record.events - _MAX_FIRST_PIECES, 0))
        elif output is None and record.events > _MAX_EDGE_PIECES:
            output = learned.tokens(record.events - _MAX_EDGE_PIECES)
        if (prompt, output) == (usage.prompt, usage.output):
            return usage
        return Usage(prompt, output, usage.cached, usage.thoughts, estimated=True)


def _has_worked(record: ExchangeRecord) -> bool:
    """Whether its node has generated, or may at least have read a prompt."""
    if record.action not in _WORK:
        return False
    if record.events:
        return 200 <= record.status < 300
    return record.terminal in _STOPPED
