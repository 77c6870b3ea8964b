"""Keys over HTTP, only on the admin listener. A request must have an admin key.

    GET    /keys                    all keys of the state file
    POST   /keys                    {"name", "deployments", "note", "admin", "expires"}: a new one
    GET    /keys/NAME               one key
    PATCH  /keys/NAME               {"limits", "deployments", "note", "admin", "expires"}: change it
    DELETE /keys/NAME               revoke it
    POST   /keys/NAME/expire        {"at"}: 30d, 2027-01-31, now, never or seconds since 1970
    POST   /keys/NAME/rotate        {"grace"}: a new credential; the old one stays valid that long
    GET    /key-audit               who changed which key, the latest first

A new key is shown only in the reply to the request that makes it. Errors are JSON,
``{"error": {"code", "field", "message"}}``. When a change is answered, it is in the file and
applied in the answering process; the other instances of the host check the file four times a
second.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Protocol, TypeVar

from aiohttp import web

from casedesk_proxy import jsonio
from casedesk_proxy.auth.credentials import ACCEPTED_FORMS, find_credential
from casedesk_proxy.auth.explanations import UNREAD
from casedesk_proxy.config.units import parse_duration
from casedesk_proxy.keystore.changes import (
    Author,
    KeyFault,
    alter,
    expire,
    issue,
    missing_key,
    revoke,
    rotate,
)
from casedesk_proxy.keystore.credential import mint
from casedesk_proxy.keystore.draft import draft_new_key, parse_when, redraft_key
from casedesk_proxy.keystore.rows import StoredKey, describe_key, read_audit, read_keys
from casedesk_proxy.snapshot import Current, Snapshot
from casedesk_proxy.store.schema import StoreError
from casedesk_proxy.store.writer import StoreWriter

__all__ = ["Administered", "key_routes"]

log = logging.getLogger(__name__)

T = TypeVar("T")

_MAX_BODY_BYTES = 65536
_MAX_AUDIT_ENTRIES = 1000
#: Seconds for which a request waits for the state file, whose disk may hang.
_FILE_WAIT_S = 10.0

Answer = Callable[["_Call"], Awaitable[object]]
#: Finds who makes a request. Raises KeyFault if that person may not change keys.
FindAuthor = Callable[[web.Request], Author]


class Administered(Protocol):
    """What the API reads and changes."""

    store: StoreWriter | None

    @property
    def serving(self) -> Current: ...

    async def take_keys(self) -> None:
        """Apply the keys of the state file in this process."""


class _Call:
    """A request with an admin key."""

    def __init__(self, served: Administered, request: web.Request, author: Author) -> None:
        self._served = served
        self.snapshot: Snapshot = served.serving.snapshot
        self.author = author
        self.name: str = request.match_info.get("name", "")
        self._request = request

    async def fields(self) -> dict[str, Any]:
        """The fields of the body. Raises KeyFault."""
        body = await self._request.content.read(_MAX_BODY_BYTES + 1)
        while len(body) <= _MAX_BODY_BYTES and not self._request.content.at_eof():
            body += await self._request.content.read(_MAX_BODY_BYTES)
        if len(body) > _MAX_BODY_BYTES:
            raise KeyFault("", f"the body is longer than {_MAX_BODY_BYTES} bytes", 413)
        try:
            found = jsonio.loads(body or b"{}")
        except ValueError as error:
            raise KeyFault("", f"the body is not valid JSON: {error}; correct it") from None
        if not isinstance(found, dict):
            raise KeyFault("", "the body must be a JSON object")
        return found

    async def work(self, step: Callable[[sqlite3.Connection], T]) -> T:
        """In the writer's thread, as one transaction. Raises what ``step`` does, StoreError and
        TimeoutError."""
        store = self._served.store
        if store is None:
            raise StoreError("there is no state file; the log says why")
        async with asyncio.timeout(_FILE_WAIT_S):
            return await asyncio.wrap_future(store.perform(step))

    async def change(self, step: Callable[[sqlite3.Connection], T]) -> T:
        """As `work`; afterwards applies the changed keys in this process."""
        result = await self.work(step)
        await self._served.take_keys()
        return result

    def note(self, action: str, name: str) -> None:
        log.info("key %s: %s, by %s", name, action, self.author.name)


def key_routes(
    served: Administered, prefix: str = "", find_author: FindAuthor | None = None
) -> list[web.RouteDef]:
    """The routes below ``prefix``. ``find_author`` decides who may use them; None: admin keys."""
    find = find_author or functools.partial(_find_author, served)

    def served_by(answer: Answer, status: int = 200) -> Callable[..., Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            return await _handle(served, request, answer, status, find)

        return handle

    return [
        web.get(f"{prefix}/keys", served_by(_list)),
        web.post(f"{prefix}/keys", served_by(_new, 201)),
        web.get(prefix + "/keys/{name}", served_by(_show)),
        web.patch(prefix + "/keys/{name}", served_by(_alter)),
        web.delete(prefix + "/keys/{name}", served_by(_revoke)),
        web.post(prefix + "/keys/{name}/expire", served_by(_expire)),
        web.post(prefix + "/keys/{name}/rotate", served_by(_rotate, 201)),
        web.get(f"{prefix}/key-audit", served_by(_audit)),
    ]


async def _handle(
    served: Administered, request: web.Request, answer: Answer, status: int, find: FindAuthor
) -> web.Response:
    try:
        call = _Call(served, request, find(request))
        return _reply(await answer(call), status)
    except KeyFault as fault:
        return _refuse(fault.status, fault.message, fault.field, code=fault.code)
    except TimeoutError:
        said = "the state file did not answer in time; the change may still take effect"
        return _refuse(503, said, code="no_state")
    except StoreError as error:
        return _refuse(503, str(error), code="no_state")


def _find_author(served: Administered, request: web.Request) -> Author:
    """Raises KeyFault if the request has no admin key, StoreError if that cannot be known."""
    key = find_credential(request.raw_headers, request.rel_url.raw_query_string)
    principal = served.serving.snapshot.find_principal(key) if key else None
    if principal is None:
        if not key:
            message = f"an admin key is required; send it as {ACCEPTED_FORMS}"
            raise KeyFault("", message, 401, code="unauthenticated")
        if not served.serving.snapshot.stored_keys.is_read:
            raise StoreError(UNREAD)
        message = (
            "unknown key; check it for typing errors, or create another one with `casedesk-proxy"
            " key new --admin`"
        )
        raise KeyFault("", message, 401, code="invalid_key")
    if not principal.admin:
        message = "this key has no admin rights; use an admin's key"
        raise KeyFault("", message, 403, code="not_admin")
    return Author(f"key {principal.name}", time.time())


async def _list(call: _Call) -> object:
    keys = await call.work(read_keys)
    return {"keys": [describe_key(one) for one in keys if one.ended is None]}


async def _show(call: _Call) -> object:
    for one in await call.work(read_keys):
        if one.name == call.name and one.ended is None and not one.replaced:
            return describe_key(one)
    raise missing_key(call.name)


async def _new(call: _Call) -> object:
    fields, credential = await call.fields(), mint()
    if "sha256" in fields:
        raise KeyFault("sha256", "the key is made here; `casedesk-proxy key import` accepts hashes")
    given = {"deployments": _choose(fields, call.snapshot), **fields, "sha256": credential.sha256}
    key = draft_new_key(given, call.author.now)
    _check(key, call.snapshot)
    await call.change(lambda file: issue(file, key, call.author))
    call.note("new", key.name)
    made = describe_key(replace(key, created=call.author.now))
    return {"key": credential.key, **made}


def _choose(fields: Mapping[str, Any], snapshot: Snapshot) -> list[str]:
    """The deployments of a new key that names none, as in `key new`. Raises KeyFault."""
    if fields.get("admin") or "deployments" in fields:
        return []
    names = [*snapshot.deployments]
    if snapshot.default_deployment is not None:
        names = [snapshot.default_deployment]
    if len(names) != 1:
        raise KeyFault("deployments", "is missing; name the deployments that the key may use")
    return names


async def _alter(call: _Call) -> object:
    fields = await call.fields()
    now = call.author.now

    def revise(old: StoredKey) -> StoredKey:
        return redraft_key(old, fields, now)

    if isinstance(names := fields.get("deployments"), list):
        _check_deployments(names, call.snapshot)
    altered = await call.change(lambda file: alter(file, call.name, revise, call.author))
    call.note("changed", call.name)
    return describe_key(altered)


async def _revoke(call: _Call) -> object:
    await call.change(lambda file: revoke(file, call.name, call.author))
    call.note("revoked", call.name)
    return {"revoked": call.name}


async def _expire(call: _Call) -> object:
    fields = await call.fields()
    if set(fields) != {"at"}:
        raise KeyFault("at", 'must be the only field; write {"at": "30d"}')
    try:
        when = parse_when(fields["at"], call.author.now)
    except KeyFault as fault:
        raise KeyFault("at", fault.message) from None
    await call.change(lambda file: expire(file, call.name, when, call.author))
    call.note("another expiry", call.name)
    return {"name": call.name, "expires": when}


async def _rotate(call: _Call) -> object:
    fields = await call.fields()
    if not set(fields) <= {"grace"}:
        raise KeyFault(sorted(set(fields) - {"grace"})[0], "unknown field; only grace is allowed")
    try:
        grace_s = parse_duration(fields.get("grace", "0s"))
    except ValueError as error:
        raise KeyFault("grace", str(error)) from None
    credential = mint()
    await call.change(lambda file: rotate(file, call.name, credential.sha256, grace_s, call.author))
    call.note("rotated", call.name)
    return {"key": credential.key, "name": call.name, "grace": grace_s}


async def _audit(call: _Call) -> object:
    entries = await call.work(lambda file: read_audit(file, _MAX_AUDIT_ENTRIES))
    return {"entries": [asdict(one) for one in entries]}


def _check_deployments(names: Sequence[object], snapshot: Snapshot) -> None:
    for index, name in enumerate(names):
        if isinstance(name, str) and name not in snapshot.deployments:
            raise KeyFault(f"deployments[{index}]", "no such deployment")


def _check(key: StoredKey, snapshot: Snapshot) -> None:
    _check_deployments(key.deployments, snapshot)
    if key.name in snapshot.keys.names:
        raise KeyFault(
            "name",
            (
                "the configuration has a key of this name, which takes precedence; choose another"
                " name"
            ),
            409,
        )


def _reply(content: object, status: int) -> web.Response:
    headers = {"Cache-Control": "no-store"}
    body = jsonio.dumps(content)
    return web.Response(body=body, status=status, content_type="application/json", headers=headers)


def _refuse(status: int, message: str, field: str = "", *, code: str) -> web.Response:
    return _reply({"error": {"code": code, "field": field or None, "message": message}}, status)
