"""The page at ``/``: HTML for a browser, JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from casedesk_proxy import __version__, jsonio

__all__ = ["index_routes"]

_PLACES = (
    ("/console/", "console", "Who streams, who waits, who used what; keys; a playground"),
    ("/swagger-ui", "reference", "Every operation, to be tried out"),
    ("/api-docs/openapi-gemini.json", "openapi_gemini", "OpenAPI document of the Gemini API"),
    ("/api-docs/openapi-anthropic.json", "openapi_anthropic", "OpenAPI document of Anthropic's"),
    ("/api-docs/openapi-openai.json", "openapi_openai", "OpenAPI document of OpenAI's"),
    ("/v1beta", "gemini", "Gemini API"),
    ("/anthropic", "anthropic", "Anthropic API"),
    ("/v1", "openai", "OpenAI APIs: chat and Responses"),
    ("/ollama", "ollama", "Ollama's API"),
)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>CaseDesk Proxy</title>
<link rel="icon" href="/console/mark.svg" type="image/svg+xml">
<link rel="stylesheet" href="/console/style.css">
<script src="/console/theme.js"></script>
</head>
<body>
<main class="root">
<div class="card">
<img src="/console/mark.svg" alt="" width="44" height="44">
<h1>CaseDesk Proxy</h1>
<dl>
{pages}
</dl>
<h2>Base URLs for programs</h2>
<dl>
{bases}
</dl>
</div>
</main>
</body>
</html>
"""


def index_routes(paths: Sequence[str]) -> list[web.RouteDef]:
    """``paths``: the available pages."""
    there = {_folder(path) for path in paths}
    places = [one for one in _PLACES if _folder(one[0]) in there or not _is_page(one[0])]
    rows = {True: "", False: ""}
    for path, _, what in places:
        name = f'<a href="{path}">{path}</a>' if _is_page(path) else f"<code>{path}</code>"
        rows[_is_page(path)] += f"<dt>{name}</dt><dd>{what}</dd>\n"
    page = _PAGE.format(pages=rows[True], bases=rows[False])
    listed = {name: path for path, name, _ in places}
    body = jsonio.dumps({"name": "CaseDesk Proxy", "version": __version__, **listed})

    async def show(request: web.Request) -> web.Response:
        if "text/html" in request.headers.get("Accept", ""):
            return web.Response(text=page, content_type="text/html")
        return web.Response(body=body, content_type="application/json")

    return [web.get("/", show)]


def _folder(path: str) -> str:
    return path.split("/")[1]


def _is_page(path: str) -> bool:
    return path.startswith(("/console", "/swagger-ui", "/api-docs"))
