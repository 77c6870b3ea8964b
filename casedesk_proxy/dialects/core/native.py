"""What engines lose of Anthropic's requests on a ``/v1/messages`` of their own.

They answer 200 and do less: a response format is not followed, a PDF not read, a tool of
Anthropic's becomes a function without arguments. Read in the sources of llama-server b11549 (and
tried, tests/nodes), Ollama 0.32, vLLM 0.32.0 and SGLang 0.5.23. What an engine refuses in words
of its own counts as lost, too, where translation keeps it or says it better.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Any

from casedesk_proxy.errors import Unsupported, Violation
from casedesk_proxy.terms import Action, Engine

__all__ = ["Part", "find_parts", "lost_parts", "refuse_parts"]


class Part(StrEnum):
    """A part of a Messages request that not every engine keeps."""

    FORMAT = "a response format"
    BETA_FORMAT = "output_format, the response format's name of old"
    THINKING_OFF = "thinking switched off"
    BUDGET = "a budget for thinking"
    EFFORT = "an effort"
    DOCUMENTS = "documents"
    RESULT_BLOCKS = "results of tools that are neither text nor images"
    REFERENCES = "references to tools"
    TOOL_CHANGES = "tools that come and go"
    SEARCH_RESULTS = "search results"
    REDACTED = "thinking that only Anthropic can read"
    OTHER_BLOCKS = "blocks of Anthropic's own tools"
    SERVER_TOOLS = "tools that run at Anthropic"
    WEB_SEARCH = "Anthropic's web search"
    NO_TOOL = "a choice of no tool"
    ANY_TOOL = "the duty to use a tool"
    NAMED_TOOL = "the choice of one tool"
    ONE_TOOL = "one tool at a time"
    KEPT = "what is kept at Anthropic"
    COUNT = "counting tokens"


#: None of them has anything like it.
_ALL_LOSE = {
    Part.BETA_FORMAT, Part.DOCUMENTS, Part.RESULT_BLOCKS, Part.OTHER_BLOCKS, Part.KEPT,
    Part.SERVER_TOOLS,
}  # fmt: skip
_MOST_LOSE = {Part.REFERENCES, Part.TOOL_CHANGES, Part.SEARCH_RESULTS}
_LOST: dict[Engine, frozenset[Part]] = {
    Engine.LLAMA_SERVER: frozenset(
        _ALL_LOSE
        | _MOST_LOSE
        | {Part.FORMAT, Part.THINKING_OFF, Part.EFFORT, Part.WEB_SEARCH}
        | {Part.NO_TOOL, Part.NAMED_TOOL, Part.ONE_TOOL}
    ),
    # Its web search is one of Ollama's own.
    Engine.OLLAMA: frozenset(
        _ALL_LOSE
        | _MOST_LOSE
        | {Part.FORMAT, Part.COUNT, Part.NO_TOOL, Part.ANY_TOOL, Part.NAMED_TOOL}
    ),
    Engine.VLLM: frozenset(_ALL_LOSE | {Part.SEARCH_RESULTS, Part.WEB_SEARCH}),
    # It refuses thinking that it cannot read.
    Engine.SGLANG: frozenset(_ALL_LOSE | {Part.TOOL_CHANGES, Part.WEB_SEARCH, Part.REDACTED}),
}
#: Releases before these lose more: the first of which the above was read, and what.
_SINCE: dict[Engine, tuple[tuple[int, ...], frozenset[Part]]] = {
    Engine.VLLM: ((0, 32), frozenset({Part.FORMAT, Part.THINKING_OFF, Part.BUDGET, Part.ONE_TOOL})),
    Engine.OLLAMA: ((0, 24), frozenset({Part.EFFORT})),
}
_PLAIN_BLOCKS = ("text", "tool_use", "thinking", "image")
_SPECIAL_BLOCKS = {
    "document": Part.DOCUMENTS,
    "redacted_thinking": Part.REDACTED,
    "search_result": Part.SEARCH_RESULTS,
    "tool_reference": Part.REFERENCES,
    "tool_addition": Part.TOOL_CHANGES,
    "tool_removal": Part.TOOL_CHANGES,
}
_RESULT_BLOCKS = {"search_result": Part.SEARCH_RESULTS, "tool_reference": Part.REFERENCES}
_CHOICES = {"none": Part.NO_TOOL, "any": Part.ANY_TOOL, "tool": Part.NAMED_TOOL}
_KEPT = ("thread", "compaction", "mcp_servers")


@lru_cache(maxsize=256)
def lost_parts(engine: Engine, version: tuple[int, ...] = ()) -> frozenset[Part]:
    """What an engine's own route loses. ``version``: its first two numbers, () where unknown."""
    lost = _LOST.get(engine, frozenset())
    since, more = _SINCE.get(engine, ((), frozenset()))
    return lost | more if version and version < since else lost


def find_parts(action: Action, body: Mapping[str, Any]) -> dict[Part, str]:
    """The parts that a Messages request of any shape has, each with its first place."""
    if action is Action.COUNT_MESSAGES:
        return {Part.COUNT: ""}
    found: dict[Part, str] = {}
    if action is Action.MESSAGES:
        for part, path in _parts(body):
            found.setdefault(part, path)
    return found


def refuse_parts(engine: Engine, parts: Mapping[Part, str]) -> Unsupported:
    """For a node that has no other route."""
    violations = tuple(
        Violation(path, f"{engine} loses {part}", "document" if part is Part.DOCUMENTS else "")
        for part, path in parts.items()
    )
    told = "; ".join(f"{one.path or 'the request'}: {one.description}" for one in violations)
    code = "unsupported_anthropic_feature"
    remedy = "it would be translated if the node's `speaks` had openai, too"
    return Unsupported(f"{code}: {told}; {remedy}", code=code, violations=violations)


def _parts(body: Mapping[str, Any]) -> Iterator[tuple[Part, str]]:
    output, thinking = body.get("output_config"), body.get("thinking")
    if isinstance(output, dict):
        for name, part in (("format", Part.FORMAT), ("effort", Part.EFFORT)):
            if output.get(name) is not None:
                yield part, f"output_config.{name}"
    if body.get("output_format") is not None:
        yield Part.BETA_FORMAT, "output_format"
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if kind == "disabled":
        yield Part.THINKING_OFF, "thinking.type"
    elif kind == "enabled":
        yield Part.BUDGET, "thinking.budget_tokens"
    for name in _KEPT:
        if body.get(name):
            yield Part.KEPT, name
    yield from _tool_parts(body)
    yield from _block_parts(body.get("messages"))


def _tool_parts(body: Mapping[str, Any]) -> Iterator[tuple[Part, str]]:
    for at, tool in _each(body.get("tools")):
        kind = tool.get("type")
        if isinstance(kind, str) and kind != "custom":
            search = kind.startswith("web_search")
            yield Part.WEB_SEARCH if search else Part.SERVER_TOOLS, f"tools.{at}"
    choice = body.get("tool_choice")
    if isinstance(choice, dict):
        if (part := _CHOICES.get(str(choice.get("type")))) is not None:
            yield part, "tool_choice.type"
        if choice.get("disable_parallel_tool_use") is True:
            yield Part.ONE_TOOL, "tool_choice.disable_parallel_tool_use"


def _block_parts(messages: Any) -> Iterator[tuple[Part, str]]:
    """A conversation has hundreds of blocks, and nearly all are plain: those are passed over
    in a loop of their own."""
    for at, message in enumerate(messages if isinstance(messages, list) else ()):
        content = message.get("content") if isinstance(message, dict) else None
        if not isinstance(content, list):
            continue
        kinds = [block.get("type") if isinstance(block, dict) else "text" for block in content]
        for place, kind in enumerate(kinds):
            if kind in _PLAIN_BLOCKS:
                continue
            path = f"messages.{at}.content.{place}"
            if kind == "tool_result":
                yield from _result_parts(content[place], path)
            else:
                yield _SPECIAL_BLOCKS.get(str(kind), Part.OTHER_BLOCKS), path


def _result_parts(block: Mapping[str, Any], path: str) -> Iterator[tuple[Part, str]]:
    for at, inner in _each(block.get("content")):
        kind = str(inner.get("type"))
        if kind not in ("text", "image"):
            yield _RESULT_BLOCKS.get(kind, Part.RESULT_BLOCKS), f"{path}.content.{at}"


def _each(value: Any) -> Iterator[tuple[int, Mapping[str, Any]]]:
    if isinstance(value, list):
        for at, one in enumerate(value):
            if isinstance(one, dict):
                yield at, one
