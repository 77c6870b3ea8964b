"""What runs in the process that reads one PDF: from its standard input to the text of its pages.

Exits with 1 where that cannot be done. It may use so much of the machine and no more.
"""

from __future__ import annotations

import io
import os
import resource
import sys
from typing import BinaryIO

__all__ = ["main", "write_text"]

_MAX_CPU_S = 45
_MAX_MEMORY_BYTES = 2**30
#: Between two pages.
_BREAK = "\n\n"


def main() -> None:
    # What a library says of a file quotes it, and is for nobody: from here on that is lost. Not
    # every service may open /dev/null for that.
    os.dup2(0, 2)
    sys.stderr = None
    resource.setrlimit(resource.RLIMIT_CPU, (_MAX_CPU_S, _MAX_CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY_BYTES, _MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    sys.exit(write_text(sys.stdin.buffer, sys.stdout.buffer))


def write_text(source: BinaryIO, target: BinaryIO) -> int:
    """The exit status."""
    from pypdf import PdfReader

    try:
        reader = PdfReader(io.BytesIO(source.read()))
        for page in reader.pages:
            target.write((page.extract_text() + _BREAK).encode("utf-8", "replace"))
        target.flush()
    except Exception:
        # Hostile files raise anything, and nothing of it is for anybody.
        return 1
    return 0
