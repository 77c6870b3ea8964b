from __future__ import annotations

from casedesk_proxy.config.tree import read_tree
from tests.fixtures.table import table


@table(
    ("text", "complaint"),
    [
        ("a:\n\t- b", "f:2:1: tabs are not allowed for indentation in YAML; indent with spaces"),
        (
            "a: b: c",
            "f:1:5: a colon followed by a space does not belong here; check the indentation, or"
            " put a text with ': ' in it in quotes",
        ),
        (
            "a: {*: b}",
            'f:1:6: a name that begins with * or & must be quoted; write for example "*"',
        ),
        (
            "a: @b",
            "f:1:4: a text must not begin with this character unless it is quoted;"
            " put it in quotes",
        ),
        (
            "a: *b",
            "f:1:4: *name refers to an anchor (&name) that is not in this file;"
            " put a text that begins with * in quotes",
        ),
        (
            "a: &x 1\nb: &x 2",
            "f:2:4: an anchor of this name exists already; choose another name",
        ),
        ("a: 1\n---\nb: 2", "f:2:1: a second document (---) begins here; keep one document a file"),
        ("a: [1", "f:1:6: a list that begins with [ is not closed; add a comma or ]"),
        ("a: {b: 1", "f:1:9: a mapping that begins with { is not closed; add a comma or }"),
        (
            "a: {b: 1\nc:\n",
            "f:2:2: a mapping that begins with { is not closed; it begins in line 1;"
            " add a comma or }",
        ),
        (
            "a: 'b\nc: d\n",
            "f:1:4: a quoted text is not closed; add the closing quote",
        ),
        ("a: 'b", "f:1:4: a quoted text is not closed; add the closing quote"),
        ("- a\nb: c", "f:2:1: the indentation matches no line above; align it with its siblings"),
        ("a: 1\nb\nc: 2", "f:3:1: a key has no colon; write key: value"),
        ("a: 1\nb: \x07", "f:2:4: the character U+0007 is not allowed in YAML; remove it"),
        ('a: "\\UFFFFFFFF"', "f: is not YAML: bad escape in a text"),
        ('a: "\\U00110000"', "f: is not YAML: bad escape in a text"),
        (
            'a: "\\q"',
            "f:1:6: is not YAML: while scanning a double-quoted scalar found unknown escape"
            " character 'q'",
        ),
    ],
)
def test_one_complaint_in_words(text: str, complaint: str) -> None:
    assert [str(one) for one in read_tree(text, "f").complaints] == [complaint]


GLUED = (
    "no space follows the colon, so YAML reads this line as one text;"
    " put a space after the colon between name and value"
)


@table(
    ("text", "place"),
    [
        ("a:\n  x-1:b:c\n  y: b\n", "f:2:3"),
        ("a:\n  y: b\n  x-1:b:c\n", "f:3:3"),
        ("a:\n  y: b\n  x-1:b:c\n  z: b\n", "f:3:3"),
        ("a:\n  x-1:b:c  # mine\n\n  # more\n  y: b\n", "f:2:3"),
        ("n:\n  url:http://h:1\n  engine: e\n", "f:2:3"),
        ('n:\n  url:"http://h:1"\n  engine: e\n', "f:2:3"),
        ("t:\n  - name:a b\n    sha: c\n", "f:2:5"),
    ],
)
def test_a_name_glued_to_its_value_is_blamed_and_not_the_next_line(text: str, place: str) -> None:
    assert [str(one) for one in read_tree(text, "f").complaints] == [f"{place}: {GLUED}"]


@table("quoted", ['"gemini-*":gemma2:9b', "'a b':c", '- "a":b'])
def test_a_name_in_quotes_glued_to_its_value(quoted: str) -> None:
    (told,) = (str(one) for one in read_tree(f"a:\n  {quoted}\n  b: c\n", "f").complaints)
    assert told.startswith("f:2:")
    assert told.endswith("no space follows the colon;" + GLUED.partition(";")[2])


@table(
    ("text", "complaint"),
    [
        ("n:\n  url: 'http://h\n  e: o\n", "f:2:8: a quoted text is not closed"),
        (
            'n:\n  url: "http://h\n  e: o\nd: {m: ["a"]}\n',
            "f:2:8: the quoted text that begins here ends in line 4",
        ),
        (
            'n:\n  url: "http://h\n  e: "o"\n',
            "f:2:8: the quoted text that begins here ends in line 3",
        ),
    ],
)
def test_an_open_quote_is_blamed_and_not_where_it_is_noticed(text: str, complaint: str) -> None:
    told = [str(one) for one in read_tree(text, "f").complaints]
    assert told == [f"{complaint}; add the closing quote"]
