"""Requests to the admin listener of a running proxy: its address, and its answers."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any

from casedesk_proxy.cli.files import read_config
from casedesk_proxy.cli.report import fail

__all__ = ["ask", "find_admin"]

_TIMEOUT_S = 5.0


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_TIMEOUT_S)
        self.sock.connect(self._path)


def find_admin(file: Path, admin: str | None) -> str:
    """The address to ask: ``admin``, as the user typed it, else the one in ``file``. Raises
    ConfigError; ends the command if that is not an address, or the file turns the listener off."""
    address = admin or read_config(file).config.server.admin
    if address is None:
        fail(
            f"{file}: server.admin is null, so the proxy has no admin address; set it, or give"
            " --admin"
        )
    # People paste the URL from their browser.
    address = address.removeprefix("http://").rstrip("/")
    if not (address.startswith("unix:") or address.rpartition(":")[2].isdecimal()):
        fail(f"{address} is not an address; write host:port or unix:/path")
    return address


def ask(address: str, path: str, method: str = "GET", key: str = "") -> tuple[int, Any]:
    """Status and JSON. Raises OSError if nothing answers, HTTPException or ValueError if the answer
    is not JSON."""
    connection = _open(address)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        connection.request(method, path, headers=headers)
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read())
    except OSError as error:
        raise OSError(
            error.errno, f"nothing answers there: {error.strerror or error}", address
        ) from None
    finally:
        connection.close()


def _open(address: str) -> http.client.HTTPConnection:
    if address.startswith("unix:"):
        return _UnixConnection(address[5:])
    host, _, port = address.rpartition(":")
    # A proxy that listens on any address also listens on this machine's.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host.strip("[]"), host)
    return http.client.HTTPConnection(host.strip("[]"), int(port), timeout=_TIMEOUT_S)
