"""Google's resumable uploads: what a request does with an upload, and the result.

``start`` begins an upload, ``upload`` sends pieces of any size, and ``finalize`` ends it, which may
come with the last piece; ``query`` asks how much has arrived, ``cancel`` deletes it.
``X-Goog-Upload-Status`` in the reply gives its state. A client that lost the answer may send a
piece again; a gap is an error.
"""

from __future__ import annotations

from typing import TypeAlias

from casedesk_proxy.errors import BadRequest
from casedesk_proxy.terms import RawHeaders, record

__all__ = [
    "ACTIVE",
    "CANCELLED",
    "FINAL",
    "SIZE_RECEIVED",
    "STATUS",
    "Cancel",
    "Finalize",
    "Instruction",
    "Receive",
    "Report",
    "UploadProgress",
    "next_step",
    "read_instruction",
    "read_size",
    "require_whole",
]  # fmt: skip

STATUS, SIZE_RECEIVED = b"x-goog-upload-status", b"x-goog-upload-size-received"
ACTIVE, FINAL, CANCELLED = b"active", b"final", b"cancelled"
_COMMANDS = frozenset({"start", "upload", "finalize", "query", "cancel"})
#: The most digits of a number of bytes.
_MAX_DIGITS_COUNT = 15


@record
class Instruction:
    """``offset``: the position of the request's body; None if it is not given."""

    commands: frozenset[str]
    offset: int | None = None


@record
class UploadProgress:
    """How far an upload has come. ``declared``: the size that its client announced, or None.
    ``is_final``: it has become a file."""

    received: int
    declared: int | None
    is_final: bool = False


@record
class Receive:
    """Take the body without its first ``skip`` bytes, which arrived before; ``finalizes``: it is
    the last piece."""

    skip: int
    finalizes: bool


@record
class Finalize:
    """Make a file of what has arrived."""


@record
class Report:
    """Reply how far it has come."""


@record
class Cancel:
    """Delete it."""


Step: TypeAlias = Receive | Finalize | Report | Cancel


def read_instruction(headers: RawHeaders) -> Instruction:
    """Raises BadRequest."""
    fields = {name.lower(): value.decode("latin-1") for name, value in headers}
    given = fields.get(b"x-goog-upload-command", "")
    commands = frozenset(word.strip().lower() for word in given.split(",")) - {""}
    if not commands or not commands <= _COMMANDS or not _fit_together(commands):
        raise BadRequest(
            "X-Goog-Upload-Command: one of start, upload, finalize, query and cancel is required,"
            " or both upload and finalize"
        )
    return Instruction(commands, read_size(fields, "X-Goog-Upload-Offset"))


def _fit_together(commands: frozenset[str]) -> bool:
    return len(commands) == 1 or commands == {"upload", "finalize"}


def read_size(fields: dict[bytes, str], name: str) -> int | None:
    """A number of bytes in a header; None if there is none. Raises BadRequest."""
    text = fields.get(name.lower().encode("ascii"), "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS_COUNT):
        raise BadRequest(f"{name}: a number of bytes is required")
    return int(text)


def next_step(asked: Instruction, progress: UploadProgress, length: int | None) -> Step:
    """``length``: that of the request's body; None if only its end will show it. Raises BadRequest
    for an impossible request, which changes nothing."""
    if "start" in asked.commands:
        raise BadRequest("X-Goog-Upload-Command: this upload has been started; send upload")
    if "cancel" in asked.commands and not progress.is_final:
        return Cancel()
    if progress.is_final or "query" in asked.commands:
        # A client that repeats the request that made the file has lost the answer.
        return Report()
    finalizes = "finalize" in asked.commands
    if "upload" not in asked.commands:
        require_whole(progress)
        return Finalize()
    received, offset = progress.received, asked.offset
    if offset is None:
        raise BadRequest("X-Goog-Upload-Offset: a number of bytes is required")
    if offset > received:
        raise BadRequest(
            f"X-Goog-Upload-Offset: {received} bytes have arrived, and a piece at {offset} would"
            f" leave a gap; send the rest from {received} on"
        )
    if length is not None and progress.declared is not None and offset + length > progress.declared:
        raise BadRequest(
            f"the file would have {offset + length} bytes or more, not {progress.declared}, as"
            " X-Goog-Upload-Header-Content-Length announced;"
            " start a new upload with the right length"
        )
    return Receive(received - offset, finalizes)


def require_whole(progress: UploadProgress) -> None:
    """Raises BadRequest if less has arrived than was announced."""
    if progress.declared is not None and progress.received != progress.declared:
        raise BadRequest(
            f"{progress.received} of {progress.declared} bytes have arrived; send the rest before"
            " you finalize"
        )
