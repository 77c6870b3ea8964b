"""Changes that an alias or a key makes in a form: text fields are added, removed or changed while
the form passes.

Only the parts of these fields change. At most one of them is held, of limited size; all else passes
unchanged as it arrives. Fields that always get a value come first. Fields that get one only if the
client left them out come last, when that is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from casedesk_proxy import jsonio
from casedesk_proxy.errors import BadRequest
from casedesk_proxy.surfaces.parameter_steps import Case, read_case
from casedesk_proxy.wire.multipart import FormPart, FormReader

__all__ = ["FormChange", "FormEditor"]

#: The most bytes of a field that is changed: OpenAI's longest prompts for images.
_MAX_FIELD_BYTES = 32768
#: The values of one field: each value of a list is a part of its own.
_Values = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class _Stage:
    """The rules of one alias, or of one key."""

    removed: frozenset[bytes]
    defaults: Mapping[bytes, _Values]
    cases: Mapping[bytes, tuple[tuple[Case, _Values], ...]]
    caps: Mapping[bytes, int | float]
    sets: Mapping[bytes, _Values]

    @property
    def names(self) -> frozenset[bytes]:
        return frozenset((*self.removed, *self.defaults, *self.cases, *self.caps, *self.sets))

    def revise(self, name: bytes, value: bytes) -> _Values:
        """What is sent in place of a field that the client sent. Raises BadRequest."""
        if name in self.removed or name in self.sets or (not value and name in self.defaults):
            return ()
        return self.limit(name, value)

    def limit(self, name: bytes, value: bytes) -> _Values:
        """A value after ``map`` and ``cap``. Raises BadRequest."""
        text = value.decode("utf-8", "surrogateescape")
        number = _read_number(text)
        for case, result in self.cases.get(name, ()):
            if case.fits(text if number is None else number):
                return result if name not in self.caps else _flatten(self._cap(name, result))
        return _flatten(self._cap(name, (value,)))

    def _cap(self, name: bytes, values: _Values) -> Iterable[_Values]:
        most = self.caps.get(name)
        for value in values:
            if most is None:
                yield (value,)
                continue
            number = _read_number(value.decode("utf-8", "surrogateescape"))
            if number is None:
                raise BadRequest.about(name.decode(), "a number is required")
            yield (value,) if number <= most else _spell(most)


@dataclass(frozen=True, slots=True)
class FormChange:
    """``stages`` in order; none: nothing is changed."""

    stages: tuple[_Stage, ...]

    @classmethod
    def of(cls, rules: Mapping[str, Any]) -> FormChange:
        """``rules`` as `config.alias.RULES` names them."""
        given = {rule: rules.get(rule, {}) for rule in ("default", "map", "cap", "set")}
        stage = _Stage(
            frozenset(name.encode() for name in rules.get("remove", ())),
            {name.encode(): _spell(value) for name, value in given["default"].items()},
            {name.encode(): _read_cases(cases) for name, cases in given["map"].items()},
            {name.encode(): most for name, most in given["cap"].items()},
            {name.encode(): _spell(value) for name, value in given["set"].items()},
        )
        return cls((stage,) if stage.names else ())

    def then(self, other: FormChange) -> FormChange:
        return FormChange(self.stages + other.stages)


class FormEditor:
    """Changes one form, in as many pieces as it arrives. ``edit`` and ``finish`` return what is to
    be sent; both raise MalformedForm, and BadRequest for a value that cannot be judged."""

    __slots__ = ("_editors",)

    def __init__(self, boundary: bytes, change: FormChange) -> None:
        self._editors = [_StageEditor(boundary, stage) for stage in change.stages]

    def edit(self, data: bytes) -> bytes:
        for editor in self._editors:
            data = editor.edit(data)
        return data

    def finish(self) -> bytes:
        """The form, or what there is of it, has arrived."""
        data = b""
        for editor in self._editors:
            data = editor.edit(data) + editor.finish()
        return data


class _StageEditor:
    """As `FormEditor`, for one stage. A line end is assumed before the form, so that each part
    begins with its delimiter."""

    __slots__ = ("_begun", "_closed", "_delimiter", "_from", "_held", "_kept", "_reader", "_stage")

    def __init__(self, boundary: bytes, stage: _Stage) -> None:
        self._reader = FormReader(boundary, stage.names, _MAX_FIELD_BYTES)
        self._delimiter = b"\r\n--" + boundary
        self._stage = stage
        #: Bytes that were not sent yet, and their position in the form.
        self._held = b"\r\n"
        self._from = -2
        self._begun = self._closed = False
        #: Names of fields that the client set.
        self._kept: set[bytes] = set()

    def edit(self, data: bytes) -> bytes:
        reader = self._reader
        reader.read(data)
        self._held += data
        pieces = []
        for part in reader.found:
            pieces += [self._take(part.at), *self._revise(part)]
        reader.found.clear()
        if reader.ended and not self._closed:
            self._closed = True
            pieces += [self._take(reader.part_at), *self._put_defaults()]
        end = self._from + len(self._held) if self._closed else reader.settled
        pieces.append(self._take(end))
        return self._begin(b"".join(pieces))

    def finish(self) -> bytes:
        return self._begin(self._take(self._from + len(self._held)))

    def _begin(self, made: bytes) -> bytes:
        """Before the first byte, send the fields that always get a value; the assumed line end is
        removed."""
        if self._begun or not made:
            return made
        self._begun = True
        sets = self._stage.sets.items()
        return b"".join([*(self._write(*one) for one in sets), made])[2:]

    def _take(self, end: int) -> bytes:
        size = end - self._from
        taken, self._held = self._held[:size], self._held[size:]
        self._from = end
        return taken

    def _revise(self, part: FormPart) -> list[bytes]:
        """The part as it is sent, with its own headers."""
        head, value = self._take(part.field.start), self._take(part.field.end)
        values = self._stage.revise(part.name, value)
        if values:
            self._kept.add(part.name)
        return [piece for one in values for piece in (head, one)]

    def _put_defaults(self) -> list[bytes]:
        stage = self._stage
        return [
            self._write(name, _flatten(stage.limit(name, one) for one in values))
            for name, values in stage.defaults.items()
            if name not in self._kept and name not in stage.sets
        ]

    def _write(self, name: bytes, values: _Values) -> bytes:
        head = b'%b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n' % (self._delimiter, name)
        return b"".join([head + one for one in values])


def _flatten(values: Iterable[_Values]) -> _Values:
    return tuple(one for many in values for one in many)


def _read_cases(cases: Mapping[str, Any]) -> tuple[tuple[Case, _Values], ...]:
    return tuple(
        (read_case(text, ()), () if result is None else _spell(result))
        for text, result in cases.items()
    )


def _read_number(text: str) -> int | float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _spell(value: Any) -> _Values:
    """The value's form in forms."""
    if isinstance(value, list | tuple):
        return _flatten(map(_spell, value))
    return (value.encode() if isinstance(value, str) else jsonio.dumps(value),)
