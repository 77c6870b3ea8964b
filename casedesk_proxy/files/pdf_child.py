"""The program of the process that reads one PDF: from its standard input to the text of its pages.

Exits with 1 if that is not possible, and with EX_DATAERR if the input should be base64 and is not.
Its use of the machine is limited.
"""

from __future__ import annotations

import binascii
import io
import json
import os
import resource
import sys
from typing import BinaryIO

__all__ = ["main", "write_text"]


_MAX_CPU_S = 45
_MAX_MEMORY_BYTES = 2**30
#: Separates two pages.
_BREAK = "\n\n"
#: The URL-safe alphabet is accepted too, and so are blanks and line breaks.
_STANDARD = bytes.maketrans(b"-_", b"+/")


def main(*, in_base64: bool = False) -> None:
    """``in_base64``: in the form of a JSON string, without its quotes."""
    # Libraries quote a file in their messages, which must not be seen: from here on stderr is lost.
    # Not every service may open /dev/null for that.
    os.dup2(0, 2)
    sys.stderr = None
    resource.setrlimit(resource.RLIMIT_CPU, (_MAX_CPU_S, _MAX_CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY_BYTES, _MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    sys.exit(write_text(sys.stdin.buffer, sys.stdout.buffer, in_base64=in_base64))


def write_text(source: BinaryIO, target: BinaryIO, *, in_base64: bool = False) -> int:
    """The exit status."""
    from pypdf import PdfReader

    data = source.read()
    if in_base64:
        try:
            data = _decode(data)
        except ValueError:
            return os.EX_DATAERR
    try:
        reader = PdfReader(io.BytesIO(data))
        for page in reader.pages:
            target.write((page.extract_text() + _BREAK).encode("utf-8", "replace"))
        target.flush()
    except Exception:
        # Hostile files cause any exception, and none of it may be shown.
        return 1
    return 0


def _decode(data: bytes) -> bytes:
    """Raises ValueError."""
    if b"\\" in data:
        data = json.loads(b'"%b"' % data).encode("ascii")
    data = data.translate(_STANDARD, b"\r\n ").rstrip(b"=")
    return binascii.a2b_base64(data + b"=" * (-len(data) % 4), strict_mode=True)
