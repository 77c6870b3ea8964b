"""Contents of one request, from the store and from the web."""

from __future__ import annotations

from hashlib import sha256

import pytest

from casedesk_proxy.errors import NotFound
from casedesk_proxy.files.fetching import Fetched
from casedesk_proxy.filing.stored_file import StoredFile
from casedesk_proxy.server.file_contents import InlineContent, RequestContents


async def test_what_was_fetched_is_read_as_what_is_stored() -> None:
    contents = RequestContents(None)
    file = contents.add(Fetched("image/png", b"abcde"), "a.png")
    assert (file.name, file.mime_type, file.size, contents.size) == ("a.png", "image/png", 5, 5)
    reader = await contents.open(file)
    pieces = [await reader.read(2), await reader.read(2, bytes.upper), await reader.read(9)]
    assert pieces == [b"ab", b"CD", b"e"]
    reader.close()
    assert await reader.read(2) == b""


async def test_without_a_store_there_is_nothing_else() -> None:
    other = StoredFile("a" * 24, "alice", "n", "image/png", 1, "00", 0.0, None)
    with pytest.raises(NotFound):
        await RequestContents(None).open(other)


async def test_what_stands_in_a_request_is_read_as_it_stands() -> None:
    inline = InlineContent(b'{"data":"abcd"}', (9, 13))
    assert (inline.file.mime_type, inline.file.size) == ("application/pdf", 4)
    assert inline.file.sha256 == sha256(b"abcd").hexdigest()
    reader = await inline.open(inline.file)
    assert [await reader.read(3), await reader.read(3)] == [b"abc", b"d"]
