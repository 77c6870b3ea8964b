"""Changes in the bytes only; for both forms see `test_body_changes`."""

from __future__ import annotations

from casedesk_proxy.surfaces.body_edits import REMOVED, Changes, has_once, is_same, write_changes
from tests.fixtures.table import table


@table(
    ("raw", "changes", "wanted"),
    [
        (b'{"t": 1 , "a":2}', {("t",): (REMOVED, True)}, b'{"a":2}'),
        (b'{"a":2, "t": 1}', {("t",): (REMOVED, True)}, b'{"a":2}'),
        (b'{"t":1,"u":2,"a":3}', {("t",): (REMOVED, True), ("u",): (REMOVED, True)}, b'{"a":3}'),
        (b'{"t":1,"a":3}', {("t",): (REMOVED, True), ("u",): (0, False)}, b'{"u":0,"a":3}'),
        (b'{"c":{"t":1,"a":3}}', {("c", "t"): (REMOVED, True)}, b'{"c":{"a":3}}'),
        (b'{"t":1,"a":"t"}', {("t",): (2, True)}, b'{"t":2,"a":"t"}'),
        (b'{"t" :\n"a, \\"b" ,"a":1}', {("t",): ("c", True)}, b'{"t" :\n"c" ,"a":1}'),
        (b'{"t":[1, {"u":"]"}],"a":1}', {("t",): (2, True)}, b'{"t":2,"a":1}'),
        (b'{"t":-1.5e3}', {("t",): (None, True)}, b'{"t":null}'),
        (b'{"t":1,"u":{}}', {("t",): (2, True), ("u",): (3, True)}, b'{"t":2,"u":3}'),
        (b'{"t":1,"a":{"t":1}}', {("t",): (2, True)}, b'{"t":2,"a":{"t":1}}'),
        (b'{"c":{},"a":1}', {("c", "t"): (2, False)}, b'{"c":{"t":2},"a":1}'),
        (b'{"t":1,"\\u0074":3}', {("t",): (2, True)}, b'{"t":2,"\\u0074":2}'),
        (b'{"x":"c","\\u0063":{}}', {("c", "t"): (2, False)}, b'{"x":"c","\\u0063":{"t":2}}'),
        ('{"名":1,"\\u540d":3}'.encode(), {("名",): (2, True)}, '{"名":2,"\\u540d":2}'.encode()),
        (b'{"a/b":1,"a\\/b":3}', {("a/b",): (2, True)}, b'{"a/b":2,"a\\/b":2}'),
    ],
)
def test_written(raw: bytes, changes: Changes, wanted: bytes) -> None:
    assert write_changes(raw, changes) == wanted


@table(
    ("raw", "once"),
    [
        (b'{"t":1}', True),
        (b'{"a":1}', False),
        (b'{"t":1,"t":2}', False),
        (b'{"t":"\\u0041"}', True),
        (b'{"t":"\\u0074"}', False),
        (b'{"t":"\\n"}', True),
    ],
)
def test_a_name_that_stands_once(raw: bytes, once: bool) -> None:
    assert has_once(raw, "t") is once


def test_a_slash_may_be_escaped_too() -> None:
    assert has_once(b'{"a/b":1,"x":"\\n"}', "a/b")
    assert not has_once(b'{"a/b":1,"a\\/b":2}', "a/b")


def test_a_name_with_other_letters_may_be_written_as_any_escape() -> None:
    assert has_once('{"modèle":1}'.encode(), "modèle")
    assert not has_once('{"modèle":1,"x":"\\u00E8"}'.encode(), "modèle")


def test_same() -> None:
    assert is_same(1, 1)
    assert not is_same(1, 1.0)
    assert not is_same(1, True)
