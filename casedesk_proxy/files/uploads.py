"""An upload to which one request writes: on disk, in a thread, within the limits of storage."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

from casedesk_proxy.config.files import Files
from casedesk_proxy.files.contents import ContentWriter
from casedesk_proxy.filing.draft import FileFault, Why

__all__ = ["OpenUpload"]

#: Bytes that are reserved at once if a client did not announce its file's size.
_STEP_BYTES = 64 * 2**20
#: Seconds after which a running upload notes in the state file that it still runs.
_SIGN_S = 600.0
#: Seconds for which a thread waits for the state file.
_WAIT_S = 30.0

#: Reserves room for an upload, and notes that it still runs: see `rows.reserve`.
Reserve = Callable[[str, int], "Future[None]"]


class OpenUpload:
    """``size``: bytes that are on the disk. All other members but ``ident`` are for threads."""

    def __init__(
        self,
        ident: str,
        writer: ContentWriter,
        declared: int | None,
        settings: Files,
        reserve: Reserve,
        now: Callable[[], float],
    ) -> None:
        self.ident = ident
        self.writer = writer
        self._declared = declared
        self._most = settings.max_file
        self._reserve = reserve
        self._now = now
        self._room = declared or 0
        self._said = now()

    @property
    def size(self) -> int:
        return self.writer.size

    def write(self, pieces: list[bytes]) -> None:
        """Raises FileFault, after writing nothing of them, StoreError and OSError."""
        wanted = self.size + sum(map(len, pieces))
        if wanted > min(self._most, self._declared or self._most):
            raise FileFault(Why.TOO_LARGE, self._most)
        if wanted > self._room or self._now() - self._said > _SIGN_S:
            room = max(self._room, wanted)
            if wanted > self._room:
                room = min(wanted + _STEP_BYTES, self._most)
            self._ask(room, wanted)
        self.writer.write(pieces)

    def _ask(self, room: int, wanted: int) -> None:
        try:
            self._reserve(self.ident, room).result(_WAIT_S)
        except FileFault:
            if room == wanted:
                raise
            # There may be room for what has arrived.
            self._reserve(self.ident, wanted).result(_WAIT_S)
            room = wanted
        self._room, self._said = room, self._now()
