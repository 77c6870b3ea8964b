"""The text of PDF files. A process of its own reads each file: a faulty or malicious PDF costs at
most that process's time and memory, and delays no stream."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections import OrderedDict
from concurrent.futures import CancelledError, Future

from casedesk_proxy.errors import Busy
from casedesk_proxy.filing.stored_file import StoredFile
from casedesk_proxy.upstream.file_upload import FileContents, FileReader

__all__ = ["PdfFault", "PdfTexts"]

#: Seconds and bytes of text that one PDF may take; the limits of its process are in `pdf_child`.
_MAX_S = 60.0
_MAX_TEXT_BYTES = 16 * 2**20
#: Processes at once.
_MAX_PROCESSES = 2
#: The characters of all remembered texts: a conversation names its files in every turn.
_MAX_KEPT_CHARS = 16 * 2**20
_PIECE_BYTES = 2**20
#: The part of our environment that the process gets: where Python's own library may be.
_PASSED_ON = ("LD_LIBRARY_PATH",)


class PdfFault(Exception):
    """Why it cannot be read, in words for the client."""


class PdfTexts:
    """``max_s``: seconds that one PDF may take."""

    def __init__(self, *, max_s: float = _MAX_S) -> None:
        self._max_s = max_s
        self._kept: OrderedDict[str, str] = OrderedDict()
        self._kept_chars = 0
        self._turns = asyncio.Semaphore(_MAX_PROCESSES)

    async def read(
        self, file: StoredFile, contents: FileContents, *, in_base64: bool = False
    ) -> str:
        """``in_base64``: the form of ``contents``. Raises PdfFault if it is not a readable PDF,
        Busy (503) if no process can be started."""
        known = self._kept.get(file.sha256)
        if known is not None:
            self._kept.move_to_end(file.sha256)
            return known
        # A task of its own: the caller may be a fiber.
        text = await asyncio.get_running_loop().create_task(self._read(file, contents, in_base64))
        self._keep(file.sha256, text)
        return text

    def _keep(self, name: str, text: str) -> None:
        if name in self._kept or len(text) > _MAX_KEPT_CHARS:
            return
        self._kept[name] = text
        self._kept_chars += len(text)
        while self._kept_chars > _MAX_KEPT_CHARS:
            _, oldest = self._kept.popitem(last=False)
            self._kept_chars -= len(oldest)

    async def _read(self, file: StoredFile, contents: FileContents, in_base64: bool) -> str:
        async with self._turns:
            opened = await contents.open(file)
            try:
                child = _Child(asyncio.get_running_loop(), opened, self._max_s, in_base64)
                output = await child.run()
            finally:
                opened.close()
        return output.decode("utf-8", "replace")


class _Child:
    """One process, and the thread that starts it, feeds it and reads its output: starting a process
    takes a large process milliseconds."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, opened: FileReader, max_s: float, in_base64: bool
    ) -> None:
        self._loop = loop
        self._opened = opened
        self._max_s = max_s
        self._in_base64 = in_base64
        self._process: subprocess.Popen[bytes] | None = None
        self._reading: Future[bytes] | None = None
        self._is_left = False

    async def run(self) -> bytes:
        """Its output. Raises PdfFault or Busy. Ends with the process, also when cancelled: a client
        that leaves makes no room for a further process while its own still runs."""
        done: Future[bytes] = Future()

        def work() -> None:
            try:
                done.set_result(self._work())
            except BaseException as error:
                done.set_exception(error)

        threading.Thread(target=work, name="pdf", daemon=True).start()
        ended = asyncio.wrap_future(done)
        try:
            # No shield: since Python 3.14 that logs the error of a process whose client has left.
            await asyncio.wait([ended])
        except asyncio.CancelledError:
            self._leave()
            await asyncio.wait([ended])
            ended.exception()
            raise
        return ended.result()

    def _leave(self) -> None:
        """The text is no longer needed."""
        self._is_left = True
        if self._process is not None:
            self._process.kill()
        if self._reading is not None:
            self._reading.cancel()

    def _work(self) -> bytes:
        begin = _BEGIN % self._in_base64
        command = [sys.executable, "-I", "-S", "-c", begin, os.pathsep.join(sys.path)]
        pipe = subprocess.PIPE
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        try:
            process = self._process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, env=environment
            )
        except OSError:
            raise Busy(
                "no process can be started to read the PDF; try again later", status=503
            ) from None
        end = threading.Timer(self._max_s, process.kill)
        end.start()
        try:
            with process:
                self._feed(process)
                output = process.stdout.read(_MAX_TEXT_BYTES + 1) if process.stdout else b""
                if len(output) > _MAX_TEXT_BYTES:
                    process.kill()
        except (TimeoutError, CancelledError):
            raise PdfFault("took too long to read") from None
        finally:
            end.cancel()
        if len(output) > _MAX_TEXT_BYTES:
            raise PdfFault(f"holds more than {_MAX_TEXT_BYTES} bytes of text")
        if process.returncode == -signal.SIGKILL:
            raise PdfFault("took too long to read")
        if process.returncode == os.EX_DATAERR:
            raise PdfFault("is not valid base64")
        if process.returncode != 0:
            raise PdfFault("cannot be read: it is damaged, encrypted, or needs too much memory")
        return output

    def _feed(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        # It has ended if it reads no more, and its exit status says why.
        try:
            with contextlib.suppress(BrokenPipeError):
                while data := self._next_piece():
                    process.stdin.write(data)
        finally:
            # This writes what is left, also after a piece that did not come.
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()

    def _next_piece(self) -> bytes:
        reading = asyncio.run_coroutine_threadsafe(self._opened.read(_PIECE_BYTES), self._loop)
        self._reading = reading
        if self._is_left:
            reading.cancel()
        return reading.result(self._max_s)


#: The child gets our module path.
_BEGIN = (
    "import sys; sys.path[:] = sys.argv[1].split(':');"
    "from casedesk_proxy.files.pdf_child import main; main(in_base64=%s)"
)
