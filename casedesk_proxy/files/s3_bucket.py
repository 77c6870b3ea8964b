"""A bucket of an S3-compatible store: objects by key, read and written in pieces.

The client library is the package obstore, imported only if a bucket is configured. All calls block,
so they belong into a thread; a request that is lost is repeated, for half a minute in all. Errors
contain nothing of the library's messages but the store's own error code, since its messages may
contain the keys.
"""

from __future__ import annotations

import contextlib
import importlib
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from casedesk_proxy.config.s3 import S3
from casedesk_proxy.terms import record

if TYPE_CHECKING:
    from obstore.store import ObjectStore

__all__ = ["Listed", "S3Bucket", "S3Fault", "explain", "open_bucket"]

#: Bytes of one part of an upload, and how many parts are sent at once: what a thread holds of a
#: file.
_PART_BYTES, _MAX_PARTS = 8 * 2**20, 2
_CONNECT_S, _REQUEST_S, _RETRIES_S = 5, 60, 30
_MAX_RETRIES = 6
#: A store's error code, in the XML of its answer.
_CODE = re.compile(r"<Code>([A-Za-z0-9]{1,80})</Code>")
_NO_BUCKET = "NoSuchBucket"
#: Where the library asks for keys on one of Amazon's machines.
_ASKED_FOR_KEYS = "169.254.169.254"


class S3Fault(OSError):
    """The store cannot be used; the message says why, for the log."""


@record
class Listed:
    """An object in a listing, by its key. ``modified``: seconds since 1970."""

    path: str
    size: int
    modified: float


def open_bucket(settings: S3, keys: tuple[str, str] | None) -> S3Bucket:
    """Sends no request yet. ``keys``: the access key and the secret key; None: those of the
    environment or the machine. Raises ImportError without the package obstore."""
    stores = importlib.import_module("obstore.store")
    given: dict[str, Any] = {}
    if keys is not None:
        given = {"access_key_id": keys[0], "secret_access_key": keys[1]}
    if settings.endpoint is not None:
        given["endpoint"] = settings.endpoint
    store = stores.S3Store(
        settings.bucket, prefix=settings.prefix or None, region=settings.region,
        client_options={
            "allow_http": (settings.endpoint or "").startswith("http:"),
            "connect_timeout": timedelta(seconds=_CONNECT_S),
            "timeout": timedelta(seconds=_REQUEST_S),
        },
        retry_config={
            "max_retries": _MAX_RETRIES, "retry_timeout": timedelta(seconds=_RETRIES_S),
        },
        **given,
    )  # fmt: skip
    where = settings.endpoint or f"Amazon S3 ({settings.region})"
    return S3Bucket(store, f"bucket {settings.bucket} at {where}")


class S3Bucket:
    """``store``: obstore's; ``name`` is for the log. May be called from any thread. Raises
    S3Fault."""

    def __init__(self, store: ObjectStore, name: str) -> None:
        self.name = name
        self._store = store
        self._library: Any = importlib.import_module("obstore")
        faults = importlib.import_module("obstore.exceptions")
        self._fault, self._exists = faults.BaseError, faults.AlreadyExistsError

    def put(self, key: str, data: bytes) -> None:
        with self._explained():
            self._library.put(self._store, key, data, use_multipart=False)

    def put_new(self, key: str, data: bytes) -> bool:
        """Returns whether no object with that key existed."""
        with self._explained():
            try:
                self._library.put(self._store, key, data, mode="create", use_multipart=False)
            except self._exists:
                return False
            return True

    def put_file(self, key: str, path: Path) -> None:
        """The object appears whole or not at all. Raises OSError if the file cannot be read."""
        with self._explained():
            self._library.put(
                self._store, key, path, chunk_size=_PART_BYTES, max_concurrency=_MAX_PARTS
            )

    def get(self, key: str) -> bytes | None:
        """All of a small object; None if there is none."""
        try:
            with self._explained():
                return bytes(self._library.get(self._store, key).bytes())
        except FileNotFoundError:
            return None

    def read(self, key: str, start: int, size: int) -> bytes:
        """``size`` bytes, at least one. Raises FileNotFoundError."""
        with self._explained():
            return bytes(self._library.get_range(self._store, key, start=start, length=size))

    def measure(self, key: str) -> int | None:
        """Its size in bytes; None if there is none."""
        try:
            with self._explained():
                return int(self._library.head(self._store, key)["size"])
        except FileNotFoundError:
            return None

    def walk(self, prefix: str) -> Iterator[Listed]:
        """The objects whose keys begin with ``prefix/``, in the order of keys."""
        pages = self._library.list(self._store, prefix, chunk_size=1000)
        while True:
            with self._explained():
                page = next(pages, None)
            if page is None:
                return
            for one in page:
                yield Listed(one["path"], one["size"], one["last_modified"].timestamp())

    def remove(self, key: str) -> None:
        """Does nothing if there is none."""
        with contextlib.suppress(FileNotFoundError), self._explained():
            self._library.delete(self._store, key)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            if _NO_BUCKET in str(error):
                raise S3Fault(f"{self.name}: {explain(str(error))}") from None
            raise
        except self._fault as error:
            raise S3Fault(f"{self.name}: {explain(str(error))}") from None


def explain(said: str) -> str:
    """The part of an error that may be logged."""
    code = _CODE.search(said)
    if code is not None and code[1] == _NO_BUCKET:
        return "the bucket does not exist"
    if code is not None:
        return f"the store rejected a request ({code[1]})"
    if _ASKED_FOR_KEYS in said:
        return "no credentials: set files.s3.access_key and files.s3.secret_key"
    status = re.search(r"status code: (\d{3})", said)
    return f"the store answered with status {status[1]}" if status else "it cannot be reached"
