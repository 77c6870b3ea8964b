"""``top``: the running streams of a proxy, live in a terminal."""

from __future__ import annotations

import http.client
import json
import os
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click
from rich.console import Console, Group
from rich.live import Live

from casedesk_proxy.cli.admin_client import ask
from casedesk_proxy.cli.instances import ask_all, combine_streams, find_address
from casedesk_proxy.cli.key_presses import KeyPresses
from casedesk_proxy.cli.options import running_proxy_options
from casedesk_proxy.cli.report import fail, open_console
from casedesk_proxy.cli.top_view import View, make_lines, press, search_for, select_rows
from casedesk_proxy.config.complaints import ConfigError
from casedesk_proxy.interrupts import closed_at_interrupt

__all__ = ["top"]

KEY = "CASEDESK_PROXY_KEY"
_STATUS = "/console/api/status"
_STREAMS = "/console/api/streams"
_CANCEL = "/console/api/streams/{}/cancel"
#: The longest time in seconds until a pressed key is noticed.
_KEY_WAIT_S = 0.25
_TROUBLES = (OSError, http.client.HTTPException, ValueError)


@click.command()
@running_proxy_options
@click.option(
    "--every", "period_s", type=click.FloatRange(min=0.2, max=3600), default=1.0, show_default=True,
    metavar="SECONDS", help="How often to ask.",
)  # fmt: skip
@click.option("--once", is_flag=True, help="Show it once, every stream, and end.")
@click.option("--json", "as_json", is_flag=True, help="With --once: print the proxy's JSON.")
def top(file: Path, admin: str | None, period_s: float, once: bool, as_json: bool) -> None:
    """Show nodes and running streams, live.

    Sort with s and r, filter with /, select with the arrows, cancel a stream with c, which needs an
    admin key in CASEDESK_PROXY_KEY. Exit code 2 when the proxy cannot be reached.
    """
    try:
        address = find_address(file, admin, os.environ)
    except ConfigError as error:
        fail(error)
    try:
        status = fetch_status(address)
        if once:
            fetch_all_streams(address, status)
    except _TROUBLES as error:
        fail(str(error) if isinstance(error, ValueError) else _explain(error))
    if as_json:
        click.echo(json.dumps(status, indent=2, ensure_ascii=False))
    elif once:
        _print_once(open_console(), status)
    elif not (sys.stdin.isatty() and sys.stdout.isatty()):
        fail("stdout is not a terminal; use --once, or --once --json")
    else:
        _Screen(address, period_s, status).run()


def fetch_status(address: str) -> dict[str, Any]:
    """Raises OSError, HTTPException, or ValueError with a message for people."""
    if (said := ask_all(address, _STATUS)) is not None:
        return combine_streams(said)
    try:
        code, status = ask(address, _STATUS)
    except (http.client.HTTPException, ValueError):
        raise ValueError(f"{address} is not the admin address of a CaseDesk Proxy") from None
    if not isinstance(status, dict) or "streams" not in status:
        raise ValueError(_refusal(status) or f"{address} has no {_STATUS} (it answered {code})")
    return status


def fetch_streams(address: str, status: dict[str, Any], view: View) -> None:
    """If more streams run than a status has rows for: those that ``view`` shows first. Raises as
    `fetch_status`."""
    if status["streams"]["total"] > len(status["streams"]["rows"]):
        status["streams"]["rows"] = _fetch_page(address, search_for(view))


def fetch_all_streams(address: str, status: dict[str, Any]) -> None:
    """All streams, the oldest first so that none moves to another page meanwhile. Raises as
    `fetch_status`."""
    rows = status["streams"]["rows"]
    if status["streams"]["total"] <= len(rows):
        return
    found: dict[str, dict[str, Any]] = {}
    while page := _fetch_page(address, {"order": "descending", "skip": str(len(found))}):
        known = len(found)
        found.update((row["id"], row) for row in page)
        if len(found) == known:
            break
    status["streams"]["rows"] = list(found.values())


def _fetch_page(address: str, query: dict[str, str]) -> list[dict[str, Any]]:
    code, found = ask(address, f"{_STREAMS}?{urlencode(query)}")
    if not isinstance(found, dict) or "rows" not in found:
        raise ValueError(_refusal(found) or f"{address}{_STREAMS} answered {code}")
    rows: list[dict[str, Any]] = found["rows"]
    return rows


def cancel_stream(address: str, ident: str, key: str) -> str:
    """The message about it. Raises nothing."""
    if not key:
        return f"set {KEY} to an admin key first"
    try:
        code, reply = ask(address, _CANCEL.format(ident), "POST", key)
    except _TROUBLES as error:
        return _explain(error)
    if code < 300:
        return "cancelled"
    return _refusal(reply) or f"not cancelled: the proxy answered {code}"


def _refusal(reply: Any) -> str:
    error = reply.get("error") if isinstance(reply, dict) else None
    return str(error.get("message", "")) if isinstance(error, dict) else ""


def _explain(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    place = getattr(error, "filename", None)
    return f"{place}: {text}" if place else text


def _print_once(console: Console, status: dict[str, Any]) -> None:
    view = View()
    rows = select_rows(view, status)
    height = len(rows) + len(status["nodes"]) + 8
    for line in make_lines(view, status, rows, console.width, height)[:-1]:
        if line.plain:
            console.print(line, no_wrap=True, overflow="crop")


class _Screen:
    """One session at a terminal. A thread asks the proxy, so that the user can leave even if the
    proxy hangs."""

    def __init__(self, address: str, period_s: float, status: dict[str, Any]) -> None:
        self._address = address
        self._period_s = period_s
        self._status = status
        self._trouble = ""
        self._view = View()
        self._ended = threading.Event()
        self._fresh = threading.Event()

    def run(self) -> None:
        keys, console = KeyPresses(sys.stdin.fileno()), Console(highlight=False)
        asking = threading.Thread(target=self._ask_on, name="asks the proxy", daemon=True)
        live = Live(console=console, screen=True, auto_refresh=False)
        with closed_at_interrupt(), keys.listening(), live:
            asking.start()
            try:
                while not self._view.quit:
                    self._draw(live, console)
                    self._wait(keys, console)
            finally:
                self._ended.set()

    def _wait(self, keys: KeyPresses, console: Console) -> None:
        """Wait until there is something new to draw."""
        size = console.size
        while not self._fresh.is_set() and console.size == size:
            if pressed := keys.wait(_KEY_WAIT_S):
                self._press(pressed)
                return
        self._fresh.clear()

    def _press(self, pressed: list[str]) -> None:
        for key in pressed:
            rows = select_rows(self._view, self._status)
            self._view = press(self._view, key, rows)
            if ident := self._view.cancel:
                note = cancel_stream(self._address, ident, os.environ.get(KEY, ""))
                self._view = replace(self._view, cancel="", note=note)

    def _draw(self, live: Live, console: Console) -> None:
        view = replace(self._view, note=self._view.note or self._trouble)
        rows = select_rows(view, self._status)
        width, height = console.size
        live.update(Group(*make_lines(view, self._status, rows, width, height)), refresh=True)

    def _ask_on(self) -> None:
        while not self._ended.wait(self._period_s):
            if self._view.paused:
                continue
            try:
                status = fetch_status(self._address)
                fetch_streams(self._address, status, self._view)
                self._status, self._trouble = status, ""
            except _TROUBLES as error:
                self._trouble = f"{time.strftime('%H:%M:%S')} {_explain(error)}"
            self._fresh.set()
