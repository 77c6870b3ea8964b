"""The pages themselves: files of the package, read once and kept in memory."""

from __future__ import annotations

import asyncio
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from aiohttp import web

__all__ = ["file_routes"]

_FOLDER = Path(__file__).parent / "pages"
#: Types that Python's table lacks, or that differ on some machines.
_TYPES = {
    ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".html": "text/html",
    ".svg": "image/svg+xml", ".woff2": "font/woff2", ".json": "application/json",
}  # fmt: skip
_INDEX = "index.html"


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    mime_type: str
    mark: str


def file_routes(folder: Path = _FOLDER) -> list[web.RouteDef]:
    """``/console/`` is the index; any other name must be a file."""

    @cache
    def read(name: str) -> _File:
        path = folder / name
        content = path.read_bytes()
        kind = _TYPES.get(path.suffix) or mimetypes.guess_type(name)[0]
        mark = hashlib.sha256(content).hexdigest()[:32]
        return _File(content, kind or "application/octet-stream", mark)

    @cache
    def names() -> frozenset[str]:
        files = (path for path in folder.rglob("*") if path.is_file())
        return frozenset(path.relative_to(folder).as_posix() for path in files)

    async def show(request: web.Request) -> web.StreamResponse:
        name = request.match_info.get("name") or _INDEX
        if name not in await asyncio.to_thread(names):
            raise web.HTTPNotFound(text=f"the console has no page {request.path[:80]}\n")
        file = await asyncio.to_thread(read, name)
        text = file.mime_type.startswith("text/")
        reply = web.Response(
            body=file.content,
            content_type=file.mime_type,
            charset="utf-8" if text else None,
            headers={"Cache-Control": "no-cache"},
        )
        reply.etag = file.mark
        if any(one.value in (file.mark, "*") for one in request.if_none_match or ()):
            return web.Response(status=304, headers={"ETag": f'"{file.mark}"'})
        return reply

    async def lead(request: web.Request) -> web.StreamResponse:
        raise web.HTTPPermanentRedirect("/console/")

    return [
        web.get("/console", lead),
        web.get("/console/", show),
        web.get("/console/{name:.+}", show),
    ]
