"""Model lists: an unchanged one is not parsed again."""

from __future__ import annotations

import json

import pytest

from casedesk_proxy.terms import Dialect
from casedesk_proxy.upstream.listings import Listings


def listed(*names: str) -> bytes:
    return json.dumps({"object": "list", "data": [{"id": name} for name in names]}).encode()


def test_the_same_bytes_are_read_once_whichever_node_sends_them() -> None:
    listings = Listings()
    first = listings.read(Dialect.OPENAI, listed("a", "b"))
    assert first is not None
    assert [model.name for model in first] == ["a", "b"]
    assert listings.read(Dialect.OPENAI, listed("a", "b")) is first
    assert listings.read(Dialect.OPENAI, listed("a", "c")) != first
    assert listings.read(Dialect.GEMINI, listed("a", "b")) is None, "nor is it another protocol's"


def test_what_is_no_list_stays_none() -> None:
    listings = Listings()
    assert listings.read(Dialect.OPENAI, b'["a"]') is None
    assert listings.read(Dialect.OPENAI, b'["a"]') is None
    with pytest.raises(ValueError, match="end of data"):
        listings.read(Dialect.OPENAI, b"{")
