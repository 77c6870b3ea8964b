"""The client of a reply, as its request describes it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from casedesk_proxy.relay.recipients import recipient_of
from casedesk_proxy.terms import Action, Call, Dialect, Framing
from tests.server.clients import FakeClient, request_of

WIRE = (
    b"POST /v1beta/models/m:x HTTP/1.0\r\nConnection: keep-alive\r\n"
    b"X-Goog-Api-Client: genai-js/1\r\n\r\n"
)


@pytest.mark.parametrize(
    ("surface", "framing", "library"),
    [
        (Dialect.GEMINI, Framing.SSE, b"genai-js/1"),
        (Dialect.GEMINI, Framing.UNARY, b""),
        (Dialect.OPENAI, Framing.SSE, b""),
    ],
)
async def test_what_a_client_expects(surface: Dialect, framing: Framing, library: bytes) -> None:
    request = request_of(FakeClient(), WIRE)
    request.notes = b"x: y\r\n"
    call = Call(surface, Action.STREAM_GENERATE, None)
    client = recipient_of(request, call, framing, "r1", is_kept_alive=True)
    assert (client.surface, client.framing, client.action) == (surface, framing, call.action)
    assert (client.http11, client.keep_alive, client.is_kept_alive) == (False, True, True)
    assert (client.request_id, client.notes, client.library) == ("r1", b"x: y\r\n", library)


async def test_a_server_that_closes_meanwhile() -> None:
    request = request_of(FakeClient(), WIRE)
    request.head = replace(request.head, keep_alive=False)
    client = recipient_of(request, Call(Dialect.OPENAI, Action.CHAT, None), Framing.SSE, "r1")
    assert not client.keep_alive
    assert not client.is_kept_alive
