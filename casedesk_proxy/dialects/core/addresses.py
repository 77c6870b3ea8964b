"""URLs in a relayed request: an image of a chat, a source of type url, a file on another host, the
server of an MCP tool. The node would fetch them from inside the operator's network: a page of its
cloud's metadata, for example, or a file on its own disk. So they are refused, unless an operator
lets the nodes fetch. Field names are compared in any case, since some nodes read them so
(`surfaces.field_names`).

Translated requests never contain one: their translators refuse URLs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from casedesk_proxy.dialects.core.hidden_urls import list_fields, with_hidden
from casedesk_proxy.errors import BadRequest, Violation
from casedesk_proxy.terms import Action, Call, Dialect
from casedesk_proxy.wire.content_urls import NOT_FETCHED, is_address

__all__ = ["find_addresses", "refuse_addresses"]

#: Fields with a URL, as a text or in ``url``, in the parts of all protocols.
_FIELDS = frozenset(
    {
        *("image_url", "video_url", "audio_url", "file_url", "image", "video", "audio"),
        *("input_audio", "input_video", "images", "mask"),
    }
)
#: Requests that have more of them, but only outermost, and the last words of their names: ``file``,
#: ``files`` and ``ref_images`` of LocalAI, ``ref_audio`` of vLLM-Omni.
_MAKING_MEDIA = frozenset({Action.DRAW, Action.EDIT_IMAGE, Action.SPEAK})
_MEDIA = frozenset(
    {"file", "files", "image", "images", "video", "videos", "audio", "audios", "mask"}
)
_URIS = frozenset({"fileUri", "file_uri"})
#: Servers that a node would ask for tools: those of Responses and of Anthropic.
_SERVERS = (("tools", "server_url"), ("mcp_servers", "url"))
#: Fields beside messages that may contain a URL.
_OTHERS = frozenset({"input", "contents", "mcp_servers"})
#: Arguments and results of tools, whose data may have fields of the same names.
_DATA = frozenset({"input", "args", "arguments", "response"})
#: Outermost fields with data or schemas of the client, in which no node looks for content.
_OWN_DATA = frozenset({"metadata", "format", "response_format", "json_schema", "tools"})
#: How many places one refusal names.
_MAX_PLACES = 20
_TOO_DEEP = "the body is nested too deeply to search it for URLs; send fewer levels"


def refuse_addresses(call: Call, body: Mapping[str, Any], raw: bytes = b"") -> None:
    """Raises BadRequest, naming the places. ``raw``: the bytes that parse to ``body``, unless it is
    a form."""
    try:
        whole = with_hidden(raw, body)
        if whole is body and not call.path and _is_of_texts(body):
            return
        places = tuple(islice(find_addresses(call, whole), _MAX_PLACES))
    except RecursionError:
        raise BadRequest(_TOO_DEEP) from None
    if places:
        violations = tuple(Violation(path, NOT_FETCHED) for path in places)
        message = f"{places[0]}: {NOT_FETCHED}"
        raise BadRequest(message, code="url_not_fetched", violations=violations)


def _is_of_texts(body: Mapping[str, Any]) -> bool:
    """Whether this is an ordinary chat with only texts, which needs no further search."""
    messages = body.get("messages")
    if messages.__class__ is not list or not _OTHERS.isdisjoint(body):
        return False
    for message in messages:
        if message.__class__ is not dict or message.get("content").__class__ is not str:
            return False
        if (len(message) > 2 or "role" not in message) and not _are_plain("".join(message)):
            return False
    return True


def find_addresses(call: Call, body: Mapping[str, Any]) -> Iterator[str]:
    """The places, in the protocol's own notation, in a body of any shape."""
    if call.path or not ("messages" in body or "input" in body or "contents" in body):
        yield from _look(body, "", "[{}]", makes_media=call.action in _MAKING_MEDIA)
        return
    index = ".{}" if call.surface is Dialect.ANTHROPIC else "[{}]"
    for name, field in _SERVERS:
        for at, server in _items_of(body, name):
            if any(map(_is_address, _values_of(server, field))):
                yield f"{name}{index.format(at)}.{field}"
    for name, inner in _CONTENTS:
        for at, item in _items_of(body, name):
            for field in inner:
                for content in _values_of(item, field):
                    # Nearly all contents are texts.
                    if isinstance(content, dict | list):
                        yield from _look(content, f"{name}{index.format(at)}.{field}", index)


#: For a field of the body: the fields of its items that contain parts.
_CONTENTS = (("messages", ("content",)), ("input", ("content", "output")), ("contents", ("parts",)))


def _items_of(body: Mapping[str, Any], name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects in a list."""
    for items in _values_of(body, name):
        for at, item in enumerate(items if isinstance(items, list) else ()):
            if isinstance(item, dict):
                yield at, item


def _look(value: Any, path: str, index: str, *, makes_media: bool = False) -> Iterator[str]:
    """``makes_media``: of the outermost fields, those for media have any name."""
    if isinstance(value, list):
        for at, one in enumerate(value):
            if isinstance(one, dict | list):
                yield from _look(one, path + index.format(at), index)
        return
    for written, one in list_fields(value):
        where = f"{path}.{written}" if path else written
        name = written if _are_plain(written) else written.casefold()
        is_named = name in _FIELDS or written in _URIS
        if makes_media and not is_named:
            is_named = name.rpartition("_")[2] in _MEDIA
        if is_named and isinstance(one, dict) and any(map(_is_address, _values_of(one, "url"))):
            yield f"{where}.url"
        elif isinstance(one, str):
            if (is_named or (name == "url" and _is_of_url(value))) and _is_address(one):
                yield where
        elif isinstance(one, list) and is_named and any(map(_is_address, one)):
            yield where
        elif isinstance(one, dict | list) and name not in (_DATA if path else _OWN_DATA):
            yield from _look(one, where, index)


def _is_of_url(source: Mapping[str, Any]) -> bool:
    """Whether a source says that its type is url."""
    return any(one == "url" for _, one in list_fields(source))


def _values_of(holder: Mapping[str, Any], name: str) -> Iterable[Any]:
    """The values of a name in any case: nodes written in Go accept any case, and use the last of
    several."""
    if holder.__class__ is dict and _are_plain("".join(holder)):
        return (holder[name],) if name in holder else ()
    return [one for written, one in list_fields(holder) if written.casefold() == name]


def _are_plain(names: str) -> bool:
    """Whether no two names differ only in case."""
    return names.islower() and names.isascii()


def _is_address(value: object) -> bool:
    return isinstance(value, str) and is_address(value)
