"""Space is reserved in steps while an upload grows, and a long upload shows that it continues."""

from __future__ import annotations

from concurrent.futures import Future

import pytest

from casedesk_proxy.config.files import Files
from casedesk_proxy.files.contents import ContentWriter, Digest
from casedesk_proxy.files.uploads import OpenUpload
from casedesk_proxy.filing.draft import FileFault, Why
from tests.files.stores import Clock

MIB = 2**20


class Written(ContentWriter):
    """A disk that only counts."""

    def __init__(self) -> None:
        super().__init__(-1, Digest())
        self.bytes = 0

    @property
    def size(self) -> int:
        return self.bytes

    def write(self, pieces: list[bytes]) -> None:
        self.bytes += sum(map(len, pieces))


class Room:
    """Room for ``most`` bytes."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.asked: list[int] = []

    def __call__(self, ident: str, size: int) -> Future[None]:
        self.asked.append(size)
        future: Future[None] = Future()
        if size > self.most:
            future.set_exception(FileFault(Why.KEY_FULL, self.most))
        else:
            future.set_result(None)
        return future


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_what_was_announced_needs_no_more_room(clock: Clock) -> None:
    room = Room(MIB)
    upload = OpenUpload("a1", Written(), 3, Files(), room, clock)
    upload.write([b"ab", b"c"])
    assert room.asked == []
    with pytest.raises(FileFault, match=Why.TOO_LARGE):
        upload.write([b"d"])
    assert upload.size == 3


def test_room_is_asked_for_in_steps(clock: Clock) -> None:
    room = Room(1000 * MIB)
    upload = OpenUpload("a1", Written(), None, Files(), room, clock)
    for _ in range(3):
        upload.write([b"a"])
    assert room.asked == [1 + 64 * MIB]


def test_the_last_of_the_room_is_used(clock: Clock) -> None:
    room = Room(3)
    upload = OpenUpload("a1", Written(), None, Files(), room, clock)
    upload.write([b"abc"])
    with pytest.raises(FileFault, match=Why.KEY_FULL):
        upload.write([b"d"])
    assert upload.size == 3


def test_a_long_upload_says_that_it_goes_on(clock: Clock) -> None:
    room = Room(MIB)
    upload = OpenUpload("a1", Written(), 9, Files(), room, clock)
    upload.write([b"a"])
    clock.now += 601
    upload.write([b"a"])
    upload.write([b"a"])
    assert room.asked == [9]
