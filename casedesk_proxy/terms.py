"""The vocabulary that all layers share.

Contains only names and frozen values; nothing here decides anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar, dataclass_transform

__all__ = [
    "Ability",
    "Action",
    "Call",
    "Control",
    "Dialect",
    "Framing",
    "Limit",
    "ModelInfo",
    "Position",
    "Principal",
    "RawHeaders",
    "ResolvedModel",
    "Standing",
    "Usage",
    "UseRules",
    "record",
]

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(cls: type[T]) -> type[T]:
    """A dataclass with slots that only the type checker keeps frozen: for values that every request
    makes. Python's own freezing makes each field's first assignment three times as slow."""
    return dataclass(slots=True, unsafe_hash=True)(cls)


#: Header lines as on the wire, in order, with duplicates: (name, value).
RawHeaders = tuple[tuple[bytes, bytes], ...]


class Dialect(StrEnum):
    """A protocol: a client's (then called its *surface*) or a node's."""

    GEMINI = "gemini"
    ANTHROPIC = "anthropic"
    OPENAI = "openai"
    #: OpenAI's newer API for generating, with the same base URL as the older one.
    RESPONSES = "responses"
    #: Ollama's own API, ``/api/…``; its OpenAI API is separate.
    OLLAMA = "ollama"


class Action(StrEnum):
    """What a client requests, on any surface."""

    GENERATE = "generateContent"
    STREAM_GENERATE = "streamGenerateContent"
    EMBED = "embedContent"
    BATCH_EMBED = "batchEmbedContents"
    COUNT_TOKENS = "countTokens"
    MESSAGES = "messages"
    COUNT_MESSAGES = "messages/count_tokens"
    CHAT = "chat/completions"
    RESPOND = "responses"
    COUNT_RESPONSE = "responses/input_tokens"
    #: Requests about a kept response, by its id.
    GET_RESPONSE = "responses.get"
    DELETE_RESPONSE = "responses.delete"
    CANCEL_RESPONSE = "responses.cancel"
    LIST_INPUT = "responses.input_items"
    COMPLETE = "completions"
    EMBEDDINGS = "embeddings"
    # Actions that only some engines have (`engines.paths`).
    RERANK = "rerank"
    SCORE = "score"
    CLASSIFY = "classify"
    POOL = "pooling"
    TRANSCRIBE = "audio/transcriptions"
    TRANSLATE = "audio/translations"
    SPEAK = "audio/speech"
    DRAW = "images/generations"
    EDIT_IMAGE = "images/edits"
    VARY_IMAGE = "images/variations"
    TOKENIZE = "tokenize"
    DETOKENIZE = "detokenize"
    APPLY_TEMPLATE = "apply-template"
    INFILL = "infill"
    PLAIN_COMPLETION = "completion"
    PLAIN_EMBEDDING = "embedding"
    COUNT_CHAT = "chat/completions/input_tokens"
    STEER_CHAT = "chat/completions/control"
    LIST_MODELS = "models.list"
    GET_MODEL = "models.get"
    OLLAMA_CHAT = "api/chat"
    OLLAMA_GENERATE = "api/generate"
    OLLAMA_EMBED = "api/embed"
    OLLAMA_EMBEDDINGS = "api/embeddings"
    SHOW_MODEL = "api/show"
    LIST_LOADED = "api/ps"
    VERSION = "api/version"
    REALTIME = "realtime"
    UPLOAD_FILE = "files.upload"
    RESUME_UPLOAD = "files.resume"
    CREATE_FILE = "files.create"
    LIST_FILES = "files.list"
    GET_FILE = "files.get"
    FILE_CONTENT = "files.content"
    DELETE_FILE = "files.delete"
    #: What a key has used and has left.
    USAGE = "usage"
    #: A request to a base URL.
    BASE = "base"


class Ability(StrEnum):
    """What a model may be able to do or accept, by the names of Ollama and llama-server."""

    COMPLETION = "completion"
    TOOLS = "tools"
    VISION = "vision"
    AUDIO = "audio"
    THINKING = "thinking"
    EMBEDDING = "embedding"


class Control(StrEnum):
    """A way to control how much a model thinks: a model may refuse one and accept the others."""

    #: No thinking.
    OFF = "off"
    #: A named level of effort.
    EFFORT = "effort"
    #: A level other than low, medium and high, which the first engines supported.
    LEVELS = "levels"
    #: A number of tokens.
    BUDGET = "budget"


class Framing(StrEnum):
    """The form of the reply for the client."""

    UNARY = "unary"
    SSE = "sse"
    JSON_ARRAY = "json-array"
    #: One JSON document per line, as in Ollama's streams.
    LINES = "lines"


class Limit(StrEnum):
    """What a limit bounds, by the names of the configuration."""

    REQUESTS_PER_MINUTE = "requests_per_minute"
    TOKENS_PER_MINUTE = "tokens_per_minute"
    TOKENS_PER_DAY = "tokens_per_day"
    TOKENS_PER_MONTH = "tokens_per_month"
    PARALLEL = "parallel"


class Position(StrEnum):
    """The position in a reply's body, after what has been sent."""

    #: Before the bracket of an array.
    UNOPENED = "unopened"
    #: An element may follow at once: after the bracket or a comma.
    OPENED = "opened"
    #: An event's data may follow at once: its ``data: `` was sent as a keepalive.
    BEGUN = "begun"
    #: After a whole event or element, or before the first event.
    BETWEEN = "between"
    #: Inside an event or an element, in one document, after the end, or unknown.
    INSIDE = "inside"

    @property
    def is_open(self) -> bool:
        """Whether a keepalive may be sent here."""
        return self in (Position.OPENED, Position.BETWEEN)


@dataclass(frozen=True, slots=True)
class Call:
    """Method and target of a request, before anything is looked up. ``deployment`` is None on the
    bare mounts. ``model`` is the percent-decoded name in the path, without a leading ``models/``;
    None if the body names it. ``version`` is the Gemini API version to request from a node (``v1``
    or ``v1beta``), ``""`` for other surfaces. ``query`` is the raw query string without ``?`` and
    without the credential. ``framing`` is the one that the URL alone requests; OpenAI and Anthropic
    bodies may still request a stream. ``path`` is set if not all nodes of a protocol have it: see
    `engines.paths`. ``names_no_model``: a body without a model's name is passed on without one.
    ``kept`` is the id of the response that the path names, else ""; ``file`` is the file's name in
    the path, or an upload's permit."""

    surface: Dialect
    action: Action
    deployment: str | None
    model: str | None = None
    version: str = ""
    query: str = field(default="", repr=False)
    framing: Framing = Framing.UNARY
    path: str = ""
    names_no_model: bool = False
    kept: str = ""
    file: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class UseRules:
    """How much a key, or a deployment (``kind``), may use. ``bounds`` are limits with the use at
    which requests are refused and the use at which there is a warning; ``parallel`` is how many
    requests may run at once; a further one ``waits`` or is refused. None: no limit."""

    kind: str
    name: str
    bounds: tuple[tuple[Limit, int | None, int | None], ...]
    parallel: int | None = None
    waits: bool = True


@record
class Standing:
    """How a limit of a key or a deployment (``kind``) stands: the uses at which requests are
    refused or warned of, the current use, and when it is reset, in seconds since 1970."""

    limit: Limit
    kind: str
    name: str
    hard: int | None
    soft: int | None
    used: int
    resets: float


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a request. ``deployments``: None for the anonymous user of an open one. ``admin``:
    may use the admin API. ``limits``: how much it may use; ``models``: which; ``expires``: in
    seconds since 1970; None: no limit. ``parameters``: the changes that `surfaces.parameters` makes
    in its requests."""

    name: str
    deployments: frozenset[str] | None
    admin: bool = False
    limits: UseRules | None = None
    models: tuple[str, ...] | None = None
    expires: float | None = None
    parameters: object = None


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model as its node reports it. Token counts are None if the node does not report them.

    ``embeds``: it only makes embeddings; ``also_embeds``: it makes them as well as text.
    ``alias_of``: the same model's first name, if its node reports that. ``context_length`` is what
    the model runs with, ``trained_length`` what it could run with. ``description`` is an alias's,
    as the operator wrote it. ``lacks``, ``ignores`` and ``heeds`` contain only what the node
    reports for sure: what the model cannot do, and which controls of thinking it or its chat
    template ignores, or supports.
    """

    name: str
    context_length: int | None = None
    output_limit: int | None = None
    created: int | None = None
    owned_by: str | None = None
    embeds: bool = False
    loaded: bool | None = None
    thinks: bool = False
    trained_length: int | None = None
    lacks: frozenset[Ability] = frozenset()
    ignores: frozenset[Control] = frozenset()
    heeds: frozenset[Control] = frozenset()
    also_embeds: bool = False
    alias_of: str = field(default="", compare=False)
    description: str = ""


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """A resolved model: the client's name, the node's name for it, and the nodes that have it.
    ``alias``: the alias or pattern in the configuration that was used; empty if none was."""

    asked: str
    model: str
    nodes: tuple[str, ...]
    alias: str = field(default="", compare=False)


@record
class Usage:
    """Token counts as the node reported them, None if it did not: ``cached`` is a part of
    ``prompt``, ``thoughts`` of ``output``, in every API. ``estimated``: some are estimates."""

    prompt: int | None = None
    output: int | None = None
    cached: int | None = None
    thoughts: int | None = None
    estimated: bool = False
