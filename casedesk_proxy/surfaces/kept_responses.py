"""Paths and errors of kept responses: what OpenAI's API asks of a response by its id."""

from __future__ import annotations

import re

from casedesk_proxy.errors import BadRequest, NotFound, Violation
from casedesk_proxy.surfaces.gemini_paths import wrong_method
from casedesk_proxy.terms import Action
from casedesk_proxy.wire.query import read_pairs
from casedesk_proxy.wording import quoted

__all__ = ["METHODS", "asks_for_stream", "find_id", "no_earlier", "no_kept", "path_of", "read_kept"]

#: By what follows the id: the action of each method.
_PATHS: dict[str, dict[str, Action]] = {
    "": {"GET": Action.GET_RESPONSE, "DELETE": Action.DELETE_RESPONSE},
    "/cancel": {"POST": Action.CANCEL_RESPONSE},
    "/input_items": {"GET": Action.LIST_INPUT},
}
_BEHIND = {action: behind for behind, found in _PATHS.items() for action in found.values()}
#: The methods with which nodes are asked, too.
METHODS = {action: method for found in _PATHS.values() for method, action in found.items()}
#: Nodes make the ids. No id may lead to another of a node's paths.
_PATH = re.compile(r"responses/([A-Za-z0-9_-]{1,200})(/cancel|/input_items)?")
_TRUE = frozenset({"true", "1"})
#: The beginning of a response, as a body or inside an event: its id is among the first, plain
#: fields.
_PLAIN = rb'"\w{1,40}"\s*:\s*(?:"[^"\\]{0,200}"|[\w.+-]{1,40})\s*,\s*'
_BEGINNING = re.compile(
    rb'(?:\A\s*|"response"\s*:\s*)\{\s*(?:' + _PLAIN + rb'){0,20}?"id"\s*:\s*"([\w-]{1,200})"'
)


def read_kept(method: str, rest: str) -> tuple[Action, str] | None:
    """The action and the id of the response in a path after its mount and versions; None if it
    names none. Raises BadRequest (405)."""
    if not rest.startswith("responses/"):
        return None
    found = _PATH.fullmatch(rest)
    if found is None:
        raise NotFound(
            f"{quoted('/' + rest)} is not a path of a response; use /responses/{{id}}",
            code="response_not_found",
        )
    actions = _PATHS[found[2] or ""]
    if method not in actions:
        raise wrong_method(", ".join(actions))
    return actions[method], found[1]


def path_of(action: Action, ident: str) -> str:
    """The path at a node."""
    return f"/v1/responses/{ident}{_BEHIND[action]}"


def find_id(beginning: bytes) -> str:
    """The id of the response at the beginning of a reply's body or stream; empty if there is
    none."""
    found = _BEGINNING.search(beginning)
    return found[1].decode("ascii") if found is not None else ""


def asks_for_stream(query: str) -> bool:
    """Whether the client asks for the events of a response again."""
    return any(name == "stream" and value.lower() in _TRUE for name, value in read_pairs(query))


def no_kept(ident: str) -> NotFound:
    """In OpenAI's words, whether it never existed, belongs to another key or has expired."""
    return NotFound(f"Response with id '{ident}' not found.", code="response_not_found")


def no_earlier(ident: str) -> BadRequest:
    """The same for the response that a request continues: OpenAI answers 400 then."""
    message = f"Previous response with id '{ident[:200]}' not found."
    violation = Violation("previous_response_id", message)
    return BadRequest(message, code="previous_response_not_found", violations=(violation,))
