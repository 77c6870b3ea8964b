"""``openapi`` prints the documents."""

from __future__ import annotations

import json

from casedesk_proxy import __version__
from casedesk_proxy.openapi.documents import make_document
from tests.cli.command import invoke


def test_a_document_is_printed() -> None:
    result = invoke("openapi", "gemini")
    assert result.returncode == 0
    assert json.loads(result.stdout) == make_document("gemini", __version__)


def test_an_unknown_api_is_an_error_that_names_all() -> None:
    result = invoke("openapi", "grpc")
    assert result.returncode == 2
    assert "'gemini', 'anthropic', 'openai', 'ollama', 'admin'" in result.stderr
