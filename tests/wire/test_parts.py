"""Bodies of several parts: any split gives the same parts."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casedesk_proxy.wire.multipart import MAX_PART_HEAD_BYTES, MAX_PARTS, MalformedForm
from casedesk_proxy.wire.parts import PartEnd, PartHead, PartReader, find_part_boundary

BODY = (
    b"--b\r\nContent-Type: application/json\r\n\r\n{}\r\n"
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a\\"%22.txt"\r\n\r\n'
    b"one\r\n--not\r\n\r\n--b--\r\nepilogue"
)


def parts(*reads: bytes, boundary: bytes = b"b") -> list[tuple[PartHead, bytes]]:
    """The parts that a reader finds."""
    reader = PartReader(boundary)
    found: list[tuple[PartHead, bytes]] = []
    ended = 0
    for data in reads:
        for event in reader.read(data):
            if isinstance(event, PartHead):
                found.append((event, b""))
            elif isinstance(event, PartEnd):
                ended += 1
            else:
                head, content = found.pop()
                found.append((head, content + event))
    assert reader.ended
    assert ended == len(found)
    return found


def test_parts_and_what_they_are_called() -> None:
    (first, metadata), (second, content) = parts(BODY)
    assert first.headers == {b"content-type": b"application/json"}
    assert (first.name, metadata) == ("", b"{}")
    assert (second.name, second.filename) == ("file", 'a"".txt')
    assert content == b"one\r\n--not\r\n"


@given(st.lists(st.integers(0, len(BODY)), max_size=8))
@settings(max_examples=50)
def test_reads_make_no_difference(cuts: list[int]) -> None:
    at = [0, *sorted(cuts), len(BODY)]
    reads = [BODY[start:end] for start, end in pairwise(at)]
    assert parts(*reads) == parts(BODY)


@given(st.binary(max_size=60), st.integers(1, 7))
@settings(max_examples=50)
def test_any_content_comes_as_it_is(content: bytes, step: int) -> None:
    if b"\r\n--b" in content:
        return
    body = b"--b\r\nA: b\r\n\r\n" + content + b"\r\n--b--"
    reads = [body[at : at + step] for at in range(0, len(body), step)]
    assert [found for _, found in parts(*reads)] == [content]


@pytest.mark.parametrize("step", [1, 2, 3, 7])
def test_reads_of_a_few_bytes(step: int) -> None:
    reads = [BODY[at : at + step] for at in range(0, len(BODY), step)]
    assert parts(*reads) == parts(BODY)


def test_a_part_without_headers_and_an_empty_one() -> None:
    assert [content for _, content in parts(b"\r\n--b\r\n\r\nx\r\n--b\r\n\r\n\r\n--b--")] == [
        b"x",
        b"",
    ]


@pytest.mark.parametrize(
    ("disposition", "filename"),
    [
        (b'form-data; filename="\xc3\xa4.txt"', "ä.txt"),
        (b"form-data; filename=plain.txt; name=f", "plain.txt"),
        (b"form-data; filename=\"x\"; filename*=UTF-8''%c3%a4.txt", "ä.txt"),
        (b"form-data; filename*=koi8-r''x", ""),
        (b'form-data; filename="\xff"', "\ufffd"),
        (b"", ""),
    ],
)
def test_file_names_as_clients_write_them(disposition: bytes, filename: str) -> None:
    body = b"--b\r\nContent-Disposition: " + disposition + b"\r\n\r\n\r\n--b--"
    ((head, _),) = parts(body)
    assert head.filename == filename


@pytest.mark.parametrize(
    "body",
    [
        b"x", b"--bxy", b"--b\r\nno colon\r\n\r\n", b"--b\r\n" + b"a" * (MAX_PART_HEAD_BYTES + 1),
        b"--b\r\nContent-Transfer-Encoding: base64\r\n\r\n",
        b"--b" + b"\r\n\r\nx\r\n--b" * (MAX_PARTS + 1),
    ],
)  # fmt: skip
def test_what_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedForm):
        PartReader(b"b").read(body)


@given(st.lists(st.binary(max_size=30), max_size=5))
@settings(max_examples=50)
def test_any_bytes_are_read(reads: list[bytes]) -> None:
    """The only error is the one that it is not a form."""
    reader = PartReader(b"b")
    try:
        for data in reads:
            reader.read(data)
    except MalformedForm:
        pass


def test_the_boundary() -> None:
    related = ((b"Content-Type", b'multipart/Related; boundary="a b"'),)
    assert find_part_boundary(related) == ("related", b"a b")
    form = ((b"content-type", b"multipart/form-data; charset=x; boundary=ab"),)
    assert find_part_boundary(form) == ("form-data", b"ab")
    assert find_part_boundary(((b"content-type", b"text/plain"),)) is None
    assert find_part_boundary(()) is None
    with pytest.raises(MalformedForm):
        find_part_boundary(((b"content-type", b"multipart/related"),))
