"""Where a request names stored files: Gemini's ``fileData``, Anthropic's sources of type ``file``,
OpenAI's ``file_id``. Also where it contains a PDF, which may be replaced by its text.

Only a conversation's contents are searched: arguments and results of tools may have fields of the
same names. A body that is not JSON has none, and is refused when it is planned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any

from casedesk_proxy.jsonio import JSONError, loads
from casedesk_proxy.surfaces.inline_pdfs import PDF, find_file_data, find_typed_data
from casedesk_proxy.surfaces.json_spans import Span, elements, entries, has_string, members
from casedesk_proxy.terms import Action, Call, record
from casedesk_proxy.wire.web_addresses import is_web

__all__ = ["FilePlace", "FileReference", "find_references"]

#: A reference to a file is short; a longer value is content.
_MAX_REFERENCE_BYTES = 16 * 1024
#: A body without one of these names no file and no web content, and contains no PDF.
_GEMINI_HINTS = (b'"fileData"', b'"file_data"')
_GEMINI_PDF_HINTS = (b'"inlineData"', b'"inline_data"')
_HINTS = (b'"file_id"',)
_WEB_HINTS = (b'"url"', b'"image_url"', b'"file_url"')
_PDF_HINTS = (b'"base64"', b'"file_data"')
_BRACE = ord("{")


class FilePlace(Enum):
    """The kind of place of a reference, which determines its replacement."""

    #: ``fileData`` of a part, and of a function's response, which must not become text.
    PART = "part"
    RESULT_PART = "part of a function's response"
    #: ``source`` of an image or of a document.
    IMAGE_SOURCE = "image"
    DOCUMENT_SOURCE = "document"
    #: A part of type ``file`` in a chat.
    CHAT_PART = "chat part"
    #: ``url`` of an ``image_url``, and ``image_url`` of an ``input_image``: only the string.
    IMAGE_URL = "image_url"
    #: ``file_id`` of an ``input_image``; a part of type ``input_file``.
    INPUT_IMAGE = "input_image"
    INPUT_FILE = "input_file"


@record
class FileReference:
    """``span``: the bytes of the body that the file's content can replace, in the form of the
    client's protocol. ``path`` is for errors, in the protocol's own notation. ``named``: the id or
    URI as the client wrote it; ``mime_type``: the type that the client gave, usually "".
    ``of_web``: it is named by a URL, not stored. ``content``: the place of an inline PDF in base64,
    which has no name."""

    place: FilePlace
    span: Span
    path: str
    named: str
    mime_type: str = ""
    of_web: bool = False
    content: Span | None = None


def find_references(
    call: Call, raw: bytes, *, of_web: bool = False, inline: bool = False
) -> tuple[FileReference, ...]:
    """In the order of the body. ``of_web``: also content that is named by a URL; ``inline``: also
    inline PDFs."""
    find = _FINDERS.get(call.action)
    if find is None:
        return ()
    if find is _find_gemini:
        hints = (*_GEMINI_HINTS, *_GEMINI_PDF_HINTS) if inline else _GEMINI_HINTS
    else:
        hints = (*_HINTS, *(_WEB_HINTS if of_web else ()), *(_PDF_HINTS if inline else ()))
    if not has_string(raw, hints):
        return ()
    try:
        value = loads(raw)
    except JSONError:
        return ()
    if not isinstance(value, dict):
        return ()
    found = [
        one
        for one in find(raw, 0, "")
        if (of_web or not one.of_web) and (inline or one.content is None)
    ]
    return tuple(_apart(sorted(found, key=lambda one: one.span)))


def _apart(found: list[FileReference]) -> Iterator[FileReference]:
    """Without references that are inside another one, or name the same field twice."""
    end = 0
    for one in found:
        if one.span[0] >= end:
            end = one.span[1]
            yield one


def _each(raw: bytes, span: Span) -> Iterator[tuple[int, int]]:
    """The objects of a list with their index, or the single object in place of a list."""
    start, _ = span
    if raw[start : start + 1] == b"{":
        yield 0, start
    elif raw[start : start + 1] == b"[":
        for index, (at, _) in enumerate(elements(raw, start)):
            if raw[at : at + 1] == b"{":
                yield index, at


def _below(raw: bytes, at: int, *names: bytes) -> Iterator[tuple[int, int]]:
    """As `_each`, for the values of the named fields of the object at ``at``."""
    for key, start, end in members(raw, at):
        if key in names:
            yield from _each(raw, (start, end))


def _inline(
    place: FilePlace, span: Span, path: str, content: Span | None
) -> Iterator[FileReference]:
    """The PDF at ``content``, if there is one."""
    if content is not None:
        yield FileReference(place, span, path, "", PDF, content=content)


def _read(raw: bytes, span: Span) -> dict[str, Any]:
    """A short object; empty for anything else."""
    start, end = span
    if not 0 < end - start <= _MAX_REFERENCE_BYTES or raw[start : start + 1] != b"{":
        return {}
    value: dict[str, Any] = loads(raw[start:end])
    return value


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


# Gemini.


def _find_gemini(raw: bytes, at: int, path: str) -> Iterator[FileReference]:
    for index, content in _below(raw, at, b'"contents"'):
        yield from _find_parts(raw, content, f"{path}contents[{index}]", FilePlace.PART)
    if path:
        return  # One request inside another and no more, since each would be searched again.
    for _, wrapped in _below(raw, at, b'"generateContentRequest"', b'"generate_content_request"'):
        yield from _find_gemini(raw, wrapped, "generateContentRequest.")


def _find_parts(raw: bytes, content: int, path: str, place: FilePlace) -> Iterator[FileReference]:
    for index, part in _below(raw, content, b'"parts"'):
        where = f"{path}.parts[{index}]"
        for key, before, start, end in entries(raw, part):
            if key in (b'"fileData"', b'"file_data"'):
                data = _read(raw, (start, end))
                named = _text(data.get("fileUri", data.get("file_uri")))
                mime = _text(data.get("mimeType", data.get("mime_type")))
                yield FileReference(place, (before, end), f"{where}.fileData", named, mime)
            elif key in _GEMINI_PDF_HINTS and place is FilePlace.PART and raw[start] == _BRACE:
                found = find_typed_data(raw, start, b'"mimeType"', b'"mime_type"')
                yield from _inline(place, (before, end), f"{where}.inlineData", found)
            elif key in (b'"functionResponse"', b'"function_response"') and place is FilePlace.PART:
                for _, answer in _each(raw, (start, end)):
                    below = f"{where}.functionResponse"
                    yield from _find_parts(raw, answer, below, FilePlace.RESULT_PART)


# Anthropic.


def _find_anthropic(raw: bytes, at: int, path: str) -> Iterator[FileReference]:
    for index, message in _below(raw, at, b'"messages"'):
        yield from _find_blocks(raw, message, f"{path}messages.{index}.content")


def _find_blocks(
    raw: bytes, holder: int, path: str, *, in_result: bool = False
) -> Iterator[FileReference]:
    """``holder``: a message, or a tool's result, which has such blocks too."""
    for index, block in _below(raw, holder, b'"content"'):
        where, kind, source = f"{path}.{index}", b"", (0, 0)
        for key, start, end in members(raw, block):
            if key == b'"type"':
                kind = raw[start:end]
            elif key == b'"source"':
                source = start, end
        if kind == b'"tool_result"' and not in_result:
            yield from _find_blocks(raw, block, f"{where}.content", in_result=True)
        elif kind in _SOURCES:
            data = _read(raw, source)
            field = {"file": "file_id", "url": "url"}.get(_text(data.get("type")))
            if field is not None:
                place, named = f"{where}.source.{field}", _text(data.get(field))
                of_web = field == "url"
                yield FileReference(_SOURCES[kind], source, place, named, of_web=of_web)
            elif kind == b'"document"' and source[1] and raw[source[0]] == _BRACE:
                content = find_typed_data(raw, source[0], b'"media_type"')
                yield from _inline(_SOURCES[kind], source, f"{where}.source", content)


_SOURCES = {b'"image"': FilePlace.IMAGE_SOURCE, b'"document"': FilePlace.DOCUMENT_SOURCE}


# OpenAI.


def _find_chat(raw: bytes, at: int, path: str) -> Iterator[FileReference]:
    for index, message in _below(raw, at, b'"messages"'):
        for place, part in _below(raw, message, b'"content"'):
            where = f"{path}messages[{index}].content[{place}]"
            data, content, end = dict[str, Any](), None, part
            for key, start, end in members(raw, part):
                if key == b'"file"' and raw[start] == _BRACE:
                    data, content = _read(raw, (start, end)), find_file_data(raw, start)
                elif key == b'"image_url"' and raw[start : start + 1] == b"{":
                    yield from _find_url(raw, start, b'"url"', f"{where}.image_url.url")
            span = part, raw.index(b"}", end) + 1
            if "file_id" in data:
                named = _text(data["file_id"])
                yield FileReference(FilePlace.CHAT_PART, span, f"{where}.file.file_id", named)
            else:
                yield from _inline(FilePlace.CHAT_PART, span, f"{where}.file.file_data", content)


def _find_url(raw: bytes, at: int, field: bytes, path: str) -> Iterator[FileReference]:
    """The URL of an image in a field of the object at ``at``, if it has one."""
    for key, start, end in members(raw, at):
        if key == field and is_web(url := _short_text(raw, (start, end))):
            yield FileReference(FilePlace.IMAGE_URL, (start, end), path, url, of_web=True)


def _find_responses(raw: bytes, at: int, path: str) -> Iterator[FileReference]:
    for index, item in _below(raw, at, b'"input"'):
        for field in ("content", "output"):
            for place, part in _below(raw, item, b'"%b"' % field.encode()):
                where = f"{path}input[{index}].{field}[{place}]"
                yield from _find_input_part(raw, part, where)


def _find_input_part(raw: bytes, part: int, path: str) -> Iterator[FileReference]:
    kind, named, field, end, url = b"", "", (0, 0), part, ""
    for key, before, start, end in entries(raw, part):
        if key == b'"type"':
            kind = raw[start:end]
        elif key == b'"file_id"':
            named, field = _short_text(raw, (start, end)), (before, end)
        elif key == b'"file_url"':
            url = _short_text(raw, (start, end))
    whole = part, raw.index(b"}", end) + 1
    if kind == b'"input_image"':
        yield from _find_url(raw, part, b'"image_url"', f"{path}.image_url")
        if named:
            yield FileReference(FilePlace.INPUT_IMAGE, field, f"{path}.file_id", named)
    elif kind == b'"input_file"' and named:
        yield FileReference(FilePlace.INPUT_FILE, whole, f"{path}.file_id", named)
    elif kind == b'"input_file"' and url:
        yield FileReference(FilePlace.INPUT_FILE, whole, f"{path}.file_url", url, of_web=True)
    elif kind == b'"input_file"':
        content = find_file_data(raw, part)
        yield from _inline(FilePlace.INPUT_FILE, whole, f"{path}.file_data", content)


def _short_text(raw: bytes, span: Span) -> str:
    start, end = span
    if end - start > _MAX_REFERENCE_BYTES or raw[start : start + 1] != b'"':
        return ""
    return _text(loads(raw[start:end]))


_Finder = Callable[[bytes, int, str], Iterator[FileReference]]
_FINDERS: dict[Action, _Finder] = {
    Action.GENERATE: _find_gemini,
    Action.STREAM_GENERATE: _find_gemini,
    Action.COUNT_TOKENS: _find_gemini,
    Action.MESSAGES: _find_anthropic,
    Action.COUNT_MESSAGES: _find_anthropic,
    Action.CHAT: _find_chat,
    Action.RESPOND: _find_responses,
    Action.COUNT_RESPONSE: _find_responses,
}
