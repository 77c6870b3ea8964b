"""Rows that wait for the file, as bytes.

A row that waits as Python objects takes more of the processor's caches than its own size: it lies
between the objects that requests make, so that those of later requests must be made in memory that
was last used long ago (35 cache lines a request, bench/NOTES.md). Bytes in a buffer that is used
again and again do not.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from casedesk_proxy.replying.record import ExchangeRecord
from casedesk_proxy.store.waiting import Bell

__all__ = ["OWN", "SHARED", "PackedBatch", "PackedRows"]

#: The columns that exchanges usually share, and those in which they differ. Times are of the clock
#: of exchanges.
SHARED = (
    "key", "deployment", "surface", "action", "asked", "model", "node", "status", "ending", "code",
    "estimated",
)  # fmt: skip
OWN = (
    "prompt", "output", "queued", "started", "ended", "first_byte", "request", "cached", "thoughts",
)  # fmt: skip

#: The number of the values that are shared, then OWN. The number is inverted, hence negative, of a
#: row in which one of OWN is missing, and written as -1. Most rows lack the last two alone, which
#: are then not written at all.
_FORM = struct.Struct("3q4d32s2q")
_pack_usual = struct.Struct("3q4d32s").pack_into
#: Reads what most rows have, without their number.
_USUAL_FORM = struct.Struct("8x2q4d32s16x")
_SIZE = _FORM.size
#: All but the request are words of eight bytes.
_SIZE_WORDS = _SIZE // 8
_NO_COUNT = -1
#: The length of the proxy's own request ids. Any other id is among the shared values, at their end.
_ID_CHARS = 32
_MAX_CHUNK_ROWS = 512
_CHUNK_BYTES = _MAX_CHUNK_ROWS * _SIZE
#: The most rows that wait, in 21 MB. Further rows are dropped.
_MAX_ROWS = 200_000
#: Chunks that are kept for further rows when all of theirs are in the file.
_MAX_SPARE_CHUNKS = 8

#: Values of SHARED, perhaps with a request's id behind them; or of some columns of OWN.
Values = tuple[Any, ...]
#: Of OWN, the columns that a row without cached and thought tokens has.
_USUAL: Sequence[str] = OWN[:-2]
_ENDING = SHARED.index("ending")
_REQUEST = OWN.index("request")


class _Chunk:
    """``numbers``: which values are shared by rows of this chunk, so that their number is limited,
    too."""

    __slots__ = ("buffer", "filled", "numbers")

    def __init__(self) -> None:
        #: In bytes.
        self.filled = 0
        self.buffer = bytearray(_CHUNK_BYTES)
        self.numbers: dict[Values, int] = {}


class PackedBatch:
    """Rows, until `PackedRows` uses their place again. ``start`` and ``stop`` count from the first
    row of the first one of ``chunks``."""

    __slots__ = ("_chunks", "_start", "_stop")

    def __init__(self, chunks: Sequence[_Chunk], start: int, stop: int) -> None:
        self._chunks = chunks
        self._start = start
        self._stop = stop

    def __len__(self) -> int:
        return self._stop - self._start

    def __getitem__(self, places: slice) -> PackedBatch:
        start, stop, _ = places.indices(len(self))
        return PackedBatch(self._chunks, self._start + start, self._start + stop)

    def group(self) -> Iterator[tuple[Sequence[str], Values, list[Values]]]:
        """Rows with the same values in SHARED: which columns of OWN they have, the values that they
        share, and those of each in these columns, a request's id as text or as bytes."""
        start = self._start
        while start < self._stop:
            number, first = divmod(start, _MAX_CHUNK_ROWS)
            count = min(self._stop - start, _MAX_CHUNK_ROWS - first)
            yield from _group(self._chunks[number], first, first + count)
            start += count


def _group(
    chunk: _Chunk, start: int, stop: int
) -> Iterator[tuple[Sequence[str], Values, list[Values]]]:
    view = memoryview(chunk.buffer)[start * _SIZE : stop * _SIZE]
    numbers = view.cast("q")[::_SIZE_WORDS].tolist()
    usual = _USUAL_FORM.iter_unpack(view)
    parts: dict[int, list[Values]] = {}
    if numbers[0] >= 0 and len(set(numbers)) == 1:
        # In C: one row after the other would take a thousand instructions more for each.
        parts[numbers[0]] = list(usual)
    else:
        for number, row, whole in zip(numbers, usual, _FORM.iter_unpack(view), strict=True):
            parts.setdefault(number, []).append(row if number >= 0 else _complete(whole))
    alike: dict[tuple[Values, bool], list[Values]] = {}
    numbered = list(chunk.numbers)
    for number, rows in parts.items():
        shared = numbered[max(number, ~number)]
        if len(shared) > len(SHARED):
            *values, request = shared
            shared = tuple(values)
            rows = [(*one[:_REQUEST], request, *one[_REQUEST + 1 :]) for one in rows]
        alike.setdefault((shared, number >= 0), []).extend(rows)
    for (shared, is_usual), rows in alike.items():
        # The member itself would cost an adapter's lookup by sqlite3.
        ending = shared[_ENDING].value
        columns = _USUAL if is_usual else OWN
        yield columns, (*shared[:_ENDING], ending, *shared[_ENDING + 1 :]), rows


def _complete(row: Values) -> Values:
    _, prompt, output, queued, started, ended, first_byte, request, cached, thoughts = row
    return (
        _find(prompt), _find(output), queued, started, ended, _find(first_byte), request,
        _find(cached), _find(thoughts),
    )  # fmt: skip


def _find(number: float) -> float | None:
    return None if number == _NO_COUNT else number


def _pack_any(chunk: _Chunk, at: int, shared: Values, record: ExchangeRecord) -> None:
    """Pack a row that lacks something which most have, or has more, or is the first with its shared
    values. Raises struct.error for a count that no file could hold."""
    usage, request = record.usage, record.request_id
    if len(request) != _ID_CHARS:
        shared = (*shared, request)
    number = chunk.numbers.setdefault(shared, len(chunk.numbers))
    others = usage.prompt, usage.output, record.first_byte, usage.cached, usage.thoughts
    is_usual = None not in others[:3] and others[3] is None and others[4] is None
    prompt, output, first_byte, cached, thoughts = (
        _NO_COUNT if one is None else one for one in others
    )
    _FORM.pack_into(
        chunk.buffer, at, number if is_usual else ~number, prompt, output, record.queued,
        record.started, record.ended, first_byte, request.encode(), cached, thoughts,
    )  # fmt: skip


class PackedRows:
    """Rows that wait for the state file: `store.waiting.Waiting`. ``bell`` is rung for those that
    are added."""

    __slots__ = (
        "_bell", "_chunk", "_chunks", "_is_held", "_max_chunks", "_spare", "_taken", "overflown",
    )  # fmt: skip

    def __init__(self, bell: Bell, max_rows: int = _MAX_ROWS) -> None:
        self.overflown = 0
        self._bell = bell
        self._max_chunks = max(1, max_rows // _MAX_CHUNK_ROWS)
        self._chunk = _Chunk()
        #: All but the last one are full.
        self._chunks = deque([self._chunk])
        self._spare: deque[_Chunk] = deque(maxlen=_MAX_SPARE_CHUNKS)
        #: So many of the first rows in the chunks do not wait any more.
        self._taken = 0
        self._is_held = False

    def __len__(self) -> int:
        taken = self._taken
        return max(0, self._count(self._list_chunks()) - taken)

    def add(self, record: ExchangeRecord) -> None:
        """A sink. Exchanges that the access log sums up in one line are left out: a client that
        floods the proxy would fill its disk with them."""
        if record.summed_up:
            return
        chunk = self._chunk
        at = chunk.filled
        if at == _CHUNK_BYTES:
            if len(self._chunks) >= self._max_chunks:
                self.overflown += 1
                return
            chunk, at = self._begin_chunk(), 0
        usage, request = record.usage, record.request_id
        # As an expression, which the interpreter reads at known places: attrgetter takes twice as
        # long.
        shared = (
            record.key, record.deployment, record.surface, record.action, record.asked,
            record.model, record.node, record.status, record.terminal, record.code,
            usage.estimated,
        )  # fmt: skip
        try:
            if usage.cached is None and usage.thoughts is None and len(request) == _ID_CHARS:
                _pack_usual(
                    chunk.buffer, at, chunk.numbers[shared], usage.prompt, usage.output,
                    record.queued, record.started, record.ended, record.first_byte,
                    request.encode(),
                )  # fmt: skip
            else:
                _pack_any(chunk, at, shared, record)
        except (KeyError, struct.error):
            _pack_any(chunk, at, shared, record)
        # Behind all else: from now on the other thread may take it.
        chunk.filled = at + _SIZE
        bell = self._bell
        if not bell.is_rung:
            bell.ring()

    def _begin_chunk(self) -> _Chunk:
        try:
            chunk = self._spare.pop()
        except IndexError:
            chunk = _Chunk()
        self._chunks.append(chunk)
        self._chunk = chunk
        return chunk

    def list_next(self, most: int) -> PackedBatch:
        chunks = self._list_chunks()
        count = min(most, self._count(chunks) - self._taken)
        return PackedBatch(chunks, self._taken, self._taken + count)

    def let_go(self, count: int) -> None:
        self._taken += count
        while not self._is_held and self._taken >= _MAX_CHUNK_ROWS and len(self._chunks) > 1:
            chunk = self._chunks.popleft()
            self._taken -= _MAX_CHUNK_ROWS
            chunk.filled = 0
            chunk.numbers.clear()
            self._spare.append(chunk)

    def hold(self) -> None:
        """From now on rows stay after they have been written, until `release`. Call both in the
        thread that adds rows."""
        self._is_held = True

    def release(self) -> None:
        self._is_held = False

    def list_waiting(self) -> tuple[int, PackedBatch]:
        """A place for `list_since`, which is valid while rows are held; and the rows that are not
        in the file. Call it, and read them, with `Commits.committing` locked."""
        chunks = self._list_chunks()
        count = self._count(chunks)
        return count, PackedBatch(chunks, self._taken, count)

    def list_since(self, place: int) -> tuple[int, PackedBatch]:
        """The next place, and what was added since that one, whether it was written or not. Call it
        in the thread that adds rows."""
        chunks = self._list_chunks()
        count = self._count(chunks)
        return count, PackedBatch(chunks, place, count)

    def _list_chunks(self) -> Sequence[_Chunk]:
        """As they are now. `copy` alone is one step for other threads: while a tuple is made of
        them, the garbage collector may let one add a chunk, which ends that in RuntimeError."""
        return tuple(self._chunks.copy())

    @staticmethod
    def _count(chunks: Sequence[_Chunk]) -> int:
        return (len(chunks) - 1) * _MAX_CHUNK_ROWS + chunks[-1].filled // _SIZE
