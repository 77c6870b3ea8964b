"""What runs in the process that reads one PDF: from its standard input to the text of its pages.

Exits with 1 where that cannot be done, and with EX_DATAERR where what should be base64 is not.
It may use so much of the machine and no more.
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
#: Between two pages.
_BREAK = "\n\n"
#: The URL-safe alphabet is as good, and so are blanks and line breaks.
_STANDARD = bytes.maketrans(b"-_", b"+/")


def main(*, in_base64: bool = False) -> None:
    """``in_base64``: as a JSON string has it, without its quotes."""
    # What a library says of a file quotes it, and is for nobody: from here on that is lost. Not
    # every service may open /dev/null for that.
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
        # Hostile files raise anything, and nothing of it is for anybody.
        return 1
    return 0


def _decode(data: bytes) -> bytes:
    """Raises ValueError."""
    if b"\\" in data:
        data = json.loads(b'"%b"' % data).encode("ascii")
    data = data.translate(_STANDARD, b"\r\n ").rstrip(b"=")
    return binascii.a2b_base64(data + b"=" * (-len(data) % 4), strict_mode=True)
