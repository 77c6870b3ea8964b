"""How many things one body may hold, found before it is parsed.

Megabytes of text or of a picture are parsed in milliseconds; as many of tiny objects, lists or
numbers take seconds and a gigabyte (measured: 30 MB of parts 7 s and 1.4 GB up to the node's
request). So braces, quotes, brackets and commas are counted first. One inside a text counts only
where it cannot be told apart: a brace that a quote follows, which in a text is escaped; a bracket
behind a comma or another; all commas, of which prose and code have one in thirty letters at most.
"""

from __future__ import annotations

from zlib import crc32

from casedesk_proxy.errors import BadRequest, Violation

__all__ = ["check_items"]

#: For each object so many further values are allowed, which cost less.
MAX_VALUES_PER_OBJECT = 10
#: Of texts, lists and names of fields, which cost more than numbers, this many: a name that was not
#: seen before costs as much as an object.
MAX_NEW_NAMES_PER_OBJECT = 1
#: Of names and texts, this many where few of the names are different: a long conversation has the
#: same ones in each turn, and costs a quarter.
MAX_REPEATED_NAMES_PER_OBJECT = 4
#: How often names are sampled, in how many bytes, and how many different ones are few.
_MAX_SAMPLES, _SAMPLE_BYTES, _MAX_DISTINCT_NAMES = 64, 4096, 100
#: Bytes that are looked at in one go; a body with far too much is refused after a few of them.
_SLICE_BYTES = 256 * 1024
#: Bytes before the bound, and at the beginning, in which the field is sought: from the end, which
#: is slow.
_NEAR_BYTES = 32 * 1024
_BLANKS = b" \t\r\n"
#: How an object begins that is not empty, and one that is; the last three are rare in a text.
_OPENINGS = (b'{"', b"[{}", b",{}", b":{}")
#: How a further list begins; rare in a text.
_LISTS = (b",[", b"[[")
#: What is looked at closely where there is much of it: how many for each object, in which form.
_EXACT = {b"{": (1, _OPENINGS, "objects"), b"[": (MAX_NEW_NAMES_PER_OBJECT, _LISTS, "lists")}
#: What is counted, and what tells a quote in a text from others: all that is looked at of a body
#: where there is little of it.
_MARKS = b'{["\\,'
_OTHERS = bytes(set(range(256)).difference(_MARKS))
#: Where most of a body stands; the one that comes last before the bound is named.
_FIELDS = (
    *("contents", "messages", "tools", "generationConfig", "generation_config", "requests"),
    *("input", "prompt", "system", "systemInstruction", "system_instruction", "response_format"),
)


def check_items(raw: bytes, most: int) -> None:
    """Raises BadRequest for a body with more than ``most`` objects, MAX_NEW_NAMES_PER_OBJECT times
    as many lists, or MAX_VALUES_PER_OBJECT times as many commas; for one with
    MAX_REPEATED_NAMES_PER_OBJECT times as many names and texts, or MAX_NEW_NAMES_PER_OBJECT times
    as many where many names are different."""
    if len(raw) <= 2 * most:
        return  # An object takes two bytes and a comma.
    quotes = commas = 0
    suspects = dict.fromkeys(_EXACT, 0)
    for start in range(0, len(raw), _SLICE_BYTES):
        marks = raw[start : start + _SLICE_BYTES].translate(None, _OTHERS)
        # Two for each name or text; those inside a text are escaped.
        quotes += marks.count(b'"') - marks.count(b'\\"')
        if quotes > 2 * MAX_REPEATED_NAMES_PER_OBJECT * most:
            raise _too_many(
                raw, start + _SLICE_BYTES, most, MAX_REPEATED_NAMES_PER_OBJECT, "fields and texts"
            )
        commas += marks.count(b",")
        if commas > MAX_VALUES_PER_OBJECT * most:
            raise _too_many(raw, start + _SLICE_BYTES, most, MAX_VALUES_PER_OBJECT, "values")
        for mark in [*suspects]:
            each, beginnings, what = _EXACT[mark]
            suspects[mark] += marks.count(mark)
            if suspects[mark] > each * most:
                del suspects[mark]
                end = _end_of(raw, beginnings, each * most)
                if end:
                    raise _too_many(raw, end, most, each, what)
    if quotes > 2 * MAX_NEW_NAMES_PER_OBJECT * most and _names_differ(raw):
        raise _too_many(raw, len(raw), most, MAX_NEW_NAMES_PER_OBJECT, "fields and texts")


def _end_of(raw: bytes, beginnings: tuple[bytes, ...], most: int) -> int:
    """The first place known to have more than so many before it; 0 where there is none."""
    found = 0
    for start in range(0, len(raw), _SLICE_BYTES):
        bare = raw[start : start + _SLICE_BYTES].translate(None, _BLANKS)
        found += sum(map(bare.count, beginnings))
        if found > most:
            return start + _SLICE_BYTES
    return 0


def _names_differ(raw: bytes) -> bool:
    """Whether many of the names of fields are different, by samples of a body; where they are taken
    depends on all of it, so that nobody can put others there."""
    step = max(len(raw) // _MAX_SAMPLES, _SAMPLE_BYTES)
    names: list[bytes] = []
    for start in range(crc32(raw) % step, len(raw), step):
        bare = raw[start : start + _SAMPLE_BYTES].translate(None, _BLANKS)
        names += filter(None, map(_name_at_end, bare.split(b'":')[1:-1]))
    return len(set(names)) > _MAX_DISTINCT_NAMES + len(names) // MAX_REPEATED_NAMES_PER_OBJECT


def _name_at_end(piece: bytes) -> bytes:
    """The name of a field, where a piece of a body ends with one, without its last quote."""
    if piece.endswith(b"\\") and not piece.endswith(b"\\\\"):
        return b""  # The quote was escaped: this is inside a text.
    at = piece.rfind(b'"')
    # A name with a quote in it; where it begins is not looked for.
    return piece[-64:] if piece[at - 1 : at] == b"\\" else piece[at + 1 :]


def _too_many(raw: bytes, end: int, most: int, each: int, what: str) -> BadRequest:
    field = _field_before(raw, end)
    message = (
        f"the body contains more than {each * most} JSON {what} (server.body_items), most of"
        " them in this field"
    )
    message += f" (server.body_items: {most})"
    return BadRequest(
        f"{field}: {message}", code="too_many_items", violations=(Violation(field, message),)
    )


def _field_before(raw: bytes, end: int) -> str:
    """The name that comes last before ``end``, near it or at the body's beginning."""
    for start in (max(end - _NEAR_BYTES, 0), 0):
        part = raw[start : min(start + _NEAR_BYTES, end)]
        place, name = max((part.rfind(b'"%b"' % name.encode()), name) for name in _FIELDS)
        if place >= 0:
            return name
    return "body"
