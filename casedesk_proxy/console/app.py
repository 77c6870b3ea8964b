"""The console's application for the public listener; the admin listener has its routes, too.

    GET    /console/api/session               who is signed in
    POST   /console/api/session               {"key"} or {"name", "password"}: sign in
    DELETE /console/api/session               sign out
    GET    /console/api/deployments           what the caller may use
    GET    /console/api/status                the state of the proxy, section by section
    GET    /console/api/events                the same while it changes: server-sent events
    GET    /console/api/streams               running streams, in pages: find, sort, order, skip
    POST   /console/api/streams/{id}/cancel   cancel a request
    GET    /console/api/usage?days=30         usage by day
    …      /console/api/keys                  as /keys on the admin listener

Errors are JSON, ``{"error": {"code", "message", "field"}}``.
"""

from __future__ import annotations

from aiohttp import web

from casedesk_proxy.console.desk import Answer, Desk, handled
from casedesk_proxy.console.files import file_routes
from casedesk_proxy.console.hardening import harden
from casedesk_proxy.console.index import index_routes
from casedesk_proxy.console.keys import PREFIX, console_key_routes
from casedesk_proxy.console.live import Live
from casedesk_proxy.console.request_log import log_requests
from casedesk_proxy.console.search import Search
from casedesk_proxy.console.sign_in import show_session, sign_in, sign_out
from casedesk_proxy.console.status import cancel_stream, show_status
from casedesk_proxy.console.usage import show_deployments, show_usage
from casedesk_proxy.swagger.routes import swagger_routes

__all__ = ["add_console", "console_app"]


def console_app(desk: Desk) -> web.Application:
    """The application for the public listener."""
    app = web.Application()
    reference = swagger_routes()
    app.add_routes(reference)
    routes = [*add_console(app, desk), *reference]
    app.add_routes(index_routes([one.path for one in routes]))
    return app


def add_console(app: web.Application, desk: Desk) -> list[web.RouteDef]:
    """Everything but ``/``, which an application already has."""
    routes = [*_api_routes(desk), *console_key_routes(desk), *file_routes()]
    app.add_routes(routes)
    app.middlewares.append(log_requests(desk))
    app.on_response_prepare.append(harden)
    app.on_cleanup.append(desk.close)
    return routes


def _api_routes(desk: Desk) -> list[web.RouteDef]:
    answers: list[tuple[str, str, Answer]] = [
        ("GET", "session", show_session),
        ("POST", "session", sign_in),
        ("DELETE", "session", sign_out),
        ("GET", "deployments", show_deployments),
        ("GET", "status", show_status),
        ("GET", "events", Live().show),
        ("GET", "streams", Search().show),
        ("POST", "streams/{id}/cancel", cancel_stream),
        ("GET", "usage", show_usage),
    ]
    return [
        web.route(method, f"{PREFIX}/{path}", handled(desk, answer))
        for method, path, answer in answers
    ]
