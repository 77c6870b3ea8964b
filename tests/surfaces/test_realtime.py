"""Handshakes of the Realtime API: what they must contain, what is forwarded, and the model in the
query."""

from __future__ import annotations

import pytest

from casedesk_proxy.errors import BadRequest
from casedesk_proxy.surfaces.realtime import (
    handshake_headers,
    named_model,
    rename_in_query,
    require_upgrade,
)
from tests.fixtures.table import table

GOOD = {
    b"Connection": b"keep-alive, Upgrade",
    b"Upgrade": b"WebSocket",
    b"Sec-WebSocket-Key": b"dGhlIHNhbXBsZSBub25jZQ==",
    b"Sec-WebSocket-Version": b"13",
}


def test_a_handshake() -> None:
    """The handshake is not refused."""
    require_upgrade(tuple(GOOD.items()))


@table("name", list(GOOD))
@table("value", [None, b"", b"x"])
def test_what_is_none(name: bytes, value: bytes | None) -> None:
    if (name, value) == (b"Sec-WebSocket-Key", b"x"):
        return
    headers = {**GOOD, name: value}
    lines = tuple((one, text) for one, text in headers.items() if text is not None)
    with pytest.raises(BadRequest) as caught:
        require_upgrade(lines)
    assert caught.value.status == 426


@table(("name", "value"), [(b"Content-Length", b"5"), (b"Transfer-Encoding", b"chunked")])
def test_a_handshake_has_no_body(name: bytes, value: bytes) -> None:
    """A node might read a body as frames."""
    require_upgrade((*GOOD.items(), (b"Content-Length", b"0")))
    with pytest.raises(BadRequest, match="without a body") as caught:
        require_upgrade((*GOOD.items(), (name, value)))
    assert caught.value.status == 400


@table("query", ["model=a&model=b", "model=a&%6dodel=b", "model=a&x=1&mod%65l="])
def test_two_models_are_refused(query: str) -> None:
    with pytest.raises(BadRequest, match="appears twice"):
        named_model(query)


@table(
    ("sent", "passed"),
    [
        (b"realtime", b"realtime"),
        (b"realtime,openai-insecure-api-key.k , b", b"realtime, b"),
        (b"openai-insecure-api-key.k", None),
    ],
)
def test_no_credential_goes_on(sent: bytes, passed: bytes | None) -> None:
    headers = (*GOOD.items(), (b"Sec-WebSocket-Protocol", sent), (b"Cookie", b"c"))
    made = dict(handshake_headers(headers))
    assert made.pop(b"Sec-WebSocket-Protocol", None) == passed
    assert made == {**GOOD, b"Connection": b"Upgrade", b"Upgrade": b"websocket"}


@table(
    ("query", "model", "renamed"),
    [
        ("", None, ""),
        ("a=1", None, "a=1"),
        ("model=", None, "model=n%20w/x:1"),
        ("a=%41&model=gpt%2Drealtime+1&b", "gpt-realtime 1", "a=%41&model=n%20w/x:1&b"),
        ("%6Dodel=a&b", "a", "model=n%20w/x:1&b"),
        ("submodel=a&model=b", "b", "submodel=a&model=n%20w/x:1"),
    ],
)
def test_the_model_in_the_query(query: str, model: str | None, renamed: str) -> None:
    assert named_model(query) == model
    assert rename_in_query(query, "n w/x:1") == renamed
