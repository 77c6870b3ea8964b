"""Forms with files (multipart/form-data, RFC 7578), read while they pass: finds their text fields,
and where these are in the bytes.

The reader is strict where parsers differ, so that a node reads the same value of a field as the
proxy: lines end in CRLF, nothing follows a delimiter, each part has one plain name, and a wanted
field occurs once. Other parts are skipped at the speed of `bytes.find`.
"""

from __future__ import annotations

import re
from enum import Enum

from casedesk_proxy.terms import RawHeaders, record
from casedesk_proxy.wire.content_urls import JUDGED_CHARS, is_address

__all__ = [
    "MAX_PARTS",
    "AddressedContent",
    "FormField",
    "FormPart",
    "FormReader",
    "MalformedForm",
    "find_boundary",
    "find_head_end",
]

#: The most parts of a form, and the most bytes of one part's headers and of a wanted field.
MAX_PARTS = 1024
MAX_PART_HEAD_BYTES = 8192
MAX_FIELD_BYTES = 1024

_FORM = re.compile(rb"\s*multipart/form-data\s*(?:;|$)", re.IGNORECASE)
_BOUNDARY = re.compile(
    rb";\s*boundary=(?:\"([0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-])\""
    rb"|([!#$%&'*+.^_`|~0-9A-Za-z-]{1,70}))\s*(?=;|$)",
    re.IGNORECASE,
)
_PARAMETER = re.compile(
    rb';[ \t]*([!#$%&\'+.^_`|~0-9A-Za-z-]+\*?)=(?:"([^"\\\r\n]*)"|([^"\\;\s]+))[ \t]*'
)
_DISPOSITION = re.compile(rb"form-data[ \t]*", re.IGNORECASE)
_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")


class MalformedForm(ValueError):
    """The body is not a form that all parsers read alike; the message says where."""


class AddressedContent(MalformedForm):
    """A field has a URL in place of its content; the message is the field's name."""


@record
class FormField:
    """One field. ``start`` and ``end`` of ``value`` count from the form's first byte."""

    value: bytes
    start: int
    end: int


@record
class FormPart:
    """A whole part: ``at`` is the position of the delimiter before it, counted as in its field."""

    name: bytes
    at: int
    field: FormField


def find_boundary(headers: RawHeaders) -> bytes | None:
    """What separates the parts; None if the body is not a form. Raises MalformedForm."""
    types = [value for name, value in headers if name.lower() == b"content-type"]
    if not any(_FORM.match(one) for one in types):
        return None
    if len(types) > 1:
        raise MalformedForm("two content-types")
    if types[0].lower().count(b"boundary") != 1 or not (found := _BOUNDARY.search(types[0])):
        raise MalformedForm("the content-type has no valid boundary")
    return found[1] or found[2]


def find_head_end(data: bytes, at: int, before: int) -> int:
    """Where the headers of a part end, which begin at ``at``; -1 if more must arrive. ``before``:
    how many parts came before. Raises MalformedForm above the limits of both."""
    end = data.find(b"\r\n\r\n", at, at + MAX_PART_HEAD_BYTES)
    if end < 0 and len(data) - at >= MAX_PART_HEAD_BYTES:
        raise MalformedForm("a part's headers are too long")
    if end >= 0 and before >= MAX_PARTS:
        raise MalformedForm(f"it has more than {MAX_PARTS} parts")
    return end


class _At(Enum):
    FIRST = "first"
    DELIMITED = "delimited"
    HEAD = "head"
    BEGINNING = "beginning"
    VALUE = "value"
    END = "end"


class FormReader:
    """Follows one form through arbitrary reads.

    ``fields``: the fields with ``wanted`` names that have arrived whole, by name. ``found``: all
    parts with these names since the caller last emptied it. ``ended``: the last part has arrived.
    ``most``: the most bytes of such a field. A name that ends in ``[]`` may occur several times.
    ``contents``: names of files, with or without ``[]``, whose value must not be a URL as text.
    ``read`` raises MalformedForm; the reader must not be used after that.
    """

    __slots__ = (
        "_at", "_contents", "_count", "_delimiter", "_judged", "_most", "_name", "_place", "_rest",
        "_wanted", "fields", "found", "part_at",
    )  # fmt: skip

    def __init__(
        self,
        boundary: bytes,
        wanted: frozenset[bytes],
        most: int = MAX_FIELD_BYTES,
        contents: frozenset[bytes] = frozenset(),
    ) -> None:
        self._delimiter = b"\r\n--" + boundary
        self._wanted = wanted
        self._contents = contents
        #: The beginning of the current part, if it is a text in place of a file.
        self._judged: bytes | None = None
        self._most = most
        self._at = _At.FIRST
        #: The form may begin with its first delimiter, so a line end is assumed before it.
        self._rest = b"\r\n"
        self._place = -2
        #: Where the delimiter before the current part starts.
        self.part_at = -2
        self._count = 0
        #: The name of the current part, if it is wanted.
        self._name: bytes | None = None
        self.fields: dict[bytes, FormField] = {}
        self.found: list[FormPart] = []

    @property
    def ended(self) -> bool:
        return self._at is _At.END

    @property
    def settled(self) -> int:
        """The position before which the form will not change what is known: after it, bytes may
        belong to a part with a wanted name."""
        is_passed_over = self._at in (_At.BEGINNING, _At.VALUE) and self._name is None
        return self._place if is_passed_over else self.part_at

    def read(self, data: bytes) -> None:
        if self._at is _At.END:
            return
        data = self._rest + data
        at, done = 0, False
        while not done:
            at, done = self._step(data, at)
        self._rest = data[at:]
        self._place += at

    def _step(self, data: bytes, at: int) -> tuple[int, bool]:
        """Read one thing from ``at`` on: return where the next one begins, and whether more bytes
        must arrive first."""
        match self._at:
            case _At.VALUE:
                return self._take_value(data, at)
            case _At.DELIMITED:
                return self._take_delimiter_end(data, at)
            case _At.HEAD:
                return self._take_head(data, at)
            case _At.BEGINNING:
                return self._take_beginning(data, at)
            case _At.FIRST:
                return self._take_first(data, at)
            case _:
                return len(data), True

    def _take_first(self, data: bytes, at: int) -> tuple[int, bool]:
        if len(data) < len(self._delimiter) and self._delimiter.startswith(data):
            return at, True
        if not data.startswith(self._delimiter):
            raise MalformedForm("it does not begin with its boundary")
        self._at = _At.DELIMITED
        return len(self._delimiter), False

    def _take_delimiter_end(self, data: bytes, at: int) -> tuple[int, bool]:
        end = data[at : at + 2]
        if len(end) < 2:
            return at, True
        if end == b"--":
            self._at = _At.END
        elif end == b"\r\n":
            self._at = _At.HEAD
        else:
            raise MalformedForm("a boundary is not followed by the end of its line")
        return at + 2, False

    def _take_head(self, data: bytes, at: int) -> tuple[int, bool]:
        end = find_head_end(data, at, self._count)
        if end < 0:
            return at, True
        self._count += 1
        self._name = self._read_head(data[at:end])
        self._at = _At.BEGINNING
        return end + 4, False

    def _read_head(self, head: bytes) -> bytes | None:
        """The part's name, if it is wanted."""
        lines = [_LINE.fullmatch(line) for line in head.split(b"\r\n")]
        fields = [(line[1].lower(), line[2].strip()) for line in lines if line is not None]
        placed = [value for name, value in fields if name == b"content-disposition"]
        if len(fields) < len(lines) or len(placed) != 1:
            raise MalformedForm("a part's headers cannot be read")
        parameters = _read_parameters(placed[0])
        name = parameters.get(b"name")
        if name is None or b"name*" in parameters:
            raise MalformedForm("a part has no valid name")
        is_file = b"filename" in parameters or b"filename*" in parameters
        is_content = name.removesuffix(b"[]").lower() in self._contents
        self._judged = name if is_content and not is_file else None
        if name not in self._wanted:
            return None
        shown = name.decode("utf-8", "replace")
        if name in self.fields and not name.endswith(b"[]"):
            raise MalformedForm(f"it has the field {shown} twice")
        if is_file:
            raise MalformedForm(f"its field {shown} is a file")
        if any(one == b"content-transfer-encoding" for one, _ in fields):
            raise MalformedForm(f"its field {shown} is encoded")
        return name

    def _take_beginning(self, data: bytes, at: int) -> tuple[int, bool]:
        """Check a value's first bytes: Go accepts a boundary there although no line end precedes
        it."""
        boundary = self._delimiter[2:]
        start = data[at : at + len(boundary)]
        if start == boundary:
            raise MalformedForm("a boundary is not at the beginning of a line")
        if boundary.startswith(start) and len(start) < len(boundary):
            return at, True
        if self._judged is not None:
            enough = at + JUDGED_CHARS + len(self._delimiter)
            end = data.find(self._delimiter, at, enough)
            if end < 0 and len(data) < enough:
                return at, True
            text = data[at : end if end >= 0 else enough].decode("utf-8", "replace")
            if is_address(text) or "" < text[:1] <= " ":  # More blanks may hide a URL.
                raise AddressedContent(self._judged.decode("utf-8", "replace"))
        self._at = _At.VALUE
        return at, False

    def _take_value(self, data: bytes, at: int) -> tuple[int, bool]:
        end = data.find(self._delimiter, at)
        if end < 0:
            if self._name is not None:
                if len(data) - at > self._most + len(self._delimiter):
                    raise MalformedForm(f"its field {self._name.decode()} is too long")
                return at, True
            return max(at, len(data) - len(self._delimiter) + 1), True
        if self._name is not None:
            value = FormField(data[at:end], self._place + at, self._place + end)
            if len(value.value) > self._most:
                raise MalformedForm(f"its field {self._name.decode()} is too long")
            self.fields[self._name] = value
            self.found.append(FormPart(self._name, self.part_at, value))
        self.part_at = self._place + end
        self._at = _At.DELIMITED
        return end + len(self._delimiter), False


def _read_parameters(disposition: bytes) -> dict[bytes, bytes]:
    """The parameters of a part's disposition, by lower-case name. Raises MalformedForm for a form
    that parsers may read differently."""
    begin = _DISPOSITION.match(disposition)
    at = begin.end() if begin is not None else -1
    found: dict[bytes, bytes] = {}
    while at >= 0 and (one := _PARAMETER.match(disposition, at)) is not None:
        name = one[1].lower()
        if name in found:
            raise MalformedForm("a part has a parameter twice")
        found[name] = one[2] if one[2] is not None else one[3]
        at = one.end()
    if at != len(disposition):
        raise MalformedForm("a part's name or file name, perhaps a quote in it, can be misread")
    return found
