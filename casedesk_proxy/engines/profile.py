"""What an engine takes beyond plain chat: the words in which each engine's module says it.

The defaults are those of a plain OpenAI server (`Profile`) and of Anthropic's own API
(`Messages`, `Responses`), so an engine's profile holds its differences alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from casedesk_proxy.engines.parts import Part
from casedesk_proxy.terms import Control

__all__ = [
    "ANY_CHOICE",
    "CONTINUE",
    "IMAGES",
    "NO_EFFORT",
    "NO_TEMPLATE_THINKING",
    "PLAIN",
    "Choice",
    "Counter",
    "Messages",
    "Profile",
    "Responses",
    "Thinking",
    "effort_of",
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
    """How a request makes an engine think, or not: fields of the chat body.

    ``off`` is merged into the body to switch thinking off; None: it cannot be. ``budget`` is the
    field for a number of tokens; without one the number becomes an effort. ``effort``:
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
    strings that are not blank. ``format``: whether a response format is followed, ``effort``
    and ``levels`` which efforts, ``thinks`` whether the model thinks at all.

    ``loses``: what of a request that is passed on as it is gets lost there; releases before the
    first two numbers of ``loses_more`` lose what stands beside them, too. ``may_refuse``: the
    controls of thinking that it refuses for some models, as it does in a chat.
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
    loses: frozenset[Part] = frozenset()
    loses_more: tuple[tuple[int, ...], frozenset[Part]] = ((), frozenset())
    may_refuse: frozenset[Control] = frozenset()
    #: An effort is the chat template's to read: where that has no place for one, none is lost.
    effort_by_template: bool = False

    def lost_parts(self, version: tuple[int, ...] = ()) -> frozenset[Part]:
        """``version``: the first two numbers of the node's release, () where unknown."""
        since, more = self.loses_more
        return self.loses | more if version and version < since else self.loses

    def level(self, wanted: str) -> str:
        """The nearest level that is known; Anthropic's API has no ``minimal``."""
        return wanted if self.levels and wanted != "minimal" else _PLAIN_LEVELS.get(wanted, wanted)


@dataclass(frozen=True, slots=True)
class Responses:
    """What an engine's ``/v1/responses`` takes of OpenAI's API. The defaults are OpenAI's own.

    ``keeps``: it can continue a response that it made; ``by_id``: it has the paths that ask for
    one; ``counts``: it has the one that counts a prompt's tokens. ``loses``: fields of a request
    that it takes and forgets; ``tools``: the kinds of tools that it knows, where the others are
    lost. None: it says so itself of those that it lacks, or some releases do. ``hosted``: those
    that it may run itself, where that is known.
    """

    keeps: bool = True
    by_id: bool = True
    counts: bool = True
    loses: frozenset[str] = frozenset()
    tools: frozenset[str] | None = None
    hosted: frozenset[str] | None = None


#: What most models take.
IMAGES = frozenset({"image/png", "image/jpeg", "image/webp", "image/gif"})
ANY_CHOICE = frozenset(Choice)
#: Ways to switch thinking off: by the word that most chat templates know, and by an effort.
NO_TEMPLATE_THINKING = {"chat_template_kwargs": {"enable_thinking": False}}
NO_EFFORT = {"reasoning_effort": "none"}
#: Makes the engine continue a last turn that is the model's own.
CONTINUE = {"continue_final_message": True}
_PLAIN_LEVELS = {"minimal": "low", "xhigh": "high", "max": "high"}


@dataclass(frozen=True, slots=True)
class Profile:
    """One engine. The defaults are those of a plain OpenAI server."""

    choices: frozenset[Choice] = ANY_CHOICE
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
    #: Whether ``json_object``, JSON of any shape, is a format that it knows beside schemas.
    json_mode: bool = True
    #: vLLM and TGI answer 400 to a fifth stop string.
    most_stops: int | None = None
    logprobs: bool = True
    most_logprobs: int = 20
    #: llama-server refuses log probabilities of a stream with tools, and we always stream.
    logprobs_with_tools: bool = True
    images: frozenset[str] = IMAGES
    audio: bool = True
    #: The content part that carries a video: ``video_url`` or ``input_video``; "" where none.
    video: str = ""
    thinking: Thinking = field(default_factory=Thinking)
    #: Fields that make it continue a conversation's last turn where that is the model's own; None:
    #: it begins a new turn, or continues without such fields (llama-server, Ollama's templates).
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
    responses: Responses = field(default_factory=Responses)

    def fit_top_p(self, value: float | None) -> float | None:
        """The nearest value that the engine takes, None to leave it out."""
        if value is None or (value >= 1 and not self.whole_top_p):
            return None
        return max(value, self.least_top_p)


#: A plain OpenAI server: nothing is sent to it that OpenAI's own API would refuse.
PLAIN = Profile(most_stops=4, strict_names=True, strict_schemas=True, complete_objects=True)

#: Google's own buckets for its OpenAI surface; ``minimal`` is for the smallest budgets.
_EFFORTS = ((512, "minimal"), (1024, "low"), (8192, "medium"))


def effort_of(budget: int) -> str:
    """The ``reasoning_effort`` that comes nearest to a budget in tokens."""
    return next((effort for most, effort in _EFFORTS if budget <= most), "high")
