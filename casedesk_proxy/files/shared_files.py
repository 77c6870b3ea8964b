"""Files that several hosts share, as objects of a bucket.

    contents/OWNER/ID-EXPIRES   a content, with its size; EXPIRES in seconds since 1970, 0: never
    files/OWNER/ID              the file's metadata
    names/OWNER/CHOSEN          the id of the file for which its owner chose this name

OWNER is a digest of the key's name, so the only text of a client in an object's key is a chosen
name, which consists of plain letters. A file exists once ``files/…`` does, which is written after
its content and deleted before it; so a host that is lost leaves at most a content without an entry,
which is swept. One listing of contents shows how much is stored, by which owners, and what has
expired.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

from casedesk_proxy import jsonio
from casedesk_proxy.files.s3_bucket import Listed, S3Bucket, S3Fault
from casedesk_proxy.filing.draft import FileFault, Why
from casedesk_proxy.filing.stored_file import StoredFile, may_be_chosen
from casedesk_proxy.terms import record

__all__ = ["SharedContent", "SharedFiles", "SharedUsage"]

#: Bytes of a content that are fetched at once, and held by each request that reads one.
_PIECE_BYTES = 2 * 2**20
#: How many files' metadata is remembered: a file's metadata never changes.
_MAX_KNOWN_FILES = 10_000
#: Seconds after which a content without an entry cannot belong to a running upload.
_LOST_S = 86400.0
_CONTENT_KEY = re.compile(r"contents/(?P<owner>[0-9a-f]+)/(?P<id>[0-9a-z]+)-(?P<expires>[0-9]+)")


@record
class SharedUsage:
    """Bytes that are stored in total, and by each owner's digest."""

    total: int
    by_owner: dict[str, int]

    def of(self, owner: str) -> int:
        return self.by_owner.get(_digest(owner), 0)


class SharedFiles:
    """All calls block, so they belong into a thread. Raises S3Fault."""

    def __init__(
        self,
        bucket: S3Bucket,
        *,
        piece_bytes: int = _PIECE_BYTES,
        max_known_files: int = _MAX_KNOWN_FILES,
    ) -> None:
        self._bucket = bucket
        self._piece_bytes = piece_bytes
        self._max_known_files = max_known_files
        self._lock = threading.Lock()
        self._known: OrderedDict[str, StoredFile] = OrderedDict()

    def add(self, file: StoredFile, path: Path, now: float) -> StoredFile:
        """Make a file of the content at ``path``; returns the existing file if an upload is
        finished twice. Raises FileFault."""
        if file.chosen:
            self._take_name(file, now)
        self._bucket.put_file(_content_key(file), path)
        if (size := self._bucket.measure(_content_key(file))) != file.size:
            raise S3Fault(f"{self._bucket.name}: of {file.size} bytes it stored {size}")
        if self._bucket.put_new(_file_key(file.owner, file.id), _write(file)):
            return file
        before = self.load(file.owner, file.id)
        if before is None:
            raise FileFault(Why.UPLOAD_GONE)
        return before

    def find(self, owner: str, ident: str, now: float) -> StoredFile | None:
        """By its id, or by the id that its owner chose."""
        file = self._look(owner, ident)
        if file is None and may_be_chosen(ident):
            named = self._bucket.get(_name_key(owner, ident))
            file = None if named is None else self._look(owner, named.decode("ascii", "replace"))
        return None if file is None or file.is_over(now) else file

    def list_ids(self, owner: str) -> list[str]:
        """All of an owner's files, expired ones included, the oldest first."""
        found = self._bucket.walk(f"files/{_digest(owner)}")
        return [listed.path.rpartition("/")[2] for listed in found]

    def load(self, owner: str, ident: str) -> StoredFile | None:
        """A file that has just been listed, also if it has expired."""
        with self._lock:
            known = self._known.get(_file_key(owner, ident))
        return known or self._look(owner, ident)

    def open(self, file: StoredFile) -> SharedContent:
        return SharedContent(self._bucket, file, self._piece_bytes)

    def remove(self, file: StoredFile) -> bool:
        """Returns whether it existed. A request that reads it breaks."""
        key = _file_key(file.owner, file.id)
        was_there = self._bucket.measure(key) is not None
        self._bucket.remove(key)
        if file.chosen and self._bucket.get(_name_key(file.owner, file.chosen)) == _named(file):
            self._bucket.remove(_name_key(file.owner, file.chosen))
        self._bucket.remove(_content_key(file))
        return was_there

    def measure(self, now: float) -> SharedUsage:
        """Expired files do not count."""
        by_owner: dict[str, int] = {}
        for listed, owner, _, expires in self._walk_contents():
            if not expires or expires > now:
                by_owner[owner] = by_owner.get(owner, 0) + listed.size
        return SharedUsage(sum(by_owner.values()), by_owner)

    def sweep(self, now: float) -> int:
        """Remove expired files, and contents without an entry. Returns how many."""
        swept = 0
        known = {listed.path for listed in self._bucket.walk("files")}
        for listed, owner, ident, expires in list(self._walk_contents()):
            key = f"files/{owner}/{ident}"
            is_lost = key not in known and listed.modified < now - _LOST_S
            if is_lost or 0 < expires <= now:
                self._drop(key, listed.path)
                swept += 1
        return swept

    def _drop(self, key: str, content: str) -> None:
        """Remove a file by its keys. An upload that was finished twice may have two contents."""
        known = self._bucket.get(key)
        if known is None:
            self._bucket.remove(content)
            return
        file = self._read(known)
        if _content_key(file) == content:
            self.remove(file)
        else:
            self._bucket.remove(content)

    def _walk_contents(self) -> Iterator[tuple[Listed, str, str, int]]:
        """With the owner's digest, the file's id, and when it expires."""
        for listed in self._bucket.walk("contents"):
            if (found := _CONTENT_KEY.fullmatch(listed.path)) is not None:
                yield listed, found["owner"], found["id"], int(found["expires"])

    def _take_name(self, file: StoredFile, now: float) -> None:
        key = _name_key(file.owner, file.chosen)
        if self._bucket.put_new(key, _named(file)):
            return
        other = self.find(file.owner, file.chosen, now)
        if other is not None and other.id != file.id:
            raise FileFault(Why.NAME_TAKEN)
        # The content of an expired file, or of an upload that was never finished.
        self._bucket.put(key, _named(file))

    def _look(self, owner: str, ident: str) -> StoredFile | None:
        if not ident.isalnum():
            return None
        key = _file_key(owner, ident)
        found = self._bucket.get(key)
        if found is None:
            with self._lock:
                self._known.pop(key, None)
            return None
        file = self._read(found)
        with self._lock:
            self._known[key] = file
            if len(self._known) > self._max_known_files:
                self._known.popitem(last=False)
        return file

    def _read(self, data: bytes) -> StoredFile:
        try:
            return StoredFile(**jsonio.loads(data))
        except (jsonio.JSONError, TypeError):
            raise S3Fault(
                f"{self._bucket.name}: an object was changed by another program"
            ) from None


class SharedContent:
    """A content that is fetched in larger pieces than are read. A difference from what was stored
    is noticed before the last piece is returned."""

    def __init__(self, bucket: S3Bucket, file: StoredFile, piece_bytes: int) -> None:
        self._bucket = bucket
        self._file = file
        self._piece_bytes = piece_bytes
        self._hash = hashlib.sha256()
        self._piece, self._at = b"", 0

    def read(self, most: int, start: int) -> bytes:
        """Up to ``most`` bytes from ``start`` on, fewer at the end. ``start``: where the previous
        call ended. Raises S3Fault, and FileNotFoundError if it has been deleted meanwhile."""
        parts, at, end = [], start, min(start + most, self._file.size)
        while at < end:
            if at >= self._at + len(self._piece):
                self._at, self._piece = at, self._fetch(at)
            parts.append(self._piece[at - self._at : end - self._at])
            at += len(parts[-1])
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _fetch(self, start: int) -> bytes:
        size = min(self._piece_bytes, self._file.size - start)
        piece = self._bucket.read(_content_key(self._file), start, size)
        self._hash.update(piece)
        is_last = start + size == self._file.size
        if len(piece) != size or (is_last and self._hash.hexdigest() != self._file.sha256):
            raise S3Fault(
                f"{self._bucket.name}: an object's content has changed since it was stored"
            )
        return piece

    def close(self) -> None:
        self._piece = b""


def _write(file: StoredFile) -> bytes:
    return jsonio.dumps(dataclasses.asdict(file))


def _digest(owner: str) -> str:
    return hashlib.sha256(owner.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _file_key(owner: str, ident: str) -> str:
    return f"files/{_digest(owner)}/{ident}"


def _name_key(owner: str, chosen: str) -> str:
    return f"names/{_digest(owner)}/{chosen}"


def _content_key(file: StoredFile) -> str:
    expires = 0 if file.expires is None else math.ceil(file.expires)
    return f"contents/{_digest(file.owner)}/{file.id}-{expires}"


def _named(file: StoredFile) -> bytes:
    return file.id.encode("ascii")
