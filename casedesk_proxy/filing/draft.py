"""What a client states about a file that it uploads, and why an upload is refused."""

from __future__ import annotations

from enum import StrEnum

from casedesk_proxy.terms import Dialect, record

__all__ = ["DEFAULT_TYPE", "FileDraft", "FileFault", "Why"]

DEFAULT_TYPE = "application/octet-stream"


@record
class FileDraft:
    """See `StoredFile`. ``declared``: the size that the client announced, or None. ``keep``: for
    how many seconds at most the client asks to keep it; None: as long as allowed."""

    name: str = ""
    mime_type: str = DEFAULT_TYPE
    chosen: str = ""
    purpose: str = ""
    surface: str = Dialect.GEMINI
    declared: int | None = None
    keep: float | None = None


class Why(StrEnum):
    """Why an upload is refused."""

    TOO_LARGE = "file_too_large"
    KEY_FULL = "file_quota_reached"
    STORE_FULL = "file_store_full"
    NAME_TAKEN = "file_exists"
    #: The upload never began, was cancelled, or was not continued in time.
    UPLOAD_GONE = "upload_not_found"
    #: Another request writes to it now.
    UPLOAD_BUSY = "upload_busy"


class FileFault(Exception):
    """``most``: the bytes that the exceeded limit allows, 0 if no limit was exceeded. Each surface
    has its own message for it (`surfaces.file_faults`)."""

    def __init__(self, why: Why, most: int = 0) -> None:
        super().__init__(why.value)
        self.why = why
        self.most = most
