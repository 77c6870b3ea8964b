"""What a request needs from its model, and the words of the refusal."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.dialects.core.needs import find_needs, refuse_needs
from casedesk_proxy.errors import Unsupported
from casedesk_proxy.surfaces.anthropic_messages import message_of
from casedesk_proxy.terms import Ability, Action, Dialect
from tests.fixtures.effort import examples
from tests.fixtures.table import table

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


@table(
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
        (GEMINI, parts({"functionResponse": {"parts": [
            {"inlineData": {"mimeType": "image/png"}}]}}),
         Ability.VISION, "contents[0].parts[0].functionResponse.parts[0].inlineData"),
        (GEMINI, parts({"function_response": {"parts": [
            7, {"fileData": {"mimeType": "audio/wav"}}]}}),
         Ability.AUDIO, "contents[0].parts[0].function_response.parts[1].fileData"),
        (GEMINI, {"tools": [{"functionDeclarations": [{}]}]}, Ability.TOOLS,
         "tools[0].functionDeclarations"),
        (RESPONSES, {"input": ["Hi", {"content": [TEXT, {"type": "input_image"}]}]}, Ability.VISION,
         "input[1].content[1]"),
        (RESPONSES, {"input": [{"output": [{"type": "input_image"}]}]}, Ability.VISION,
         "input[0].output[0]"),
        (RESPONSES, {"tools": [{"type": "web_search"}, {"type": "namespace"}]}, Ability.TOOLS,
         "tools[1]"),
        # A freeform tool needs them as a function does: a client that declares only such tools
        # would otherwise get a model that can do nothing of what it asks for. Those that are left
        # out need nothing, and Codex, which sends one with a grammar, sends functions, too.
        (RESPONSES, {"tools": [{"type": "custom", "name": "f", "format": {"type": "grammar"}},
                               {"type": "custom", "custom": {"name": "f"}},
                               {"type": "custom", "name": "f"}]}, Ability.TOOLS, "tools[2]"),
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


@table(
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


@table(
    ("action", "body", "needs"),
    [
        (Action.OLLAMA_CHAT, {"messages": [{}, {"images": ["iVBO"]}], "tools": [{}]},
         {Ability.VISION: ("messages[1].images",), Ability.TOOLS: ("tools",)}),
        (Action.OLLAMA_GENERATE, {"prompt": "Hi", "images": ["iVBO"]},
         {Ability.VISION: ("images",)}),
        (Action.OLLAMA_GENERATE, {"keep_alive": 0}, {}),
        (Action.OLLAMA_CHAT, {"messages": [{"images": []}], "tools": []}, {}),
        (Action.OLLAMA_EMBED, {"input": "Hi"}, {Ability.EMBEDDING: ("model",)}),
        (Action.SHOW_MODEL, {}, {}),
    ],
)  # fmt: skip
def test_what_ollama_s_clients_need(action: Action, body: dict[str, Any], needs: Any) -> None:
    """Without a prompt, a request only loads a model, so any model can serve it."""
    assert find_needs(Dialect.OLLAMA, action, body) == needs


def test_counting_needs_nothing() -> None:
    for action in (Action.COUNT_MESSAGES, Action.COUNT_TOKENS):
        assert find_needs(ANTHROPIC, action, messages(PICTURE)) == {}


def test_embedding_needs_a_model_that_does() -> None:
    for action in (Action.EMBED, Action.BATCH_EMBED, Action.EMBEDDINGS):
        needs = find_needs(OPENAI, action, {"input": "hi"})
        refuse_needs(OPENAI, needs, frozenset({Ability.COMPLETION}), "m")
        with pytest.raises(Unsupported, match="does not make embeddings"):
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
    with pytest.raises(Unsupported, match="only makes embeddings"):
        refuse_needs(GEMINI, needs, frozenset(Ability), "m")


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
