"""The Files APIs of Gemini, Anthropic and OpenAI, on one store: each surface has its own form for
the same files."""

from __future__ import annotations

import asyncio
from typing import Any

from casedesk_proxy import jsonio
from casedesk_proxy.errors import BadRequest, ProxyError
from casedesk_proxy.files.store import FileStore
from casedesk_proxy.filing.draft import FileFault, Why
from casedesk_proxy.filing.resumable import ACTIVE, CANCELLED, FINAL, SIZE_RECEIVED, STATUS
from casedesk_proxy.filing.stored_file import StoredFile, read_id
from casedesk_proxy.planning.admission import Admitted
from casedesk_proxy.relay.pace import Pace
from casedesk_proxy.relay.request import ClientRequest
from casedesk_proxy.replying.heads import as_lines, own_head
from casedesk_proxy.replying.record import CallFacts, Delivered, ReplyFacts
from casedesk_proxy.server.body_reading import read_short_body
from casedesk_proxy.server.downloads import Download
from casedesk_proxy.server.exchanges import Exchange
from casedesk_proxy.server.file_uploads import FileUploads
from casedesk_proxy.server.results import Own, Result
from casedesk_proxy.server.runtime import Serving
from casedesk_proxy.surfaces import anthropic_files, gemini_files, openai_files
from casedesk_proxy.surfaces.envelopes import OwnReply, json_reply
from casedesk_proxy.surfaces.file_faults import explain_fault, missing_file, no_store
from casedesk_proxy.surfaces.file_paths import UPLOAD_ID
from casedesk_proxy.surfaces.unserved_paths import base_url
from casedesk_proxy.surfaces.upload_forms import begin_upload_form
from casedesk_proxy.terms import Action, Call, Dialect, RawHeaders
from casedesk_proxy.wire.http1 import header
from casedesk_proxy.wire.origins import find_origin

__all__ = ["FileRoutes"]

#: Bytes of a new file's metadata.
_MAX_METADATA_BYTES = 65536
#: Statuses of errors after which the same request may succeed: SDKs repeat it unless the reply says
#: that the upload has ended.
_PASSING = frozenset({408, 409, 429, 503})
_UPLOADS = frozenset({Action.UPLOAD_FILE, Action.RESUME_UPLOAD})


class FileRoutes:
    """``store`` None: there is no state file, hence no files."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, serving: Serving, store: FileStore | None
    ) -> None:
        self._loop = loop
        self._serving = serving
        self._store = store
        if store is not None:
            self._uploads = FileUploads(
                loop, store, lambda: serving.snapshot,
                lambda: serving.current.config.files.max_file,
            )  # fmt: skip

    async def answer(
        self, request: ClientRequest, exchange: Exchange, admitted: Admitted
    ) -> Result:
        """The answer to one of `planning.admission.FILES`. Raises ProxyError."""
        call, owner = admitted.call, admitted.facts.key
        try:
            return await self._answer(request, exchange, call, owner)
        except FileFault as fault:
            error = explain_fault(call.surface, fault)
        except ProxyError as other:
            error = other
        self._note_end(request, call, error)
        raise error.with_traceback(None)

    async def resume(self, request: ClientRequest, exchange: Exchange, call: Call) -> Result:
        """Continue an upload at its own URL. Raises ProxyError."""
        try:
            store = self._find_store()
            found = await store.find_upload(call.file)
            if found is None:
                raise FileFault(Why.UPLOAD_GONE)
            exchange.call = CallFacts(call.surface, call.action, found.row.owner)
            piece = await self._uploads.go_on(request, exchange, found)
        except FileFault as fault:
            error = explain_fault(call.surface, fault)
        except ProxyError as other:
            error = other
        else:
            status = CANCELLED if piece.is_cancelled else ACTIVE if piece.file is None else FINAL
            headers = ((STATUS, status), (SIZE_RECEIVED, b"%d" % piece.received))
            shown = {} if piece.file is None else self._wrap(request, call, piece.file)
            return _reply(call, shown, headers)
        self._note_end(request, call, error)
        raise error.with_traceback(None)

    async def _answer(
        self, request: ClientRequest, exchange: Exchange, call: Call, owner: str
    ) -> Result:
        store = self._find_store()
        match call.action:
            case Action.UPLOAD_FILE:
                return await self._upload(request, exchange, call, owner)
            case Action.CREATE_FILE:
                return await self._create(request, exchange, call, owner)
            case Action.LIST_FILES:
                return await self._list(store, request, call, owner)
        ident = read_id(call.file)
        file = await store.find(owner, ident) if ident is not None else None
        if file is None:
            raise missing_file(call.surface, call.file)
        match call.action:
            case Action.FILE_CONTENT:
                return await self._send(store, request, exchange, file)
            case Action.DELETE_FILE:
                await store.remove(file)
                return _reply(call, _deleted(call.surface, file))
            case _:
                return _reply(call, self._show(request, call, file))

    # Uploads.

    async def _upload(
        self, request: ClientRequest, exchange: Exchange, call: Call, owner: str
    ) -> Result:
        headers = request.head.headers
        if call.surface is Dialect.GEMINI and _asks_for_resumable(headers):
            return await self._start(request, exchange, call, owner)
        form = begin_upload_form(call.surface, headers)
        file = await self._uploads.take_form(request, exchange, owner, call.surface, form)
        if call.surface is not Dialect.GEMINI:
            return _reply(call, self._show(request, call, file))
        return _reply(call, self._wrap(request, call, file), ((STATUS, FINAL),))

    async def _start(
        self, request: ClientRequest, exchange: Exchange, call: Call, owner: str
    ) -> Result:
        """Google's resumable protocol: the reply contains the URL at which it continues."""
        headers = request.head.headers
        if (header(headers, b"x-goog-upload-command") or b"").strip().lower() != b"start":
            raise BadRequest("X-Goog-Upload-Command: start is required for a new upload")
        draft = gemini_files.read_draft(headers, await self._read(request, exchange))
        begun = await self._find_store().begin(owner, draft)
        base = f"{self._mount(request, call)}/upload/{call.version}/files"
        url = f"{base}?{UPLOAD_ID}={begun.permit}&upload_protocol=resumable"
        return _reply(call, {}, ((STATUS, ACTIVE), (b"x-goog-upload-url", url.encode("utf-8"))))

    async def _create(
        self, request: ClientRequest, exchange: Exchange, call: Call, owner: str
    ) -> Result:
        """A file without content."""
        store, body = self._find_store(), await self._read(request, exchange)
        draft = gemini_files.read_draft((), body)
        begun = await store.begin(owner, draft)
        upload = await store.write(begun.ident)
        try:
            file = await store.finish(upload, draft)
        finally:
            store.let_go(upload)
        return _reply(call, self._wrap(request, call, file))

    async def _read(self, request: ClientRequest, exchange: Exchange) -> bytes:
        pace = Pace.of(self._serving.snapshot)
        body = await read_short_body(request, _MAX_METADATA_BYTES, pace)
        exchange.received = len(body)
        return body

    # Existing files.

    async def _list(
        self, store: FileStore, request: ClientRequest, call: Call, owner: str
    ) -> Result:
        match call.surface:
            case Dialect.GEMINI:
                page = gemini_files.read_page(call.query)
                files = await store.list_files(owner, page)
                shown = gemini_files.list_reply(files, page, self._base(request, call))
            case Dialect.ANTHROPIC:
                page = anthropic_files.read_page(call.query)
                shown = anthropic_files.list_reply(await store.list_files(owner, page), page)
            case _:
                page = openai_files.read_page(call.query)
                shown = openai_files.list_reply(await store.list_files(owner, page), page)
        return _reply(call, shown)

    async def _send(
        self, store: FileStore, request: ClientRequest, exchange: Exchange, file: StoredFile
    ) -> Result:
        """A browser downloads it: a client's upload must not be shown as a page of ours."""
        content = await store.open(file)
        try:
            keep_alive = request.head.keep_alive and request.complete
            headers = (
                (b"content-type", file.mime_type.encode("ascii")),
                (b"content-disposition", b"attachment"),
                (b"x-content-type-options", b"nosniff"),
                (b"x-request-id", exchange.request_id.encode("ascii")),
            )
            head = own_head(
                200, headers, file.size, keep_alive=keep_alive, http11=request.head.http11
            )
            if request.head.method == "HEAD":
                request.reply_begun = True
                request.client.write(head)
                return Delivered(ReplyFacts(200, first_byte=self._loop.time()), keep_alive)
            stall_s = self._serving.current.config.server.send_timeout
            download = Download(self._loop, request, content, head, stall_s)
            exchange.status = 200
            return await download.run(keep_alive=keep_alive)
        finally:
            content.close()

    # Errors and URLs.

    def _find_store(self) -> FileStore:
        is_enabled = self._serving.current.config.files.enabled
        if self._store is None or not is_enabled:
            raise no_store(is_enabled=is_enabled)
        return self._store

    def _show(self, request: ClientRequest, call: Call, file: StoredFile) -> dict[str, Any]:
        match call.surface:
            case Dialect.GEMINI:
                return gemini_files.show_file(file, self._base(request, call))
            case Dialect.ANTHROPIC:
                return anthropic_files.show_file(file)
            case _:
                return openai_files.show_file(file)

    def _wrap(self, request: ClientRequest, call: Call, file: StoredFile) -> dict[str, Any]:
        return {"file": gemini_files.show_file(file, self._base(request, call))}

    def _base(self, request: ClientRequest, call: Call) -> str:
        return f"{self._mount(request, call)}/{call.version}"

    def _mount(self, request: ClientRequest, call: Call) -> str:
        """The URL of the mount that the client used."""
        current = self._serving.current
        origin = find_origin(
            request.head.headers,
            is_tls=current.certificate is not None,
            is_trusted=current.snapshot.proxies.trusts(request.client.peer),
        )
        return f"{origin}{base_url(Dialect.GEMINI, call.deployment).rstrip('/')}"

    def _note_end(self, request: ClientRequest, call: Call, error: ProxyError) -> None:
        """Without this Google's Python SDK repeats a request three times."""
        is_google = call.surface is Dialect.GEMINI and call.action in _UPLOADS
        if is_google and error.status not in _PASSING:
            request.notes = as_lines(((STATUS, FINAL),))


def _reply(call: Call, shown: dict[str, Any], headers: RawHeaders = ()) -> Result:
    body = jsonio.dumps(shown)
    return Own(_without_cache(json_reply(call.surface, body, headers)))


def _without_cache(reply: OwnReply) -> OwnReply:
    return OwnReply(reply.status, (*reply.headers, (b"cache-control", b"no-store")), reply.body)


def _deleted(surface: Dialect, file: StoredFile) -> dict[str, Any]:
    match surface:
        case Dialect.GEMINI:
            return {}
        case Dialect.ANTHROPIC:
            return anthropic_files.deleted_reply(file)
        case _:
            return openai_files.deleted_reply(file)


def _asks_for_resumable(headers: RawHeaders) -> bool:
    protocol = header(headers, b"x-goog-upload-protocol") or b""
    return protocol.strip().lower() == b"resumable"
