"""Each route in the documents is recognised as what it is, and none is missing."""

from __future__ import annotations

import pytest

from casedesk_proxy.engines.registry import INFERENCE_PATHS
from casedesk_proxy.openapi.operations import FORM, JSON, LINES, SSE, Operation
from casedesk_proxy.openapi.surface_operations import NOT_LISTED, list_operations
from casedesk_proxy.surfaces.paths import read_call
from casedesk_proxy.terms import Action, Dialect

SURFACES = [surface for surface in Dialect if surface is not Dialect.RESPONSES]
OPERATIONS = [(surface, one) for surface in SURFACES for one in list_operations(surface)]


@pytest.mark.parametrize(
    ("surface", "operation"), OPERATIONS, ids=lambda one: getattr(one, "path", str(one))
)
def test_a_route_is_read_as_what_the_document_says(surface: Dialect, operation: Operation) -> None:
    path = operation.path.replace("{model}", "m").replace("{response_id}", "resp_1")
    path = path.replace("{file_id}", "f1")
    for target in (f"/{surface}{path}", f"/proxy/d/{surface}{path}"):
        call = read_call(operation.method, target, ((b"anthropic-version", b"2023-06-01"),))
        assert call.action.value == operation.action.partition(" ")[0]
        surfaces = {surface, Dialect.RESPONSES} if surface is Dialect.OPENAI else {surface}
        assert call.surface in surfaces
        assert (call.model == "m") is ("{model}" in operation.path)


def test_every_action_has_a_route() -> None:
    shown = {operation.action.partition(" ")[0] for _, operation in OPERATIONS}
    assert shown == {action.value for action in Action if action not in NOT_LISTED}


def test_every_inference_path_of_an_engine_has_one() -> None:
    shown = {one.path: one for one in list_operations(Dialect.OPENAI)}
    assert INFERENCE_PATHS.keys() <= shown.keys()
    assert shown["/v1/audio/transcriptions"].takes == (FORM,)
    assert shown["/v1/rerank"].takes == (JSON,)


def test_how_replies_are_sent() -> None:
    sent = {operation.path: operation.sends for _, operation in OPERATIONS}
    assert sent["/v1beta/models/{model}:streamGenerateContent"] == (SSE, JSON)
    assert sent["/v1/chat/completions"] == (JSON, SSE)
    assert sent["/api/chat"] == (LINES, JSON)
    assert sent["/v1/realtime"] == ()
