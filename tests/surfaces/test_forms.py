"""Forms as surfaces read them: which bodies are forms, which model they name, and a changed
name."""

from __future__ import annotations

import pytest

from casedesk_proxy.errors import BadRequest
from casedesk_proxy.surfaces.forms import (
    FormBeginning,
    bad_form,
    begin_form,
    has_model,
    name_model,
    read_form,
)
from casedesk_proxy.surfaces.paths import read_call
from casedesk_proxy.terms import RawHeaders
from casedesk_proxy.wire.multipart import MalformedForm
from tests.fixtures.table import table

FORM: RawHeaders = ((b"Content-Type", b"multipart/form-data; boundary=XX"),)


def part(name: str, value: bytes) -> bytes:
    head = f'--XX\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
    return head.encode() + value + b"\r\n"


def read(raw: bytes, *, length: int | None = None) -> FormBeginning:
    begun = begin_form(read_call("POST", "/v1/audio/transcriptions", ()), FORM, may_fetch=False)
    assert begun is not None
    boundary, reader = begun
    reader.read(raw)
    form = FormBeginning.of(boundary, reader, is_whole=length is None, length=length)
    assert has_model(reader) is (form.model is not None)
    return form


@table(
    ("path", "headers"),
    [("/v1/audio/speech", FORM), ("/v1/images/edits", ((b"content-type", b"application/json"),))],
)
def test_other_paths_and_other_bodies_are_no_forms(path: str, headers: RawHeaders) -> None:
    assert begin_form(read_call("POST", path, ()), headers, may_fetch=False) is None


def test_a_form_without_a_boundary_is_refused() -> None:
    call = read_call("POST", "/v1/images/edits", ())
    with pytest.raises(BadRequest, match="the form is malformed") as caught:
        begin_form(call, ((b"content-type", b"multipart/form-data"),), may_fetch=False)
    assert caught.value.code == "invalid_form"


def test_a_form_says_its_model_and_whether_it_wants_a_stream() -> None:
    form = read(part("stream", b"true") + part("model", b"whisper") + b"--XX--")
    body = read_form(form, lambda: ())
    assert (body.model, body.stream, body.value) == ("whisper", True, {})
    assert not read_form(read(part("model", b"w") + b"--XX--"), lambda: ()).stream


def test_of_a_form_without_a_model_the_only_one_is_meant() -> None:
    form = read(part("x", b"1") + b"--XX--")
    assert read_form(form, lambda: ("whisper",)).model == "whisper"
    with pytest.raises(BadRequest, match="available: a, b"):
        read_form(form, lambda: ("a", "b"))


def test_a_name_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(BadRequest) as caught:
        read_form(read(part("model", b"\xff") + b"--XX--"), lambda: ())
    assert caught.value.violations[0].path == "model"


def test_only_the_name_is_changed() -> None:
    raw = part("a", b"1") + part("model", b"x") + part("b", b"\0" * 9)
    form = read(raw + b"--", length=1000)
    assert (form.is_whole, form.length) == (False, 1000)
    for may_add in (True, False):
        named = name_model(raw, form, "wh\u00fcsper", may_add=may_add)
        assert named == raw.replace(b"\r\nx\r\n", "\r\nwh\u00fcsper\r\n".encode())


@table("raw", [part("a", b"1"), part("a", b"1") + part("model", b"")])
def test_a_name_is_put_in_only_where_that_may_be(raw: bytes) -> None:
    form = read(raw + b"--XX--")
    assert name_model(raw, form, "w", may_add=False) == raw
    named = name_model(raw, form, "w", may_add=True)
    field = read(named + b"--XX--").model
    assert field is not None
    assert field.value == b"w"


@table("may_fetch", [False, True])
def test_an_address_in_place_of_a_file(may_fetch: bool) -> None:
    begun = begin_form(read_call("POST", "/v1/images/edits", ()), FORM, may_fetch=may_fetch)
    assert begun is not None
    form = part("url", b"http://h") + b"--XX--"
    if may_fetch:
        begun[1].read(form)
        assert begun[1].ended
        return
    with pytest.raises(MalformedForm) as caught:
        begun[1].read(form)
    fault = bad_form(caught.value)
    assert fault.code == "url_not_fetched"
    assert [one.path for one in fault.violations] == ["url"]
