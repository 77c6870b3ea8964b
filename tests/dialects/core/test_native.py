"""What an engine may lose of a Messages request that it gets unchanged."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.dialects.core.native import find_parts, refuse_parts
from casedesk_proxy.engines.anthropic import SPEC as ANTHROPIC_S_OWN
from casedesk_proxy.engines.llama_server import SPEC as LLAMA_SERVER
from casedesk_proxy.engines.ollama import SPEC as OLLAMA
from casedesk_proxy.engines.parts import Part
from casedesk_proxy.engines.vllm import SPEC as VLLM
from casedesk_proxy.terms import Action
from tests.dialects.core.test_needs import JSON, PICTURE, TEXT, messages, result
from tests.fixtures.effort import examples
from tests.fixtures.table import table

BRIEF = {"role": "system", "content": "Be brief.", "clear_at": "next_user_message"}


@table(
    ("body", "part", "path"),
    [
        ({"output_config": {"format": {}}}, Part.FORMAT, "output_config.format"),
        ({"output_format": {}}, Part.BETA_FORMAT, "output_format"),
        ({"output_config": {"effort": "low"}}, Part.EFFORT, "output_config.effort"),
        ({"thinking": {"type": "disabled"}}, Part.THINKING_OFF, "thinking.type"),
        ({"thinking": {"type": "enabled"}}, Part.BUDGET, "thinking.budget_tokens"),
        ({"tools": [{}, {"type": "bash_20250124"}]}, Part.SERVER_TOOLS, "tools.1"),
        ({"tools": [{"type": "web_search_20250305"}]}, Part.WEB_SEARCH, "tools.0"),
        ({"tool_choice": {"type": "none"}}, Part.NO_TOOL, "tool_choice.type"),
        ({"tool_choice": {"type": "any"}}, Part.ANY_TOOL, "tool_choice.type"),
        ({"tool_choice": {"type": "tool"}}, Part.NAMED_TOOL, "tool_choice.type"),
        ({"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}, Part.ONE_TOOL,
         "tool_choice.disable_parallel_tool_use"),
        ({"mcp_servers": [{}]}, Part.KEPT, "mcp_servers"),
        ({"thread": "t"}, Part.KEPT, "thread"),
        (messages({"type": "document"}), Part.DOCUMENTS, "messages.0.content.0"),
        (messages({"type": "redacted_thinking"}), Part.REDACTED, "messages.0.content.0"),
        (messages({"type": "server_tool_use"}), Part.OTHER_BLOCKS, "messages.0.content.0"),
        ({"messages": [BRIEF, {"role": "user", "content": "x"}]},
         Part.CLEARED, "messages.0.clear_at"),
        (messages(result(TEXT, {"type": "document"})), Part.RESULT_BLOCKS,
         "messages.0.content.0.content.1"),
        (messages(result({"type": "tool_reference"})), Part.REFERENCES,
         "messages.0.content.0.content.0"),
    ],
)  # fmt: skip
def test_parts_that_an_engine_may_lose(body: dict[str, Any], part: Part, path: str) -> None:
    assert find_parts(Action.MESSAGES, body) == {part: path}
    error = refuse_parts(LLAMA_SERVER, {part: path})
    assert path in error.message
    assert "openai" in error.message


def test_counting_is_a_part_by_itself() -> None:
    assert find_parts(Action.COUNT_MESSAGES, {"thread": "t"}) == {Part.COUNT: ""}
    assert find_parts(Action.CHAT, {"thread": "t"}) == {}
    assert "the request: " in refuse_parts(LLAMA_SERVER, {Part.COUNT: ""}).message


@table(
    "turns",
    [
        [{"role": "user", "content": "x"}, BRIEF],
        [BRIEF, {"role": "assistant", "content": "x"}, "no message"],
        [BRIEF | {"role": "user"}, {"role": "user", "content": "x"}],
        [BRIEF | {"clear_at": "never"}, {"role": "user", "content": "x"}],
        [BRIEF | {"clear_at": []}, {"role": "user", "content": "x"}],
    ],
)
def test_a_system_message_that_is_still_shown(turns: list[dict[str, Any]]) -> None:
    assert find_parts(Action.MESSAGES, {"messages": turns}) == {}


def test_an_ordinary_request_has_none() -> None:
    body = {**messages(TEXT, PICTURE, result(TEXT, PICTURE)), "thinking": {"type": "adaptive"},
            "tools": [{"type": "custom", "name": "f"}, {"name": "g"}], "system": "s",
            "tool_choice": {"type": "auto"}, "output_config": None, "metadata": {}}  # fmt: skip
    assert find_parts(Action.MESSAGES, body) == {}


def test_older_releases_lose_more() -> None:
    assert Part.BUDGET not in VLLM.profile.messages.lost_parts()
    assert Part.BUDGET not in VLLM.profile.messages.lost_parts((0, 33))
    assert Part.BUDGET in VLLM.profile.messages.lost_parts((0, 11))
    assert Part.EFFORT in OLLAMA.profile.messages.lost_parts((0, 14))
    assert ANTHROPIC_S_OWN.profile.messages.lost_parts() == frozenset()


@examples(50)
@given(st.dictionaries(st.sampled_from(["messages", "tools", "system", "thinking"]), JSON))
def test_a_body_may_have_any_shape(body: dict[str, Any]) -> None:
    assert isinstance(find_parts(Action.MESSAGES, body), dict)
