"""The text of PDF files, read by a separate process."""

from __future__ import annotations

import asyncio
import base64
import io
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from casedesk_proxy.files.pdf_texts import PdfFault, PdfTexts, _Child
from casedesk_proxy.files.store import FileStore
from casedesk_proxy.filing.draft import FileDraft
from casedesk_proxy.filing.stored_file import StoredFile
from casedesk_proxy.upstream.file_upload import FileReader
from tests.files.stores import Clock, opened
from tests.fixtures.moved_python import move_python


def make_pdf(*pages: str) -> bytes:
    """A PDF with one line on each page."""
    from pypdf import PdfWriter
    from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

    writer = PdfWriter()
    for text in pages:
        page = writer.add_blank_page(200, 200)
        content = DecodedStreamObject()
        content.set_data(f"BT /F1 12 Tf 10 100 Td ({text}) Tj ET".encode())
        font = DictionaryObject({
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        })  # fmt: skip
        fonts = DictionaryObject({NameObject("/F1"): font})
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
        page[NameObject("/Contents")] = writer._add_object(content)
    target = io.BytesIO()
    writer.write(target)
    return target.getvalue()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FileStore]:
    with opened(tmp_path, Clock()) as store:
        yield store


async def put(store: FileStore, content: bytes) -> StoredFile:
    draft = FileDraft("a.pdf", "application/pdf")
    upload = await store.write((await store.begin("alice", draft)).ident)
    await store.append(upload, [content])
    try:
        return await store.finish(upload, draft)
    finally:
        await store.put_by(upload)


async def test_pages_become_text_once(store: FileStore) -> None:
    file = await put(store, make_pdf("First page", "Second page"))
    texts = PdfTexts()
    assert await texts.read(file, store) == "First page\n\nSecond page\n\n"
    await store.remove(file)
    assert "First page" in await texts.read(file, store)


async def test_its_process_finds_the_libraries_of_its_python(
    store: FileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    move_python(tmp_path, monkeypatch)
    file = await put(store, make_pdf("Words"))
    assert "Words" in await PdfTexts().read(file, store)


async def test_what_is_no_pdf_is_refused(store: FileStore) -> None:
    file = await put(store, b"%PDF-1.7\n" + b"nothing" * 100)
    with pytest.raises(PdfFault, match="cannot be read"):
        await PdfTexts().read(file, store)


async def test_what_a_library_says_of_a_pdf_is_for_nobody(
    store: FileStore, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "devnull", "/dev/null/that/a/service/may/not/open")
    file = await put(store, b"junk\n" + make_pdf("First"))
    assert "First" in await PdfTexts().read(file, store)
    assert capfd.readouterr().err == ""


async def test_base64_is_decoded_by_the_process(store: FileStore) -> None:
    letters = base64.encodebytes(make_pdf("Inline")).replace(b"\n", b"\\r\\n")
    texts = PdfTexts()
    assert "Inline" in await texts.read(await put(store, letters), store, in_base64=True)
    with pytest.raises(PdfFault, match="not valid base64"):
        await texts.read(await put(store, b"JVBERi0*"), store, in_base64=True)


class Silent:
    """Contents that never arrive."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.is_closed = False

    async def open(self, file: StoredFile) -> FileReader:
        return self

    async def read(self, most: int, encode: Callable[[bytes], bytes] = bytes) -> bytes:
        self.asked.set()
        await asyncio.Event().wait()
        return b""

    def close(self) -> None:
        self.is_closed = True


async def test_when_a_client_leaves_its_process_ends(
    store: FileStore, caplog: pytest.LogCaptureFixture
) -> None:
    """The next file waits until that process has ended."""
    file, silent, texts = await put(store, make_pdf("x")), Silent(), PdfTexts()
    reading = [asyncio.ensure_future(texts.read(file, silent)) for _ in range(2)]
    await silent.asked.wait()
    for one in reading:
        one.cancel()
    await asyncio.gather(*reading, return_exceptions=True)
    assert all(one.cancelled() for one in reading)
    assert "x" in await texts.read(file, store)
    assert silent.is_closed
    for thread in [one for one in threading.enumerate() if one.name == "pdf"]:
        thread.join(10)
        assert not thread.is_alive()
    assert not caplog.records


async def test_what_takes_too_long_is_refused(store: FileStore) -> None:
    file = await put(store, make_pdf("x"))
    with pytest.raises(PdfFault, match="too long"):
        await PdfTexts(max_s=0.001).read(file, store)


def test_what_its_process_does_not_read_hides_no_other_fault() -> None:
    pieces = [b"x"]

    class Stalled(_Child):
        """One piece arrives, and no other."""

        def _next_piece(self) -> bytes:
            if not pieces:
                raise TimeoutError
            return pieces.pop()

    loop = asyncio.new_event_loop()
    child = Stalled(loop, Silent(), 1.0, in_base64=False)
    loop.close()
    with subprocess.Popen(["true"], stdin=subprocess.PIPE) as process:
        process.wait()
        with pytest.raises(TimeoutError):
            child._feed(process)
