"""Conditions around a proxy: a log that is not read, reloads."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

from bench.abuses.kind import Abuse, Victim
from bench.abuses.nodes import answer_all
from bench.abuses.wire import crowd, post

__all__ = ["OPERATION", "serve_tls"]

_HTTPS_NODES = 20
_RELOAD_EVERY_S = 1.0


def serve_tls(listener: socket.socket, ready: threading.Event, folder: str) -> None:
    """A node with TLS. Its authority is in ``folder`` as ca.pem, together with those that the
    system trusts, since a context usually has to read all of them."""
    import trustme  # a dependency of the tests, needed only here

    authority = trustme.CA()
    system = ssl.get_default_verify_paths().cafile
    trusted = Path(system).read_bytes() if system else b""
    Path(folder, "ca.pem").write_bytes(trusted + authority.cert_pem.bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    ready.set()
    listener.listen(512)
    while True:
        peer, _ = listener.accept()
        threading.Thread(target=_greet, args=(context, peer), daemon=True).start()


def _greet(context: ssl.SSLContext, peer: socket.socket) -> None:
    with suppress(OSError), context.wrap_socket(peer, server_side=True) as inside:
        while inside.recv(65536):
            inside.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")


def _log_much(victim: Victim) -> None:
    """Each request writes a log line."""
    said = [{"role": "user", "content": "x"}]
    post(victim, "/proxy/abuse/openai/v1/chat/completions", {"model": "bad", "messages": said})


def _reload(victim: Victim) -> None:
    """The file is written again with another key at its end, and the proxy reloads it."""
    path = Path(victim.config)
    text = path.read_text()
    number = 0
    while victim.left > 0:
        number += 1
        line = f'  - {{name: r{number}, sha256: "{number:064x}", deployments: [bench]}}\n'
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            file.write(text + line)
        os.replace(file.name, path)
        os.kill(victim.pid, signal.SIGHUP)
        victim.said["reloads"] += 1
        time.sleep(max(0.0, min(_RELOAD_EVERY_S, victim.left)))


OPERATION = (
    Abuse("blocked-log", "the log is a pipe that nobody reads", crowd(4, _log_much), answer_all,
          log_pipe=True),
    Abuse("reloads", "a reload a second with 20 https nodes", _reload, tls_nodes=_HTTPS_NODES),
)  # fmt: skip
