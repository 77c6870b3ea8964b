"""``/api-docs/openapi-NAME.json``, and Swagger UI at ``/swagger-ui``, for an aiohttp application.

Swagger UI comes from the package flask-swagger-ui, of which files are read and nothing is imported;
the page loads nothing from elsewhere. "Try it out" sends requests to the page's own origin, so that
they contain a session's cookie; keys that a user types are forgotten with the page.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from aiohttp import web

from casedesk_proxy import __version__, jsonio
from casedesk_proxy.openapi.names import ADMIN, NAMES, TITLES
from casedesk_proxy.swagger.access import SCRIPT, STYLE

__all__ = ["ON_ADMIN", "ON_PUBLIC", "swagger_routes"]

#: The page's documents, by listener: an operation can be tried where it is served.
ON_PUBLIC = tuple(name for name in NAMES if name != ADMIN)
ON_ADMIN = (ADMIN,)
_PACKAGE = "flask_swagger_ui"
#: The files of the package that are served, with their types.
_ASSETS = {
    "swagger-ui.css": "text/css",
    "index.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui-standalone-preset.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>CaseDesk Proxy: try the APIs</title>
<link rel="stylesheet" href="/swagger-ui/swagger-ui.css">
<link rel="stylesheet" href="/swagger-ui/index.css">
<link rel="stylesheet" href="/swagger-ui/access.css">
<link rel="icon" type="image/png" href="/swagger-ui/favicon-32x32.png">
</head>
<body>
<p class="back"><a href="/console/">Console</a></p>
<main id="swagger-ui"><p>One moment.</p></main>
<noscript>Swagger UI needs JavaScript. The documents are at /api-docs/openapi-NAME.json.</noscript>
<script src="/swagger-ui/swagger-ui-bundle.js"></script>
<script src="/swagger-ui/swagger-ui-standalone-preset.js"></script>
<script src="/swagger-ui/start.js"></script>
</body>
</html>
"""
_START = """window.ui = SwaggerUIBundle({
  urls: %s,
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  persistAuthorization: false,
  tryItOutEnabled: true,
  validatorUrl: "none",
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
  layout: "StandaloneLayout",
});
"""
#: Swagger UI sets style attributes and shows images that it contains as data; it needs nothing
#: else.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


def swagger_routes(offered: Sequence[str] = ON_PUBLIC) -> list[web.RouteDef]:
    """``offered``: the documents in the page's selection; all documents are served."""
    start = _START % jsonio.dumps([_entry(name) for name in offered]).decode() + SCRIPT

    async def page(request: web.Request) -> web.Response:
        return _text(request, _PAGE, "text/html")

    async def script(request: web.Request) -> web.Response:
        return _text(request, start, "text/javascript")

    async def style(request: web.Request) -> web.Response:
        return _text(request, STYLE, "text/css")

    return [
        web.get("/api-docs/openapi-{name}.json", _document),
        web.get("/swagger-ui", page),
        web.get("/swagger-ui/", page),
        web.get("/swagger-ui/start.js", script),
        web.get("/swagger-ui/access.css", style),
        web.get("/swagger-ui/{file}", _asset),
    ]


def _entry(name: str) -> dict[str, str]:
    return {"url": f"/api-docs/openapi-{name}.json", "name": TITLES[name].partition(": ")[2]}


async def _document(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    if name not in NAMES:
        message = f"no such document; available: {', '.join(NAMES)}"
        raise web.HTTPNotFound(text=f"{message}\n", headers=_HEADERS)
    return _text(request, await asyncio.to_thread(_written, name), "application/json")


async def _asset(request: web.Request) -> web.StreamResponse:
    name = request.match_info["file"]
    folder = _folder()
    if name not in _ASSETS or folder is None:
        known = name in _ASSETS
        why = (
            f"the package {_PACKAGE.replace('_', '-')} is not installed"
            if known
            else "no such file"
        )
        raise web.HTTPNotFound(text=f"{why}\n", headers=_HEADERS)
    return web.FileResponse(folder / name, headers={**_HEADERS, "Content-Type": _ASSETS[name]})


def _text(request: web.Request, text: str, kind: str) -> web.Response:
    """With an ETag, so that a browser need not fetch it again."""
    tag = hashlib.sha256(text.encode()).hexdigest()[:16]
    known = request.if_none_match or ()
    if any(one.value == tag for one in known):
        return web.Response(status=304, headers={**_HEADERS, "ETag": f'"{tag}"'})
    headers = {**_HEADERS, "ETag": f'"{tag}"', "Content-Type": f"{kind}; charset=utf-8"}
    return web.Response(text=text, headers=headers)


@cache
def _written(name: str) -> str:
    # Imported here, so that neither the start nor a stream waits for it.
    from casedesk_proxy.openapi.documents import make_document

    return jsonio.dumps(make_document(name, __version__)).decode()


@cache
def _folder() -> Path | None:
    """The folder of the package's files; finding it runs none of the package's code."""
    found = importlib.util.find_spec(_PACKAGE)
    return Path(found.origin).parent / "dist" if found is not None and found.origin else None
