"""How many items one body may contain, checked before it is parsed.

Megabytes of text or of an image are parsed in milliseconds; as many of tiny objects, lists or
numbers take seconds and a gigabyte (measured: 30 MB of parts 7 s and 1.4 GB up to the node's
request). So braces, quotes, brackets and commas are counted first. Characters inside texts count
only if they cannot be distinguished: a brace before a quote, which would be escaped in a text; a
bracket after a comma or another bracket; all commas, which prose and code have at most once in
thirty letters.
"""

from __future__ import annotations

from zlib import crc32

from casedesk_proxy.errors import BadRequest

__all__ = ["check_items"]

#: So many further values are allowed for each object; they cost less.
MAX_VALUES_PER_OBJECT = 10
#: So many texts, lists and field names are allowed for each object; they cost more than numbers: a
#: name that was not seen before costs as much as an object.
MAX_NEW_NAMES_PER_OBJECT = 1
#: So many names and texts are allowed if few names are different: a long conversation has the same
#: ones in each turn, and they cost a quarter.
MAX_REPEATED_NAMES_PER_OBJECT = 4
#: How often names are sampled, in how many bytes, and how many different names count as few.
_MAX_SAMPLES, _SAMPLE_BYTES, _MAX_DISTINCT_NAMES = 64, 4096, 100
#: Bytes that are examined at once; a body far above the limit is refused after a few such slices.
_SLICE_BYTES = 256 * 1024
#: Bytes before the limit, and at the beginning, in which the field is searched for from the end,
#: which is slow.
_NEAR_BYTES = 32 * 1024
_BLANKS = b" \t\r\n"
#: The beginning of an object that is not empty, and of an empty one; the last three are rare in a
#: text.
_OPENINGS = (b'{"', b"[{}", b",{}", b":{}")
#: The beginning of a further list; rare in a text.
_LISTS = (b",[", b"[[")
#: Counted exactly if there are many: how many for each object, in which form.
_EXACT = {b"{": (1, _OPENINGS, "objects"), b"[": (MAX_NEW_NAMES_PER_OBJECT, _LISTS, "lists")}
#: The characters that are counted, and the one that marks a quote in a text: all that is examined
#: of a body with few of them.
_MARKS = b'{["\\,'
_OTHERS = bytes(set(range(256)).difference(_MARKS))
#: Fields that contain most of a body; an error names the last one before the limit.
_FIELDS = (
    *("contents", "messages", "tools", "generationConfig", "generation_config", "requests"),
    *("input", "prompt", "system", "systemInstruction", "system_instruction", "response_format"),
)


def check_items(raw: bytes, most: int) -> None:
    """Raises BadRequest for a body with more than ``most`` objects, MAX_NEW_NAMES_PER_OBJECT times
    as many lists, or MAX_VALUES_PER_OBJECT times as many commas; or with
    MAX_REPEATED_NAMES_PER_OBJECT times as many names and texts, or MAX_NEW_NAMES_PER_OBJECT times
    as many if many names are different."""
    if len(raw) <= 2 * most:
        return  # An object needs two bytes and a comma.
    quotes = commas = 0
    suspects = dict.fromkeys(_EXACT, 0)
    for start in range(0, len(raw), _SLICE_BYTES):
        marks = raw[start : start + _SLICE_BYTES].translate(None, _OTHERS)
        # Two for each name or text; quotes inside a text are escaped.
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
    """The first place that surely has more than ``most`` of ``beginnings`` before it; 0 if there is
    none."""
    found = 0
    for start in range(0, len(raw), _SLICE_BYTES):
        bare = raw[start : start + _SLICE_BYTES].translate(None, _BLANKS)
        found += sum(map(bare.count, beginnings))
        if found > most:
            return start + _SLICE_BYTES
    return 0


def _names_differ(raw: bytes) -> bool:
    """Whether many field names are different, by samples of a body; the places of the samples
    depend on the whole body, so that a client cannot prepare them."""
    step = max(len(raw) // _MAX_SAMPLES, _SAMPLE_BYTES)
    names: list[bytes] = []
    for start in range(crc32(raw) % step, len(raw), step):
        bare = raw[start : start + _SAMPLE_BYTES].translate(None, _BLANKS)
        names += filter(None, map(_name_at_end, bare.split(b'":')[1:-1]))
    return len(set(names)) > _MAX_DISTINCT_NAMES + len(names) // MAX_REPEATED_NAMES_PER_OBJECT


def _name_at_end(piece: bytes) -> bytes:
    """The field name, without its last quote, if a piece of a body ends with one."""
    if piece.endswith(b"\\") and not piece.endswith(b"\\\\"):
        return b""  # The quote was escaped: this is inside a text.
    at = piece.rfind(b'"')
    # A name that contains a quote; its beginning is not searched for.
    return piece[-64:] if piece[at - 1 : at] == b"\\" else piece[at + 1 :]


def _too_many(raw: bytes, end: int, most: int, each: int, what: str) -> BadRequest:
    field = _field_before(raw, end)
    message = (
        f"the body contains more than {each * most} JSON {what}, most of them in this field; send"
        f" fewer, or ask the operator to raise server.body_items ({most})"
    )
    return BadRequest.about(field, message, code="too_many_items")


def _field_before(raw: bytes, end: int) -> str:
    """The last field name before ``end``, near it or at the body's beginning."""
    for start in (max(end - _NEAR_BYTES, 0), 0):
        part = raw[start : min(start + _NEAR_BYTES, end)]
        place, name = max((part.rfind(b'"%b"' % name.encode()), name) for name in _FIELDS)
        if place >= 0:
            return name
    return "body"
