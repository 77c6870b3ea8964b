"""What each engine takes beyond plain chat: the one table of engine quirks.

Sources: vLLM 0.33, SGLang 0.5.23, llama-server b11549, Ollama 0.33, TGI 3.3.7, transformers
serve 5.17 to 5.24, read in their source or measured. An engine that is not known is treated as
a plain OpenAI server: nothing is sent to it that OpenAI's own API would refuse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any

from casedesk_proxy.dialects.schema.ordering import complete_objects
from casedesk_proxy.jsonio import is_deeper
from casedesk_proxy.terms import Ability, Control, Engine

__all__ = [
    "ANYTHING",
    "PROFILES",
    "Choice",
    "Counter",
    "Limits",
    "Messages",
    "Profile",
    "Thinking",
    "effort_of",
    "fit_profile",
]


class Choice(StrEnum):
    """What ``tool_choice`` can ask for. ``none`` is not here: without tools it is safe anywhere."""

    AUTO = "auto"
    REQUIRED = "required"
    NAMED = "named"


class Counter(StrEnum):
    """How an engine counts the tokens of a chat: path and shape of the question."""

    #: ``{model, messages, tools, add_generation_prompt}`` → ``count``
    TOKENIZE = "/tokenize"
    #: a chat body → ``input_tokens``
    INPUT_TOKENS = "/v1/chat/completions/input_tokens"
    #: a chat body → a list of tokens
    CHAT_TOKENIZE = "/chat_tokenize"
    #: Anthropic's own: a messages body → ``input_tokens``
    MESSAGES = "/v1/messages/count_tokens"


@dataclass(frozen=True, slots=True)
class Thinking:
    """How an engine is told to think, in fields of the chat body.

    ``off`` is merged into the body to switch thinking off; None: it cannot be. ``budget`` is the
    field for a number of tokens; without one the number becomes an effort. ``effort`` tells
    whether ``reasoning_effort`` is known, ``levels`` whether with more values than low, medium
    and high. ``history`` is the field of an assistant message that carries earlier reasoning.
    """

    off: Mapping[str, Any] | None = None
    budget: str = ""
    effort: bool = True
    levels: bool = True
    history: str = ""

    def level(self, wanted: str) -> str:
        """The nearest level that is known."""
        return wanted if self.levels else _PLAIN_LEVELS.get(wanted, wanted)


@dataclass(frozen=True, slots=True)
class Messages:
    """What an engine's ``/v1/messages`` takes of Anthropic's API. The defaults are Anthropic's own.

    ``exact``: it keeps to the letter of the API: a user turn first, tools defined where calls
    are in the history, a temperature up to 1, names of functions within the rules, stop
    strings that are not blank. ``format`` tells whether a response format is followed, ``effort``
    and ``levels`` which efforts, ``thinks`` whether the model thinks at all.
    """

    exact: bool = True
    documents: bool = True
    choices: frozenset[Choice] = frozenset(Choice)
    format: bool = True
    thinks: bool = True
    disables_thinking: bool = True
    budgets: bool = True
    effort: bool = True
    levels: bool = True
    counts: bool = True

    def level(self, wanted: str) -> str:
        """The nearest level that is known; Anthropic's API has no ``minimal``."""
        return wanted if self.levels and wanted != "minimal" else _PLAIN_LEVELS.get(wanted, wanted)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one model at one node cannot take of what its engine can.

    ``lacks`` is known for sure. ``deaf`` are the controls of thinking that are not to be sent.
    ``by_effort``: the others are said by ``reasoning_effort`` alone, thinking off by ``none``.
    """

    lacks: frozenset[Ability] = frozenset()
    deaf: frozenset[Control] = frozenset()
    by_effort: bool = False


ANYTHING = Limits()

_IMAGES = frozenset({"image/png", "image/jpeg", "image/webp", "image/gif"})
_ALL = frozenset(Choice)
_NO_TEMPLATE_THINKING = {"chat_template_kwargs": {"enable_thinking": False}}
_NO_EFFORT = {"reasoning_effort": "none"}
_PLAIN_LEVELS = {"minimal": "low", "xhigh": "high", "max": "high"}
_CONTINUE = {"continue_final_message": True}
#: Levels of lists and objects.
_DEEPEST_SCHEMA = 150


@dataclass(frozen=True, slots=True)
class Profile:
    """One engine. The defaults are those of a plain OpenAI server."""

    choices: frozenset[Choice] = _ALL
    #: Tools and a response format together: which choices of tools it forbids.
    format_forbids: frozenset[Choice] = frozenset()
    top_k: bool = False
    #: What says that the number of tokens to choose from has no limit, which Gemini's 0 does.
    no_top_k: int = 0
    #: 0 is an error on some engines; this much keeps only the likeliest token as well.
    least_top_p: float = 0.0
    #: 1, which limits nothing, is an error on TGI and is left out.
    whole_top_p: bool = True
    candidates: bool = True
    presence_penalty: bool = True
    #: Whether ``response_format`` is followed at all.
    follows_format: bool = True
    #: vLLM and TGI answer 400 to a fifth stop string.
    most_stops: int | None = None
    logprobs: bool = True
    most_logprobs: int = 20
    #: llama-server refuses log probabilities of a stream with tools, and we always stream.
    logprobs_with_tools: bool = True
    images: frozenset[str] = _IMAGES
    audio: bool = True
    #: The content part that carries a video: ``video_url`` or ``input_video``; "" where none.
    video: str = ""
    thinking: Thinking = field(default_factory=Thinking)
    #: What makes it go on with a conversation's last turn where that is the model's own; None:
    #: it begins a new one. llama-server and Ollama's templates need not be told.
    prefill: Mapping[str, Any] | None = None
    #: What stands as content beside tool calls without text.
    empty_content: str | None = None
    #: Function names beyond letters, digits, ``_`` and ``-`` (and 64 of them) are refused.
    strict_names: bool = False
    #: ``strict: true`` is meaningful, for schemas that fit its rules.
    strict_schemas: bool = False
    #: An object's schema without ``properties`` is refused.
    complete_objects: bool = False
    parallel_switch: bool = True
    #: Ignores unknown words; formats beyond these make its grammar fail.
    formats: frozenset[str] | None = None
    counter: Counter | None = None
    embeds: bool = True
    dimensions: bool = True
    messages: Messages = field(default_factory=Messages)

    def fit_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """As the engine takes it. One that is too deep for a walk is left for it to judge."""
        if not self.complete_objects or is_deeper(schema, _DEEPEST_SCHEMA):
            return schema
        return complete_objects(schema)

    def fit_top_p(self, value: float | None) -> float | None:
        """The nearest value that the engine takes, None to leave it out."""
        if value is None or (value >= 1 and not self.whole_top_p):
            return None
        return max(value, self.least_top_p)


_PLAIN = Profile(most_stops=4, strict_names=True, strict_schemas=True, complete_objects=True)

PROFILES: dict[Engine, Profile] = {
    Engine.OPENAI: _PLAIN,
    Engine.AUTO: _PLAIN,
    # Where the configuration says that they speak OpenAI as well.
    Engine.GEMINI: _PLAIN,
    Engine.ANTHROPIC: _PLAIN,
    Engine.VLLM: Profile(
        format_forbids=frozenset({Choice.NAMED}),
        top_k=True,
        least_top_p=1e-6,
        most_stops=4,
        video="video_url",
        # ``reasoning_effort: none`` does the same, but older releases refuse the value.
        thinking=Thinking(_NO_TEMPLATE_THINKING, "thinking_token_budget", history="reasoning"),
        # Both at once are an error.
        prefill={"add_generation_prompt": False, **_CONTINUE},
        formats=frozenset({"date-time", "date", "time", "uuid", "email"}),
        counter=Counter.TOKENIZE,
        messages=Messages(exact=False, documents=False),
    ),
    Engine.SGLANG: Profile(
        format_forbids=frozenset({Choice.REQUIRED, Choice.NAMED}),
        top_k=True,
        no_top_k=-1,
        least_top_p=1e-6,
        video="video_url",
        thinking=Thinking(_NO_EFFORT, history="reasoning_content"),
        messages=Messages(exact=False, documents=False),
        prefill=_CONTINUE,
        counter=Counter.TOKENIZE,
    ),
    Engine.LLAMA_SERVER: Profile(
        # A named choice silently becomes auto (llama.cpp 26535).
        choices=frozenset({Choice.AUTO, Choice.REQUIRED}),
        # The format's grammar wins, and no function is ever called (measured).
        format_forbids=_ALL,
        top_k=True,
        logprobs_with_tools=False,
        images=_IMAGES - {"image/webp"} | {"image/bmp"},
        video="input_video",
        thinking=Thinking(
            _NO_TEMPLATE_THINKING, "thinking_budget_tokens", history="reasoning_content"
        ),
        prefill={},
        counter=Counter.INPUT_TOKENS,
        dimensions=False,
        messages=Messages(
            exact=False,
            documents=False,
            # ``tool`` is taken for any.
            choices=frozenset({Choice.AUTO, Choice.REQUIRED}),
            format=False,
            effort=False,
            disables_thinking=False,
        ),
    ),
    Engine.OLLAMA: Profile(
        # It has no tool_choice at all (ollama 8421, 11171, 17921).
        choices=frozenset({Choice.AUTO}),
        candidates=False,
        images=_IMAGES - {"image/gif"},
        thinking=Thinking(_NO_EFFORT, history="reasoning"),
        messages=Messages(
            exact=False,
            documents=False,
            choices=frozenset({Choice.AUTO}),
            format=False,
            effort=False,
            counts=False,
        ),
        prefill={},
        parallel_switch=False,
    ),
    Engine.TGI: Profile(
        format_forbids=_ALL,
        least_top_p=1e-6,
        whole_top_p=False,
        candidates=False,
        most_stops=4,
        most_logprobs=5,
        audio=False,
        thinking=Thinking(effort=False),
        prefill=_CONTINUE,
        empty_content="",
        parallel_switch=False,
        counter=Counter.CHAT_TOKENIZE,
        embeds=False,
    ),
    # transformers serve answers 200 to what it ignores, and 422 to names that OpenAI lacks.
    Engine.TRANSFORMERS: Profile(
        choices=frozenset({Choice.AUTO}),
        candidates=False,
        presence_penalty=False,
        follows_format=False,
        logprobs=False,
        thinking=Thinking(_NO_TEMPLATE_THINKING, effort=False),
        parallel_switch=False,
        embeds=False,
    ),
}

#: Google's own buckets for its OpenAI surface; ``minimal`` is for the smallest budgets.
_EFFORTS = ((512, "minimal"), (1024, "low"), (8192, "medium"))


def effort_of(budget: int) -> str:
    """The ``reasoning_effort`` that comes nearest to a budget in tokens."""
    return next((effort for most, effort in _EFFORTS if budget <= most), "high")


@lru_cache(maxsize=1024)
def fit_profile(engine: Engine, limits: Limits) -> Profile:
    """What is left of an engine's abilities for a model with such limits."""
    profile = PROFILES[engine]
    if limits == ANYTHING:
        return profile
    thinking, route = _fit_thinking(profile.thinking, limits), profile.messages
    thinks = Ability.THINKING not in limits.lacks
    route = replace(
        route,
        thinks=thinks,
        disables_thinking=thinks and route.disables_thinking and Control.OFF not in limits.deaf,
        budgets=thinks and not limits.by_effort and Control.BUDGET not in limits.deaf,
        effort=thinks and route.effort and Control.EFFORT not in limits.deaf,
        levels=Control.LEVELS not in limits.deaf,
    )
    return replace(profile, thinking=thinking, messages=route)


def _fit_thinking(thinking: Thinking, limits: Limits) -> Thinking:
    if Ability.THINKING in limits.lacks:
        # It need not be told not to think, and cannot be told more.
        return replace(thinking, off={}, budget="", effort=False)
    if limits.by_effort:
        thinking = replace(thinking, off=_NO_EFFORT, budget="", effort=True)
    return replace(
        thinking,
        off=None if Control.OFF in limits.deaf else thinking.off,
        budget="" if Control.BUDGET in limits.deaf else thinking.budget,
        effort=thinking.effort and Control.EFFORT not in limits.deaf,
        levels=thinking.levels and Control.LEVELS not in limits.deaf,
    )
