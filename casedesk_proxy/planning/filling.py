"""Inserts stored files into requests for nodes: a body in parts, some literal, others the content
of a file, which is read and encoded while it is sent.

A request is planned with a *mark* in place of each file's content. So the bodies of a plan's routes
contain marks, too, where the translation has put them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace

from casedesk_proxy.dialects.core.findings import refusal_of
from casedesk_proxy.errors import Unsupported, Violation
from casedesk_proxy.filing.stored_file import StoredFile
from casedesk_proxy.planning.plan import Plan
from casedesk_proxy.planning.route import Route
from casedesk_proxy.snapshot import NodeSpec
from casedesk_proxy.surfaces.file_forms import find_kind, write_stored
from casedesk_proxy.surfaces.file_references import FilePlace
from casedesk_proxy.terms import Dialect, record

__all__ = [
    "MARK_BEGIN",
    "MARK_CHARS",
    "ContentPart",
    "FileUse",
    "FilledRoute",
    "Part",
    "choose_stored",
    "fill_plan",
    "refer",
]

#: A mark is valid base64, so that it is accepted as content, and contains nothing that JSON would
#: escape.
MARK_BEGIN, MARK_CHARS = "casedeskfile", 52
#: Without it Anthropic accepts no file id; repeating an equal header is harmless.
_ANTHROPIC_BETA = b"anthropic-beta: files-api-2025-04-14\r\n"
_MARK = re.compile(rb"casedeskfile[0-9a-f]{52}")


@record
class FileUse:
    """``file`` is used in a request as ``mime_type``, ``mark`` replaces its content, ``inline`` is
    what was put into the client's body, ``path`` where, and ``place`` the kind of place."""

    file: StoredFile
    mime_type: str
    mark: str
    inline: bytes
    path: str
    place: FilePlace


@record
class ContentPart:
    """The content of ``file``, in base64 or unencoded."""

    file: StoredFile
    in_base64: bool = True

    @property
    def length(self) -> int:
        """Its length in the body, in bytes."""
        return (self.file.size + 2) // 3 * 4 if self.in_base64 else self.file.size


Part = bytes | ContentPart


@record
class FilledRoute(Route):
    """A request whose body is ``parts``, the first and the last of which are bytes. ``body`` is
    what it was made from, with its marks; ``uses`` are those that are unchanged in it, so that the
    node may store the file itself instead; ``lines`` are added to its head."""

    parts: tuple[Part, ...] = (b"",)
    uses: tuple[FileUse, ...] = ()
    lines: bytes = b""

    @property
    def length(self) -> int:
        return sum(len(part) if isinstance(part, bytes) else part.length for part in self.parts)

    def side_request_for(self, node: NodeSpec) -> bytes:
        return _plain(self).side_request_for(node)

    def request_for(self, node: NodeSpec) -> bytes:
        """Its head, and the part of its body before the first file."""
        lead, ident = self.head_templates.get(node.name), self.request_id.encode("ascii")
        if lead is None:
            lead = self.head_templates[node.name] = self._head_template(node)
        first = self.parts[0]
        assert isinstance(first, bytes), "see the class"
        if self.method != "POST":
            return b"%b%b\r\n\r\n" % (lead, ident)
        length = b"Content-Length: %d" % self.length
        return b"%b%b\r\n%b%b\r\n\r\n%b" % (lead, ident, self.lines, length, first)


def _plain(route: Route) -> Route:
    return Route(**{field.name: getattr(route, field.name) for field in fields(Route)})


def fill_plan(plan: Plan, uses: Mapping[str, tuple[FileUse, ...]]) -> Plan:
    """``uses`` by their marks. Leaves out nodes that do not accept such a file; raises Unsupported,
    naming the file's place, if none is left."""
    routes, refused = {}, None
    for name, route in plan.routes.items():
        node = next(node for node in plan.nodes if node.name == name)
        refused = _find_refused(node, route, uses)
        if refused is None:
            routes[name] = _fill_route(route, node, uses)
    if refused is not None and not routes:
        raise _refuse(refused)
    if len(routes) == len(plan.routes):
        return replace(plan, routes=routes)
    nodes = tuple(node for node in plan.nodes if node.name in routes)
    demand = replace(plan.demand, nodes=tuple(node.name for node in nodes))
    return replace(plan, routes=routes, nodes=nodes, demand=demand)


def _find_refused(
    node: NodeSpec, route: Route, uses: Mapping[str, tuple[FileUse, ...]]
) -> FileUse | None:
    """The first document in a relayed request that an engine would not read. Translated requests
    have been judged already."""
    if route.dialect not in (Dialect.OPENAI, Dialect.RESPONSES) or node.engine.takes_documents:
        return None
    for use in (one for several in uses.values() for one in several):
        if find_kind(use.mime_type) == "document" and use.inline in route.body:
            return use
    return None


def _fill_route(route: Route, node: NodeSpec, uses: Mapping[str, tuple[FileUse, ...]]) -> Route:
    body = _fit_videos(route.body, node, uses)
    parts = tuple(_split(body, uses))
    if len(parts) == 1:
        return route
    filled = {field.name: getattr(route, field.name) for field in fields(Route)} | {"body": body}
    if route.side_request is not None and _MARK.search(route.side_request.body):
        filled["side_request"] = None  # It would not contain the file.
    inline = tuple(one for several in uses.values() for one in several if one.inline in body)
    return FilledRoute(**filled, parts=parts, uses=inline)


def choose_stored(route: FilledRoute, most: int) -> tuple[FileUse, ...]:
    """The uses whose files the node should store itself, so that the request has at most so many
    bytes: the largest, and as few as possible; all possible ones if that is not enough."""
    chosen: list[FileUse] = []
    length = route.length
    movable = [one for one in route.uses if write_stored(one.place, one.mime_type, "") is not None]
    for use in sorted(movable, key=lambda one: one.file.size, reverse=True):
        if length <= most:
            break
        chosen.append(use)
        length -= ContentPart(use.file).length
    return tuple(chosen)


def refer(route: FilledRoute, references: Mapping[str, str]) -> FilledRoute:
    """The same with the node's own ``references`` in place of these marks."""
    body, contents = route.body, {one.mark: one for one in route.uses}
    for use in route.uses:
        if (reference := references.get(use.mark)) is not None:
            stored = write_stored(use.place, use.mime_type, reference)
            body = body.replace(use.inline, stored or use.inline)
    left = {mark: (one,) for mark, one in contents.items()}
    lines = _ANTHROPIC_BETA if route.dialect is Dialect.ANTHROPIC else b""
    return replace(route, body=body, parts=tuple(_split(body, left)), lines=lines)


def _fit_videos(body: bytes, node: NodeSpec, uses: Mapping[str, tuple[FileUse, ...]]) -> bytes:
    """A chat's part with a video in the engine's own form."""
    if node.engine.profile.video != "input_video":
        return body
    for use in (one for several in uses.values() for one in several):
        if use.inline.startswith(b'{"type":"video_url"'):
            part = b'{"type":"input_video","input_video":{"data":"%b"}}' % use.mark.encode()
            body = body.replace(use.inline, part)
    return body


def _split(body: bytes, uses: Mapping[str, tuple[FileUse, ...]]) -> Iterator[Part]:
    done = 0
    for mark in _MARK.finditer(body):
        if (several := uses.get(mark[0].decode())) is not None:
            yield body[done : mark.start()]
            yield ContentPart(several[0].file)
            done = mark.end()
    yield body[done:]


def _refuse(use: FileUse) -> Unsupported:
    why = refusal_of(use.mime_type)
    violation = Violation(use.path, why, "document")
    code = "unsupported_openai_feature"
    return Unsupported(f"{code}: {use.path}: {why}", code=code, violations=(violation,))
