"""Files on nodes: content that makes a request larger than a node's API accepts is uploaded there
once, and later requests name it.

For engines that store files themselves (`EngineSpec.max_inline`): the APIs of Google, Anthropic and
OpenAI. The proxy remembers a node's files for as long as the node surely keeps them, at most until
a restart; it does not delete them there.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any

from casedesk_proxy.errors import UpstreamFault
from casedesk_proxy.jsonio import JSONError, dumps, loads
from casedesk_proxy.planning.filling import (
    ContentPart,
    FileUse,
    FilledRoute,
    choose_stored,
    refer,
)
from casedesk_proxy.replying.heads import ANSWERED
from casedesk_proxy.snapshot import NodeSpec
from casedesk_proxy.surfaces.file_forms import find_kind
from casedesk_proxy.terms import Dialect, record
from casedesk_proxy.upstream.connection import ConnectionBroken
from casedesk_proxy.upstream.file_upload import FileContents, FileUpload
from casedesk_proxy.upstream.pool import ConnectionPool
from casedesk_proxy.upstream.side_requests import read_answer

__all__ = ["NodeFiles"]

#: Google keeps files for 48 hours, the others until a client deletes them.
_REMEMBERED_S = 40 * 3600.0
_MAX_KNOWN_FILES = 10_000
#: How long a node may take to prepare a file for use, above all a video; and the pause between
#: checks.
_READY_S, _LOOK_PAUSE_S = 300.0, 1.0
_BOUNDARY = b"casedesk-5f0c1b7e9a"
_ODD = re.compile(r"[^A-Za-z0-9._-]")


@record
class _Known:
    reference: str
    until: float


class NodeFiles:
    """Remembered by node and file. Times of the loop's clock."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, *, look_pause_s: float = _LOOK_PAUSE_S
    ) -> None:
        self._loop = loop
        self._look_pause_s = look_pause_s
        self._known: dict[tuple[str, str], _Known] = {}
        self._under_way: dict[tuple[str, str], asyncio.Task[str]] = {}

    async def fit(
        self, route: FilledRoute, node: NodeSpec, pool: ConnectionPool, contents: FileContents
    ) -> FilledRoute:
        """The request in the form that the node's API accepts. Raises an UpstreamFault."""
        most = node.engine.max_inline
        if most is None or route.length <= most or not (chosen := choose_stored(route, most)):
            return route
        references: dict[str, str] = {}
        for use in chosen:
            references[use.mark] = await self._find(use, route, node, pool, contents)
        return refer(route, references)

    async def _find(
        self,
        use: FileUse,
        route: FilledRoute,
        node: NodeSpec,
        pool: ConnectionPool,
        contents: FileContents,
    ) -> str:
        key = f"{node.name} {node.host}:{node.port}", use.file.id
        known = self._known.get(key)
        if known is not None and known.until > self._loop.time():
            return known.reference
        task = self._under_way.get(key)
        if task is None:
            # A task of its own: all requests that need the file wait for it, and none of them ends
            # it.
            upload = _Upload(self._loop, use, route, node, pool, self._look_pause_s)
            task = self._under_way[key] = self._loop.create_task(upload.run(contents))
            task.add_done_callback(lambda done: self._remember(key, done))
        # No shield: since Python 3.14 that logs the fault of a task whose request was cancelled.
        await asyncio.wait([task])
        return task.result()

    def _remember(self, key: tuple[str, str], task: asyncio.Task[str]) -> None:
        self._under_way.pop(key, None)
        if task.cancelled() or task.exception() is not None:
            return
        if len(self._known) >= _MAX_KNOWN_FILES:
            del self._known[next(iter(self._known))]
        self._known[key] = _Known(task.result(), self._loop.time() + _REMEMBERED_S)


class _Upload:
    """The upload of one file to one node."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        use: FileUse,
        route: FilledRoute,
        node: NodeSpec,
        pool: ConnectionPool,
        look_pause_s: float,
    ) -> None:
        self._loop = loop
        self._use = use
        self._route = route
        self._node = node
        self._pool = pool
        self._look_pause_s = look_pause_s

    async def run(self, contents: FileContents) -> str:
        """The name of the file for requests."""
        try:
            found = await self._send(_upload_route(self._route, self._use), contents)
            if self._route.dialect is not Dialect.GEMINI:
                return _text(found, "id")
            return await self._wait_ready(found.get("file", found))
        except (OSError, ConnectionBroken, TimeoutError, KeyError, TypeError):
            raise self._fault("did not accept a file of the request") from None

    async def _wait_ready(self, file: Mapping[str, Any]) -> str:
        end = self._loop.time() + _READY_S
        while file.get("state") == "PROCESSING" and self._loop.time() < end:
            await asyncio.sleep(self._look_pause_s)
            target = f"/v1beta/{_text(file, 'name')}"
            file = await self._send(_plain_route(self._route, target))
        if file.get("state", "ACTIVE") != "ACTIVE":
            raise self._fault("could not make a file of the request ready for use")
        return _text(file, "uri")

    async def _send(
        self, route: FilledRoute, contents: FileContents | None = None
    ) -> Mapping[str, Any]:
        within_s = self._node.config.first_byte_timeout
        connection = await self._pool.open()
        upload = None if contents is None else FileUpload(self._loop, route.parts[1:], contents)
        try:
            waiter = connection.send_request(route.request_for(self._node), within_s)
            if upload is not None:
                upload.begin(connection, within_s)
            head = await waiter
            is_answered = head.status in ANSWERED
            answer = loads(await read_answer(connection, head)) if is_answered else None
        except JSONError:
            answer = None
        finally:
            if upload is not None:
                upload.stop()
            connection.abort()
        if not isinstance(answer, dict):
            raise self._fault(f"did not accept a file of the request (status {head.status})")
        return answer

    def _fault(self, why: str) -> UpstreamFault:
        remedy = "send a smaller one, or look into the node's quota for files"
        return UpstreamFault(f"node {self._node.name} {why}; {remedy}", code="node_refused_file")


def _text(found: Mapping[str, Any], name: str) -> str:
    text = found[name]
    if not isinstance(text, str):
        raise TypeError
    return text


def _plain_route(route: FilledRoute, target: str) -> FilledRoute:
    return FilledRoute(route.dialect, target, (), route.request_id, b"", method="GET")


def _upload_route(route: FilledRoute, use: FileUse) -> FilledRoute:
    mime, name = use.mime_type.encode(), _name_of(use)
    content = ContentPart(use.file, in_base64=False)
    end = b"\r\n--%b--\r\n" % _BOUNDARY
    headers: list[tuple[bytes, bytes]] = []
    if route.dialect is Dialect.GEMINI:
        target, kind = "/upload/v1beta/files?uploadType=multipart", b"related"
        stated = dumps({"file": {"displayName": name, "mimeType": use.mime_type}})
        begin = b"--%b\r\nContent-Type: application/json\r\n\r\n%b\r\n--%b\r\n" % (
            _BOUNDARY, stated, _BOUNDARY,
        )  # fmt: skip
        headers.append((b"X-Goog-Upload-Protocol", b"multipart"))
    else:
        target, kind, begin = "/v1/files", b"form-data", b""
        if route.dialect is Dialect.ANTHROPIC:
            headers += [(b"anthropic-version", b"2023-06-01")]
            headers += [(b"anthropic-beta", b"files-api-2025-04-14")]
        else:
            purpose = b"vision" if find_kind(use.mime_type) == "image" else b"user_data"
            field = b'--%b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\n%b\r\n'
            begin = field % (_BOUNDARY, purpose)
        field = b'--%b\r\nContent-Disposition: form-data; name="file"; filename="%b"\r\n'
        begin += field % (_BOUNDARY, name.encode())
    begin += b"Content-Type: %b\r\n\r\n" % mime
    headers.append((b"Content-Type", b"multipart/%b; boundary=%b" % (kind, _BOUNDARY)))
    return FilledRoute(
        route.dialect, target, tuple(headers), route.request_id, b"", parts=(begin, content, end)
    )


def _name_of(use: FileUse) -> str:
    """The file's name in plain letters, since it is sent in a header."""
    return _ODD.sub("_", use.file.name)[:100] or "file"
