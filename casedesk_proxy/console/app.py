"""The console's application: one for the public listener, its routes on the admin one, too."""

from __future__ import annotations

from aiohttp import web

from casedesk_proxy.console.files import file_routes
from casedesk_proxy.console.hardening import harden
from casedesk_proxy.console.index import index_routes
from casedesk_proxy.swagger.routes import swagger_routes

__all__ = ["add_console", "console_app"]


def console_app() -> web.Application:
    """For the public listener."""
    app = web.Application()
    reference = swagger_routes()
    app.add_routes(reference)
    routes = [*add_console(app), *reference]
    app.add_routes(index_routes([one.path for one in routes]))
    return app


def add_console(app: web.Application) -> list[web.RouteDef]:
    """Everything but ``/``, which an application has already."""
    routes = file_routes()
    app.add_routes(routes)
    app.on_response_prepare.append(harden)
    return routes
