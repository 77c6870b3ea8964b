"""URLs in a relayed request: an image of a chat, a source of type url, a file on another host, the
server of an MCP tool. The node would fetch them from inside the operator's network: a page of its
cloud's metadata, for example, or a file on its own disk. So they are refused, unless an operator
lets the nodes fetch. Field names are compared in any case, since some nodes read them so
(`surfaces.field_names`).

Translated requests never contain one: their translators refuse URLs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from casedesk_proxy.errors import BadRequest, Violation
from casedesk_proxy.terms import Call, Dialect
from casedesk_proxy.wire.content_urls import NOT_FETCHED, is_address

__all__ = ["find_addresses", "refuse_addresses"]

#: Fields with a URL, as a text or in ``url``, in the parts of all protocols and in requests for
#: images (``file`` and ``files`` of LocalAI).
_FIELDS = frozenset({"image_url", "video_url", "audio_url", "file_url", "file", "files"})
#: The last words of names of such fields: ``ref_images`` of LocalAI, ``ref_audio`` of vLLM-Omni.
_MEDIA = frozenset({"image", "images", "video", "videos", "audio", "audios", "mask"})
_URIS = frozenset({"fileUri", "file_uri"})
#: Servers that a node would ask for tools: those of Responses and of Anthropic.
_SERVERS = (("tools", "server_url"), ("mcp_servers", "url"))
#: Fields beside messages that may contain a URL.
_OTHERS = frozenset({"input", "contents", "mcp_servers"})
#: Arguments and results of tools, whose data may have fields of the same names.
_DATA = frozenset({"input", "args", "arguments", "response"})
#: How the names of fields with a URL end, also of `_FIELDS` and `_URIS`; and as keys of a body.
_URL_NAMES = ("url", "ri")
_URL_KEYS = tuple(f'{name}"'.encode() for name in _URL_NAMES)
_COLON = re.compile(rb"[ \t\r\n]*+:")
#: Another spelling of a letter, and how it begins.
_ESCAPED_LETTER = re.compile(rb"\\u00([4-7][0-9A-Fa-f])")
_ESCAPE = b"\\u00"
#: How many places one refusal names.
_MAX_PLACES = 20


def refuse_addresses(call: Call, body: Mapping[str, Any], raw: bytes = b"") -> None:
    """Raises BadRequest, naming the places. ``raw``: the bytes of which ``body`` was parsed, unless
    it is a form."""
    if b'url"' in raw or b'ri"' in raw or _ESCAPE in raw:
        _refuse_hidden(raw, body)
    if not call.path and _is_of_texts(body):
        return
    found = find_addresses(call, body)
    first = next(found, None)
    if first is None:
        return
    places = (first, *islice(found, _MAX_PLACES - 1))
    violations = tuple(Violation(path, NOT_FETCHED) for path in places)
    raise BadRequest(f"{first}: {NOT_FETCHED}", code="url_not_fetched", violations=violations)


def _refuse_hidden(raw: bytes, body: Mapping[str, Any]) -> None:
    """Raises BadRequest for a body with a key for a URL that ``body``, which was parsed from
    ``raw``, lacks, since the same key comes again in its object, or in one around it. Some nodes
    use the first of several (those with RapidJSON, for example OpenVINO's)."""
    if _ESCAPE in raw:
        raw = _ESCAPED_LETTER.sub(lambda found: bytes.fromhex(found[1].decode()), raw)
    written = _count_written(raw)
    if written > 0 and written > _count_read(body):
        raise BadRequest(
            "a field for a URL comes more than once in an object, and nodes differ in which of"
            " them they use; write each field once",
            code="url_not_fetched",
        )


def _count_written(raw: bytes) -> int:
    """How many keys for URLs there are. Within a text the quote after them would be escaped."""
    count = 0
    for end in _URL_KEYS:
        at = raw.find(end)
        while at >= 0:
            at += len(end)
            count += _COLON.match(raw, at) is not None
            at = raw.find(end, at)
    return count


def _count_read(body: Mapping[str, Any]) -> int:
    """How many of them are left."""
    left: list[Iterable[Any]] = [body.values()]
    count = sum(name.endswith(_URL_NAMES) for name in body)
    while left:
        for one in left.pop():
            if one.__class__ is dict:
                count += sum(name.endswith(_URL_NAMES) for name in one)
                left.append(one.values())
            elif one.__class__ is list:
                left.append(one)
    return count


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
        yield from _look(body, "", "[{}]")
        return
    index = ".{}" if call.surface is Dialect.ANTHROPIC else "[{}]"
    for name, field in _SERVERS:
        servers = body.get(name)
        for at, server in enumerate(servers if servers.__class__ is list else ()):
            if server.__class__ is dict and any(map(_is_address, _values_of(server, field))):
                yield f"{name}{index.format(at)}.{field}"
    for name, inner in _CONTENTS:
        items = body.get(name)
        if items.__class__ is not list:
            continue
        for at, item in enumerate(items):
            if item.__class__ is not dict:
                continue
            for field in inner:
                for content in _values_of(item, field):
                    # Nearly all contents are texts.
                    if content.__class__ is list or content.__class__ is dict:
                        yield from _look(content, f"{name}{index.format(at)}.{field}", index)


#: For a field of the body: the fields of its items that contain parts.
_CONTENTS = (("messages", ("content",)), ("input", ("content", "output")), ("contents", ("parts",)))


def _look(value: Any, path: str, index: str) -> Iterator[str]:
    if isinstance(value, list):
        for at, one in enumerate(value):
            if isinstance(one, dict | list):
                yield from _look(one, path + index.format(at), index)
        return
    for written, one in value.items():
        where = f"{path}.{written}" if path else written
        name = written if _are_plain(written) else written.casefold()
        is_named = name in _FIELDS or name.rpartition("_")[2] in _MEDIA or written in _URIS
        if is_named and isinstance(one, dict) and any(map(_is_address, _values_of(one, "url"))):
            yield f"{where}.url"
        elif isinstance(one, str):
            # A source says that its type is url.
            if (is_named or (name == "url" and "url" in value.values())) and _is_address(one):
                yield where
        elif isinstance(one, list) and is_named and any(map(_is_address, one)):
            yield where
        elif isinstance(one, dict | list) and (not path or name not in _DATA):
            yield from _look(one, where, index)


def _values_of(holder: Mapping[str, Any], name: str) -> Iterable[Any]:
    """The values of a name in any case: nodes written in Go accept any case, and use the last of
    several."""
    if _are_plain("".join(holder)):
        return (holder[name],) if name in holder else ()
    return [one for written, one in holder.items() if written.casefold() == name]


def _are_plain(names: str) -> bool:
    """Whether no two names differ only in case."""
    return names.islower() and names.isascii()


def _is_address(value: object) -> bool:
    return isinstance(value, str) and is_address(value)
