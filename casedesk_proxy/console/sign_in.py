"""Signing in with a key or with name and password, and signing out."""

from __future__ import annotations

import hashlib
import logging
import math
from typing import Any

from aiohttp import web

from casedesk_proxy import jsonio
from casedesk_proxy.auth.explanations import UNREAD
from casedesk_proxy.auth.sessions import (
    PLAIN_COOKIE,
    SECURE_COOKIE,
    comes_from_elsewhere,
    find_session,
)
from casedesk_proxy.console.accounts import Account
from casedesk_proxy.console.desk import CALLER, Caller, Desk, reply
from casedesk_proxy.console.passwords import MAX_PASSWORD_CHARS
from casedesk_proxy.console.rows import Session
from casedesk_proxy.errors import BadRequest, Forbidden, ProxyError, Unauthenticated
from casedesk_proxy.store.schema import StoreError
from casedesk_proxy.surfaces.bodies import describe_syntax_error

__all__ = ["read_fields", "show_session", "sign_in", "sign_out"]

log = logging.getLogger(__name__)

_WRONG = "unknown key, or wrong name or password; correct it, or ask an admin"


async def show_session(desk: Desk, request: web.Request) -> web.StreamResponse:
    """Answer who is signed in. A user whom a reverse proxy has signed in gets a session here, so
    that the API accepts the user's requests."""
    caller = desk.find_caller(request)
    if caller is not None and caller.way == "proxy" and caller.session is None:
        account = desk.book.find_account(caller.principal.name)
        assert account is not None
        return await _begin(desk, request, account.principal.name, "proxy", account.proof)
    return reply(_describe(desk, caller))


async def sign_in(desk: Desk, request: web.Request) -> web.StreamResponse:
    """Always begins a new session, also for a browser that has one: no id passes to another
    user."""
    if comes_from_elsewhere(request.raw_headers):
        raise Forbidden("sign in from this proxy's own page only", code="cross_site")
    fields = await read_fields(request, {"key", "name", "password"})
    who = [f"from {desk.client_of(request)}"]
    if name := fields.get("name"):
        who.append(f"name {name[:200]}")
    # Counted before it is checked, so that all of many simultaneous attempts are counted.
    wait_s = 1.0 if desk.checker.is_busy else await desk.attempts.begin(who)
    if wait_s > 0:
        error = ProxyError(
            f"too many attempts to sign in; try again in {math.ceil(max(wait_s, 1.0))} s",
            status=429,
            code="too_many_attempts",
        )
        error.retry_after = max(wait_s, 1.0)
        raise error
    found = await _check(desk, fields)
    if found is None:
        log.warning("a sign-in to the console failed, %s", who[0])
        raise Unauthenticated(_WRONG, code="wrong_credentials")
    await desk.attempts.succeed(who)
    await _end_old(desk, request)
    return await _begin(desk, request, *found)


async def _check(desk: Desk, fields: dict[str, str]) -> tuple[str, str, str] | None:
    """Name, way and proof of the caller. Raises StoreError if the keys could not be read yet."""
    if "key" in fields:
        key = fields["key"].strip()
        principal = desk.served.serving.snapshot.find_principal(key)
        if principal is None:
            if not desk.served.serving.snapshot.stored_keys.is_read:
                raise StoreError(UNREAD)
            return None
        return principal.name, "key", hashlib.sha256(key.encode()).hexdigest()
    account: Account | None = desk.book.find_account(fields.get("name", ""))
    stored = None if account is None else account.password
    if not await desk.checker.check(fields.get("password", ""), stored) or account is None:
        return None
    return account.principal.name, "password", account.proof


async def sign_out(desk: Desk, request: web.Request) -> web.StreamResponse:
    if comes_from_elsewhere(request.raw_headers):
        raise Forbidden("sign out from this proxy's own page only", code="cross_site")
    await _end_old(desk, request)
    response = web.Response(status=204)
    _set_cookie(desk, response, "", 0)
    return response


async def _end_old(desk: Desk, request: web.Request) -> None:
    ident = find_session(request.raw_headers, secure=desk.book.secure)
    session = None if ident is None else desk.book.find_session(ident)
    if session is not None:
        await desk.book.end(session)


async def _begin(
    desk: Desk, request: web.Request, name: str, way: str, proof: str
) -> web.StreamResponse:
    ident, session = await desk.book.begin(name, way, proof)
    log.info("%s signed in to the console with a %s", name, way)
    principal = desk.book.principal_of(session)
    caller = None if principal is None else Caller(principal, way, session)
    request[CALLER] = caller
    response = reply(_describe(desk, caller))
    _set_cookie(desk, response, ident, int(session.expires - session.made))
    return response


def _set_cookie(desk: Desk, response: web.Response, value: str, max_age: int) -> None:
    """The cookie is sent only to us, read by no script, and not sent with requests of other
    pages."""
    name = SECURE_COOKIE if desk.book.secure else PLAIN_COOKIE
    secure = "; Secure" if desk.book.secure else ""
    cookie = f"{name}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Strict{secure}"
    response.headers["Set-Cookie"] = cookie


def _describe(desk: Desk, caller: Caller | None) -> dict[str, Any]:
    ways = ["key", "password"]
    if caller is None or caller.way == "admin":
        return {"signed_in": False, "ways": ways}
    opened, session = caller.principal.deployments, caller.session
    return {
        "signed_in": True,
        "name": caller.principal.name,
        "how": caller.way,
        "admin": caller.principal.admin,
        "deployments": None if opened is None else sorted(opened),
        "expires": None if session is None else round(session.expires, 3),
        "idle_expires": _idle_expires(desk, session),
        "ways": ways,
    }


def _idle_expires(desk: Desk, session: Session | None) -> float | None:
    if session is None:
        return None
    return round(session.seen + desk.place().config.console.idle_timeout, 3)


async def read_fields(request: web.Request, known: set[str]) -> dict[str, str]:
    """The texts of a JSON object. Raises BadRequest."""
    if request.content_type != "application/json":
        raise BadRequest("send JSON, with content-type: application/json", status=415)
    try:
        found = jsonio.loads(body := await request.read() or b"{}")
    except jsonio.JSONError as error:
        raise BadRequest(describe_syntax_error(error, body)) from None
    if not isinstance(found, dict) or not set(found) <= known:
        raise BadRequest(
            f"the body must be a JSON object with only these fields: {', '.join(sorted(known))}"
        )
    for name, value in found.items():
        if not isinstance(value, str) or len(value) > MAX_PASSWORD_CHARS:
            raise BadRequest(f"{name} must be text of at most {MAX_PASSWORD_CHARS} characters")
    return found
