from __future__ import annotations

from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.config.tree import (
    MAX_TEXT_CHARS,
    Mark,
    _compose,
    _compose_by,
    _Loader,
    read_tree,
)
from tests.fixtures.effort import examples
from tests.fixtures.table import table


def told(text: str) -> list[str]:
    return [str(one) for one in read_tree(text, "f").complaints]


def test_values_and_their_places() -> None:
    tree = read_tree("a:\n  b: [x, {c: y}]\n", "f")
    assert tree.value == {"a": {"b": ["x", {"c": "y"}]}}
    assert tree.keys == {
        ("a",): Mark(1, 1),
        ("a", "b"): Mark(2, 3),
        ("a", "b", 1, "c"): Mark(2, 11),
    }
    assert tree.values[("a", "b")] == Mark(2, 6)
    assert tree.values[("a", "b", 0)] == Mark(2, 7)
    assert tree.values[("a", "b", 1, "c")] == Mark(2, 14)


@table(
    ("scalar", "value"),
    [
        ("yes", True),
        ("No", False),
        ("on", True),
        ("OFF", False),
        ("true", True),
        ("~", None),
        ("null", None),
        ("", None),
        ("12", 12),
        ("-1", -1),
        ("1_000", 1000),
        ("0x1f", 31),
        ("1.5", 1.5),
        ("1.10e2", 110.0),
        ("1:30", "1:30"),
        ("010", "010"),
        ("2024-01-01", "2024-01-01"),
        ("1e3", "1e3"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("1" * 64, "1" * 64),
        ("gemma2:9b", "gemma2:9b"),
        ("'yes'", "yes"),
        ('"12"', "12"),
        ("!!str 12", "12"),
        ("!!int '12'", 12),
    ],
)
def test_scalars_hold_no_surprise(scalar: str, value: object) -> None:
    assert read_tree(f"a: {scalar}", "f").value == {"a": value}
    assert told(f"a: {scalar}") == []


def test_model_names_in_flow_collections() -> None:
    tree = read_tree('a: {gemini-2.5-flash: gemma2:9b, "gemini-*": qwen:0.5b}\nb: [gemma2:9b]', "f")
    assert tree.value == {
        "a": {"gemini-2.5-flash": "gemma2:9b", "gemini-*": "qwen:0.5b"},
        "b": ["gemma2:9b"],
    }


def test_merged_mappings_give_what_is_not_there() -> None:
    text = "a: &a {x: 1, y: {z: 2}}\nb: {<<: *a, x: 3}\nc: {<<: [{x: 4}, *a]}\n"
    tree = read_tree(text, "f")
    assert tree.complaints == []
    assert tree.value["b"] == {"x": 3, "y": {"z": 2}}
    assert tree.value["c"] == {"x": 4, "y": {"z": 2}}
    assert tree.values[("b", "y", "z")] == Mark(1, 21)
    assert tree.values[("b", "x")] == Mark(2, 16)
    assert tree.keys[("c", "x")] == Mark(3, 11)


@table(
    ("text", "complaint"),
    [
        (
            "a: 1\nb: 2\na: 3",
            "f:3:1: a: appears a second time; the first is in line 1; keep one of them",
        ),
        (
            "a: {b: 1, 'b': 2}",
            "f:1:11: a.b: appears a second time; the first is in line 1; keep one of them",
        ),
        (
            "1: x",
            "f:1:1: 1: YAML reads this key as a number, but a key must be text;"
            ' put it in quotes: "1"',
        ),
        (
            "nodes: {no: x}",
            "f:1:9: nodes.no: YAML reads this key as true or false, but a key must be text;"
            ' put it in quotes: "no"',
        ),
        (
            "~: x",
            "f:1:1: '~': YAML reads this key as nothing, but a key must be text;"
            ' put it in quotes: "~"',
        ),
        ("? [a]\n: x", "f:1:3: a list or mapping is used as a key"),
        (
            "a: !env X",
            "f:1:4: a: has a YAML tag (!…), which is not supported; remove the tag",
        ),
        (
            "a: !x {b: 1}",
            "f:1:4: a: has a YAML tag (!…), which is not supported; remove the tag",
        ),
        (
            "a: !!int x",
            "f:1:4: a: has a YAML tag (!…), which is not supported; remove the tag",
        ),
        (
            "a: !!bool x",
            "f:1:4: a: has a YAML tag (!…), which is not supported; remove the tag",
        ),
        ("a: {<<: 5}", "f:1:9: a: <<: must be a mapping, or a list of mappings"),
        (
            'a: "\\ud800"',
            "f:1:4: contains half of a surrogate pair, which is not valid text",
        ),
        (
            "a: &x [*x]",
            "f:1:4: a[0]: expands too much through its YAML aliases; write the values out",
        ),
    ],
)
def test_what_is_refused(text: str, complaint: str) -> None:
    assert told(text) == [complaint]


def test_what_is_right_is_kept_beside_what_is_wrong() -> None:
    tree = read_tree("1: x\na: 1\na: 2\nb: !t x\nc: 3", "f")
    assert len(tree.complaints) == 3
    assert tree.value == {"a": 1, "b": None, "c": 3}


def test_an_alias_bomb_is_cheap() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 20)]
    tree = read_tree("\n".join(lines), "f")
    assert tree.value is None
    assert "expands too much" in str(tree.complaints[-1])


def test_a_merge_bomb_is_cheap() -> None:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 20)]
    tree = read_tree("\n".join(lines), "f")
    assert tree.value is None
    assert "expands too much" in str(tree.complaints[-1])


@table("text", ["[" * 100_000, "{a: " * 5000, "- " * 5000, "? " * 5000])
def test_deep_nesting_is_refused(text: str) -> None:
    (complaint,) = told(text)
    assert "nested too deeply" in complaint


def test_a_huge_text_is_not_even_read() -> None:
    assert told("#" * (MAX_TEXT_CHARS + 1)) == [
        "f: is larger than 4 MiB, the limit for a configuration"
    ]


ALPHABET = "ab01 \n\t:-[]{},&*!|>'\"%@`#?~<.\\xuU\u2028\x00é😀"


@examples(300)
@given(st.text(max_size=60) | st.text(ALPHABET, max_size=60))
def test_any_text_gives_a_tree_or_a_complaint(text: str) -> None:
    tree = read_tree(text, "f")
    for complaint in tree.complaints:
        assert complaint.message
        assert "\n" not in str(complaint)
        assert complaint.line <= text.count("\n") + text.count("\r") + text.count("\u2028") + 2
    assert set(tree.keys) <= set(tree.values)


def test_ten_thousand_keys_are_a_configuration() -> None:
    rows = "\n".join(f"- {{name: k{number}, sha256: {'0' * 64}}}" for number in range(10_000))
    tree = read_tree(f"keys:\n{rows}\n", "f")
    assert tree.complaints == []
    assert len(tree.value["keys"]) == 10_000


def test_both_parsers_read_the_same() -> None:
    text = "# c\na: {b: [1, 0x1f, 1.5, yes, ~, 1:30, 007], \"c d\": 'e'}\n"
    text += "f: &x\n  g: |\n    h\nh: *x\n"
    slow, fast = _compose_by(_Loader, text), _compose(text)
    assert yaml.serialize(slow) == yaml.serialize(fast)
    assert _marks(slow) == _marks(fast)


def _marks(node: Any) -> list[tuple[int, int]]:
    inner = [] if isinstance(node.value, str) else node.value
    flat = [one for pair in inner for one in (pair if isinstance(pair, tuple) else (pair,))]
    here = (node.start_mark.line, node.start_mark.column)
    return [here, *(mark for one in flat for mark in _marks(one))]
