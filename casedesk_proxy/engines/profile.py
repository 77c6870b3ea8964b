"""What an engine supports beyond plain chat: the terms in which each engine's module describes it.

The defaults are those of a plain OpenAI server (`Profile`) and of Anthropic's and OpenAI's own APIs
(`Messages`, `Responses`), so an engine's profile contains only its differences.
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
    """The values of ``tool_choice``. ``none`` is missing: a request without tools has the same
    effect with every engine."""

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
    #: Anthropic's own API: a messages body → ``input_tokens``
    MESSAGES = "/v1/messages/count_tokens"


@dataclass(frozen=True, slots=True)
class Thinking:
    """How a request makes an engine think or not think: fields of the chat body.

    ``off`` is merged into the body to switch thinking off; None: that is not possible. ``budget``
    is the field for a number of tokens; without one the number becomes an effort. ``effort``:
    ``reasoning_effort`` is supported; ``levels``: with more values than low, medium and high.
    ``history`` is the field of an assistant message for earlier reasoning.
    """

    off: Mapping[str, Any] | None = None
    budget: str = ""
    effort: bool = True
    levels: bool = True
    history: str = ""

    def level(self, wanted: str) -> str:
        """The nearest supported level."""
        return wanted if self.levels else _PLAIN_LEVELS.get(wanted, wanted)


@dataclass(frozen=True, slots=True)
class Messages:
    """What an engine's ``/v1/messages`` supports of Anthropic's API. The defaults are Anthropic's
    own.

    ``exact``: it enforces the API's rules: a user turn first, tools defined if the history has
    calls, a temperature up to 1, function names within the rules, no blank stop strings.
    ``format``: a response format is followed; ``effort`` and ``levels``: which efforts are;
    ``thinks``: the model can think.

    ``loses``: parts of a relayed request that get lost there; releases before the first two numbers
    of an entry of ``loses_more`` also lose the parts in that entry. ``may_refuse``: the controls of
    thinking that it refuses for some models, as it does in a chat.
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
    #: The chat template reads the effort: a template that does not read it loses nothing.
    effort_by_template: bool = False

    def lost_parts(self, version: tuple[int, ...] = ()) -> frozenset[Part]:
        """``version``: the first two numbers of the node's release, () if unknown."""
        since, more = self.loses_more
        return self.loses | more if version and version < since else self.loses

    def level(self, wanted: str) -> str:
        """The nearest supported level; Anthropic's API has no ``minimal``."""
        return wanted if self.levels and wanted != "minimal" else _PLAIN_LEVELS.get(wanted, wanted)


@dataclass(frozen=True, slots=True)
class Responses:
    """What an engine's ``/v1/responses`` supports of OpenAI's API. The defaults are OpenAI's own.

    ``keeps``: it can continue a response that it made; ``by_id``: it has the paths that ask for
    one; ``counts``: it has the path that counts a prompt's tokens. ``loses``: fields of a request
    that it accepts and ignores; ``tools``: the kinds of tools that it supports, while it loses
    others; None: it refuses the others itself, or some releases do. ``hosted``: the kinds that it
    may run itself, if that is known.
    """

    keeps: bool = True
    by_id: bool = True
    counts: bool = True
    loses: frozenset[str] = frozenset()
    tools: frozenset[str] | None = None
    hosted: frozenset[str] | None = None


#: The types that most models accept.
IMAGES = frozenset({"image/png", "image/jpeg", "image/webp", "image/gif"})
ANY_CHOICE = frozenset(Choice)
#: Ways to switch thinking off: by the variable of most chat templates, and by an effort.
NO_TEMPLATE_THINKING = {"chat_template_kwargs": {"enable_thinking": False}}
NO_EFFORT = {"reasoning_effort": "none"}
#: Makes the engine continue a last turn of the model.
CONTINUE = {"continue_final_message": True}
_PLAIN_LEVELS = {"minimal": "low", "xhigh": "high", "max": "high"}


@dataclass(frozen=True, slots=True)
class Profile:
    """What one engine supports. The defaults are those of a plain OpenAI server."""

    choices: frozenset[Choice] = ANY_CHOICE
    #: The tool choices that the engine refuses together with a response format.
    format_forbids: frozenset[Choice] = frozenset()
    top_k: bool = False
    #: The value for an unlimited number of tokens to choose from; Gemini's is 0.
    no_top_k: int = 0
    #: The smallest top_p. Some engines refuse 0; this value, too, keeps only the likeliest token.
    least_top_p: float = 0.0
    #: Whether a top_p of 1, which limits nothing, is accepted; TGI refuses it, so it is left out.
    whole_top_p: bool = True
    candidates: bool = True
    presence_penalty: bool = True
    #: Whether ``response_format`` is followed.
    follows_format: bool = True
    #: Whether ``json_object``, JSON of any shape, is supported besides schemas.
    json_mode: bool = True
    #: vLLM and TGI answer 400 to a fifth stop string.
    most_stops: int | None = None
    logprobs: bool = True
    most_logprobs: int = 20
    #: Whether a stream may have both; llama-server refuses that, and requests always stream.
    logprobs_with_tools: bool = True
    images: frozenset[str] = IMAGES
    audio: bool = True
    #: The content part for a video: ``video_url`` or ``input_video``; "" if there is none.
    video: str = ""
    thinking: Thinking = field(default_factory=Thinking)
    #: Fields that make the engine continue a last turn of the model; None: it begins a new turn, or
    #: continues without such fields (llama-server, Ollama's templates).
    prefill: Mapping[str, Any] | None = None
    #: The content of a message that has tool calls and no text.
    empty_content: str | None = None
    #: Function names with other characters than letters, digits, ``_`` and ``-``, or more than 64,
    #: are refused.
    strict_names: bool = False
    #: ``strict: true`` has an effect, for schemas that follow its rules.
    strict_schemas: bool = False
    #: An object's schema without ``properties`` is refused.
    complete_objects: bool = False
    parallel_switch: bool = True
    #: The formats that its grammar supports; another one makes the grammar fail. Unknown keywords
    #: are ignored.
    formats: frozenset[str] | None = None
    counter: Counter | None = None
    embeds: bool = True
    dimensions: bool = True
    messages: Messages = field(default_factory=Messages)
    responses: Responses = field(default_factory=Responses)

    def fit_top_p(self, value: float | None) -> float | None:
        """The nearest value that the engine accepts, None to leave it out."""
        if value is None or (value >= 1 and not self.whole_top_p):
            return None
        return max(value, self.least_top_p)


#: A plain OpenAI server: it gets nothing that OpenAI's own API would refuse.
PLAIN = Profile(most_stops=4, strict_names=True, strict_schemas=True, complete_objects=True)

#: Google's own buckets for its OpenAI surface; ``minimal`` is for the smallest budgets.
_EFFORTS = ((512, "minimal"), (1024, "low"), (8192, "medium"))


def effort_of(budget: int) -> str:
    """The ``reasoning_effort`` nearest to a budget in tokens."""
    return next((effort for most, effort in _EFFORTS if budget <= most), "high")
