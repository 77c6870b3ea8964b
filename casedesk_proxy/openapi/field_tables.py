"""The fields of every API in one form: from the tables by which the dialects read requests and, for
relayed fields, from the fields that the configuration knows."""

from __future__ import annotations

from collections.abc import Mapping

from casedesk_proxy.config.parameter_fields import OWN, Kind
from casedesk_proxy.dialects.anthropic.fields import MESSAGES as ANTHROPIC
from casedesk_proxy.dialects.core.known_fields import Fate, KnownField, Messages
from casedesk_proxy.dialects.gemini.fields import MESSAGES as GEMINI
from casedesk_proxy.dialects.gemini.fields import Field, FieldKind
from casedesk_proxy.dialects.responses.fields import MESSAGES as RESPONSES
from casedesk_proxy.terms import Dialect

__all__ = ["FIELDS"]

_KINDS = {
    FieldKind.TEXT: "string",
    FieldKind.NUMBER: "number",
    FieldKind.INTEGER: "integer",
    FieldKind.FLAG: "boolean",
    FieldKind.OBJECT: "object",
    FieldKind.ANY: "any",
    FieldKind.IGNORED: "any",
    FieldKind.REFUSED: "any",
}
_FATES = {FieldKind.IGNORED: Fate.IGNORED, FieldKind.REFUSED: Fate.REFUSED}
#: For Gemini's messages: SDKs may leave out all other fields.
_REQUIRED = {
    "GenerateContentRequest": {"contents"},
    "Content": {"parts"},
    "EmbedContentRequest": {"content"},
    "BatchEmbedContentsRequest": {"requests"},
    "FunctionDeclaration": {"name"},
    "FunctionCall": {"name"},
    "FunctionResponse": {"name"},
    "Blob": {"mimeType", "data"},
}
#: Sample values that show which JSON types a field of the configuration may have.
_SAMPLES: tuple[tuple[str, tuple[object, ...]], ...] = (
    ("string", ("low", "text")),
    ("integer", (1,)),
    ("number", (0.5,)),
    ("boolean", (True,)),
    ("array", (["text"],)),
    ("object", ({},)),
)


def _gemini(message: str, name: str, field: Field) -> KnownField:
    if isinstance(field.kind, tuple):
        kind, values = "string", tuple(value for value in field.kind if value)
    elif isinstance(field.kind, str):
        kind, values = field.kind, ()
    else:
        kind, values = _KINDS[field.kind], ()
    fate = _FATES.get(field.kind, field.fate) if isinstance(field.kind, FieldKind) else field.fate
    required = name in _REQUIRED.get(message, ())
    if field.many:
        # An enum's values describe a string, not a list of strings.
        kind = f"{kind}[]"
    return KnownField(kind, fate, field.why, values, required)


def _passed_on(kind: Kind) -> KnownField:
    types = [name for name, values in _SAMPLES if any(map(kind.fits, values))]
    if "number" in types and "integer" in types:
        types.remove("integer")
    every = len(types) >= len(_SAMPLES) - 1
    return KnownField("any" if every else "|".join(types), Fate.PASSED_ON)


def _chat_like(dialect: Dialect, prompt: str, kind: str, more: str = "") -> dict[str, KnownField]:
    return {
        "model": KnownField("string", why="an alias becomes the name that its node knows"),
        prompt: KnownField(kind, Fate.PASSED_ON, required=True),
        **dict.fromkeys(more.split(), KnownField(fate=Fate.PASSED_ON)),
        "stream": KnownField("boolean", Fate.PASSED_ON),
        **{
            name: _passed_on(field)
            for name, field in OWN[dialect.value].items()
            if name not in (prompt, *more.split())
        },
    }


def _embeddings() -> dict[str, KnownField]:
    return {
        "model": KnownField("string", why="an alias becomes the name that its node knows"),
        "input": KnownField("string|string[]|array", Fate.PASSED_ON, required=True),
        "dimensions": KnownField("integer", Fate.PASSED_ON),
        "encoding_format": KnownField("string", Fate.PASSED_ON, values=("float", "base64")),
        "user": KnownField("string", Fate.PASSED_ON),
    }


_ENGINE: dict[str, KnownField] = {
    "model": KnownField("string", why="an alias becomes the name that its node knows"),
}

#: By API, then by message.
FIELDS: Mapping[Dialect, Messages] = {
    Dialect.GEMINI: {
        message: {name: _gemini(message, name, field) for name, field in fields.items()}
        for message, fields in GEMINI.items()
    },
    Dialect.ANTHROPIC: ANTHROPIC,
    Dialect.OPENAI: {
        "ChatRequest": _chat_like(Dialect.OPENAI, "messages", "object[]"),
        "CompletionRequest": _chat_like(Dialect.OPENAI, "prompt", "string|string[]|array"),
        "EmbeddingsRequest": _embeddings(),
        "EngineRequest": _ENGINE,
    },
    Dialect.RESPONSES: RESPONSES,
    Dialect.OLLAMA: {
        "OllamaChatRequest": _chat_like(Dialect.OLLAMA, "messages", "object[]"),
        "OllamaGenerateRequest": _chat_like(Dialect.OLLAMA, "prompt", "string", "images"),
        "EngineRequest": _ENGINE,
    },
}
