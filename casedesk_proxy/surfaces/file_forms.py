"""A stored file inside a request, in the form of the client's protocol: as if it had been sent
inline.

So all rules for inline media, such as which nodes accept them and how they are translated, hold for
stored files too. In place of the content in base64 there is a *mark*: the content is inserted on
the way to the node.
"""

from __future__ import annotations

from typing import Any

from casedesk_proxy.errors import BadRequest
from casedesk_proxy.filing.stored_file import StoredFile
from casedesk_proxy.jsonio import dumps
from casedesk_proxy.surfaces.file_references import FilePlace, FileReference
from casedesk_proxy.surfaces.inline_pdfs import PDF

__all__ = ["PDF", "find_kind", "is_text", "write_media", "write_stored", "write_text"]

_TEXTS = frozenset(
    f"application/{kind}"
    for kind in (
        *("json", "xml", "csv", "yaml", "x-yaml", "markdown", "x-ndjson", "jsonl", "toml", "sql"),
        *("javascript", "x-javascript", "typescript", "x-python", "x-sh", "rtf"),
    )
)
_IMAGES = frozenset({FilePlace.IMAGE_SOURCE, FilePlace.INPUT_IMAGE, FilePlace.IMAGE_URL})
_SOUNDS = {
    f"audio/{kind}": name
    for name, kinds in {"wav": ("wav", "x-wav", "wave"), "mp3": ("mp3", "mpeg")}.items()
    for kind in kinds
}


def find_kind(mime_type: str) -> str:
    """image, audio, video or document."""
    kind = mime_type.partition("/")[0]
    return kind if kind in ("image", "audio", "video") else "document"


def is_text(mime_type: str) -> bool:
    """Whether nodes get a file of this type as text."""
    return mime_type.startswith("text/") or mime_type in _TEXTS or mime_type.endswith("+json")


def write_text(reference: FileReference, text: str) -> bytes:
    """What replaces the reference if the file is ``text``."""
    match reference.place:
        case FilePlace.PART:
            return b'"text":' + dumps(text)
        case FilePlace.DOCUMENT_SOURCE:
            return dumps({"type": "text", "media_type": "text/plain", "data": text})
        case FilePlace.CHAT_PART:
            return dumps({"type": "text", "text": text})
        case FilePlace.INPUT_FILE:
            return dumps({"type": "input_text", "text": text})
        case _:
            raise _wrong_kind(reference)


def write_media(reference: FileReference, file: StoredFile, mime_type: str, mark: str) -> bytes:
    """What replaces the reference, with ``mark`` for the content. Raises BadRequest if the protocol
    does not support such a file in that place."""
    kind = find_kind(mime_type)
    match reference.place:
        case FilePlace.PART | FilePlace.RESULT_PART:
            return b'"inlineData":' + dumps({"mimeType": mime_type, "data": mark})
        case FilePlace.IMAGE_SOURCE | FilePlace.DOCUMENT_SOURCE as place:
            if (place is FilePlace.IMAGE_SOURCE) != (kind == "image"):
                raise _wrong_kind(reference)
            return dumps({"type": "base64", "media_type": mime_type, "data": mark})
        case FilePlace.IMAGE_URL:
            if kind != "image":
                raise _wrong_kind(reference)
            return dumps(_data_url(mime_type, mark))
        case FilePlace.INPUT_IMAGE:
            if kind != "image":
                raise _wrong_kind(reference)
            return b'"image_url":' + dumps(_data_url(mime_type, mark))
        case FilePlace.INPUT_FILE:
            return dumps(_responses_part(kind, file, mime_type, mark))
        case _:
            return dumps(_chat_part(kind, file, mime_type, mark))


def write_stored(place: FilePlace, mime_type: str, reference: str) -> bytes | None:
    """What replaces it with the ``reference`` of a file that the node stores itself; None if its
    API does not support that."""
    kind = find_kind(mime_type)
    match place:
        case FilePlace.PART | FilePlace.RESULT_PART:
            return b'"fileData":' + dumps({"mimeType": mime_type, "fileUri": reference})
        case FilePlace.IMAGE_SOURCE | FilePlace.DOCUMENT_SOURCE:
            return dumps({"type": "file", "file_id": reference})
        case FilePlace.INPUT_IMAGE:
            return b'"file_id":' + dumps(reference)
        case FilePlace.INPUT_FILE if kind == "image":
            return dumps({"type": "input_image", "detail": "auto", "file_id": reference})
        case FilePlace.INPUT_FILE if kind == "document":
            return dumps({"type": "input_file", "file_id": reference})
        case FilePlace.CHAT_PART if kind == "document":
            return dumps({"type": "file", "file": {"file_id": reference}})
    return None


def _chat_part(kind: str, file: StoredFile, mime_type: str, mark: str) -> dict[str, Any]:
    url = _data_url(mime_type, mark)
    if kind == "audio":
        return _sound(mime_type, mark)
    if kind in ("image", "video"):
        return {"type": f"{kind}_url", f"{kind}_url": {"url": url}}
    return {"type": "file", "file": {"filename": file.name, "file_data": url}}


def _responses_part(kind: str, file: StoredFile, mime_type: str, mark: str) -> dict[str, Any]:
    url = _data_url(mime_type, mark)
    if kind == "audio":
        return _sound(mime_type, mark)
    if kind == "image":
        return {"type": "input_image", "detail": "auto", "image_url": url}
    return {"type": "input_file", "filename": file.name, "file_data": url}


def _sound(mime_type: str, mark: str) -> dict[str, Any]:
    form = _SOUNDS.get(mime_type, mime_type.partition("/")[2])
    return {"type": "input_audio", "input_audio": {"data": mark, "format": form}}


def _data_url(mime_type: str, mark: str) -> str:
    return f"data:{mime_type};base64,{mark}"


def _wrong_kind(reference: FileReference) -> BadRequest:
    wanted = "an image" if reference.place in _IMAGES else "a document"
    why = f"the file is not {wanted}; name another file, or use its kind of part"
    return BadRequest.about(reference.path, why, code="wrong_file_type")
