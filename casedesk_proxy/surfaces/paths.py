"""Method and raw target of a request become a Call, or a ClientFault; never a redirect.

Mounts are ``/proxy/{deployment}/gemini|anthropic|openai|ollama``, the same without a deployment,
``/genai`` and the bare root, which the surfaces share. After a Gemini mount and its version
``openai`` leads to OpenAI's surface, as at Google. Ollama's mount has the paths of an Ollama
server, OpenAI's and Anthropic's included. ``/proxy/{deployment}/node`` has the engines' own
inference paths, as OpenAI's mounts do, for requests that need not name a model. After mounts, paths
are read as leniently as SDKs and their users write them: versions repeated, ``v1alpha``, or left
out.
"""

from __future__ import annotations

import re

from casedesk_proxy.surfaces.file_paths import find_upload_mount, is_file_path, read_file_call
from casedesk_proxy.surfaces.gemini_paths import asks_for_sse, read_resource, wrong_method
from casedesk_proxy.surfaces.inference_paths import find_inference_path
from casedesk_proxy.surfaces.kept_responses import asks_for_stream, read_kept
from casedesk_proxy.surfaces.request_target import cut_versions, decode, split_target
from casedesk_proxy.surfaces.unserved_paths import (
    FETCHED,
    GEMINI_ACTIONS,
    POSTED,
    has_action,
    misplaced,
    no_path,
    owner_of,
    refuse_administration,
    unserved,
)
from casedesk_proxy.terms import Action, Call, Dialect, Framing, RawHeaders
from casedesk_proxy.wire.query import cut_key

__all__ = ["guess_surface", "read_call"]

#: Surfaces with a mount; Responses is on OpenAI's.
_SURFACES = {str(dialect): dialect for dialect in Dialect if dialect is not Dialect.RESPONSES}
#: The proxy's own path, after the mounts of all surfaces.
USAGE_PATH = "usage"
_READ_ONLY = frozenset({Action.LIST_MODELS, Action.GET_MODEL, Action.LIST_LOADED, Action.VERSION})
#: Paths that may be a client's base URL, with or without versions; health checkers request them.
_BASE = re.compile(
    r"/proxy(?:/[^/]+)?|(?:/genai|(?:/proxy/[^/]+)?/(?:gemini|anthropic|openai|ollama))?"
    r"(?:/v1(?:beta1?|alpha)?)*(?:/openai(?:/v1)*)?"
)
_NODE_MOUNT = re.compile(r"/proxy/([^/]+)/node/(.+)")
#: Ollama's paths, including those that are not served; LM Studio's have a version after ``api``.
_OLLAMAS = re.compile(r"api/[a-z]+(?:/|\Z)")
_GEMINI_ONLY = frozenset({"genai", "upload", "v1beta", "v1alpha", "v1beta1"})


def read_call(method: str, target: str, headers: RawHeaders) -> Call:
    """What a request asks for. ``target`` as on the wire, also in absolute form.

    Raises BadRequest (400; 405 for a wrong method and for every OPTIONS), or NotFound for a path of
    no surface.
    """
    path, query = split_target(target)
    if method == "OPTIONS":
        raise wrong_method("GET, HEAD, POST")
    if method in ("GET", "HEAD") and _BASE.fullmatch(path):
        return _read_base(path, target, headers)
    if (node := _NODE_MOUNT.fullmatch(path)) is not None:
        return _read_node_path(method, decode(node[1]), node[2], cut_key(query))
    # Where GET is served, HEAD is (RFC 9110, 9.1), if the proxy itself answers.
    meant = "GET" if method == "HEAD" else method
    surface, deployment, version, rest = _find_resource(meant, path, query, headers)
    if is_file_path(rest):
        return read_file_call(meant, surface, deployment, version, rest, query)
    if rest == USAGE_PATH and surface is not Dialect.OLLAMA:
        if meant != "GET":
            raise wrong_method("GET, HEAD")
        return Call(surface, Action.USAGE, deployment, query=cut_key(query))
    if surface is Dialect.OPENAI and rest == "realtime":
        if method != "GET":
            raise wrong_method("GET")
        return Call(surface, Action.REALTIME, deployment, query=cut_key(query))
    if surface is Dialect.OPENAI and rest.startswith("responses"):
        return _read_responses(method, rest, deployment, cut_key(query))
    node_path = ""
    if surface is Dialect.GEMINI:
        version = version or "v1beta"
        action, model = read_resource(meant, rest, deployment)
    else:
        action, model, node_path = _read_posted(surface, version, rest, deployment)
        version = ""
    _require_method(meant, action)
    framing = Framing.UNARY
    if action is Action.STREAM_GENERATE:
        framing = Framing.SSE if asks_for_sse(query, headers) else Framing.JSON_ARRAY
    return Call(surface, action, deployment, model, version, cut_key(query), framing, node_path)


def _find_resource(
    method: str, path: str, query: str, headers: RawHeaders
) -> tuple[Dialect, str | None, str, str]:
    """Surface, deployment, version and the rest of the path. Raises NotFound for a path of no
    surface, or of another surface."""
    surface, deployment, rest = _find_mount(find_upload_mount(path))
    version, rest = cut_versions(rest)
    if surface in (None, Dialect.GEMINI) and (inner := _inside_google(rest)) is not None:
        surface, rest = Dialect.OPENAI, inner
    if method != "GET" and rest.startswith("models/"):
        refuse_administration(rest)
    if surface is None:
        surface = _claim(method, version, rest, query, headers)
    elif surface is Dialect.OLLAMA:
        surface = _inside_ollama(rest)
    _require_own(method, rest, surface, deployment)
    return surface, deployment, version, rest


def _require_method(method: str, action: Action) -> None:
    wanted = "GET" if action in _READ_ONLY else "POST"
    if method != wanted:
        raise wrong_method("GET, HEAD" if wanted == "GET" else wanted)


def _read_responses(method: str, rest: str, deployment: str | None, query: str) -> Call:
    """OpenAI's newer API: a new response, or a kept one."""
    action = POSTED[Dialect.OPENAI].get(rest)
    if action is not None:
        if method != "POST":
            raise wrong_method("POST")
        return Call(Dialect.RESPONSES, action, deployment, query=query)
    kept = read_kept(method, rest)
    if kept is None or unserved(rest) is not None:
        raise no_path(rest, f"not served on the {Dialect.OPENAI} surface", deployment)
    action, ident = kept
    streams = action is Action.GET_RESPONSE and asks_for_stream(query)
    framing = Framing.SSE if streams else Framing.UNARY
    return Call(Dialect.RESPONSES, action, deployment, query=query, framing=framing, kept=ident)


def guess_surface(target: str, headers: RawHeaders) -> Dialect:
    """The surface whose envelope fits a request that could not be read: the client's, for which the
    path's end is a better sign than its mount. Never raises."""
    path, _, query = target.partition("?")
    segments = [segment for segment in path.split("/", 12) if segment]
    mount, behind = _guess_mount(segments)
    rest = cut_versions("/".join(behind))[1]
    owner = owner_of(rest)
    if owner is Dialect.GEMINI or any(f":{action}" in path for action in GEMINI_ACTIONS):
        return Dialect.GEMINI
    if "messages" in behind:
        return Dialect.ANTHROPIC
    if "responses" in behind:
        return Dialect.RESPONSES
    if owner is Dialect.OLLAMA or _OLLAMAS.match(rest):
        return Dialect.OLLAMA
    known = owner is Dialect.OPENAI or "completions" in behind or "embeddings" in behind
    if known or "node" in segments[2:3] or _inside_google(rest) is not None:
        return Dialect.OPENAI
    api = unserved(rest)
    if api is not None and api.owner is not None:
        return api.owner
    if mount is None and not _GEMINI_ONLY.isdisjoint(segments):
        return Dialect.GEMINI
    return mount or _surface_by_headers(query, headers)


def _guess_mount(segments: list[str]) -> tuple[Dialect | None, list[str]]:
    """The surface that a mount names, if any, and the rest of the path."""
    places = range(min(1, len(segments)))
    if "proxy" in segments[:4]:
        places = range(2, min(6, len(segments)))
    for at in places:
        if segments[at] in _SURFACES:
            return _SURFACES[segments[at]], segments[at + 1 :]
    return None, segments[segments[:1] == ["genai"] :]


def _read_base(path: str, target: str, headers: RawHeaders) -> Call:
    surface, parts = guess_surface(target, headers), path.split("/", 3)
    deployment = decode(parts[2]) if parts[1:2] == ["proxy"] and len(parts) > 2 else None
    version = "v1beta" if surface is Dialect.GEMINI else ""
    return Call(surface, Action.BASE, deployment, version=version)


def _read_node_path(method: str, deployment: str, rest: str, query: str) -> Call:
    found = find_inference_path("", rest)
    if found is None:
        raise no_path(rest, "no inference path of a node", deployment)
    if method != "POST":
        raise wrong_method("POST")
    return Call(
        Dialect.OPENAI, found.action, deployment, query=query, path=found.path,
        names_no_model=True,
    )  # fmt: skip


def _find_mount(path: str) -> tuple[Dialect | None, str | None, str]:
    """Surface and deployment, each None if the path does not name it, and the rest."""
    parts = path.split("/", 4)
    first = parts[1] if len(parts) > 1 else ""
    if first == "proxy":
        deployment = decode(parts[2]) if len(parts) > 2 else None
        surface = _SURFACES.get(parts[3]) if len(parts) > 3 else None
        if surface is None:
            raise no_path(path[1:], deployment=deployment)
        return surface, deployment, parts[4] if len(parts) > 4 else ""
    if first in _SURFACES:
        return _SURFACES[first], None, path[len(first) + 2 :]
    if first == "genai":
        return Dialect.GEMINI, None, path[len("/genai/") :]
    if first == "upload":
        return Dialect.GEMINI, None, path[1:]
    return None, None, path[1:]


def _inside_google(rest: str) -> str | None:
    """The rest after ``openai`` on a Gemini mount: Google's base URL for OpenAI's SDKs ends so.
    None if it is rather the first half of a model's name, ``openai/gpt-oss-20b``."""
    first, _, inner = rest.partition("/")
    if first != "openai":
        return None
    inner = cut_versions(inner)[1]
    owner, api = owner_of(inner), unserved(inner)
    if owner is None and (inner in ("", "models") or inner.startswith(("models/", "files"))):
        owner = Dialect.OPENAI
    elif owner is None and api is not None:
        owner = api.owner
    return inner if owner is Dialect.OPENAI else None


def _inside_ollama(rest: str) -> Dialect:
    owner = owner_of(rest)
    if owner in (Dialect.OPENAI, Dialect.ANTHROPIC):
        return owner
    is_shared = rest == "models" or rest.startswith(("models/", "files"))
    return Dialect.OPENAI if is_shared else Dialect.OLLAMA


def _claim(method: str, version: str, rest: str, query: str, headers: RawHeaders) -> Dialect:
    """The surface of a path on the bare root."""
    if version == "v1beta":
        return Dialect.GEMINI
    owner = owner_of(rest)
    if version and (rest == USAGE_PATH or is_file_path(rest)):
        return _surface_by_headers(query, headers)
    if rest == "models" or rest.startswith("models/"):
        is_shared = method == "GET" and owner is None
        return _surface_by_headers(query, headers) if is_shared else Dialect.GEMINI
    if owner is not None and owner is not Dialect.GEMINI:
        return owner
    if version and unserved(rest) is None and has_action(rest):
        return Dialect.GEMINI
    raise no_path(f"{version}/{rest}" if version else rest)


def _require_own(method: str, rest: str, surface: Dialect, deployment: str | None) -> None:
    """Raises NotFound for another surface's path."""
    owner = owner_of(rest)
    if owner in (None, Dialect.GEMINI) and surface is not Dialect.GEMINI:
        # On other surfaces a name may contain a colon, but no request posts to it.
        posted = method == "POST" and rest.startswith("models") and has_action(rest)
        owner = Dialect.GEMINI if posted else None
    if owner is not None and owner is not surface:
        raise misplaced(rest, owner, surface, deployment)


def _surface_by_headers(query: str, headers: RawHeaders) -> Dialect:
    """Which surface's ``/v1/models`` is meant, since three of them have one."""
    names = {name.lower() for name, _ in headers}
    if b"anthropic-version" in names:
        return Dialect.ANTHROPIC
    if cut_key(query) != query or any(name.startswith(b"x-goog-") for name in names):
        return Dialect.GEMINI
    return Dialect.OPENAI


def _read_posted(
    surface: Dialect, version: str, rest: str, deployment: str | None
) -> tuple[Action, str | None, str]:
    """The action, the model that the path names, and the path if engines have different ones."""
    action = POSTED[surface].get(rest) or FETCHED.get(surface, {}).get(rest)
    if action is not None:
        return action, None, ""
    if surface is Dialect.OLLAMA:
        raise no_path(rest, f"not served on the {surface} surface", deployment)
    if rest == "models":
        return Action.LIST_MODELS, None, ""
    if rest.startswith("models/"):
        return Action.GET_MODEL, decode(rest[len("models/") :]), ""
    found = find_inference_path(version, rest) if surface is Dialect.OPENAI else None
    if found is None:
        raise no_path(rest, f"not served on the {surface} surface", deployment)
    return found.action, None, found.path
