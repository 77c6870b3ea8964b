"""The inference paths that engines have beyond chat, completions and embeddings.

They are an allow list. A request is for one of these values or is refused, and a node is asked for
the path that is written here, never for a path that a client has written. Paths that administer an
engine (its weights, caches, adapters, models) are not among them; `EngineSpec.administration` lists
them, so that the refusal can say why.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from casedesk_proxy.terms import Action

__all__ = [
    "APPLY_TEMPLATE",
    "AUDIO",
    "CLASSIFY",
    "COMPLETION",
    "COUNT_CHAT",
    "DETOKENIZE",
    "EMBEDDING",
    "EVERY",
    "IMAGES",
    "INFILL",
    "POOLING",
    "RERANK",
    "RERANKING",
    "SCORE",
    "SPEECH",
    "STEER_CHAT",
    "TOKENIZE",
    "TRANSCRIPTIONS",
    "InferencePath",
    "ModelPlace",
    "ReplyKind",
    "nearest_path",
]


class ModelPlace(StrEnum):
    """Where a request names its model."""

    #: In the field ``model`` of a JSON object.
    JSON = "JSON"
    #: In the field ``model`` of a form (multipart/form-data), anywhere in it; or, if the body is
    #: JSON, as above.
    FORM = "form"
    #: Nowhere: the request is about a completion that runs.
    NOWHERE = "–"


class ReplyKind(StrEnum):
    JSON = "JSON"
    #: Or events, if the body has ``stream: true``.
    STREAM = "JSON or SSE"
    #: Audio or an image; or events, if the request asks for them.
    BINARY = "binary"
    #: JSON, plain text, subtitles, or events, as requested.
    TEXT = "JSON, text or SSE"


@dataclass(frozen=True, slots=True)
class InferencePath:
    """``path`` is the node's path. Two paths of one ``action`` have the same requests and
    replies."""

    path: str
    action: Action
    model: ModelPlace = ModelPlace.JSON
    reply: ReplyKind = ReplyKind.JSON


def _all(action: Action, *paths: str) -> tuple[InferencePath, ...]:
    return tuple(InferencePath(path, action) for path in paths)


def _form(action: Action, path: str, reply: ReplyKind) -> InferencePath:
    return InferencePath(path, action, ModelPlace.FORM, reply)


def _stream(action: Action, path: str) -> InferencePath:
    return InferencePath(path, action, reply=ReplyKind.STREAM)


RERANK = _all(Action.RERANK, "/v1/rerank", "/rerank", "/v2/rerank")
RERANKING = (*RERANK[:2], *_all(Action.RERANK, "/v1/reranking", "/reranking"))
SCORE = _all(Action.SCORE, "/score", "/v1/score")
CLASSIFY = _all(Action.CLASSIFY, "/classify", "/v1/classify")
POOLING = _all(Action.POOL, "/pooling")
TRANSCRIPTIONS = (_form(Action.TRANSCRIBE, "/v1/audio/transcriptions", ReplyKind.TEXT),)
SPEECH = (InferencePath("/v1/audio/speech", Action.SPEAK, reply=ReplyKind.BINARY),)
AUDIO = (
    *TRANSCRIPTIONS,
    _form(Action.TRANSLATE, "/v1/audio/translations", ReplyKind.TEXT),
    *SPEECH,
)
IMAGES = (
    InferencePath("/v1/images/generations", Action.DRAW, reply=ReplyKind.STREAM),
    _form(Action.EDIT_IMAGE, "/v1/images/edits", ReplyKind.STREAM),
    _form(Action.VARY_IMAGE, "/v1/images/variations", ReplyKind.JSON),
)
TOKENIZE = _all(Action.TOKENIZE, "/tokenize")
DETOKENIZE = _all(Action.DETOKENIZE, "/detokenize")
APPLY_TEMPLATE = _all(Action.APPLY_TEMPLATE, "/apply-template")
INFILL = (_stream(Action.INFILL, "/infill"),)
COMPLETION = (_stream(Action.PLAIN_COMPLETION, "/completion"),)
EMBEDDING = _all(Action.PLAIN_EMBEDDING, "/embedding")
COUNT_CHAT = _all(Action.COUNT_CHAT, "/v1/chat/completions/input_tokens")
STEER_CHAT = (InferencePath("/v1/chat/completions/control", Action.STEER_CHAT, ModelPlace.NOWHERE),)
#: For a node whose engine is not known.
EVERY = (
    *RERANK, *RERANKING[2:], *SCORE, *CLASSIFY, *POOLING, *AUDIO, *IMAGES, *TOKENIZE, *DETOKENIZE,
    *APPLY_TEMPLATE, *INFILL, *COMPLETION, *EMBEDDING, *COUNT_CHAT, *STEER_CHAT,
)  # fmt: skip


def nearest_path(paths: Iterable[InferencePath], path: str, action: Action) -> str:
    """The requested one of an engine's ``paths``, else the first with the same action; empty if it
    has neither."""
    same = [one.path for one in paths if one.action is action]
    return path if path in same else next(iter(same), "")
