"""What the console's handlers share: the gateway, the sessions, and the caller."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from aiohttp import web

from casedesk_proxy import jsonio
from casedesk_proxy.admin.served import Served
from casedesk_proxy.auth.browsers import Hosts, require_own_host, require_own_site
from casedesk_proxy.auth.credentials import ACCEPTED_FORMS, find_credential
from casedesk_proxy.auth.explanations import UNREAD
from casedesk_proxy.auth.sessions import comes_from_own_page, find_session
from casedesk_proxy.config.schema import Config
from casedesk_proxy.console.attempts import SignInAttempts
from casedesk_proxy.console.book import SessionBook
from casedesk_proxy.console.census import Census
from casedesk_proxy.console.figures import Figures
from casedesk_proxy.console.passwords import Checker
from casedesk_proxy.console.rows import Session
from casedesk_proxy.console.running import Running
from casedesk_proxy.errors import Forbidden, NotFound, ProxyError, Unauthenticated
from casedesk_proxy.replying.record import ExchangeRecord
from casedesk_proxy.store.schema import StoreError
from casedesk_proxy.terms import Principal, record
from casedesk_proxy.wire.addresses import TrustedProxies

__all__ = ["CALLER", "Answer", "Caller", "Desk", "Place", "Shown", "handled", "reply"]


class Shown(Served, Protocol):
    """The data that the console shows."""

    def places(self) -> Mapping[int, int]:
        """How far tickets, by identity, are from the front of their queues."""


class Place(Protocol):
    """The active configuration, and the public listener. ``access_log`` writes a line; None: it is
    off."""

    @property
    def access_log(self) -> Callable[[ExchangeRecord], None] | None: ...

    @property
    def config(self) -> Config: ...

    @property
    def hosts(self) -> Hosts: ...

    @property
    def admin_hosts(self) -> Hosts: ...

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches the public listener."""


@record
class Caller:
    """Who sends a request. ``way``: how the caller was identified: key, password or proxy for a
    session, header for a key in the request, admin for a request on the admin listener.
    ``session``: the session, if there is one."""

    principal: Principal
    way: str
    session: Session | None = None

    @property
    def sees_all(self) -> bool:
        return self.principal.admin or self.way == "admin"

    def may_see(self, key: str) -> bool:
        return self.sees_all or self.principal.name == key


_ON_ADMIN = Caller(Principal("admin listener", frozenset()), "admin")

#: The caller of a request, for the access log.
CALLER: web.RequestKey[Caller | None] = web.RequestKey("caller")
Answer = Callable[["Desk", web.Request], Awaitable[web.StreamResponse]]


class Desk:
    """One for each listener; ``on_admin``: it is the admin listener's. Call ``close`` at the
    end."""

    def __init__(
        self,
        served: Shown,
        place: Callable[[], Place],
        book: SessionBook,
        running: Running,
        figures: Figures,
        *,
        on_admin: bool = False,
        checker: Checker | None = None,
    ) -> None:
        self.served, self.place, self.book = served, place, book
        self.running, self.figures, self.on_admin = running, figures, on_admin
        self.attempts = SignInAttempts(served.store)
        self.census = Census(lambda: running.live, lambda: served.metrics.events)
        self.checker = checker or Checker()

    async def close(self, _app: web.Application) -> None:
        """Called when its application ends."""
        self.attempts.close()

    # Access to the console.

    def require_open(self) -> None:
        """Raises NotFound if the console is off."""
        config = self.place().config
        if config.console.enabled is None:
            known = self.place().is_local or self.on_admin or self._has_people(config)
        else:
            known = config.console.enabled
        if not known:
            if config.console.enabled is None:
                message = (
                    "the console is off, since nobody could sign in from other machines; create a"
                    " user or an admin key, or set console.enabled"
                )
            else:
                message = "the console is off (console.enabled: false); set it to true"
            raise NotFound(message, code="console_off")

    def _has_people(self, config: Config) -> bool:
        snapshot = self.served.serving.snapshot
        keys = (*snapshot.keys.principals, *snapshot.stored_keys.principals)
        return bool(config.users or self.book.users) or any(one.admin for one in keys)

    def require_own(self, request: web.Request) -> None:
        """Raises Forbidden for pages of other sites, and for host names that may be a
        stranger's."""
        place = self.place()
        hosts = place.admin_hosts if self.on_admin else place.hosts
        require_own_site(request.method, request.raw_headers, hosts)
        require_own_host(request.method, "/", request.raw_headers, hosts)

    def find_caller(self, request: web.Request) -> Caller | None:
        """None if nobody is signed in. Raises Unauthenticated for an invalid key."""
        caller = request[CALLER] = self._look_for_caller(request)
        return caller

    def _look_for_caller(self, request: web.Request) -> Caller | None:
        if key := find_credential(request.raw_headers, ""):
            principal = self.served.serving.snapshot.find_principal(key)
            if principal is None:
                if not self.served.serving.snapshot.stored_keys.is_read:
                    raise StoreError(UNREAD)
                raise Unauthenticated(
                    "unknown key; check it, or ask an admin for a new one", code="invalid_key"
                )
            return Caller(principal, "header")
        if comes_from_own_page(request.method, request.raw_headers):
            caller = self._find_by_session(request) or self.find_by_proxy(request)
            if caller is not None:
                return caller
        return _ON_ADMIN if self.on_admin and request.method in ("GET", "HEAD") else None

    def _find_by_session(self, request: web.Request) -> Caller | None:
        ident = find_session(request.raw_headers, secure=self.book.secure)
        session = None if ident is None else self.book.find_session(ident)
        if session is None:
            return None
        principal = self.book.principal_of(session)
        if principal is None:
            return None
        named = self.find_by_proxy(request) if session.way == "proxy" else None
        if session.way == "proxy" and (named is None or named.principal.name != session.name):
            # The reverse proxy has signed in another user meanwhile.
            return None
        return Caller(principal, session.way, session)

    def find_by_proxy(self, request: web.Request) -> Caller | None:
        """The account that a trusted reverse proxy names in its header, if there is one."""
        settings = self.place().config.console
        if settings.identity_header is None:
            return None
        names = request.headers.getall(settings.identity_header, [])
        trusted = TrustedProxies(settings.identity_proxies)
        if len(names) != 1 or not trusted.trusts(peer_of(request)):
            return None
        account = self.book.find_account(names[0].strip())
        return None if account is None else Caller(account.principal, "proxy")

    def require_caller(self, request: web.Request) -> Caller:
        """Raises Unauthenticated if nobody is signed in."""
        caller = self.find_caller(request)
        if caller is None:
            raise Unauthenticated(f"sign in, or send a key as {ACCEPTED_FORMS}")
        return caller

    def require_admin(self, request: web.Request) -> Caller:
        """Raises Unauthenticated and Forbidden. Reaching the admin listener is not enough."""
        caller = self.require_caller(request)
        if not caller.principal.admin:
            raise Forbidden(
                "only an admin may do this; sign in as one, or use an admin's key", code="not_admin"
            )
        return caller

    def client_of(self, request: web.Request) -> str:
        """The client's address, also behind trusted proxies."""
        proxies = self.served.serving.snapshot.proxies
        return proxies.client(peer_of(request), request.raw_headers)


def peer_of(request: web.Request) -> str:
    peer = None if request.transport is None else request.transport.get_extra_info("peername")
    return str(peer[0]) if isinstance(peer, tuple) else "unix"


def reply(content: object, status: int = 200) -> web.Response:
    body = jsonio.dumps(content)
    return web.Response(body=body, status=status, content_type="application/json")


def handled(desk: Desk, answer: Answer) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """A handler with the common steps before and after it."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            desk.require_open()
            desk.require_own(request)
            if ident := find_session(request.raw_headers, secure=desk.book.secure):
                await desk.book.look_for(ident)
            return await answer(desk, request)
        except ProxyError as fault:
            made = _refuse(fault.message, fault.status, code=fault.code)
            if fault.retry_after is not None:
                made.headers["Retry-After"] = str(math.ceil(fault.retry_after))
            return made
        except (StoreError, TimeoutError) as fault:
            message = str(fault) or "the state file did not answer in time; send the request again"
            return _refuse(message, 503, code="no_state")

    return handle


def _refuse(message: str, status: int, *, code: str) -> web.Response:
    return reply({"error": {"code": code, "message": message, "field": ""}}, status)
