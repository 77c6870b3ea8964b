"""The operations of each surface, from the tables by which its paths are read.

Entries of `surfaces.unserved_paths`, `surfaces.kept_responses` and `engines.paths` appear here
automatically. A new action needs a summary in ``_SUMMARIES``; without one there is an error.
"""

from __future__ import annotations

from collections.abc import Iterator

from casedesk_proxy.engines.paths import InferencePath, ModelPlace, ReplyKind
from casedesk_proxy.engines.registry import INFERENCE_PATHS
from casedesk_proxy.openapi.file_operations import list_file_operations
from casedesk_proxy.openapi.operations import (
    FORM,
    JSON,
    LINES,
    SSE,
    TEXT,
    Operation,
    Parameter,
    anthropic_pages,
    gemini_pages,
)
from casedesk_proxy.surfaces.kept_responses import METHODS, path_of
from casedesk_proxy.surfaces.unserved_paths import FETCHED, GEMINI_ACTIONS, POSTED
from casedesk_proxy.terms import Action, Dialect

__all__ = ["NOT_LISTED", "list_operations"]

#: A request to a base URL is for people and health checkers; a reply contains the URL to upload to.
NOT_LISTED = frozenset({Action.BASE, Action.RESUME_UPLOAD})
_BINARY = "application/octet-stream"

_SUMMARIES = {
    Action.GENERATE: "Generate a reply",
    Action.STREAM_GENERATE: "Generate a reply as a stream",
    Action.EMBED: "Make an embedding",
    Action.BATCH_EMBED: "Make several embeddings",
    Action.COUNT_TOKENS: "Count the tokens of a request",
    Action.MESSAGES: "Create a message; a stream with `stream: true`",
    Action.COUNT_MESSAGES: "Count the tokens of a message",
    Action.CHAT: "Create a chat completion; a stream with `stream: true`",
    Action.RESPOND: "Create a response; a stream with `stream: true`",
    Action.COUNT_RESPONSE: "Count the input tokens of a response",
    Action.GET_RESPONSE: "Get a response that its node keeps",
    Action.DELETE_RESPONSE: "Delete a response that its node keeps",
    Action.CANCEL_RESPONSE: "Cancel a response that its node makes in the background",
    Action.LIST_INPUT: "List the input items of a response that its node keeps",
    Action.COMPLETE: "Create a completion; a stream with `stream: true`",
    Action.EMBEDDINGS: "Create embeddings",
    Action.RERANK: "Rank documents by relevance to a query",
    Action.SCORE: "Score pairs of texts",
    Action.CLASSIFY: "Classify texts",
    Action.POOL: "Pool the hidden states of texts",
    Action.TRANSCRIBE: "Transcribe speech",
    Action.TRANSLATE: "Translate speech into English text",
    Action.SPEAK: "Generate speech from text",
    Action.DRAW: "Make images",
    Action.EDIT_IMAGE: "Edit an image",
    Action.VARY_IMAGE: "Create variations of an image",
    Action.TOKENIZE: "Convert text to tokens",
    Action.DETOKENIZE: "Convert tokens to text",
    Action.APPLY_TEMPLATE: "Show the prompt that a chat template makes from messages",
    Action.INFILL: "Fill the gap between two texts",
    Action.PLAIN_COMPLETION: "Complete a prompt, by llama-server's own API",
    Action.PLAIN_EMBEDDING: "Make an embedding, by llama-server's own API",
    Action.COUNT_CHAT: "Count the tokens of a chat",
    Action.STEER_CHAT: "Steer a running chat",
    Action.LIST_MODELS: "List the models that the key may use",
    Action.GET_MODEL: "Show a model",
    Action.OLLAMA_CHAT: "Chat; a stream unless `stream: false`",
    Action.OLLAMA_GENERATE: "Complete a prompt; a stream unless `stream: false`",
    Action.OLLAMA_EMBED: "Make embeddings",
    Action.OLLAMA_EMBEDDINGS: "Make an embedding, the older way",
    Action.SHOW_MODEL: "Show a model",
    Action.LIST_LOADED: "List the models that are loaded",
    Action.VERSION: "Show the lowest Ollama version among the nodes",
    Action.REALTIME: "Open a realtime session, a WebSocket",
    Action.USAGE: "Show what the key has used and what remains",
}
#: The message of a request; for all other actions, that of the action.
_BODIES = {
    Action.GENERATE: "GenerateContentRequest",
    Action.STREAM_GENERATE: "GenerateContentRequest",
    Action.EMBED: "EmbedContentRequest",
    Action.BATCH_EMBED: "BatchEmbedContentsRequest",
    Action.COUNT_TOKENS: "CountTokensRequest",
    Action.MESSAGES: "MessagesRequest",
    Action.COUNT_MESSAGES: "CountTokensRequest",
    Action.CHAT: "ChatRequest",
    Action.COMPLETE: "CompletionRequest",
    Action.EMBEDDINGS: "EmbeddingsRequest",
    Action.RESPOND: "ResponsesRequest",
    Action.COUNT_RESPONSE: "ResponsesRequest",
    Action.OLLAMA_CHAT: "OllamaChatRequest",
    Action.OLLAMA_GENERATE: "OllamaGenerateRequest",
    Action.CANCEL_RESPONSE: None,
}
#: For a path that only some engines have: any object, with its model.
_ENGINE_BODY = "EngineRequest"
_STREAMS = frozenset({Action.MESSAGES, Action.CHAT, Action.COMPLETE, Action.RESPOND})
_LINES = frozenset({Action.OLLAMA_CHAT, Action.OLLAMA_GENERATE})
_TAGS = {
    Dialect.GEMINI: "Gemini",
    Dialect.ANTHROPIC: "Anthropic",
    Dialect.OPENAI: "OpenAI",
    Dialect.OLLAMA: "Ollama",
}
_MODEL = Parameter("model", "path", "The name of a model or an alias.", required=True)
_VERSION = Parameter(
    "anthropic-version", "header", "The version of the API.", required=True, values=("2023-06-01",)
)
_RESPONSE = Parameter("response_id", "path", "The id of a response.", required=True)
_PAGES = {Dialect.GEMINI: gemini_pages("model"), Dialect.ANTHROPIC: anthropic_pages("model")}


def list_operations(surface: Dialect) -> tuple[Operation, ...]:
    """Those of Responses are among OpenAI's, which have the same base URL."""
    found = [*_posted(surface), *_fetched(surface)]
    found += list_file_operations(surface, _TAGS[surface])
    if surface is Dialect.OPENAI:
        found += [*_kept(), *_of_engines()]
        found.append(_operation("GET", "/v1/realtime", Action.REALTIME, surface))
    if surface is not Dialect.OLLAMA:
        version = "v1beta" if surface is Dialect.GEMINI else "v1"
        models, pages = f"/{version}/models", _PAGES.get(surface, ())
        found += [
            _operation("GET", models, Action.LIST_MODELS, surface, pages),
            _operation("GET", f"{models}/{{model}}", Action.GET_MODEL, surface, (_MODEL,)),
            _operation("GET", f"/{version}/usage", Action.USAGE, surface),
        ]
    return tuple(found)


def _posted(surface: Dialect) -> Iterator[Operation]:
    if surface is Dialect.GEMINI:
        for word, action in GEMINI_ACTIONS.items():
            path = f"/v1beta/models/{{model}}:{word}"
            yield _operation("POST", path, action, surface, _asked(action))
        return
    version = "" if surface is Dialect.OLLAMA else "/v1"
    for rest, action in POSTED[surface].items():
        yield _operation("POST", f"{version}/{rest}", action, surface)


def _asked(action: Action) -> tuple[Parameter, ...]:
    if action is not Action.STREAM_GENERATE:
        return (_MODEL,)
    summary = "`sse` for events, as every SDK requests; otherwise one JSON array."
    return (_MODEL, Parameter("alt", "query", summary, values=("sse", "json")))


def _fetched(surface: Dialect) -> Iterator[Operation]:
    for rest, action in FETCHED.get(surface, {}).items():
        yield _operation("GET", f"/{rest}", action, surface)


def _kept() -> Iterator[Operation]:
    for action, method in METHODS.items():
        parameters: tuple[Parameter, ...] = (_RESPONSE,)
        if action is Action.GET_RESPONSE:
            again = Parameter("stream", "query", "Whether to send its events again.", "boolean")
            parameters = (_RESPONSE, again)
        path = path_of(action, "{response_id}")
        yield _operation(method, path, action, Dialect.OPENAI, parameters)


def _of_engines() -> Iterator[Operation]:
    seen: set[Action] = set()
    for path in INFERENCE_PATHS.values():
        name = path.action.value if path.action not in seen else f"{path.action.value} {path.path}"
        seen.add(path.action)
        is_form = path.model is ModelPlace.FORM
        yield Operation(
            "POST", path.path, name, f"{_SUMMARIES[path.action]}, where the engine has it",
            "Engines", body=_ENGINE_BODY, takes=(FORM,) if is_form else (JSON,),
            sends=_sent_by(path),
        )  # fmt: skip


def _sent_by(path: InferencePath) -> tuple[str, ...]:
    return {
        ReplyKind.JSON: (JSON,),
        ReplyKind.STREAM: (JSON, SSE),
        ReplyKind.BINARY: (_BINARY, JSON, SSE),
        ReplyKind.TEXT: (JSON, TEXT, SSE),
    }[path.reply]


def _operation(
    method: str,
    path: str,
    action: Action,
    surface: Dialect,
    parameters: tuple[Parameter, ...] = (),
) -> Operation:
    if surface is Dialect.ANTHROPIC and action is not Action.USAGE:
        parameters = (*parameters, _VERSION)
    body = _BODIES.get(action, _ENGINE_BODY) if method == "POST" else None
    return Operation(
        method, path, action.value, _SUMMARIES[action], _TAGS[surface], parameters, body,
        sends=_sent_for(action), status=101 if action is Action.REALTIME else 200,
    )  # fmt: skip


def _sent_for(action: Action) -> tuple[str, ...]:
    if action is Action.REALTIME:
        return ()
    if action is Action.STREAM_GENERATE:
        return (SSE, JSON)
    if action in _STREAMS or action is Action.GET_RESPONSE:
        return (JSON, SSE)
    return (LINES, JSON) if action in _LINES else (JSON,)
