"""A node's recorded replies without a socket and without a loop."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from casedesk_proxy.engines.inquiries import Asking, Inquiry, NodeAnswer
from casedesk_proxy.engines.spec import Detected, EngineSpec
from casedesk_proxy.wire.bodies import body_reader
from casedesk_proxy.wire.http1 import parse_response_head
from tests.fixtures.recorded_nodes import NOT_FOUND

T = TypeVar("T")


def answer(raw: bytes) -> NodeAnswer:
    """The value of an exact reply, including its head."""
    block, _, rest = raw.partition(b"\r\n\r\n")
    head = parse_response_head(block)
    reader = body_reader(head)
    reader.read(rest)
    server = next((value for name, value in head.headers if name.lower() == b"server"), b"")
    return NodeAnswer(head.status, server.decode(), _json(b"".join(reader.payload)))


def play(
    asking: Asking[T], replies: Mapping[str, bytes], missing: bytes = NOT_FOUND
) -> tuple[T, list[tuple[Inquiry, ...]]]:
    """The result, and the inquiries of each moment."""
    asked: list[tuple[Inquiry, ...]] = []
    answers: Any = None
    while True:
        try:
            asked.append(asking.send(answers))
        except StopIteration as done:
            return done.value, asked
        answers = tuple(answer(replies.get(_key(one), missing)) for one in asked[-1])


def look_at(
    engine: EngineSpec, replies: Mapping[str, bytes], missing: bytes = NOT_FOUND
) -> tuple[Detected | None, list[tuple[Inquiry, ...]]]:
    """What the engine's fingerprint finds in a node's replies, and its inquiries besides the list
    of models."""
    assert engine.fingerprint is not None
    listing = answer(replies.get("GET /v1/models", missing))
    return play(engine.fingerprint.look(listing), replies, missing)


def _key(inquiry: Inquiry) -> str:
    return f"{'GET' if inquiry.body is None else 'POST'} {inquiry.path}"


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
