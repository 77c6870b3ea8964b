"""The names of the documents, without the code that makes them: its tables take 60 ms to import."""

from __future__ import annotations

__all__ = ["ADMIN", "NAMES", "TITLES"]

ADMIN = "admin"
#: The available documents.
NAMES = ("gemini", "anthropic", "openai", "ollama", ADMIN)
#: By name.
TITLES = {
    "gemini": "CaseDesk Proxy: Gemini API",
    "anthropic": "CaseDesk Proxy: Anthropic API",
    "openai": "CaseDesk Proxy: OpenAI API, chat and Responses",
    "ollama": "CaseDesk Proxy: Ollama API",
    ADMIN: "CaseDesk Proxy: administration",
}
