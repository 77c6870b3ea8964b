"""What a request needs of its model, and the words in which it is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.dialects.core.native import find_parts, refuse_parts
from casedesk_proxy.dialects.core.needs import find_needs, refuse_needs
from casedesk_proxy.engines.anthropic import SPEC as ANTHROPIC_S_OWN
from casedesk_proxy.engines.llama_server import SPEC as LLAMA_SERVER
from casedesk_proxy.engines.ollama import SPEC as OLLAMA
from casedesk_proxy.engines.parts import Part
from casedesk_proxy.engines.vllm import SPEC as VLLM
from casedesk_proxy.errors import Unsupported
from casedesk_proxy.surfaces.anthropic_messages import message_of
from casedesk_proxy.terms import Ability, Action, Dialect
from tests.fixtures.effort import examples

PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
TEXT = {"type": "text", "text": "hi"}
ANTHROPIC, OPENAI, GEMINI = Dialect.ANTHROPIC, Dialect.OPENAI, Dialect.GEMINI
RESPONSES = Dialect.RESPONSES
ANSWER = {
    ANTHROPIC: Action.MESSAGES,
    OPENAI: Action.CHAT,
    GEMINI: Action.GENERATE,
    RESPONSES: Action.RESPOND,
}


def messages(*blocks: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(blocks)}]}


def result(*blocks: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": "x", "content": list(blocks)}


def parts(*blocks: Any) -> dict[str, Any]:
    return {"contents": [{"parts": list(blocks)}]}


@pytest.mark.parametrize(
    ("surface", "body", "ability", "path"),
    [
        (ANTHROPIC, messages(TEXT, PICTURE), Ability.VISION, "messages.0.content.1"),
        (ANTHROPIC, messages(result(PICTURE)), Ability.VISION, "messages.0.content.0.content.0"),
        (ANTHROPIC, messages({"type": "document", "source": {"content": [PICTURE]}}),
         Ability.VISION, "messages.0.content.0.source.content.0"),
        (ANTHROPIC, {"system": [TEXT, PICTURE]}, Ability.VISION, "system.1"),
        (ANTHROPIC, {"tools": [{}]}, Ability.TOOLS, "tools"),
        (OPENAI, messages(TEXT, {"type": "image_url"}), Ability.VISION, "messages[0].content[1]"),
        (OPENAI, messages({"type": "input_audio"}), Ability.AUDIO, "messages[0].content[0]"),
        (OPENAI, {"tools": [{}]}, Ability.TOOLS, "tools"),
        (GEMINI, parts({"inlineData": {"mimeType": "image/png"}}), Ability.VISION,
         "contents[0].parts[0].inlineData"),
        (GEMINI, parts({"inline_data": {"mime_type": "AUDIO/wav"}}), Ability.AUDIO,
         "contents[0].parts[0].inline_data"),
        (GEMINI, parts({"fileData": {"mimeType": "video/mp4"}}), Ability.VISION,
         "contents[0].parts[0].fileData"),
        (GEMINI, {"tools": [{"functionDeclarations": [{}]}]}, Ability.TOOLS,
         "tools[0].functionDeclarations"),
        (RESPONSES, {"input": ["Hi", {"content": [TEXT, {"type": "input_image"}]}]}, Ability.VISION,
         "input[1].content[1]"),
        (RESPONSES, {"input": [{"output": [{"type": "input_image"}]}]}, Ability.VISION,
         "input[0].output[0]"),
        (RESPONSES, {"tools": [{"type": "web_search"}, {"type": "namespace"}]}, Ability.TOOLS,
         "tools[1]"),
    ],
)  # fmt: skip
def test_what_is_needed_and_where(
    surface: Dialect, body: dict[str, Any], ability: Ability, path: str
) -> None:
    needs = find_needs(surface, ANSWER[surface], body)
    assert needs == {Ability.COMPLETION: ("model",), ability: (path,)}
    with pytest.raises(Unsupported) as caught:
        refuse_needs(surface, needs, frozenset({ability}), "gemma2")
    assert caught.value.status == 400
    assert caught.value.violations[0].path == path
    assert "'gemma2'" in caught.value.message
    refuse_needs(surface, needs, frozenset({Ability.THINKING}), "gemma2")


@pytest.mark.parametrize(
    ("surface", "body"),
    [
        (ANTHROPIC, messages(TEXT)),
        (ANTHROPIC, {"tools": [{}], "tool_choice": {"type": "none"}}),
        (ANTHROPIC, {"tools": []}),
        (RESPONSES, {"input": "Hi"}),
        (RESPONSES, {"tools": [{"type": "function"}], "tool_choice": "none"}),
        (RESPONSES, {"tools": [{"type": "web_search"}]}),
        (OPENAI, {"tools": [{}], "tool_choice": "none"}),
        (OPENAI, messages(TEXT)),
        (GEMINI, {"tools": [{"functionDeclarations": [{}]}],
                  "toolConfig": {"functionCallingConfig": {"mode": "NONE"}}}),
        (GEMINI, parts({"text": "hi"}, {"inlineData": {"mimeType": "text/plain"}})),
    ],
)  # fmt: skip
def test_words_are_enough(surface: Dialect, body: dict[str, Any]) -> None:
    assert find_needs(surface, ANSWER[surface], body).keys() == {Ability.COMPLETION}


def test_counting_needs_nothing() -> None:
    for action in (Action.COUNT_MESSAGES, Action.COUNT_TOKENS):
        assert find_needs(ANTHROPIC, action, messages(PICTURE)) == {}


def test_embedding_needs_a_model_that_does() -> None:
    for action in (Action.EMBED, Action.BATCH_EMBED, Action.EMBEDDINGS):
        needs = find_needs(OPENAI, action, {"input": "hi"})
        refuse_needs(OPENAI, needs, frozenset({Ability.COMPLETION}), "m")
        with pytest.raises(Unsupported, match="makes no embeddings"):
            refuse_needs(OPENAI, needs, frozenset({Ability.EMBEDDING}), "m")


def test_every_place_is_named() -> None:
    needs = find_needs(ANTHROPIC, Action.MESSAGES, messages(PICTURE, TEXT, PICTURE))
    with pytest.raises(Unsupported) as caught:
        refuse_needs(ANTHROPIC, needs, frozenset({Ability.VISION}), "m")
    # The words that Claude Code waits for.
    assert message_of(caught.value).startswith(
        "Could not process image: messages.0.content.0.image: "
    )
    assert [one.path for one in caught.value.violations] == [
        "messages.0.content.0", "messages.0.content.2",
    ]  # fmt: skip


def test_an_embedding_model_is_told_as_that() -> None:
    needs = find_needs(GEMINI, Action.GENERATE, parts({"inlineData": {"mimeType": "image/png"}}))
    with pytest.raises(Unsupported, match="makes embeddings only"):
        refuse_needs(GEMINI, needs, frozenset(Ability), "m")


@pytest.mark.parametrize(
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


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["image", "tool_result", "none"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["messages", "content", "type", "tools", "contents", "parts", "inlineData",
                         "source", "tool_choice", "output_config", "toolConfig", "mimeType"]),
        inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@examples(50)
@given(
    st.dictionaries(st.sampled_from(["messages", "contents", "tools", "system", "thinking"]), JSON)
)
def test_a_body_may_have_any_shape(body: dict[str, Any]) -> None:
    for surface, action in ANSWER.items():
        assert Ability.COMPLETION in find_needs(surface, action, body)
    assert isinstance(find_parts(Action.MESSAGES, body), dict)
