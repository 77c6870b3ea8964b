"""Usage by day, from the ledger; and the deployments that the caller may use."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path
from typing import Any

from aiohttp import web

from casedesk_proxy.console.desk import Caller, Desk, reply
from casedesk_proxy.errors import BadRequest
from casedesk_proxy.ledger.query import Query, read_usage
from casedesk_proxy.snapshot import DeploymentSpec
from casedesk_proxy.store.file import open_reader
from casedesk_proxy.store.schema import StoreError
from casedesk_proxy.wire.query import read_number

__all__ = ["show_deployments", "show_usage"]

_DAY_S = 86_400
_MAX_DAYS = 400
_MAX_ROWS = 5000
_MAX_MODELS = 500


async def show_usage(desk: Desk, request: web.Request) -> web.StreamResponse:
    """Days are UTC's. Raises StoreError if there is no ledger."""
    caller = desk.require_caller(request)
    days = read_number(request.query.get("days", "30"), 1, _MAX_DAYS)
    if days is None:
        raise BadRequest(f"days must be a number from 1 to {_MAX_DAYS}")
    store = desk.served.store
    if store is None or not desk.place().config.ledger.enabled:
        raise StoreError("there is no ledger; ledger.enabled and the log say why")
    today = int(time.time()) // _DAY_S * _DAY_S
    query = Query(
        by=("day", "key", "deployment", "model"),
        since=float(today - (days - 1) * _DAY_S),
        key=None if caller.sees_all else caller.principal.name,
    )
    rows = await asyncio.to_thread(_read, store.path, query)
    rows.sort(key=lambda row: row["day"], reverse=True)
    return reply({"time_zone": "UTC", "days": rows[:_MAX_ROWS]})


def _read(path: Path, query: Query) -> list[dict[str, Any]]:
    try:
        with open_reader(path) as connection:
            return read_usage(connection, query)
    except sqlite3.Error as error:
        raise StoreError(f"the ledger cannot be read: {error}") from error


async def show_deployments(desk: Desk, request: web.Request) -> web.StreamResponse:
    """With the names of models, as the caller may use them; without other deployments."""
    caller = desk.require_caller(request)
    found = [
        _deployment(desk, one, caller)
        for one in desk.served.serving.snapshot.deployments.values()
        if caller.sees_all or _opens(caller, one)
    ]
    return reply({"deployments": found})


def _opens(caller: Caller, one: DeploymentSpec) -> bool:
    opened = caller.principal.deployments
    return one.auth == "none" or opened is None or one.name in opened


def _deployment(desk: Desk, one: DeploymentSpec, caller: Caller) -> dict[str, Any]:
    base = f"/proxy/{one.name}"
    return {
        "name": one.name,
        "auth": one.auth,
        "base": base,
        "models": _models(desk, one)[:_MAX_MODELS],
        "surfaces": {
            "gemini": f"{base}/gemini",
            "anthropic": f"{base}/anthropic",
            "openai": f"{base}/openai/v1",
        },
        "usable": _opens(caller, one),
    }


def _models(desk: Desk, one: DeploymentSpec) -> list[str]:
    """The aliases, then the nodes' models that the deployment offers."""
    rules, reported = one.rules, desk.served.metadata.reported
    had = (model.name for node in rules.nodes for model in reported.get(node, ()))
    names = [*rules.aliases, *(rules.models if rules.models is not None else had)]
    return list(dict.fromkeys(f"{rules.prefix}{name}" for name in names))
