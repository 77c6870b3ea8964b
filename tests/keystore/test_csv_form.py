from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.keystore.csv_form import read_csv, write_csv
from tests.fixtures.table import table
from tests.keystore.keys import NOON, digest, made

LIMITS = (
    '{"requests_per_minute":{"hard":60,"soft":null},"tokens_per_day":{"hard":1000,"soft":800},'
    '"tokens_per_month":null,"parallel":2,"over_parallel":"refuse","models":["m","n-*"]}'
)
KEYS = [
    made("alice", deployments=("d", "e"), note='a "note", with\nlines', created=NOON),
    made("bob", deployments=(), admin=True, expires=NOON + 1.5, created=NOON),
    made("carol", deployments=("d",), limits=LIMITS, created=NOON),
]


def test_what_was_written_is_read() -> None:
    text = write_csv([*KEYS, made("c", ended=1.0), made("d", replaced=True)])
    assert read_csv(text, NOON) == (KEYS, [])


def test_only_names_and_hashes() -> None:
    text = f"Name, SHA256\nalice,{digest('alice')}\n\n"
    assert read_csv(text, NOON) == ([made("alice", deployments=(), created=NOON)], [])


@table(
    ("lines", "fault"),
    [
        ("", "line 1: must name the columns; missing: name, sha256"),
        ("name\n", "line 1: must name the columns; missing: sha256"),
        ("name,sha256,cdp-hush\n", "line 1: column 3 is unknown"),
        ("name,sha256\na\n", "line 2: has 1 cells, not 2"),
        (f"name,sha256\n\na b,{digest('a')}\n", "line 3: name: is not a name"),
        ("name,sha256\na,cdp-hush\n", "line 2: sha256: is the key itself"),
        (f"name,sha256,admin\na,{digest('a')},1\n", "line 2: admin: is neither true nor false"),
        (f"name,sha256,expires\na,{digest('a')},x\n", "line 2: expires: is not a time"),
        (f"name,sha256,limits\na,{digest('a')},5\n", "line 2: limits: is not a JSON object"),
        (f"name,sha256,limits\na,{digest('a')},[[\n", "line 2: limits: is not a JSON object"),
        (f'name,sha256,limits\na,{digest("a")},"{{""tokens"":1}}"\n', "line 2: limits.tokens: "),
        ('name,sha256\n"a\n', "line 2: "),
    ],
)
def test_slips(lines: str, fault: str) -> None:
    keys, faults = read_csv(lines, NOON)
    assert keys == []
    assert faults[0].startswith(fault)
    assert "hush" not in faults[0]


def test_faults_are_bounded() -> None:
    _, faults = read_csv("name,sha256\n" + "a,b\n" * 1000, NOON, most_faults=3)
    assert [one[:8] for one in faults] == ["line 2: ", "line 3: ", "line 4: ", "and poss"]


@given(st.text())
def test_whatever_comes_is_read_or_refused(text: str) -> None:
    keys, faults = read_csv("name,sha256\n" + text, NOON)
    assert not (keys and faults)
