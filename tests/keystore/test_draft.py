"""Descriptions of keys by users, and the messages for mistakes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.config.alias import Alias
from casedesk_proxy.keystore.changes import KeyFault
from casedesk_proxy.keystore.draft import draft_key, draft_new_key, parse_when, redraft_key
from casedesk_proxy.keystore.table import make_table
from casedesk_proxy.surfaces.parameters import compile_parameters
from tests.fixtures.table import table
from tests.keystore.keys import NOON, digest, made

GOOD: dict[str, Any] = {"name": "alice", "sha256": digest("alice"), "deployments": ["d"]}


def test_a_whole_key() -> None:
    fields = {**GOOD, "note": "n", "admin": True, "expires": "1d", "deployments": ["d", "e", "d"]}
    wanted = made("alice", deployments=("d", "e"), note="n", admin=True, expires=NOON + 86400)
    assert draft_key(fields, NOON) == wanted


@table("expires", [NOON, NOON - 1, "2020-01-01", "now"])
def test_a_new_key_has_not_expired(expires: object) -> None:
    assert draft_new_key({**GOOD, "expires": NOON + 1}, NOON).expires == NOON + 1
    assert draft_new_key(GOOD, NOON).expires is None
    with pytest.raises(KeyFault, match="expires: is in the past; write a later time, or 30d"):
        draft_new_key({**GOOD, "expires": expires}, NOON)


def test_limits_come_to_the_table_as_they_are_said() -> None:
    limits = {
        "tokens_per_day": {"soft": 5, "hard": 9}, "parallel": 2, "models": ["m*"],
        "parameters": {"cap": {"max_tokens": 7}},
    }  # fmt: skip
    key = draft_key({**GOOD, "limits": limits}, NOON)
    principal = make_table([key], NOON).match("alice")
    assert principal is not None
    assert principal.limits is not None
    assert (principal.limits.parallel, principal.models) == (2, ("m*",))
    assert principal.parameters == compile_parameters(Alias(model="m", cap={"max_tokens": 7}))
    assert [(str(one), hard, soft) for one, hard, soft in principal.limits.bounds] == [
        ("tokens_per_day", 9, 5)
    ]


@table(
    ("change", "told"),
    [
        ({"name": "a b"}, "name: is not a name: "),
        ({"name": None}, "name: is empty, but must be text; "),
        ({"name": "x" * 200}, "name: "),
        ({"sha256": "cdp-hush"}, "sha256: is the key itself"),
        ({"deployments": "d"}, "deployments: is text, but must be a list; write [d]"),
        ({"deployments": ["d", 3]}, "deployments[1]: is a number, but must be text; "),
        ({"admin": "yes"}, "admin: is neither true nor false"),
        ({"note": "x" * 201}, "note: "),
        ({"nam": "x"}, "nam: unknown setting; did you mean name?"),
        ({"limits": {"tokens_per_day": 0}}, "limits.tokens_per_day: is out of range"),
        ({"limits": {"tokens_per_dya": 1}}, "limits.tokens_per_dya: unknown setting; did you"),
        ({"limits": {"parameters": {"cap": {"seed": "x"}}}}, "limits.parameters.cap.seed: must be"),
        (
            {"limits": {"parameters": {"set": {"topp": 1}}}},
            "limits.parameters.set.topp: is not one",
        ),
        ({"expires": True}, "expires: is not a time; write 30d, "),
        ({"expires": [1]}, "expires: is not a time; "),
    ],
)
def test_slips(change: dict[str, Any], told: str) -> None:
    with pytest.raises(KeyFault) as caught:
        draft_key({**GOOD, **change}, NOON)
    assert str(caught.value).startswith(told)
    assert "hush" not in str(caught.value)


OLD = made(
    "alice", note="n", expires=NOON + 5, created=NOON - 9, used=NOON - 1,
    limits='{"tokens_per_day":{"hard":9,"soft":null},"parallel":2,"models":["m"]}',
)  # fmt: skip


@table(
    ("change", "fields"),
    [
        ({}, {}),
        ({"note": "x"}, {"note": "x"}),
        ({"expires": "never"}, {"expires": None}),
        ({"deployments": ["e"], "admin": True}, {"deployments": ("e",), "admin": True}),
        (
            {"limits": {"parallel": None, "tokens_per_month": 7}},
            {
                "limits": '{"tokens_per_day":{"hard":9,"soft":null},'
                '"tokens_per_month":{"hard":7,"soft":null},"parallel":null,"models":["m"]}'
            },
        ),
        (
            {"limits": {"tokens_per_day": "default", "parallel": "default", "models": "default"}},
            {"limits": "{}"},
        ),
    ],
)
def test_only_what_is_named_is_changed(change: dict[str, Any], fields: dict[str, Any]) -> None:
    assert redraft_key(OLD, change, NOON) == replace(OLD, **fields)


@table(
    ("change", "told"),
    [
        ({"name": "bob"}, "name: cannot be changed; deployments, note, admin, limits, expires can"),
        ({"limits": 5}, "limits: is not an object; write "),
        ({"limits": {"parallel": "many"}}, "limits.parallel: is text, but must be a whole number"),
        ({"limits": {"paralel": 1}}, "limits.paralel: unknown setting; did you mean parallel?"),
        ({"deployments": None}, "deployments: is empty"),
    ],
)
def test_slips_of_changes(change: dict[str, Any], told: str) -> None:
    with pytest.raises(KeyFault) as caught:
        redraft_key(OLD, change, NOON)
    assert str(caught.value).startswith(told)


@table(
    ("value", "when"),
    [
        (None, None), ("never", None), ("now", NOON), ("30s", NOON + 30), (NOON + 1, NOON + 1),
        ("2026-11-29", NOON - 43200), ("2026-11-29T12:00:10", NOON + 10),
        ("2026-11-29T13:00+01:00", NOON),
    ],
)  # fmt: skip
def test_times(value: object, when: float | None) -> None:
    assert parse_when(value, NOON) == when


@table("value", ["", "soon", "9999-99-99", float("nan"), float("inf"), -1, 0])
def test_what_is_no_time(value: object) -> None:
    with pytest.raises(KeyFault):
        parse_when(value, NOON)


@given(
    st.dictionaries(
        st.sampled_from(["name", "sha256", "deployments", "note", "admin", "expires", "x"]),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=5,
        ),
    )
)
def test_whatever_is_sent_is_a_key_or_a_fault(fields: dict[str, Any]) -> None:
    faults = []
    try:
        assert draft_key(fields, NOON).name == fields["name"]
    except KeyFault as fault:
        faults.append(fault)
    assert all(one.field and len(one.message) < 500 for one in faults)
