"""Reads the model lists of nodes, in each protocol.

Takes parsed JSON, also of hostile shape: entries that are not understood are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from casedesk_proxy.terms import Dialect, ModelInfo

__all__ = ["Listing", "first_owner", "is_catalogue", "openai_models", "read_catalogue"]


class Listing(dict[str, Any]):
    """A list endpoint's JSON. Its models are read once for each protocol, into ``models``."""

    __slots__ = ("models",)

    def __init__(self, value: dict[str, Any]) -> None:
        super().__init__(value)
        self.models: dict[Dialect, tuple[ModelInfo, ...]] = {}


def read_catalogue(dialect: Dialect, value: Any) -> tuple[ModelInfo, ...]:
    """A list endpoint's JSON as models; entries that are not understood are left out.

    Engines extend OpenAI's list: vLLM and SGLang add ``max_model_len``, llama-server ``meta.n_ctx``
    (vLLM 0.32, SGLang 0.5.23, llama-server b11549).
    """
    if not isinstance(value, Listing):
        return tuple(_read_each(dialect, value))
    if dialect not in value.models:
        value.models[dialect] = tuple(_read_each(dialect, value))
    return value.models[dialect]


def is_catalogue(dialect: Dialect, value: Any) -> bool:
    """Whether it is a list, possibly an empty one: Ollama's without models has ``"data": null``."""
    return isinstance(value, dict) and isinstance(value.get(_key(dialect), ""), list | None)


def openai_models(listing: Any) -> tuple[ModelInfo, ...]:
    """``GET /v1/models`` of any server."""
    return read_catalogue(Dialect.OPENAI, listing)


def first_owner(listing: Any) -> str:
    """``owned_by`` of the first model of an OpenAI list, which some engines set to their own
    name."""
    return next((info.owned_by or "" for info in _read_each(Dialect.OPENAI, listing)), "")


def _key(dialect: Dialect) -> str:
    return "models" if dialect in (Dialect.GEMINI, Dialect.OLLAMA) else "data"


def _read_each(dialect: Dialect, value: Any) -> Iterator[ModelInfo]:
    entries = value.get(_key(dialect)) if isinstance(value, dict) else None
    read = {Dialect.GEMINI: _gemini, Dialect.OLLAMA: _tagged}.get(dialect, _listed)
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and (model := read(entry)) is not None:
            yield model


def _gemini(entry: dict[str, Any]) -> ModelInfo | None:
    name = entry.get("name")
    if not isinstance(name, str) or not name:
        return None
    listed = entry.get("supportedGenerationMethods")
    methods = listed if isinstance(listed, list) else []
    embeds, writes = "embedContent" in methods, "generateContent" in methods
    return ModelInfo(
        name=name.removeprefix("models/"),
        context_length=_count(entry.get("inputTokenLimit")),
        output_limit=_count(entry.get("outputTokenLimit")),
        embeds=embeds and not writes,
        also_embeds=embeds and writes,
    )


def _tagged(entry: dict[str, Any]) -> ModelInfo | None:
    name = entry.get("name")
    return ModelInfo(name=name) if isinstance(name, str) and name else None


def _listed(entry: dict[str, Any]) -> ModelInfo | None:
    name = entry.get("id")
    if not isinstance(name, str) or not name:
        return None
    meta = entry.get("meta")
    slots = meta.get("n_ctx") if isinstance(meta, dict) else None
    owner = entry.get("owned_by")
    return ModelInfo(
        name=name,
        context_length=_count(entry.get("max_model_len")) or _count(slots),
        created=_count(entry.get("created")),
        owned_by=owner if isinstance(owner, str) else None,
    )


def _count(value: Any) -> int | None:
    whole = isinstance(value, int) and not isinstance(value, bool) and value > 0
    return value if whole else None
