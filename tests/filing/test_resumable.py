"""The resumable protocol as a state machine: each request and its result."""

from __future__ import annotations

import pytest

from casedesk_proxy.errors import BadRequest
from casedesk_proxy.filing.resumable import (
    Cancel,
    Finalize,
    Instruction,
    Receive,
    Report,
    Step,
    UploadProgress,
    next_step,
    read_instruction,
    require_whole,
)
from casedesk_proxy.terms import RawHeaders


def asked(command: str, offset: int | None = None) -> Instruction:
    return Instruction(frozenset(command.split("+")), offset)


@pytest.mark.parametrize(
    ("command", "offset", "received", "step"),
    [
        ("upload", 0, 0, Receive(0, finalizes=False)),
        ("upload", 4, 4, Receive(0, finalizes=False)),
        ("upload+finalize", 4, 4, Receive(0, finalizes=True)),
        # The answer to the piece before was lost, or half of this one came before.
        ("upload", 0, 4, Receive(4, finalizes=False)),
        ("upload+finalize", 2, 4, Receive(2, finalizes=True)),
        ("finalize", None, 10, Finalize()),
        ("query", None, 4, Report()),
        ("cancel", None, 4, Cancel()),
    ],
)
def test_an_upload_goes_on(command: str, offset: int | None, received: int, step: Step) -> None:
    assert next_step(asked(command, offset), UploadProgress(received, 10), None) == step


@pytest.mark.parametrize(
    ("command", "offset", "length", "message"),
    [
        ("start", None, 0, "has been started"),
        ("upload", 5, 1, "would leave a gap"),
        ("upload", None, 1, "Offset: a number of bytes is required"),
        ("upload", 4, 7, "11 bytes or more, not 10"),
        ("finalize", None, 0, "4 of 10 bytes have arrived"),
    ],
)
def test_what_cannot_be(command: str, offset: int | None, length: int, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        next_step(asked(command, offset), UploadProgress(4, 10), length)


@pytest.mark.parametrize("command", ["upload+finalize", "finalize", "query", "cancel", "upload"])
def test_what_has_become_a_file_stays_one(command: str) -> None:
    assert next_step(asked(command, 99), UploadProgress(10, 10, is_final=True), 1) == Report()


def test_a_size_that_was_not_announced_is_no_matter() -> None:
    assert next_step(asked("finalize"), UploadProgress(4, None), 0) == Finalize()
    assert next_step(asked("upload", 4), UploadProgress(4, None), 99) == Receive(0, finalizes=False)
    require_whole(UploadProgress(3, None))


@pytest.mark.parametrize(
    ("headers", "instruction"),
    [
        ([(b"X-Goog-Upload-Command", b"upload, finalize"), (b"X-Goog-Upload-Offset", b"8")],
         asked("upload+finalize", 8)),
        ([(b"x-goog-upload-command", b"Query")], asked("query")),
        ([(b"x-goog-upload-command", b"finalize,upload"), (b"x-goog-upload-offset", b"")],
         asked("upload+finalize")),
    ],
)  # fmt: skip
def test_an_instruction_is_read(
    headers: list[tuple[bytes, bytes]], instruction: Instruction
) -> None:
    assert read_instruction(tuple(headers)) == instruction


@pytest.mark.parametrize(
    "headers",
    [
        (),
        ((b"x-goog-upload-command", b"fly"),),
        ((b"x-goog-upload-command", b"query, cancel"),),
        ((b"x-goog-upload-command", b"upload"), (b"x-goog-upload-offset", b"-1")),
        ((b"x-goog-upload-command", b"upload"), (b"x-goog-upload-offset", b"9" * 16)),
    ],
)
def test_what_is_no_instruction(headers: RawHeaders) -> None:
    with pytest.raises(BadRequest, match="X-Goog-Upload"):
        read_instruction(headers)
