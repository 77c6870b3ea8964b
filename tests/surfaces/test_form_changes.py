"""Fields of a form under an alias's rules: only their parts change, in whatever pieces the form
arrives."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.errors import BadRequest
from casedesk_proxy.surfaces.form_changes import FormChange, FormEditor
from casedesk_proxy.wire.multipart import MalformedForm
from tests.fixtures.table import table

Fields = list[tuple[str, bytes]]
FILE = b'--XX\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n\r\n--X\0\r\n'


def part(name: str, value: bytes, more: bytes = b"") -> bytes:
    head = f'--XX\r\nContent-Disposition: form-data; name="{name}"\r\n'.encode() + more
    return head + b"\r\n" + value + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join([*parts, b"--XX--\r\n"])


def edit(rules: dict[str, Any], raw: bytes, *, step: int = 10**6) -> bytes:
    editor = FormEditor(b"XX", FormChange.of(rules))
    pieces = [editor.edit(raw[at : at + step]) for at in range(0, len(raw), step)]
    return b"".join([*pieces, editor.finish()])


SENT = (part("model", b"w"), FILE, part("language", b"de", b"X-A:  b\r\n"), part("n", b"7"))


@table(
    ("rules", "parts"),
    [
        ({"remove": ["language"]}, (*SENT[:2], SENT[3])),
        ({"remove": ["model", "absent"]}, SENT[1:]),
        ({"default": {"language": "en", "prompt": "Names"}}, (*SENT, part("prompt", b"Names"))),
        ({"set": {"language": "en"}}, (part("language", b"en"), *SENT[:2], SENT[3])),
        ({"set": {"t": 0.5, "b": True}}, (part("t", b"0.5"), part("b", b"true"), *SENT)),
        ({"set": {"a[]": ["x", "y"]}}, (part("a[]", b"x"), part("a[]", b"y"), *SENT)),
        ({"cap": {"n": 8}}, SENT),
        ({"cap": {"n": 4, "absent": 1}}, (*SENT[:3], part("n", b"4"))),
        ({"map": {"n": {"5..": 4}}, "cap": {"n": 3}}, (*SENT[:3], part("n", b"3"))),
        (
            {"map": {"language": {"DE": "nl", "*": "xx"}}},
            (*SENT[:2], part("language", b"nl", b"X-A:  b\r\n"), SENT[3]),
        ),
        ({"map": {"language": {"*": None}, "n": {"x": "y"}}}, (*SENT[:2], SENT[3])),
        ({"remove": ["n"], "default": {"n": 9}, "cap": {"n": 8}}, (*SENT[:3], part("n", b"8"))),
        ({"default": {"n": 9}, "set": {"n": 1}}, (part("n", b"1"), *SENT[:3])),
    ],
)
def test_only_the_named_parts_change(rules: dict[str, Any], parts: tuple[bytes, ...]) -> None:
    for step in (1, 7, 10**6):
        assert edit(rules, form(*SENT), step=step) == form(*parts)


def test_an_empty_field_is_as_good_as_none() -> None:
    raw = form(part("a", b""), part("b", b"1"))
    assert edit({"default": {"a": "x"}}, raw) == form(part("b", b"1"), part("a", b"x"))


def test_of_several_values_each_is_judged() -> None:
    raw = form(part("a[]", b"1"), part("a[]", b"9"))
    assert edit({"cap": {"a[]": 5}}, raw) == form(part("a[]", b"1"), part("a[]", b"5"))


def test_of_a_key_s_rules_the_alias_s_come_first() -> None:
    change = FormChange.of({"set": {"n": 9}}).then(FormChange.of({"cap": {"n": 4}}))
    editor = FormEditor(b"XX", change)
    made = editor.edit(form(part("m", b"w"))) + editor.finish()
    assert made == form(part("n", b"4"), part("m", b"w"))
    assert FormChange.of({}).stages == ()


def test_a_bound_holds_or_the_form_is_refused() -> None:
    with pytest.raises(BadRequest, match="n: a number is required") as caught:
        edit({"cap": {"n": 4}}, form(part("n", b"many\xff")))
    assert caught.value.violations[0].path == "n"


@table(
    ("parts", "why"),
    [
        ((part("n", b"1"), part("n", b"2")), "it has the field n twice"),
        ((part("n", b"x" * 40_000),), "its field n is too long"),
        ((FILE.replace(b"file", b"n", 1),), "its field n is a file"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(parts: tuple[bytes, ...], why: str) -> None:
    with pytest.raises(MalformedForm, match=why):
        edit({"remove": ["n"]}, form(*parts))


def test_of_a_file_nothing_is_held() -> None:
    editor = FormEditor(b"XX", FormChange.of({"remove": ["n"]}))
    gone = len(editor.edit(FILE[:-2]))
    for _ in range(100):
        gone += len(editor.edit(b"\r" * 10_000))
    assert len(FILE) - 2 + 1_000_000 - gone < 10


def test_what_never_ends_goes_on_as_it_is() -> None:
    assert edit({"set": {"a": 1}, "remove": ["n"]}, FILE) == part("a", b"1") + FILE
    assert edit({"remove": ["n"]}, part("n", b"7")[:-1]) == part("n", b"7")[:-1]


def fields(raw: bytes) -> Fields:
    """The parts of a form, by a second reader."""
    found = []
    for one in (b"\r\n" + raw).split(b"\r\n--XX")[1:-1]:
        head, _, value = one.partition(b"\r\n\r\n")
        found.append((head.split(b'name="')[1].split(b'"')[0].decode(), value))
    return found


NAMES = st.sampled_from(["a", "b", "c", "d"])


@given(
    sent=st.lists(st.tuples(NAMES, st.binary(max_size=9)), unique_by=lambda one: one[0]),
    removed=st.sets(NAMES),
    sets=st.dictionaries(NAMES, st.text("xyz", max_size=3)),
    defaults=st.dictionaries(NAMES, st.text("xyz", max_size=3)),
    step=st.integers(1, 40),
)
def test_as_a_dictionary_would_be_changed(
    sent: Fields, removed: set[str], sets: dict[str, str], defaults: dict[str, str], step: int
) -> None:
    rules = {"remove": sorted(removed), "set": sets, "default": defaults}
    wanted = {name: value for name, value in sent if name not in removed}
    for name, value in defaults.items():
        wanted[name] = wanted.get(name) or value.encode()
    wanted |= {name: value.encode() for name, value in sets.items()}
    raw = form(*(part(*one) for one in sent))
    if not sent:
        raw = form(part("z", b"1"))
        wanted["z"] = b"1"
    made = fields(edit(rules, raw, step=step))
    assert dict(made) == wanted
    assert len(made) == len(wanted)
