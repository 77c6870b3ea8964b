"""What all surfaces require of a file's name and type, and of how long it is kept."""

from __future__ import annotations

import re

from casedesk_proxy.errors import BadRequest
from casedesk_proxy.filing.draft import DEFAULT_TYPE
from casedesk_proxy.wire.query import read_number

__all__ = ["clean_name", "read_keep", "read_type"]

#: RFC 9110's syntax, with parameters that are allowed in a header.
_TYPE = re.compile(r"[\w!#$&^.+-]{1,100}/[\w!#$&^.+-]{1,100}(?:\s*;[ -~]{0,100})?", re.ASCII)
#: Types that IANA has registered, and prefixes that need no registration.
_KINDS = frozenset({
    "application", "audio", "chemical", "example", "font", "haptics", "image", "message", "model",
    "multipart", "text", "video",
})  # fmt: skip
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
#: Types by file ending, for files with no type or with a meaningless one.
_BY_ENDING = {
    "txt": "text/plain", "md": "text/markdown", "csv": "text/csv", "html": "text/html",
    "xml": "text/xml", "json": "application/json", "jsonl": "application/jsonl",
    "pdf": "application/pdf", "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg",
    "gif": "image/gif", "webp": "image/webp", "bmp": "image/bmp", "heic": "image/heic",
    "wav": "audio/wav", "mp3": "audio/mpeg", "flac": "audio/flac", "ogg": "audio/ogg",
    "m4a": "audio/mp4", "mp4": "video/mp4", "webm": "video/webm", "mov": "video/quicktime",
}  # fmt: skip
_MAX_NAME_CHARS = 512


def clean_name(text: str) -> str:
    """A file's name without the path that some clients put before it, and without control
    characters."""
    plain = text.replace("\\", "/").rpartition("/")[2]
    return _CONTROL.sub("", plain).encode("utf-8", "replace").decode()[:_MAX_NAME_CHARS]


def read_keep(field: str, text: str, least: int, most: int) -> float:
    """How many seconds the client asks to keep a file. Raises BadRequest."""
    if (seconds := read_number(text, least, most)) is None:
        raise BadRequest.about(field, f"a number from {least} to {most} is required")
    return float(seconds)


def read_type(field: str, text: str, name: str) -> str:
    """A file's type as the client gives it in ``field``, or by the ending of its name. Raises
    BadRequest if it is not a type."""
    given = text.strip()
    if not given or given.lower() == DEFAULT_TYPE:
        return _BY_ENDING.get(name.rpartition(".")[2].lower(), DEFAULT_TYPE)
    if not _TYPE.fullmatch(given):
        raise BadRequest.about(field, "a MIME type such as text/plain is required")
    kind = given.partition("/")[0].lower()
    if kind not in _KINDS and not kind.startswith("x-"):
        # A mistake such as img/png would show only when the file is used.
        raise BadRequest.about(field, f"Unsupported MIME type: {given}")
    return given
