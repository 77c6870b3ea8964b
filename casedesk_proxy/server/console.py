"""The console of one gateway: its sessions, its counts, and its two applications."""

from __future__ import annotations

from aiohttp import web

from casedesk_proxy.admin.pages import admin_app
from casedesk_proxy.console.app import add_console, console_app
from casedesk_proxy.console.book import SessionBook
from casedesk_proxy.console.desk import Desk, Shown
from casedesk_proxy.console.figures import Figures
from casedesk_proxy.console.rows import read_version
from casedesk_proxy.console.running import Running
from casedesk_proxy.server.runtime import Serving
from casedesk_proxy.server.stored_keys import StoredKeys
from casedesk_proxy.store.writer import StoreWriter

__all__ = ["ServedConsole"]


class ServedConsole:
    """``sessions`` are also accepted for the API's requests; ``figures`` are called with each
    exchange. ``watch`` checks the state file, if there is one."""

    def __init__(
        self, serving: Serving, store: StoreWriter | None, watch: StoredKeys | None
    ) -> None:
        self._serving = serving
        self.figures = Figures()
        self.sessions = SessionBook(lambda: serving.current.config, lambda: serving.snapshot, store)
        if watch is not None:
            watch.inform(read_version, self.sessions.hear)

    def make_public(self, served: Shown, running: Running) -> web.Application:
        return console_app(self._make_desk(served, running, on_admin=False))

    def make_admin(self, served: Shown, running: Running) -> web.Application:
        app = admin_app(served)
        add_console(app, self._make_desk(served, running, on_admin=True))
        return app

    def _make_desk(self, served: Shown, running: Running, *, on_admin: bool) -> Desk:
        return Desk(
            served, lambda: self._serving.current, self.sessions, running, self.figures,
            on_admin=on_admin,
        )  # fmt: skip
