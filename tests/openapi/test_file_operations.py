"""The operations of the Files APIs, on the surfaces that have one."""

from __future__ import annotations

from casedesk_proxy.openapi.documents import make_document
from casedesk_proxy.openapi.file_operations import FILE_MESSAGES, list_file_operations
from casedesk_proxy.terms import Action, Dialect


def test_each_surface_has_its_own_paths() -> None:
    gemini = {one.path for one in list_file_operations(Dialect.GEMINI, "Gemini")}
    assert {"/upload/v1beta/files", "/v1beta/files/{file_id}:download"} <= gemini
    openai = list(list_file_operations(Dialect.OPENAI, "OpenAI"))
    assert {one.path for one in openai} == {
        "/v1/files", "/v1/files/{file_id}", "/v1/files/{file_id}/content",
    }  # fmt: skip
    assert {one.tag for one in openai} == {"OpenAI"}
    assert list(list_file_operations(Dialect.OLLAMA, "Ollama")) == []


def test_what_an_upload_holds() -> None:
    bodies = {}
    for surface in FILE_MESSAGES:
        for one in list_file_operations(surface, ""):
            if one.action == Action.UPLOAD_FILE:
                bodies[surface] = (one.body, one.takes, len(one.parameters))
    assert bodies == {
        Dialect.GEMINI: ("NewFile", ("application/json",), 4),
        Dialect.ANTHROPIC: ("NewFile", ("multipart/form-data",), 0),
        Dialect.OPENAI: ("NewFile", ("multipart/form-data",), 0),
    }
    form = make_document("openai", "1")["components"]["schemas"]["NewFile"]
    assert form["required"] == ["file", "purpose"]
    assert form["properties"]["file"]["format"] == "binary"
