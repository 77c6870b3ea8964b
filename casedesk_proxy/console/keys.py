"""The admin listener's key API, for admins who are signed in to the console."""

from __future__ import annotations

import time

from aiohttp import web

from casedesk_proxy.admin.key_api import key_routes
from casedesk_proxy.console.desk import Desk
from casedesk_proxy.errors import ClientFault
from casedesk_proxy.keystore.changes import Author, KeyFault

__all__ = ["console_key_routes"]

PREFIX = "/console/api"


def console_key_routes(desk: Desk) -> list[web.RouteDef]:
    def find_author(request: web.Request) -> Author:
        try:
            desk.require_open()
            desk.require_own(request)
            caller = desk.require_admin(request)
        except ClientFault as fault:
            raise KeyFault("", fault.message, fault.status, fault.code) from None
        return Author(f"{caller.principal.name} at the console", time.time())

    return key_routes(desk.served, PREFIX, find_author)
