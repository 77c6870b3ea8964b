"""Method and raw target of a request become a Call, or a ClientFault; never a redirect.

Mounts are ``/proxy/{deployment}/gemini|anthropic|openai``, ``/genai`` and the bare root, which
the surfaces share. Behind them paths are read as leniently as SDKs and their users write them
(measured): versions repeated, ``v1alpha``, or left out.
"""

from __future__ import annotations

from casedesk_proxy.surfaces.resources import (
    ACTIONS,
    is_files,
    no_path,
    read_resource,
    wrong_method,
)
from casedesk_proxy.surfaces.targets import decode, split_target
from casedesk_proxy.terms import Action, Call, Dialect, Framing, RawHeaders
from casedesk_proxy.wire.query import cut_key, read_pairs

__all__ = ["guess_surface", "read_call"]

_SURFACES = {str(dialect): dialect for dialect in Dialect}
#: The version to ask of a node. v1beta1 is Vertex's v1beta; v1alpha's nearest kin is v1beta.
_VERSIONS = {"v1": "v1", "v1beta": "v1beta", "v1alpha": "v1beta", "v1beta1": "v1beta"}
_POSTED = {
    Dialect.ANTHROPIC: {
        "messages": Action.MESSAGES,
        "messages/count_tokens": Action.COUNT_MESSAGES,
    },
    Dialect.OPENAI: {
        "chat/completions": Action.CHAT,
        "completions": Action.COMPLETE,
        "embeddings": Action.EMBEDDINGS,
    },
}
_BARE_POSTED = {rest: surface for surface, table in _POSTED.items() for rest in table}
_READ_ONLY = frozenset({Action.LIST_MODELS, Action.GET_MODEL})
_GEMINI_ONLY = frozenset({"genai", "upload", "v1beta", "v1alpha", "v1beta1"})


def read_call(method: str, target: str, headers: RawHeaders) -> Call:
    """What a request wants. ``target`` as it stood on the wire, in absolute form too.

    Raises BadRequest (400; 405 for the wrong method and for every OPTIONS), or NotFound for a
    path that no surface claims.
    """
    path, query = split_target(target)
    if method == "OPTIONS":
        raise wrong_method("GET, POST")
    surface, deployment, rest = _find_mount(path)
    version, rest = _cut_versions(rest)
    if surface is None:
        surface = _claim(method, version, rest, query, headers)
    if surface is Dialect.GEMINI:
        version = version or "v1beta"
        action, model = read_resource(method, rest)
    else:
        version = ""
        action, model = _read_posted(surface, rest)
    wanted = "GET" if action in _READ_ONLY else "POST"
    if method != wanted:
        raise wrong_method(wanted)
    framing = Framing.UNARY
    if action is Action.STREAM_GENERATE:
        framing = Framing.SSE if _asks_for_sse(query, headers) else Framing.JSON_ARRAY
    return Call(surface, action, deployment, model, version, cut_key(query), framing)


def guess_surface(target: str, headers: RawHeaders) -> Dialect:
    """Whose envelope fits a request that could not be read. Never raises."""
    path, _, query = target.partition("?")
    segments = [segment for segment in path.split("/", 12) if segment]
    if "proxy" in segments[:4]:
        for segment in segments[2:6]:
            if segment in _SURFACES:
                return _SURFACES[segment]
    if "messages" in segments:
        return Dialect.ANTHROPIC
    if "completions" in segments or "embeddings" in segments:
        return Dialect.OPENAI
    if not _GEMINI_ONLY.isdisjoint(segments) or any(action in path for action in ACTIONS):
        return Dialect.GEMINI
    return _surface_by_headers(query, headers)


def _find_mount(path: str) -> tuple[Dialect | None, str | None, str]:
    """Surface and deployment, each None where the path does not name it, and the rest."""
    parts = path.split("/", 4)
    first = parts[1] if len(parts) > 1 else ""
    if first == "proxy":
        surface = _SURFACES.get(parts[3]) if len(parts) > 3 else None
        if surface is None:
            raise no_path(path[1:])
        return surface, decode(parts[2]), parts[4] if len(parts) > 4 else ""
    if first == "genai":
        return Dialect.GEMINI, None, path[len("/genai/") :]
    if first == "upload":
        return Dialect.GEMINI, None, path[1:]
    return None, None, path[1:]


def _cut_versions(rest: str) -> tuple[str, str]:
    """The version nearest the resource, or "". A base URL may have brought another before it:
    ``/v1beta/v1/models`` is google-genai 3 with a base that ends in /v1beta (measured)."""
    version = ""
    while True:
        segment, _, behind = rest.partition("/")
        found = _VERSIONS.get(segment)
        if found is None:
            return version, rest
        version, rest = found, behind


def _claim(method: str, version: str, rest: str, query: str, headers: RawHeaders) -> Dialect:
    """Whose path this is on the bare root."""
    if version == "v1beta":
        return Dialect.GEMINI
    surface = _BARE_POSTED.get(rest)
    if surface is not None:
        return surface
    if rest == "models" or rest.startswith("models/"):
        is_shared = method == "GET" and rest.rpartition(":")[2] not in ACTIONS
        return _surface_by_headers(query, headers) if is_shared else Dialect.GEMINI
    if is_files(rest) or (version and (":" in rest or "%3a" in rest.lower())):
        return Dialect.GEMINI
    raise no_path(f"{version}/{rest}" if version else rest)


def _surface_by_headers(query: str, headers: RawHeaders) -> Dialect:
    """Whose ``/v1/models`` is meant, which all three have (design section 2)."""
    names = {name.lower() for name, _ in headers}
    if b"anthropic-version" in names:
        return Dialect.ANTHROPIC
    if cut_key(query) != query or any(name.startswith(b"x-goog-") for name in names):
        return Dialect.GEMINI
    return Dialect.OPENAI


def _read_posted(surface: Dialect, rest: str) -> tuple[Action, str | None]:
    action = _POSTED[surface].get(rest)
    if action is not None:
        return action, None
    if rest == "models":
        return Action.LIST_MODELS, None
    if rest.startswith("models/"):
        return Action.GET_MODEL, decode(rest[len("models/") :])
    raise no_path(rest, f"not served on the {surface} surface")


def _asks_for_sse(query: str, headers: RawHeaders) -> bool:
    if query == "alt=sse":
        return True
    for name, value in read_pairs(query):
        if name in ("alt", "$alt") and value.partition(";")[0].strip().lower() == "sse":
            return True
    return any(
        name.lower() == b"accept" and b"text/event-stream" in value.lower()
        for name, value in headers
    )
