"""The daemon as its own process, with a manager that listens on a datagram socket."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

from tests.cli.command import ENVIRONMENT
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.prepared_process import PreparedProcess

CONFIG = """\
server: {{listen: "127.0.0.1:0", admin: "127.0.0.1:0", drain_timeout: {drain}{server}}}
default_deployment: d
nodes:
  n: {{url: "{url}", engine: openai, models: [m]}}
deployments:
  d: {{auth: none, nodes: [n]}}
"""


@dataclass
class Manager:
    """The messages that a service manager would get."""

    socket: socket.socket
    heard: list[str] = field(default_factory=list)

    def wait_for(self, line: str, seconds: float = PATIENCE_S) -> str:
        """The first message from now on that contains ``line``."""
        deadline = time.monotonic() + seconds
        while True:
            self.socket.settimeout(max(deadline - time.monotonic(), 0.01))
            try:
                message = self.socket.recv(4096).decode()
            except TimeoutError:
                raise AssertionError(f"never heard {line!r}, but {self.heard}") from None
            self.heard.append(message)
            if line in message:
                return message


@dataclass
class Process:
    """``public`` and ``admin`` are ports; ``lines`` are the lines logged so far."""

    popen: subprocess.Popen[str] | PreparedProcess
    manager: Manager
    file: Path
    public: int = 0
    admin: int = 0
    lines: list[str] = field(default_factory=list)

    def read_until(self, *words: str) -> str:
        """The next line of stderr that contains all the words."""
        assert self.popen.stderr is not None
        for line in self.popen.stderr:
            self.lines.append(line.rstrip("\n"))
            if all(word in line for word in words):
                return line
        raise AssertionError(f"never logged {words}, but {self.lines}")

    def get(self, path: str) -> tuple[int, str]:
        connection = HTTPConnection("127.0.0.1", self.admin, timeout=PATIENCE_S)
        try:
            connection.request("GET", path)
            reply = connection.getresponse()
            return reply.status, reply.read().decode()
        finally:
            connection.close()

    def send(self, number: int) -> None:
        self.popen.send_signal(number)


@contextmanager
def daemon(
    folder: Path, url: str, *, drain: str = "20s", server: str = "", text: str = "",
    command: tuple[str, ...] = (), inherited: tuple[int, ...] = (),
    stderr: int = subprocess.PIPE, **environment: str,
) -> Iterator[Process]:  # fmt: skip
    """A daemon that serves. It is ended when the block ends, also after an error. ``command``: a
    program to start, which gets the ``inherited`` sockets; None: a prepared process is used."""
    file = folder / "config.yaml"
    file.write_text(text or CONFIG.format(url=url, drain=drain, server=server))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(folder / "notify"))
        popen = _start(
            command, ["serve", "--config", str(file)], inherited, stderr,
            {**ENVIRONMENT, "NOTIFY_SOCKET": str(folder / "notify"), **environment},
        )  # fmt: skip
        process = Process(popen, Manager(sock), file)
        try:
            process.manager.wait_for("READY=1")
            if popen.stderr is not None:
                process.public = _port(process.read_until("serving on"))
                process.admin = _port(process.read_until("admin on"))
            yield process
        finally:
            popen.kill()
            popen.wait(PATIENCE_S)
            if popen.stderr is not None:
                popen.stderr.close()


def _start(
    command: tuple[str, ...], arguments: list[str], inherited: tuple[int, ...], stderr: int,
    environment: dict[str, str],
) -> subprocess.Popen[str] | PreparedProcess:  # fmt: skip
    if not command:
        return PreparedProcess(arguments, environment, stderr)
    return subprocess.Popen(
        [*command, *arguments], env=environment, stderr=stderr, pass_fds=inherited, text=True
    )


def _port(line: str) -> int:
    return int(line.strip().rsplit(":", 1)[1])


#: A daemon whose event loop hangs when it is sent SIGUSR1.
BLOCKABLE = (
    sys.executable,
    "-c",
    "import signal, time\n"
    "signal.signal(signal.SIGUSR1, lambda *_: time.sleep(600))\n"
    "from casedesk_proxy.cli import main\n"
    "main()",
)


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))
