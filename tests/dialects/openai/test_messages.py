"""Chat messages are assembled from pieces of text and other parts."""

from __future__ import annotations

from typing import Any

from casedesk_proxy.dialects.openai.messages import PAUSE, ChatTurn, plain_text
from casedesk_proxy.engines.profile import Profile
from tests.dialects.asking import TGI, VLLM
from tests.fixtures.table import table

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


@table(
    ("pieces", "content"),
    [
        ([], ""),
        (["a", "b"], "ab"),
        (["a", "b", IMAGE, "c", "d"], [text("ab"), IMAGE, text("cd")]),
        ([IMAGE], [IMAGE]),
    ],
)
def test_content_is_plain_text_unless_there_are_other_parts(
    pieces: list[Any], content: Any
) -> None:
    made = ChatTurn("user", pieces).message(VLLM.profile)
    assert made == {"role": "user", "content": content}


def test_texts_of_two_messages_are_separated() -> None:
    turn = ChatTurn("user", ["one"])
    turn.extend(["two", IMAGE])
    turn.extend(["three"])
    assert turn.pieces == ["one", PAUSE, "two", IMAGE, "three"]
    assert plain_text(turn.pieces) == ["one", PAUSE, "two", "three"]


def test_the_first_message_of_a_turn_begins_without_a_separator() -> None:
    turn = ChatTurn("user")
    turn.extend(["one"])
    assert turn.pieces == ["one"]


def test_a_result_names_its_call() -> None:
    made = ChatTurn("tool", ["42"], answers="a").message(VLLM.profile)
    assert made == {"role": "tool", "content": "42", "tool_call_id": "a"}


@table("profile", [VLLM.profile, TGI.profile])
def test_a_call_without_text_has_the_content_that_its_engine_accepts(profile: Profile) -> None:
    made = ChatTurn("assistant", calls=[CALL]).message(profile)
    assert made["content"] == profile.empty_content
    assert made["tool_calls"] == [CALL]


def test_thoughts_are_in_the_engine_s_field() -> None:
    made = ChatTurn("assistant", ["x"], thoughts=["a", "b"]).message(VLLM.profile)
    assert made[VLLM.profile.thinking.history] == "ab"
