"""The paths of the simulated node, the protocol of each answer, and its failures.

Only the paths that the real services document: a proxy that requests another path gets 404, as from
them.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from casedesk_proxy import jsonio
from casedesk_proxy.errors import BadRequest, NotFound, ProxyError
from casedesk_proxy.simulator import anthropic, gemini, openai
from casedesk_proxy.simulator.answer import Stream, Whole
from casedesk_proxy.simulator.script import Script
from casedesk_proxy.surfaces.envelopes import error_reply
from casedesk_proxy.surfaces.unserved_paths import GEMINI_ACTIONS
from casedesk_proxy.terms import Action, Dialect
from casedesk_proxy.wire.query import read_pairs

__all__ = ["MODELS", "fail", "guess_surface", "read_json", "read_path", "speak"]

MODELS = re.compile(r"/(v1|v1beta)/models(?:/(.+))?")
_GEMINI = re.compile(r"/(v1|v1beta)/models/(.+):(\w+)")
_POSTED = {
    "/v1/messages": (Dialect.ANTHROPIC, Action.MESSAGES),
    "/v1/messages/count_tokens": (Dialect.ANTHROPIC, Action.COUNT_MESSAGES),
    "/v1/chat/completions": (Dialect.OPENAI, Action.CHAT),
    "/v1/completions": (Dialect.OPENAI, Action.COMPLETE),
    "/v1/embeddings": (Dialect.OPENAI, Action.EMBEDDINGS),
}


def read_path(path: str) -> tuple[Dialect, Action, str | None]:
    """The protocol, the action and the model, if the path names it."""
    if path in _POSTED:
        surface, action = _POSTED[path]
        return surface, action, None
    match = _GEMINI.fullmatch(path)
    if match is None or match[3] not in GEMINI_ACTIONS:
        raise NotFound(f"nothing at {path}")
    return Dialect.GEMINI, GEMINI_ACTIONS[match[3]], unquote(match[2])


def guess_surface(request: web.BaseRequest) -> Dialect:
    """The protocol to answer in."""
    path = request.raw_path.partition("?")[0]
    if path in _POSTED:
        return _POSTED[path][0]
    if "anthropic-version" in request.headers:
        return Dialect.ANTHROPIC
    names = (name.lower() for name in request.headers)
    if path.startswith("/v1beta/") or any(name.startswith("x-goog-api") for name in names):
        return Dialect.GEMINI
    return Dialect.GEMINI if _GEMINI.fullmatch(path) else Dialect.OPENAI


def speak(
    surface: Dialect, action: Action, value: dict[str, Any], model: str, script: Script, query: str
) -> Whole | Stream:
    if surface is Dialect.ANTHROPIC:
        return anthropic.answer(action, value, model, script)
    if surface is Dialect.OPENAI:
        return openai.answer(action, value, model, script)
    return gemini.answer(action, value, model, script, sse=_wants_sse(query))


def _wants_sse(query: str) -> bool:
    return ("alt", "sse") in read_pairs(query)


def fail(surface: Dialect, action: Action, script: Script, query: str) -> web.Response:
    """The error of the script. Google puts it into an array if it streams one."""
    error = ProxyError(f"simulated error {script.status}", status=script.status, code="simulated")
    made = error_reply(surface, error, "req_simulated")
    body = made.body if script.body is None else script.body.encode()
    if script.body is None and action is Action.STREAM_GENERATE and not _wants_sse(query):
        body = b"[" + body + b"]"
    headers = {name.decode(): text.decode() for name, text in made.headers}
    if script.retry_after is not None:
        headers["Retry-After"] = str(script.retry_after)
    return web.Response(status=script.status, body=body, headers=headers)


def read_json(body: bytes) -> dict[str, Any]:
    try:
        value = jsonio.loads(body)
    except jsonio.JSONError as error:
        raise BadRequest(f"invalid JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadRequest("the body is not a JSON object")
    return value
