"""The parts of an Anthropic Messages request that engines may lose, found and refused.

Each engine's module says which parts it loses (see `engines.parts` for the reasons).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from casedesk_proxy.dialects.core.bodies import each_object
from casedesk_proxy.engines.parts import Part
from casedesk_proxy.engines.spec import EngineSpec
from casedesk_proxy.errors import Unsupported, Violation
from casedesk_proxy.terms import Action

__all__ = ["find_parts", "refuse_parts"]

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


def find_parts(action: Action, body: Mapping[str, Any]) -> dict[Part, str]:
    """The parts in a Messages request of any shape, each with its first place."""
    if action is Action.COUNT_MESSAGES:
        return {Part.COUNT: ""}
    found: dict[Part, str] = {}
    if action is Action.MESSAGES:
        for part, path in _parts(body):
            found.setdefault(part, path)
    return found


def refuse_parts(engine: EngineSpec, parts: Mapping[Part, str]) -> Unsupported:
    """The error for a node that offers no other route."""
    violations = tuple(
        Violation(path, f"{engine} loses {part}", "document" if part is Part.DOCUMENTS else "")
        for part, path in parts.items()
    )
    message = "; ".join(f"{one.path or 'the request'}: {one.description}" for one in violations)
    code = "unsupported_anthropic_feature"
    remedy = "to have such requests translated, add openai to the node's `speaks`"
    return Unsupported(f"{code}: {message}; {remedy}", code=code, violations=violations)


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
    for at, tool in each_object(body.get("tools")):
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
    """A conversation has hundreds of blocks, and nearly all are plain: a loop of its own skips
    those."""
    has_clear_at = False
    for at, message in enumerate(messages if isinstance(messages, list) else ()):
        if not isinstance(message, dict):
            continue
        has_clear_at = has_clear_at or "clear_at" in message
        content = message.get("content")
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
    if has_clear_at:
        yield from _cleared(messages)


def _cleared(messages: Any) -> Iterator[tuple[Part, str]]:
    """System messages that are no longer shown. Until the user speaks again, an engine that does
    not know the field shows them, too."""
    listed = list(each_object(messages))
    last = max((at for at, one in listed if one.get("role") == "user"), default=-1)
    for at, one in listed:
        if at < last and (one.get("role"), one.get("clear_at")) == ("system", "next_user_message"):
            yield Part.CLEARED, f"messages.{at}.clear_at"


def _result_parts(block: Mapping[str, Any], path: str) -> Iterator[tuple[Part, str]]:
    for at, inner in each_object(block.get("content")):
        kind = str(inner.get("type"))
        if kind not in ("text", "image"):
            yield _RESULT_BLOCKS.get(kind, Part.RESULT_BLOCKS), f"{path}.content.{at}"
