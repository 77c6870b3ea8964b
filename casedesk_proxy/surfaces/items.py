"""How many things one body may hold, found before it is parsed.

Megabytes of text or of a picture are parsed in milliseconds; as many of tiny objects, lists or
numbers take seconds and a gigabyte (measured: 30 MB of parts 7 s and 1.4 GB up to the node's
request). So braces and commas are counted first. A brace or comma inside a text counts only where
it cannot be told apart: of braces those that a quote follows, which in a text is escaped; commas
all, of which prose and code have one in thirty characters at the most.
"""

from __future__ import annotations

from collections.abc import Callable

from casedesk_proxy.errors import BadRequest, Violation

__all__ = ["check_items"]

#: Of each object so many further values (texts, numbers, lists) are allowed, which cost less.
VALUES_EACH = 10
#: Bytes that are looked at in one go; a body with far too much is refused after a few of them.
_SLICE = 256 * 1024
#: Bytes before the bound, and at the beginning, in which the field is sought: from the end, which
#: is slow.
_NEAR = 32 * 1024
_BLANKS = b" \t\r\n"
#: How an object begins that is not empty, and one that is; the last three are rare in a text.
_OPENINGS = (b'{"', b"[{}", b",{}", b":{}")
#: Where most of a body stands; the one that comes last before the bound is named.
_FIELDS = (
    *("contents", "messages", "tools", "generationConfig", "generation_config", "requests"),
    *("input", "prompt", "system", "systemInstruction", "system_instruction", "response_format"),
)


def check_items(raw: bytes, most: int) -> None:
    """Raises BadRequest for a body with more than ``most`` objects, or VALUES_EACH times as many
    commas."""
    if len(raw) <= 2 * most:
        return  # An object takes two bytes and a comma.
    if _end_of(raw, _braces, most):
        end = _end_of(raw, _objects, most)
        if end:
            raise _too_many(raw, end, f"{most} JSON objects")
    end = _end_of(raw, _commas, VALUES_EACH * most)
    if end:
        raise _too_many(raw, end, f"{VALUES_EACH * most} JSON values")


def _end_of(raw: bytes, count: Callable[[bytes, int, int], int], most: int) -> int:
    """The first place known to have more than so many before it; 0 where there is none."""
    found = 0
    for start in range(0, len(raw), _SLICE):
        found += count(raw, start, start + _SLICE)
        if found > most:
            return start + _SLICE
    return 0


def _braces(raw: bytes, start: int, end: int) -> int:
    return raw.count(b"{", start, end)


def _objects(raw: bytes, start: int, end: int) -> int:
    bare = raw[start:end].translate(None, _BLANKS)
    return sum(map(bare.count, _OPENINGS))


def _commas(raw: bytes, start: int, end: int) -> int:
    return raw.count(b",", start, end)


def _too_many(raw: bytes, end: int, what: str) -> BadRequest:
    field = _field_before(raw, end)
    told = f"the body holds more than {what}, of which this field has most (server.body_items)"
    return BadRequest(
        f"{field}: {told}", code="too_many_items", violations=(Violation(field, told),)
    )


def _field_before(raw: bytes, end: int) -> str:
    """The name that comes last before ``end``, near it or at the body's beginning."""
    for start in (max(end - _NEAR, 0), 0):
        part = raw[start : min(start + _NEAR, end)]
        place, name = max((part.rfind(b'"%b"' % name.encode()), name) for name in _FIELDS)
        if place >= 0:
            return name
    return "body"
