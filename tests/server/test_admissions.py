"""What is remembered of admissions, and for how long."""

from __future__ import annotations

import dataclasses

import pytest

from casedesk_proxy.auth.browsers import Hosts
from casedesk_proxy.errors import ClientFault
from casedesk_proxy.fastpath.head_cache import MAX_HEADS
from casedesk_proxy.planning.admission import BaseUrl
from casedesk_proxy.server.admissions import Admissions
from casedesk_proxy.wire.http1 import RequestHead, parse_request_head
from tests.planning.configs import TOKEN, make_snapshot

SNAPSHOT = make_snapshot()
HOSTS = Hosts()


def head(token: str = TOKEN, target: str = "/v1/chat/completions", length: int = 2) -> RequestHead:
    return parse_request_head(
        f"POST {target} HTTP/1.1\r\nHost: localhost\r\nx-api-key: {token}\r\n"
        f"Content-Length: {length}".encode()
    )


def test_a_repeated_head_is_admitted_as_before() -> None:
    admissions, first = Admissions(), head()
    assert admissions.find(first, SNAPSHOT) is None
    admitted = admissions.admit(first, SNAPSHOT, HOSTS)
    again = first.with_length(7)
    assert admissions.find(again, SNAPSHOT) is admitted
    assert admissions.find(head(), SNAPSHOT) is None, "the same words, said by another parser"


def test_another_configuration_decides_anew() -> None:
    admissions, first = Admissions(), head()
    admissions.admit(first, SNAPSHOT, HOSTS)
    assert admissions.find(first, make_snapshot()) is None
    admissions.forget()
    assert admissions.find(first, SNAPSHOT) is None


def test_shared_headers_alone_are_not_the_same_head() -> None:
    admissions, first = Admissions(), head()
    admissions.admit(first, SNAPSHOT, HOSTS)
    for other in (
        dataclasses.replace(first, target="/v1/models"),
        dataclasses.replace(first, method="GET"),
    ):
        assert admissions.find(other, SNAPSHOT) is None


def test_what_is_refused_or_takes_no_token_is_not_remembered() -> None:
    admissions, wrong = Admissions(), head("wrong")
    with pytest.raises(ClientFault):
        admissions.admit(wrong, SNAPSHOT, HOSTS)
    assert admissions.find(wrong, SNAPSHOT) is None
    base = dataclasses.replace(head(target="/v1"), method="GET")
    assert isinstance(admissions.admit(base, SNAPSHOT, HOSTS), BaseUrl)
    assert admissions.find(base, SNAPSHOT) is None


def test_they_are_bounded() -> None:
    admissions = Admissions()
    heads = [head() for _ in range(MAX_HEADS + 1)]
    for one in heads:
        admissions.admit(one, SNAPSHOT, HOSTS)
    assert admissions.find(heads[0], SNAPSHOT) is None
    assert admissions.find(heads[-1], SNAPSHOT) is not None
