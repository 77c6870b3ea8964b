"""What a client says of a file that it uploads, and why it cannot have one."""

from __future__ import annotations

from enum import StrEnum

from casedesk_proxy.terms import Dialect, record

__all__ = ["DEFAULT_TYPE", "FileDraft", "FileFault", "Why"]

DEFAULT_TYPE = "application/octet-stream"


@record
class FileDraft:
    """See `StoredFile`. ``declared``: the size that the client announced; None: it did not.
    ``keep``: for how many seconds the client wants it at most; None: for as long as may be."""

    name: str = ""
    mime_type: str = DEFAULT_TYPE
    chosen: str = ""
    purpose: str = ""
    surface: str = Dialect.GEMINI
    declared: int | None = None
    keep: float | None = None


class Why(StrEnum):
    """What stands in the way of an upload."""

    TOO_LARGE = "file_too_large"
    KEY_FULL = "file_quota_reached"
    STORE_FULL = "file_store_full"
    NAME_TAKEN = "file_exists"
    #: Of an upload: it was never begun, was cancelled, or nobody went on with it in time.
    UPLOAD_GONE = "upload_not_found"
    #: Another request writes to it now.
    UPLOAD_BUSY = "upload_busy"


class FileFault(Exception):
    """``most``: bytes that the limit which was reached allows, 0 where it is none. Each surface has
    its own words for it (`surfaces.file_faults`)."""

    def __init__(self, why: Why, most: int = 0) -> None:
        super().__init__(why.value)
        self.why = why
        self.most = most
