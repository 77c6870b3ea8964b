"""The vocabulary that every layer shares.

Only names and frozen values live here; nothing in this module decides anything.
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
    "Standing",
    "Target",
    "Usage",
    "UseRules",
    "record",
]

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(cls: type[T]) -> type[T]:
    """A frozen dataclass with slots, kept so by the type checker alone: for values that every
    request makes. Python's own freezing makes each field's first setting three times as slow."""
    return dataclass(slots=True, unsafe_hash=True)(cls)


#: Header lines as they stood on the wire, in order, duplicates kept: (name, value).
RawHeaders = tuple[tuple[bytes, bytes], ...]


class Dialect(StrEnum):
    """A protocol: what a client speaks (then called its *surface*) or what a node speaks."""

    GEMINI = "gemini"
    ANTHROPIC = "anthropic"
    OPENAI = "openai"
    #: OpenAI's newer API for generating, at the base URL of the other one.
    RESPONSES = "responses"
    #: Ollama's own, ``/api/…``; its OpenAI one stands beside it.
    OLLAMA = "ollama"


class Action(StrEnum):
    """What a client wants, whatever its surface."""

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
    #: What is asked of a response that a node keeps, by its id.
    GET_RESPONSE = "responses.get"
    DELETE_RESPONSE = "responses.delete"
    CANCEL_RESPONSE = "responses.cancel"
    LIST_INPUT = "responses.input_items"
    COMPLETE = "completions"
    EMBEDDINGS = "embeddings"
    # What only some engines have (`engines.paths`).
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
    #: A look at a base URL.
    BASE = "base"


class Ability(StrEnum):
    """What a model may be able to do or take, by the names that Ollama and llama-server use."""

    COMPLETION = "completion"
    TOOLS = "tools"
    VISION = "vision"
    AUDIO = "audio"
    THINKING = "thinking"
    EMBEDDING = "embedding"


class Control(StrEnum):
    """A way to steer how much a model thinks: each may be refused where the others are taken."""

    #: Not at all.
    OFF = "off"
    #: A named level of effort.
    EFFORT = "effort"
    #: A level other than low, medium and high, which are what the first engines knew.
    LEVELS = "levels"
    #: A number of tokens.
    BUDGET = "budget"


class Framing(StrEnum):
    """How a reply is laid out for the client."""

    UNARY = "unary"
    SSE = "sse"
    JSON_ARRAY = "json-array"
    #: A JSON document a line, as Ollama streams.
    LINES = "lines"


class Limit(StrEnum):
    """What a limit bounds, by the names of the configuration."""

    REQUESTS_PER_MINUTE = "requests_per_minute"
    TOKENS_PER_MINUTE = "tokens_per_minute"
    TOKENS_PER_DAY = "tokens_per_day"
    TOKENS_PER_MONTH = "tokens_per_month"
    PARALLEL = "parallel"


class Position(StrEnum):
    """Where a reply's body stands, as far as it has been sent."""

    #: Before the bracket of an array.
    UNOPENED = "unopened"
    #: Where an element may stand at once: behind the bracket or a comma.
    OPENED = "opened"
    #: Where an event's data may stand at once: its ``data: `` was sent as a keep-alive.
    BEGUN = "begun"
    #: Behind a whole event or element, or before the first event.
    BETWEEN = "between"
    #: Inside an event or an element, in one document, behind the end, or nobody knows where.
    INSIDE = "inside"

    @property
    def is_open(self) -> bool:
        """Whether bytes without a meaning may be sent here."""
        return self in (Position.OPENED, Position.BETWEEN)


@dataclass(frozen=True, slots=True)
class Call:
    """What method and target of a request say, before anything is looked up.
    ``deployment`` is None on the bare mounts. ``model`` is the percent-decoded name in the
    path, without a leading ``models/``; None where the body names it. ``version`` is the Gemini
    API version to ask of a node (``v1`` or ``v1beta``), ``""`` elsewhere. ``query`` is the raw
    query string without ``?`` and without the credential. ``framing`` is what the URL alone
    asks for; OpenAI and Anthropic bodies may still ask for a stream. ``path`` is set where not all
    nodes of a protocol have what is asked for: see `engines.paths`. ``names_no_model``: a body
    without a model's name is passed on without one. ``kept`` is the id of the response that the
    path names, "" in all others; ``file`` is what the path calls a file, or an upload's permit.
    """

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
    which requests are refused and the one at which they are warned of; ``parallel`` is how many may
    run at once, beyond which one ``waits`` or is refused. None: no limit."""

    kind: str
    name: str
    bounds: tuple[tuple[Limit, int | None, int | None], ...]
    parallel: int | None = None
    waits: bool = True


@record
class Standing:
    """How a limit of a key or a deployment (``kind``) stands: what is refused and warned of from
    when on, what is used, and when nothing will be, in seconds since 1970."""

    limit: Limit
    kind: str
    name: str
    hard: int | None
    soft: int | None
    used: int
    resets: float


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking. ``deployments``: None for the anonymous user of an open one. ``admin``: has
    the admin API. ``limits``: how much it may use; ``models``: which; ``expires``: in seconds since
    1970; None: no limit. ``parameters``: what `surfaces.parameters` changes in its requests."""

    name: str
    deployments: frozenset[str] | None
    admin: bool = False
    limits: UseRules | None = None
    models: tuple[str, ...] | None = None
    expires: float | None = None
    parameters: object = None


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model as its node reports it. Token counts are None where the node does not tell.

    ``embeds``: it makes embeddings and nothing else, ``also_embeds``: beside text. ``alias_of``:
    the same model's first name, where its node tells that.
    ``context_length`` is what the model runs with, ``trained_length`` what it could run with.
    ``description`` is an alias's, as the operator wrote it.
    ``lacks``, ``ignores`` and ``heeds`` hold only what the node says for sure: what the model
    cannot do, and which controls of thinking it or its chat template does not know, or knows.
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
class Target:
    """A resolved model: the name the client used, the node's name for it, and who has it.
    ``alias``: by which alias or pattern, as the configuration writes it; empty: by none."""

    asked: str
    model: str
    nodes: tuple[str, ...]
    alias: str = field(default="", compare=False)


@record
class Usage:
    """Token counts as the node reported them, None where it did not: what was ``cached`` is a part
    of ``prompt``, ``thoughts`` of ``output``, in every API. ``estimated``: some are ours."""

    prompt: int | None = None
    output: int | None = None
    cached: int | None = None
    thoughts: int | None = None
    estimated: bool = False
