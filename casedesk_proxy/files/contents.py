"""Contents of files on disk: one file each in one directory, by id, readable only by the service's
user.

All calls block, so they belong into a thread. A writer of a content holds a lock on it (flock(2)),
which ends with the process, so that several processes, and several requests, take turns.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path

from casedesk_proxy.filing.draft import FileFault, Why

__all__ = ["ContentReader", "ContentWriter", "Contents", "Digest"]

#: Bytes of one read when a content is hashed again.
_HASHED_BYTES = 2**20
#: Pieces of one write; Linux accepts 1024.
_MAX_WRITTEN_COUNT = 512
#: The number of uploads between two pieces whose SHA-256 so far is remembered; for others it is
#: computed again.
_MAX_DIGESTS = 1000


class Digest:
    """The SHA-256 of a content's first ``size`` bytes."""

    __slots__ = ("_hash", "size")

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.size = 0

    def add(self, data: bytes | memoryview) -> None:
        self._hash.update(data)
        self.size += len(data)

    def hex(self) -> str:
        return self._hash.hexdigest()


class Contents:
    """``directory`` is created if it is missing. Ids are ours, never a client's. May be called from
    any thread."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._lock = threading.Lock()
        #: For uploads to which no request writes now.
        self._digests: OrderedDict[str, Digest] = OrderedDict()

    def locate(self, ident: str) -> Path:
        """The path of its file."""
        assert ident.isalnum(), "no path from a client"
        return self.directory / ident

    def open(self, ident: str) -> ContentReader:
        """Raises OSError, FileNotFoundError if it has been deleted meanwhile."""
        return ContentReader(os.open(self.locate(ident), os.O_RDONLY | os.O_CLOEXEC))

    def measure(self, ident: str) -> int:
        """How many bytes of an upload have arrived. Raises OSError."""
        try:
            return os.stat(self.locate(ident)).st_size
        except FileNotFoundError:
            return 0

    def write(self, ident: str) -> ContentWriter:
        """A writer that appends to the content; the file is created if it is missing. Raises
        FileFault if another writer holds the lock, and OSError."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.locate(ident), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with self._lock:
                digest = self._digests.pop(ident, None)
            size = os.fstat(descriptor).st_size
            if digest is None or digest.size > size:
                digest = Digest()
            _catch_up(descriptor, digest, size)
        except BaseException as error:
            os.close(descriptor)
            if isinstance(error, BlockingIOError):
                raise FileFault(Why.UPLOAD_BUSY) from None
            raise
        return ContentWriter(descriptor, digest)

    def put_by(self, ident: str, writer: ContentWriter) -> None:
        """The request that wrote has ended; another one may continue."""
        writer.close()
        with self._lock:
            self._digests[ident] = writer.digest
            if len(self._digests) > _MAX_DIGESTS:
                self._digests.popitem(last=False)

    def remove(self, ident: str) -> None:
        """Does nothing if there is none. A request that reads it continues to read. Raises
        OSError."""
        with self._lock:
            self._digests.pop(ident, None)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.locate(ident))

    def remove_all(self, idents: Iterable[str]) -> None:
        for ident in idents:
            self.remove(ident)

    def list_ids(self) -> list[str]:
        """The ids of all contents. Raises OSError."""
        try:
            return [name for name in os.listdir(self.directory) if name.isalnum()]
        except FileNotFoundError:
            return []


class _OpenContent:
    """``close`` must be called; a running read or write ends first, since the descriptor's number
    may belong to another file afterwards."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def close(self) -> None:
        with self._lock:
            descriptor, self._descriptor = self._descriptor, -1
            if descriptor >= 0:
                os.close(descriptor)

    def __del__(self) -> None:
        # The task that asked for it was cancelled before it was open, so no other code closes it.
        self.close()


class ContentReader(_OpenContent):
    """Reads one content."""

    def read(self, most: int, start: int) -> bytes:
        """Up to ``most`` bytes from ``start`` on, fewer at the end. Raises OSError, also after it
        is closed."""
        with self._lock:
            return _read(self._descriptor, most, start)


class ContentWriter(_OpenContent):
    """Appends to a content."""

    def __init__(self, descriptor: int, digest: Digest) -> None:
        super().__init__(descriptor)
        self.digest = digest

    @property
    def size(self) -> int:
        return self.digest.size

    def write(self, pieces: list[bytes]) -> None:
        """Raises OSError, also after it is closed; it is then not known how many of the bytes were
        written."""
        with self._lock:
            for at in range(0, len(pieces), _MAX_WRITTEN_COUNT):
                left: list[bytes | memoryview] = [*pieces[at : at + _MAX_WRITTEN_COUNT]]
                while left:
                    written = os.pwritev(self._descriptor, left, self.digest.size)
                    left = self._count_in(left, written)

    def _count_in(self, pieces: list[bytes | memoryview], written: int) -> list[bytes | memoryview]:
        """Count so many bytes as written; return the rest."""
        for at, piece in enumerate(pieces):
            if written < len(piece):
                view = memoryview(piece)
                self.digest.add(view[:written])
                return [view[written:], *pieces[at + 1 :]]
            self.digest.add(piece)
            written -= len(piece)
        return []

    def keep(self) -> str:
        """Sync it to the disk, and return its SHA-256 in hex. Raises OSError."""
        with self._lock:
            os.fdatasync(self._descriptor)
            return self.digest.hex()


def _catch_up(descriptor: int, digest: Digest, size: int) -> None:
    """Hash what was written by a process that was killed, or by another one."""
    while digest.size < size and (data := _read(descriptor, _HASHED_BYTES, digest.size)):
        digest.add(data)


def _read(descriptor: int, most: int, start: int) -> bytes:
    parts, at = [], start
    while at < start + most and (data := os.pread(descriptor, start + most - at, at)):
        parts.append(data)
        at += len(data)
    return parts[0] if len(parts) == 1 else b"".join(parts)
