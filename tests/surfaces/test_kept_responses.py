"""Paths and messages of responses that a node keeps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.errors import BadRequest, ClientFault, NotFound
from casedesk_proxy.surfaces.kept_responses import (
    METHODS,
    asks_for_stream,
    find_id,
    no_earlier,
    no_kept,
    path_of,
    read_kept,
)
from casedesk_proxy.terms import Action
from tests.fixtures.table import table

PATHS = [
    ("GET", "responses/resp_1", Action.GET_RESPONSE),
    ("DELETE", "responses/resp_1", Action.DELETE_RESPONSE),
    ("POST", "responses/resp_1/cancel", Action.CANCEL_RESPONSE),
    ("GET", "responses/resp_1/input_items", Action.LIST_INPUT),
]


@table(("method", "rest", "action"), PATHS)
def test_what_is_asked_of_a_response(method: str, rest: str, action: Action) -> None:
    assert read_kept(method, rest) == (action, "resp_1")
    assert path_of(action, "resp_1") == f"/v1/{rest}"
    assert METHODS[action] == method


@table("rest", ["responses", "models", "responsesx/1"])
def test_what_names_no_response(rest: str) -> None:
    assert read_kept("GET", rest) is None


@table(
    ("method", "rest", "allowed"),
    [
        ("POST", "responses/resp_1", "GET, DELETE"),
        ("GET", "responses/resp_1/cancel", "POST"),
        ("DELETE", "responses/resp_1/input_items", "GET"),
    ],
)
def test_a_wrong_method(method: str, rest: str, allowed: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read_kept(method, rest)
    assert (refused.value.status, refused.value.allow) == (405, allowed)


@table("tail", ["", "a/b", "a/cancel/", "..", "a%2Fb", "a b", "a?b", "é", "x" * 201, "a/admin"])
def test_nothing_that_could_lead_elsewhere_is_an_id(tail: str) -> None:
    with pytest.raises(NotFound):
        read_kept("GET", f"responses/{tail}")


@given(st.sampled_from(["GET", "POST", "DELETE", "PUT"]), st.text())
def test_any_path_is_a_response_or_refused(method: str, tail: str) -> None:
    try:
        found = read_kept(method, f"responses/{tail}")
    except ClientFault:
        return
    assert found is not None
    assert path_of(*found) == f"/v1/responses/{tail}"


@table(
    ("query", "wanted"),
    [
        ("stream=true", True),
        ("include=x&stream=True&starting_after=3", True),
        ("stream=false", False),
        ("starting_after=3", False),
        ("", False),
    ],
)
def test_whether_events_are_wanted(query: str, wanted: bool) -> None:
    assert asks_for_stream(query) is wanted


#: How engines' replies begin, as their sources write them.
BEGINNINGS = {
    "vllm, stream": (
        b'event: response.created\ndata: {"response":{"id":"resp_1","created_at":1,"output":[]},'
        b'"sequence_number":0,"type":"response.created"}\n\n'
    ),
    "ollama, stream": (
        b'event: response.created\ndata: {"type":"response.created","sequence_number":0,'
        b'"response":{"object":"response","created_at":1764,"id":"resp_1"}}\n\n'
    ),
    "openai, whole": b'{\n  "id": "resp_1",\n  "object": "response",\n  "status": "completed"',
    "another order": b'{"object":"response","created_at":1.5,"error":null,"id":"resp_1","x":1}',
}


@table("name", BEGINNINGS)
def test_the_id_with_which_a_reply_begins(name: str) -> None:
    assert find_id(BEGINNINGS[name]) == "resp_1"


@table(
    "beginning",
    [
        b"",
        b'{"error":{"message":"no","id":"resp_1"}}',
        b'{"conversation":{"id":"conv_1"},"id":"resp_1"}',
        b'data: {"id":"chatcmpl-1"}\n\n',
        b'{"id":"../../x"}',
    ],
)
def test_what_is_no_response_has_none(beginning: bytes) -> None:
    assert find_id(beginning) == ""


@given(st.binary())
def test_nothing_that_a_node_sends_is_too_much(beginning: bytes) -> None:
    assert all(one.isascii() for one in find_id(beginning))


def test_a_long_beginning_costs_little() -> None:
    plain = b'{"response":{' + b'"a":1,' * 1300
    assert find_id(plain) == ""


def test_both_words_for_one_that_is_not_there() -> None:
    gone, earlier = no_kept("resp_1"), no_earlier("resp_1")
    assert (gone.status, gone.code) == (404, "response_not_found")
    assert (earlier.status, earlier.code) == (400, "previous_response_not_found")
    assert earlier.violations[0].path == "previous_response_id"
    assert "resp_1" in gone.message
    assert "resp_1" in earlier.message
    assert len(no_earlier("x" * 9999).message) < 300
