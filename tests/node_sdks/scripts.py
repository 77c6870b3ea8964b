"""Node scripts that stay running and answer line by line: to start Node and to load an SDK takes
longer than any answer."""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

from tests.fixtures.patience import PATIENCE_S

__all__ = ["NODE", "Script", "script"]

NODE = Path(sys.executable).parent / "node"
_HERE = Path(__file__).parent


class Script:
    """A script of this folder, see answer.mjs; its errors are written to the test's stderr."""

    def __init__(self, name: str) -> None:
        self._process = subprocess.Popen(
            [NODE, _HERE / name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._asked: dict[int, Future[dict[str, Any]]] = {}
        self._ids = itertools.count()
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    async def ask(self, *words: str) -> dict[str, Any]:
        """Ask from any loop; several may ask at once."""
        told: Future[dict[str, Any]] = Future()
        ident = next(self._ids)
        self._asked[ident] = told
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"id": ident, "words": words}) + "\n")
        self._process.stdin.flush()
        return await asyncio.wrap_future(told)

    def close(self) -> None:
        """The script ends with its input: the process here may only have started Node."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE_S)
        self._reader.join()
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            answer = json.loads(line)
            told = self._asked.pop(answer["id"])
            if told.set_running_or_notify_cancel():
                told.set_result(answer["told"])
        for told in self._asked.values():
            if told.set_running_or_notify_cancel():
                told.set_exception(RuntimeError(f"{self._process.args} has ended"))


@contextmanager
def script(name: str) -> Iterator[Script]:
    running = Script(name)
    try:
        yield running
    finally:
        running.close()
