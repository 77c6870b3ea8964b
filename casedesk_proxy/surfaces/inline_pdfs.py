"""PDFs inside a request, in base64: finds the place of their content without reading it.

PDFs are usually large: only a PDF's type and beginning are examined.
"""

from __future__ import annotations

import re

from casedesk_proxy.jsonio import loads
from casedesk_proxy.surfaces.json_spans import Span, members

__all__ = ["PDF", "find_file_data", "find_typed_data"]

PDF = "application/pdf"
#: ``file_data`` is a data URL; without its head, the first letters ``%PDF-`` show the type.
_FILE_DATA = re.compile(
    rb'"(?:data:application\\?/pdf(?:;[^,"\\]{0,200})?;base64,|(?=JVBERi0))', re.IGNORECASE
)
#: A type with its parameters is short.
_MAX_TYPE_BYTES = 300


def find_typed_data(raw: bytes, at: int, *type_names: bytes) -> Span | None:
    """The content in ``data`` of the object at ``at``, without quotes, if a field of ``type_names``
    says that it is a PDF."""
    content, is_pdf = None, False
    for key, start, end in members(raw, at):
        if raw[start : start + 1] != b'"':
            continue
        if key == b'"data"':
            content = start + 1, end - 1
        elif key in type_names and end - start <= _MAX_TYPE_BYTES:
            stated: str = loads(raw[start:end])
            is_pdf = stated.partition(";")[0].strip().lower() == PDF
    return content if is_pdf else None


def find_file_data(raw: bytes, at: int) -> Span | None:
    """The same of OpenAI's ``file_data`` in the object at ``at``."""
    for key, start, end in members(raw, at):
        if key == b'"file_data"' and (match := _FILE_DATA.match(raw, start)) is not None:
            return match.end(), end - 1
    return None
