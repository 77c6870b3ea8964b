"""What is remembered of admissions, and for how long."""

from __future__ import annotations

import dataclasses

import pytest

from casedesk_proxy.auth.browsers import Hosts
from casedesk_proxy.errors import ClientFault
from casedesk_proxy.fastpath.admission_cache import MAX_ADMISSIONS, AdmissionCache
from casedesk_proxy.fastpath.switches import Trick, turn_off
from casedesk_proxy.planning.admission import BaseUrl, admit
from casedesk_proxy.wire.http1 import RequestHead, parse_request_head
from tests.planning.configs import KEY, make_snapshot

SNAPSHOT = make_snapshot()
HOSTS = Hosts()


def head(key: str = KEY, target: str = "/v1/chat/completions", length: int = 2) -> RequestHead:
    return parse_request_head(
        f"POST {target} HTTP/1.1\r\nHost: localhost\r\nx-api-key: {key}\r\n"
        f"Content-Length: {length}".encode()
    )


def test_a_repeated_head_is_admitted_as_before() -> None:
    admissions, first = AdmissionCache(), head()
    assert admissions.find(first, SNAPSHOT, HOSTS) is None
    admitted = admissions.admit(first, SNAPSHOT, HOSTS)
    again = first.with_length(7)
    assert admissions.find(again, SNAPSHOT, HOSTS) is admitted
    assert admissions.find(head(), SNAPSHOT, HOSTS) is admitted, "the same words, parsed again"


def test_another_configuration_decides_anew() -> None:
    admissions, first = AdmissionCache(), head()
    for snapshot, hosts in ((make_snapshot(), HOSTS), (SNAPSHOT, Hosts())):
        admissions.admit(first, SNAPSHOT, HOSTS)
        assert admissions.find(first, snapshot, hosts) is None
        assert admissions.find(first, SNAPSHOT, HOSTS) is None, "and it was forgotten"


def test_shared_headers_alone_are_not_the_same_head() -> None:
    admissions, first = AdmissionCache(), head()
    admissions.admit(first, SNAPSHOT, HOSTS)
    for other in (
        dataclasses.replace(first, target="/v1/models"),
        dataclasses.replace(first, method="GET"),
    ):
        assert admissions.find(other, SNAPSHOT, HOSTS) is None


def test_what_is_refused_or_takes_no_key_is_not_remembered() -> None:
    admissions, wrong = AdmissionCache(), head("wrong")
    with pytest.raises(ClientFault):
        admissions.admit(wrong, SNAPSHOT, HOSTS)
    assert admissions.find(wrong, SNAPSHOT, HOSTS) is None
    base = dataclasses.replace(head(target="/v1"), method="GET")
    assert isinstance(admissions.admit(base, SNAPSHOT, HOSTS), BaseUrl)
    assert admissions.find(base, SNAPSHOT, HOSTS) is None


def test_they_are_bounded() -> None:
    admissions = AdmissionCache()
    heads = [head(target=f"/v1/chat/completions?{at}") for at in range(MAX_ADMISSIONS + 1)]
    for one in heads:
        admissions.admit(one, SNAPSHOT, HOSTS)
    assert admissions.find(heads[0], SNAPSHOT, HOSTS) is None
    assert all(admissions.find(one, SNAPSHOT, HOSTS) is not None for one in heads[1:])


def test_turned_off_it_remembers_nothing() -> None:
    before = turn_off([Trick.ADMISSION])
    admissions = AdmissionCache()
    turn_off(before)
    assert admissions.admit(head(), SNAPSHOT, HOSTS) == admit(SNAPSHOT, head(), HOSTS)
    assert admissions.find(head(), SNAPSHOT, HOSTS) is None
