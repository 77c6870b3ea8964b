"""Files in the form of each protocol, at their place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from casedesk_proxy.errors import BadRequest
from casedesk_proxy.filing.stored_file import StoredFile
from casedesk_proxy.surfaces.file_forms import (
    find_kind,
    is_text,
    write_media,
    write_stored,
    write_text,
)
from casedesk_proxy.surfaces.file_references import FilePlace, FileReference

P = FilePlace
FILE = StoredFile("a" * 24, "alice", "n.bin", "image/png", 3, "00", 0.0, None)
URL = "data:{};base64,MARK"


def at(place: FilePlace) -> FileReference:
    return FileReference(place, (0, 0), "there", "file")


def read(place: FilePlace, written: bytes) -> Any:
    whole = place in (P.PART, P.RESULT_PART, P.INPUT_IMAGE)
    return json.loads(b"{%b}" % written if whole else written)


def test_kinds() -> None:
    kinds = [find_kind(one) for one in ("image/png", "audio/wav", "video/mp4", "application/pdf")]
    assert kinds == ["image", "audio", "video", "document"]
    assert is_text("text/csv")
    assert is_text("application/json")
    assert is_text("application/ld+json")
    assert not is_text("application/pdf")


@pytest.mark.parametrize(
    ("place", "wanted"),
    [
        (P.PART, {"text": "ü"}),
        (P.DOCUMENT_SOURCE, {"type": "text", "media_type": "text/plain", "data": "ü"}),
        (P.CHAT_PART, {"type": "text", "text": "ü"}),
        (P.INPUT_FILE, {"type": "input_text", "text": "ü"}),
    ],
)
def test_text(place: FilePlace, wanted: Any) -> None:
    assert read(place, write_text(at(place), "ü")) == wanted


@pytest.mark.parametrize("place", [P.RESULT_PART, P.IMAGE_SOURCE, P.INPUT_IMAGE])
def test_text_has_no_place_there(place: FilePlace) -> None:
    with pytest.raises(BadRequest, match="there: the file is not"):
        write_text(at(place), "x")


@pytest.mark.parametrize(
    ("place", "mime", "wanted"),
    [
        (P.PART, "video/mp4", {"inlineData": {"mimeType": "video/mp4", "data": "MARK"}}),
        (P.RESULT_PART, "image/png", {"inlineData": {"mimeType": "image/png", "data": "MARK"}}),
        (P.IMAGE_SOURCE, "image/png",
         {"type": "base64", "media_type": "image/png", "data": "MARK"}),
        (P.DOCUMENT_SOURCE, "application/pdf",
         {"type": "base64", "media_type": "application/pdf", "data": "MARK"}),
        (P.INPUT_IMAGE, "image/png", {"image_url": URL.format("image/png")}),
        (P.IMAGE_URL, "image/png", URL.format("image/png")),
        (P.INPUT_FILE, "image/png",
         {"type": "input_image", "detail": "auto", "image_url": URL.format("image/png")}),
        (P.INPUT_FILE, "application/pdf",
         {"type": "input_file", "filename": "n.bin", "file_data": URL.format("application/pdf")}),
        (P.INPUT_FILE, "audio/mpeg",
         {"type": "input_audio", "input_audio": {"data": "MARK", "format": "mp3"}}),
        (P.CHAT_PART, "audio/x-wav",
         {"type": "input_audio", "input_audio": {"data": "MARK", "format": "wav"}}),
        (P.CHAT_PART, "audio/ogg",
         {"type": "input_audio", "input_audio": {"data": "MARK", "format": "ogg"}}),
        (P.CHAT_PART, "image/png",
         {"type": "image_url", "image_url": {"url": URL.format("image/png")}}),
        (P.CHAT_PART, "video/mp4",
         {"type": "video_url", "video_url": {"url": URL.format("video/mp4")}}),
        (P.CHAT_PART, "application/pdf",
         {"type": "file",
          "file": {"filename": "n.bin", "file_data": URL.format("application/pdf")}}),
    ],
)  # fmt: skip
def test_media(place: FilePlace, mime: str, wanted: Any) -> None:
    assert read(place, write_media(at(place), FILE, mime, "MARK")) == wanted


@pytest.mark.parametrize(
    ("place", "mime"),
    [
        (P.IMAGE_SOURCE, "application/pdf"),
        (P.DOCUMENT_SOURCE, "image/png"),
        (P.INPUT_IMAGE, "audio/wav"),
        (P.IMAGE_URL, "application/pdf"),
    ],
)
def test_media_in_the_wrong_place(place: FilePlace, mime: str) -> None:
    with pytest.raises(BadRequest) as caught:
        write_media(at(place), FILE, mime, "MARK")
    assert caught.value.violations[0].path == "there"


@pytest.mark.parametrize(
    ("place", "mime", "wanted"),
    [
        (P.PART, "video/mp4", {"fileData": {"mimeType": "video/mp4", "fileUri": "ref"}}),
        (P.DOCUMENT_SOURCE, "application/pdf", {"type": "file", "file_id": "ref"}),
        (P.INPUT_IMAGE, "image/png", {"file_id": "ref"}),
        (P.INPUT_FILE, "image/png", {"type": "input_image", "detail": "auto", "file_id": "ref"}),
        (P.INPUT_FILE, "application/pdf", {"type": "input_file", "file_id": "ref"}),
        (P.CHAT_PART, "application/pdf", {"type": "file", "file": {"file_id": "ref"}}),
    ],
)
def test_what_the_node_has_itself(place: FilePlace, mime: str, wanted: Any) -> None:
    written = write_stored(place, mime, "ref")
    assert written is not None
    assert read(place, written) == wanted


def test_what_a_node_cannot_be_told_to_have() -> None:
    for place in (P.CHAT_PART, P.IMAGE_URL):
        assert write_stored(place, "image/png", "ref") is None
