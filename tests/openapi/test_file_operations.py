"""The operations of the Files APIs, on the surfaces that have one."""

from __future__ import annotations

from casedesk_proxy.openapi.file_operations import list_file_operations
from casedesk_proxy.terms import Dialect


def test_each_surface_has_its_own_paths() -> None:
    gemini = {one.path for one in list_file_operations(Dialect.GEMINI, "Gemini")}
    assert {"/upload/v1beta/files", "/v1beta/files/{file_id}:download"} <= gemini
    openai = list(list_file_operations(Dialect.OPENAI, "OpenAI"))
    assert {one.path for one in openai} == {
        "/v1/files", "/v1/files/{file_id}", "/v1/files/{file_id}/content",
    }  # fmt: skip
    assert {one.tag for one in openai} == {"OpenAI"}
    assert list(list_file_operations(Dialect.OLLAMA, "Ollama")) == []
