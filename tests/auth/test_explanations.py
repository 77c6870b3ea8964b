"""What the error says to a client that may not use its deployment."""

from __future__ import annotations

from typing import Any

import pytest

from casedesk_proxy.auth.explanations import Presented, explain_refusal
from casedesk_proxy.auth.keys import Access, find_access
from casedesk_proxy.errors import ClientFault, Forbidden, NotFound, Unauthenticated
from casedesk_proxy.terms import Principal
from tests.fixtures.table import table

ALICE = Principal("alice", frozenset({"desk"}))
BOB = Principal("bob", frozenset({"desk", "lab"}))
_KEYS = {"cdp-alice": ALICE, "cdp-bob": BOB}


def refused(
    credential: str | None, deployment: str, access: Access = Access.KEY, **more: Any
) -> ClientFault:
    presented = Presented(credential, _KEYS.get(credential or ""), **more)
    return explain_refusal(presented, deployment, access, ("demo",))


@table(
    ("credential", "deployment", "error"),
    [
        (None, "desk", Unauthenticated),
        ("", "desk", Unauthenticated),
        ("not-needed", "desk", Unauthenticated),
        ("cdp-alice", "lab", Forbidden),
        ("cdp-alice", "nowhere", Forbidden),
        (None, "nowhere", Unauthenticated),
        ("wrong", "nowhere", Unauthenticated),
        (None, "", Unauthenticated),
        ("cdp-bob", "", NotFound),
    ],
)
def test_an_error_never_repeats_the_key(
    credential: str | None, deployment: str, error: type[ClientFault]
) -> None:
    fault = refused(credential, deployment)
    assert type(fault) is error
    assert not credential or credential not in fault.message


def test_without_keys_a_missing_deployment_is_no_secret() -> None:
    fault = refused(None, "nowhere", find_access(None, any_keys=False))
    assert fault.code == "deployment_not_found"
    assert fault.message == "unknown deployment 'nowhere'; deployments that need no key: demo"


def test_a_deployment_of_others_and_a_missing_one_look_the_same() -> None:
    others, missing = refused("cdp-alice", "lab"), refused("cdp-alice", "nil")
    assert others.message.replace("lab", "?") == missing.message.replace("nil", "?")


def test_the_holder_of_a_key_learns_what_it_opens() -> None:
    opened = "; this key may use desk, lab; deployments that need no key: demo"
    assert refused("cdp-bob", "other").message.endswith(opened)
    assert refused("cdp-bob", "").message.endswith(opened)
    many = Principal("many", frozenset(f"d{number:02}" for number in range(20)))
    fault = explain_refusal(Presented("cdp-many", many), "other", Access.KEY, ())
    assert fault.message.endswith("d07 and 12 more")


def test_who_has_no_key_learns_nothing_about_names() -> None:
    assert "demo" not in refused(None, "other").message


def test_it_is_said_what_was_sent_instead() -> None:
    fault = refused(None, "desk", instead="the header api-key was sent")
    assert fault.message.startswith("the header api-key was sent; a key is required; ")


def test_the_holder_of_a_former_key_learns_of_its_end() -> None:
    fault = refused("cdp-carol", "desk", ended="the key was revoked on a Sunday")
    assert fault.message.startswith("the key was revoked on a Sunday; ")


@pytest.mark.parametrize("form", ["Authorization: Bearer", "x-goog-api-key", "x-api-key", "?key="])
def test_the_accepted_forms_are_named(form: str) -> None:
    assert form in refused(None, "desk").message
    assert form in refused("wrong", "desk", sent_several=True).message
    assert form in refused("cdp-carol", "desk", ended="it ended", sent_several=True).message


@pytest.mark.parametrize("ended", ["", "the key was revoked on a Sunday"])
def test_whoever_sent_one_key_reads_nothing_of_several(ended: str) -> None:
    assert refused("wrong", "desk", ended=ended).message.endswith("ask for a new one")


def test_a_long_name_is_cut() -> None:
    assert len(refused("cdp-alice", "x" * 5000).message) < 250


def test_a_key_is_not_called_unknown_before_all_were_read() -> None:
    fault = refused("cdp-carol", "desk", may_be_valid=True)
    assert (fault.status, fault.code, fault.retry_after) == (503, "no_state", 1.0)
    assert type(refused(None, "desk", may_be_valid=True)) is Unauthenticated
