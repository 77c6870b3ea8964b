"""A request for each operation that makes sense: the initial text of "Try it out"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from casedesk_proxy.terms import Action

__all__ = ["EXAMPLES"]

_MODEL = "MODEL"
_QUESTION = "Why is the sky blue?"
_CONTENT = {"parts": [{"text": _QUESTION}]}
_CONTENTS = {"contents": [{"role": "user", **_CONTENT}]}
_MESSAGES = {"model": _MODEL, "messages": [{"role": "user", "content": _QUESTION}]}
_INPUT = {"model": _MODEL, "input": _QUESTION}
_DOCUMENTS = ["Light is scattered by air.", "Grass is green."]

#: By action. Without one a client writes its own request.
EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    Action.GENERATE: _CONTENTS,
    Action.STREAM_GENERATE: _CONTENTS,
    Action.EMBED: {"content": _CONTENT},
    Action.BATCH_EMBED: {"requests": [{"content": _CONTENT}]},
    Action.COUNT_TOKENS: _CONTENTS,
    Action.MESSAGES: {**_MESSAGES, "max_tokens": 256},
    Action.COUNT_MESSAGES: _MESSAGES,
    Action.CHAT: {**_MESSAGES, "stream": True},
    Action.COMPLETE: {"model": _MODEL, "prompt": "The sky is blue because", "max_tokens": 64},
    Action.EMBEDDINGS: _INPUT,
    Action.RESPOND: {**_INPUT, "stream": True},
    Action.COUNT_RESPONSE: _INPUT,
    Action.OLLAMA_CHAT: _MESSAGES,
    Action.OLLAMA_GENERATE: {"model": _MODEL, "prompt": _QUESTION},
    Action.OLLAMA_EMBED: _INPUT,
    Action.OLLAMA_EMBEDDINGS: {"model": _MODEL, "prompt": _QUESTION},
    Action.SHOW_MODEL: {"model": _MODEL},
    Action.RERANK: {"model": _MODEL, "query": _QUESTION, "documents": _DOCUMENTS},
    Action.SCORE: {"model": _MODEL, "text_1": _QUESTION, "text_2": _DOCUMENTS},
    Action.CLASSIFY: _INPUT,
    Action.POOL: _INPUT,
    Action.SPEAK: {**_INPUT, "voice": "alloy"},
    Action.DRAW: {"model": _MODEL, "prompt": "A blue sky"},
    Action.TOKENIZE: {"content": _QUESTION},
    Action.DETOKENIZE: {"tokens": [1, 2, 3]},
    Action.APPLY_TEMPLATE: _MESSAGES,
    Action.INFILL: {"input_prefix": "def add(a, b):\n", "input_suffix": "\n"},
    Action.PLAIN_COMPLETION: {"prompt": _QUESTION, "n_predict": 64},
    Action.PLAIN_EMBEDDING: {"content": _QUESTION},
    Action.COUNT_CHAT: _MESSAGES,
    "keys.new": {"name": "alice", "deployments": ["main"], "expires": "30d"},
    "keys.alter": {"limits": {"tokens_per_day": 200000}},
    "keys.expire": {"at": "30d"},
    "keys.rotate": {"grace": "1h"},
}
