"""Forms in any pieces: what is found in them, and what is refused because parsers differ."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.wire.multipart import (
    MAX_FIELD_BYTES,
    MAX_PART_HEAD_BYTES,
    MAX_PARTS,
    AddressedContent,
    FormReader,
    MalformedForm,
    find_boundary,
)
from tests.fixtures.table import table

WANTED = frozenset({b"model", b"stream"})


def part(disposition: str, value: bytes, *lines: str) -> bytes:
    head = "\r\n".join([f"Content-Disposition: {disposition}", *lines])
    return b"--XX\r\n" + head.encode() + b"\r\n\r\n" + value + b"\r\n"


MODEL = part('form-data; name="model"', b"tiny")
FILE = part(
    'form-data; name="file"; filename="a.wav"', b"RI\r\n--X\r\n--XXFF\0" * 3,
    "Content-Type: audio/wav",
)  # fmt: skip
END = b"--XX--\r\n"


def read(form: bytes, step: int = 0) -> FormReader:
    reader = FormReader(b"XX", WANTED)
    for at in range(0, len(form), step or len(form)):
        reader.read(form[at : at + (step or len(form))])
    return reader


@table("step", [0, 1, 2, 3, 5, 7, 64])
@table("form", [MODEL + FILE + END, FILE.replace(b"--XXFF", b"") + MODEL + END])
def test_a_field_is_found_wherever_it_stands(form: bytes, step: int) -> None:
    form = form.replace(b"--XXFF", b"-XXFF")
    reader = read(form, step)
    model = reader.fields[b"model"]
    assert (model.value, form[model.start : model.end]) == (b"tiny", b"tiny")
    assert reader.ended
    assert set(reader.fields) == {b"model"}


def test_a_field_is_known_before_the_file_behind_it_has_come() -> None:
    reader = read(MODEL + FILE[:40])
    assert reader.fields[b"model"].value == b"tiny"
    assert not reader.ended


def test_what_stands_behind_the_last_part_is_nothing() -> None:
    reader = read(MODEL + END)
    reader.read(MODEL)
    assert len(reader.fields) == 1
    assert read(MODEL + END + MODEL).fields.keys() == {b"model"}


def test_fields_may_be_empty_and_others_have_any_name() -> None:
    reader = read(part('form-data; name="model"', b"") + part("form-data; name=x[]", b"1") + END)
    assert reader.fields[b"model"].value == b""


@table("step", [0, 1, 3])
@table(
    ("form", "why"),
    [
        (b"\r\n" + MODEL, "does not begin"),
        (b"x" + MODEL, "does not begin"),
        (b"--XX \r\n", "not followed by the end"),
        (b"--XX\n\n", "not followed by the end"),
        (MODEL + MODEL, "field model twice"),
        (part('form-data; name="model"; filename="m"', b"x"), "model is a file"),
        (part("form-data; name=\"model\"; filename*=UTF-8''m", b"x"), "model is a file"),
        (part('form-data; name="model"', b"x", "Content-Transfer-Encoding: base64"), "encoded"),
        (part('form-data; name="model"', b"x" * (MAX_FIELD_BYTES + 1)) + END, "too long"),
        (part('form-data; name="model"', b"x" * 9000), "too long"),
        (part('form-data; name="a"; name="model"', b"x"), "twice"),
        (part("form-data; name*=UTF-8''model", b"x"), "no valid name"),
        (part("form-data; name=\"x\"; name*=UTF-8''model", b"x"), "no valid name"),
        (part("form-data", b"x"), "no valid name"),
        (part("attachment; name=model", b"x"), "misread"),
        (part('form-data; name="mo\\del"', b"x"), "misread"),
        (part('form-data; name="f"; filename="a\\"; name="model"', b"x"), "misread"),
        (part('form-data; name="x" junk', b"x"), "misread"),
        (b"--XX\r\nContent-Type: a\r\n\r\n", "headers cannot be read"),
        (b"--XX\r\nno header\r\n\r\n", "headers cannot be read"),
        (part('form-data; name="a"', b"", 'Content-Disposition: form-data; name="model"'), "read"),
        (b"--XX\r\n" + b"a" * MAX_PART_HEAD_BYTES, "headers are too long"),
        (part('form-data; name="a"', b"--XX\r\nrest"), "not at the beginning of a line"),
        (part("form-data; name=a", b"") * (MAX_PARTS + 1), "parts"),
    ],
)
def test_what_parsers_may_read_in_two_ways_is_refused(form: bytes, why: str, step: int) -> None:
    with pytest.raises(MalformedForm, match=why):
        read(form, step)


@given(st.binary(max_size=300), st.integers(1, 50))
def test_any_bytes_are_a_form_or_none_and_pieces_change_nothing(noise: bytes, step: int) -> None:
    form = MODEL + part('form-data; name="f"', noise.replace(b"XX", b"")) + END
    whole, pieces = read(form), read(form, step)
    assert whole.fields == pieces.fields
    assert whole.ended == pieces.ended
    with contextlib.suppress(MalformedForm):
        read(b"--XX\r\n" + noise, step)


@table(
    ("content_type", "boundary"),
    [
        (b"multipart/form-data; boundary=abc", b"abc"),
        (b'Multipart/Form-Data; charset=utf-8; boundary="a b:c"', b"a b:c"),
        (b"multipart/form-data;boundary=----WebKit1", b"----WebKit1"),
        (b"application/json", None),
        (b"multipart/mixed; boundary=a", None),
        (b"multipart/form-dataset; boundary=a", None),
    ],
)
def test_a_boundary_is_what_the_content_type_says(
    content_type: bytes, boundary: bytes | None
) -> None:
    assert find_boundary(((b"Content-Type", content_type),)) == boundary


@table(
    "types",
    [
        [b"multipart/form-data"],
        [b"multipart/form-data; boundary="],
        [b"multipart/form-data; boundary=a; boundary=b"],
        [b"multipart/form-data; boundary=" + b"a" * 71],
        [b'multipart/form-data; boundary="a"b'],
        [b"multipart/form-data; boundary=a", b"multipart/form-data; boundary=b"],
        [b"application/json", b"multipart/form-data; boundary=b"],
    ],
)
def test_a_boundary_that_cannot_be_read_is_refused(types: list[bytes]) -> None:
    with pytest.raises(MalformedForm):
        find_boundary(tuple((b"content-type", one) for one in types))


def read_contents(form: bytes, step: int) -> FormReader:
    reader = FormReader(b"XX", WANTED, contents=frozenset({b"url", b"image"}))
    for at in range(0, len(form), step):
        reader.read(form[at : at + step])
    return reader


@table("step", [1, 7, 4096])
@table(
    ("name", "value"),
    [
        ("url", b"http://169.254.169.254/latest"),
        ("url[]", b"file:/etc/passwd"),
        ("Image[]", b"https://h/" + b"x" * 500),
        ("url", b" " * 500 + b"http://h"),
        ("url", b"\x01http://h"),
    ],
)
def test_an_address_in_place_of_content_is_refused(name: str, value: bytes, step: int) -> None:
    form = MODEL + part(f'form-data; name="{name}"', value) + END
    with pytest.raises(AddressedContent) as caught:
        read_contents(form, step)
    assert str(caught.value) == name


@table("step", [1, 7, 4096])
@table(
    ("disposition", "value"),
    [
        ('form-data; name="url"', b"data:image/png;base64," + b"A" * 5000),
        ('form-data; name="url[]"', b""),
        ('form-data; name="image"; filename="a"', b"http://h"),
        ('form-data; name="prompt"', b"http://h"),
    ],
)
def test_other_parts_are_not(disposition: str, value: bytes, step: int) -> None:
    reader = read_contents(MODEL + part(disposition, value) + END, step)
    assert reader.ended
    assert reader.fields[b"model"].value == b"tiny"
