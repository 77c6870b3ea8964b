"""Whose fault an error of a node is. The bodies are like those of real services."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.replying.node_errors import nodes_affair, remedy
from casedesk_proxy.replying.verdict import Verdict, judge
from tests.dialects.replies import names, read_reply
from tests.fixtures.table import table


def openai(message: str, code: str | None = None, kind: str = "x") -> bytes:
    return json.dumps({"error": {"message": message, "type": kind, "code": code}}).encode()


def google(code: int, message: str, reason: str = "") -> bytes:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}]
    return json.dumps(
        {"error": {"code": code, "message": message, "status": "X", "details": details}}
    ).encode()


def anthropic(kind: str, message: str) -> bytes:
    return json.dumps({"type": "error", "error": {"type": kind, "message": message}}).encode()


def flat(**fields: object) -> bytes:
    return json.dumps(fields).encode()


@table(
    ("status", "body"),
    [
        (401, b""),
        (401, openai("Incorrect API key provided: sk-oper***WXYZ", "invalid_api_key")),
        (402, flat(detail="Insufficient Balance")),
        (407, b"<html>"),
        (403, b""),
        (403, openai("Country, region, or territory not supported", kind="request_forbidden")),
        (403, google(403, "Generative Language API has not been used in project 1 before")),
        (403, b"<html><h1>403 Forbidden</h1></html>"),
        (400, google(400, "API key not valid. Please pass a valid API key.", "API_KEY_INVALID")),
        (400, b"[" + google(400, "API key expired. Please renew the API key.") + b"]"),
        (400, google(400, "User location is not supported for the API use.")),
        (400, anthropic("invalid_request_error", "Your credit balance is too low to access")),
        (400, anthropic("invalid_request_error", "This organization has been disabled.")),
    ],
)
def test_the_nodes_key_and_account_are_its_own_affair(status: int, body: bytes) -> None:
    assert judge(status, body) is Verdict.DENIED


@table(
    ("status", "body"),
    [
        (404, openai("The model `m` does not exist.", kind="NotFoundError")),
        (404, flat(object="error", message="The model `m` does not exist.", code=404)),
        (404, openai("The model `m` does not exist or you do not have access to it.")),
        (404, openai('model "m" not found, try pulling it first')),
        (404, flat(error="model 'm' not found")),
        (404, anthropic("not_found_error", "model: m")),
        (404, google(404, "models/m is not found for API version v1beta, or is not supported")),
        (404, openai("The model `/srv/files/m` does not exist.")),
        (410, flat(detail="This model was retired.")),
        (404, openai("x", "model_not_found")),
        (400, openai("The model `m` has been decommissioned", "model_decommissioned")),
        (400, openai("Invalid model name passed in model=m. Call `/v1/models`")),
        (400, openai("model not found", kind="invalid_request_error")),
        (400, openai("The requested model 'm' does not exist")),
    ],
)
def test_a_model_that_it_does_not_have(status: int, body: bytes) -> None:
    assert judge(status, body) is Verdict.NO_MODEL


def test_a_model_that_its_key_may_not_use() -> None:
    body = openai("Project `p` does not have access to model `m`", "model_not_found")
    assert judge(403, body) is Verdict.MODEL_DENIED


@table(
    ("status", "body"),
    [
        (404, b'{"detail":"Not Found"}'),
        (404, b"404 page not found"),
        (404, openai("File Not Found", kind="not_found_error")),
        (404, openai("x")),
        (404, b""),
        (405, b'{"detail":"Method Not Allowed"}'),
        (501, openai("This server does not support embeddings.")),
    ],
)
def test_a_path_that_it_does_not_serve(status: int, body: bytes) -> None:
    assert judge(status, body) is Verdict.NOT_OFFERED


@table(
    ("status", "body"),
    [
        (400, b""),
        (400, openai("max_tokens must be positive")),
        (413, b""),
        (415, b""),
        (422, b'{"detail":[{"msg":"field required"}]}'),
        (408, b""),
        (409, b""),
        (403, openai('Your input was flagged for "violence"')),
        (403, openai("m requires moderation on Provider.")),
        (
            403,
            google(403, "You do not have permission to access the File abc or it may not exist."),
        ),
        (403, google(403, "CachedContent not found (or permission denied)")),
        (404, google(404, "Requested entity was not found.")),
        (404, google(404, "FileSearchStore not found")),
        (403, google(403, "You do not have permission to access the corpora/abc")),
        (404, anthropic("not_found_error", "Skill not found: pptx2")),
        (404, anthropic("not_found_error", "File not found: file_011CNha8iCJcU1wXNR6q4V8w")),
        (404, openai("No such File object: file-abc123")),
        (404, openai("Previous response with id 'resp_1' not found.")),
        # What the client wrote, quoted, speaks against nobody.
        (400, openai("messages[0]: 'API key not valid' is no role")),
        (400, openai("tools: the model supports no such tool: 'your credit balance is too low'")),
        (400, openai("model supports tools, and tool 'x' was not found")),
    ],
)
def test_what_is_about_the_request_stays_the_clients(status: int, body: bytes) -> None:
    assert judge(status, body) is Verdict.REQUEST


@table(
    ("status", "verdict"),
    [
        (200, Verdict.FINE),
        (429, Verdict.FULL),
        (529, Verdict.FULL),
        (502, Verdict.UNAVAILABLE),
        (503, Verdict.UNAVAILABLE),
        (424, Verdict.FAILED),
        (500, Verdict.FAILED),
        (504, Verdict.FAILED),
    ],
)
def test_other_statuses(status: int, verdict: Verdict) -> None:
    assert judge(status) is verdict


@table("name", names("*error*"))
def test_recorded(name: str) -> None:
    reply = read_reply(name)
    verdict = judge(reply.status, reply.body)
    if reply.status == 400:
        assert verdict in (Verdict.REQUEST, Verdict.NO_MODEL)
    if "model" in name and reply.status in (400, 404):
        assert verdict is Verdict.NO_MODEL
    elif reply.status == 404:
        assert verdict in (Verdict.NOT_OFFERED, Verdict.NO_MODEL)


@given(st.integers(400, 599), st.binary(max_size=60))
def test_any_bytes(status: int, body: bytes) -> None:
    verdict = judge(status, body)
    assert verdict is not Verdict.FINE
    assert remedy(verdict, status, "n", "m", keyed=True)
    nodes_affair(verdict, status, "n", "m", "m", "chat/completions")


def test_the_missing_model_is_named_and_not_its_alias_alone() -> None:
    error = nodes_affair(Verdict.NO_MODEL, 404, "gpu0", "gpt-4o", "gemma2:9b", "chat/completions")
    assert error is not None
    assert (error.status, error.code) == (404, "model_not_found")
    assert "'gpt-4o' points to 'gemma2:9b'" in error.message
    assert "gpu0" in error.message


@table(
    ("status", "keyed", "words"),
    [
        (401, True, "check nodes.gpu0.api_key"),
        (401, False, "it may need nodes.gpu0.api_key"),
        (402, True, "no credit"),
    ],
)
def test_the_operator_is_told_what_to_do(status: int, keyed: bool, words: str) -> None:
    assert words in remedy(Verdict.DENIED, status, "gpu0", "m", keyed=keyed)
