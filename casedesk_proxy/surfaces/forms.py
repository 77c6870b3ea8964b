"""Requests that are forms with files: what is read of them before a node is chosen, and the one
thing that is changed: the model's name.

A form is read and held only up to its model's name; the rest passes. It is still followed, since
some nodes would use a second name after the first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from casedesk_proxy.engines.paths import ModelPlace
from casedesk_proxy.engines.registry import INFERENCE_PATHS
from casedesk_proxy.errors import BadRequest
from casedesk_proxy.surfaces.bodies import RequestBody, sole_model
from casedesk_proxy.surfaces.json_spans import splice
from casedesk_proxy.terms import Call, RawHeaders, record
from casedesk_proxy.wire.content_urls import NOT_FETCHED
from casedesk_proxy.wire.multipart import (
    AddressedContent,
    FormField,
    FormReader,
    MalformedForm,
    find_boundary,
)

__all__ = ["FormBeginning", "bad_form", "begin_form", "has_model", "name_model", "read_form"]

_MODEL, _STREAM = b"model", b"stream"
_WANTED = frozenset({_MODEL, _STREAM})
#: Fields of files, and those in which engines that make images accept URLs (vLLM-Omni).
_CONTENTS = frozenset({b"image", b"images", b"mask", b"file", b"audio", b"url", b"urls"}) | {
    b"image_url", b"file_url", b"audio_url"
}  # fmt: skip
_TRUE = frozenset({b"true", b"1", b"True"})


@record
class FormBeginning:
    """The beginning of a form. ``is_whole``: all of it has arrived; ``length``: that of the whole
    form, None if only its end will show it."""

    boundary: bytes
    model: FormField | None
    streams: bool
    is_whole: bool
    length: int | None

    @staticmethod
    def of(
        boundary: bytes, reader: FormReader, *, is_whole: bool, length: int | None
    ) -> FormBeginning:
        """As much as ``reader`` has read."""
        stream = reader.fields.get(_STREAM)
        streams = stream is not None and stream.value in _TRUE
        return FormBeginning(boundary, reader.fields.get(_MODEL), streams, is_whole, length)


def begin_form(
    call: Call, headers: RawHeaders, *, may_fetch: bool
) -> tuple[bytes, FormReader] | None:
    """The boundary and a reader for a request's body; None if it is not a form, or must not be one.
    ``may_fetch``: nodes may get URLs of content. Raises BadRequest."""
    if INFERENCE_PATHS[call.path].model is not ModelPlace.FORM:
        return None
    try:
        boundary = find_boundary(headers)
    except MalformedForm as error:
        raise bad_form(error) from None
    if boundary is None:
        return None
    contents = frozenset[bytes]() if may_fetch else _CONTENTS
    return boundary, FormReader(boundary, _WANTED, contents=contents)


def has_model(reader: FormReader) -> bool:
    return _MODEL in reader.fields


def bad_form(error: MalformedForm) -> BadRequest:
    if isinstance(error, AddressedContent):
        return BadRequest.about(str(error), NOT_FETCHED, code="url_not_fetched")
    return BadRequest(f"the form is malformed: {error}; correct it", code="invalid_form")


def read_form(form: FormBeginning, offered: Callable[[], Sequence[str]]) -> RequestBody:
    """``offered``: the available models; a form that names none means the only one. Raises
    BadRequest."""
    if form.model is None or not form.model.value:
        return RequestBody(sole_model(offered()), form.streams, {})
    try:
        return RequestBody(form.model.value.decode(), form.streams, {})
    except UnicodeDecodeError:
        raise BadRequest.about("model", "it is not UTF-8; encode it as UTF-8") from None


def name_model(raw: bytes, form: FormBeginning, new: str, *, may_add: bool) -> bytes:
    """The form's beginning with the model's name changed, or, if that may be, put in before the
    first part; every other byte as the client sent it."""
    name, field = new.encode(), form.model
    if field is not None and (field.value or may_add):
        return splice(raw, [((field.start, field.end), name)])
    if not may_add:
        return raw
    lines = (b"--" + form.boundary, b'Content-Disposition: form-data; name="model"', b"", name, b"")
    return b"\r\n".join(lines) + raw
