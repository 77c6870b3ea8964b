"""Uploads of several parts: which part is the file, and the errors."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casedesk_proxy.errors import BadRequest
from casedesk_proxy.filing.draft import FileDraft
from casedesk_proxy.surfaces.upload_forms import UploadForm, begin_upload_form
from casedesk_proxy.terms import Dialect, RawHeaders

G, A, OAI = Dialect.GEMINI, Dialect.ANTHROPIC, Dialect.OPENAI
FORM: RawHeaders = ((b"content-type", b"multipart/form-data; boundary=b"),)
RELATED: RawHeaders = ((b"content-type", b"multipart/related; boundary=b"),)
FILE = b'--b\r\nContent-Disposition: form-data; name="file"; filename="/x/a.png"\r\n\r\nabc\r\n'
PURPOSE = b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nvision\r\n'
END = b"--b--\r\n"
JSON = b'--b\r\nContent-Type: application/json\r\n\r\n{"file":{"displayName":"n"}}\r\n'


def read(surface: Dialect, headers: RawHeaders, body: bytes) -> tuple[bytes, FileDraft]:
    form = begin_upload_form(surface, headers)
    content = b"".join(form.feed(body))
    return content, form.draft()


@pytest.mark.parametrize("body", [FILE + PURPOSE + END, PURPOSE + FILE + END])
def test_a_form_s_fields_in_any_order(body: bytes) -> None:
    content, draft = read(OAI, FORM, body)
    assert (content, draft.name, draft.mime_type) == (b"abc", "a.png", "image/png")
    assert (draft.purpose, draft.keep, draft.surface) == ("vision", None, OAI)
    assert read(A, FORM, FILE + END)[1].purpose == ""


@pytest.mark.parametrize("headers", [RELATED, FORM])
def test_google_s_metadata_and_file(headers: RawHeaders) -> None:
    named = JSON.replace(b"--b\r\n", b'--b\r\nContent-Disposition: form-data; name="metadata"\r\n')
    body = (JSON if headers is RELATED else named) + FILE + END
    content, draft = read(G, headers, body)
    assert (content, draft.name) == (b"abc", "n")


def test_a_file_that_is_json_itself_comes_behind_its_metadata() -> None:
    second = b"--b\r\nContent-Type: application/json\r\n\r\n[]\r\n"
    content, draft = read(G, RELATED, JSON + second + END)
    assert (content, draft.mime_type) == (b"[]", "application/json")


@given(st.integers(1, 40))
@settings(max_examples=20)
def test_reads_make_no_difference(step: int) -> None:
    body = PURPOSE + FILE + END
    form = UploadForm(OAI, "form-data", b"b")
    content = b"".join(
        b"".join(form.feed(body[at : at + step])) for at in range(0, len(body), step)
    )
    assert (content, form.draft().purpose) == (b"abc", "vision")


@pytest.mark.parametrize(
    ("surface", "headers", "body", "message"),
    [
        (OAI, FORM, FILE + FILE + END, "more than one file"),
        (OAI, FORM, PURPOSE + END, "file: the form contains no file; attach one"),
        (OAI, FORM, FILE + PURPOSE, "ends before its last boundary"),
        (OAI, FORM, FILE + END, "purpose"),
        (OAI, FORM, b"x", "does not begin with its boundary"),
        (OAI, FORM, PURPOSE.replace(b"vision", b"x" * 70_000) + END, "more than 65536 bytes"),
        (G, RELATED, FILE + JSON.replace(b"{", b"[") + END, "not valid JSON"),
        (OAI, ((b"content-type", b"multipart/form-data"),), b"", "no valid boundary"),
        (OAI, (), b"", "multipart/form-data"),
        (G, (), b"", "X-Goog-Upload-Protocol: resumable"),
    ],
)
def test_what_is_no_upload(
    surface: Dialect, headers: RawHeaders, body: bytes, message: str
) -> None:
    with pytest.raises(BadRequest) as caught:
        read(surface, headers, body)
    assert message in caught.value.message
