"""Why a candidate ended, in Google's words, for every protocol of a node."""

from __future__ import annotations

from typing import Any

from casedesk_proxy.dialects.core.calls import ToolCall
from casedesk_proxy.dialects.core.reply import Finish, ReplyChoice
from casedesk_proxy.dialects.gemini.endings import call_parts, finish_fields
from tests.fixtures.table import table


def choice(finish: Finish, *calls: ToolCall) -> ReplyChoice:
    made = ReplyChoice(0)
    made.finish = finish
    made.calls = list(calls)
    return made


@table("finish", Finish)
def test_every_finish_has_a_reason(finish: Finish) -> None:
    assert finish_fields(choice(finish), broken=False)["finishReason"]


@table(
    ("finish", "broken", "wanted"),
    [
        (Finish.STOP, False, "STOP"),
        (Finish.STOP, True, "MALFORMED_FUNCTION_CALL"),
        (Finish.LENGTH, True, "MAX_TOKENS"),
        (Finish.REFUSAL, False, "SAFETY"),
        (Finish.PAUSE, False, "OTHER"),
    ],
)
def test_reasons(finish: Finish, broken: bool, wanted: str) -> None:
    assert finish_fields(choice(finish), broken=broken)["finishReason"] == wanted


def test_calls_come_by_index_with_ids_and_the_clients_names() -> None:
    second, first, nameless = ToolCall(1, "", "g_1"), ToolCall(0, "a", "f"), ToolCall(2, "b")
    second.pieces.append('{"x":1}')
    parts: list[dict[str, Any] | None] = call_parts(
        choice(Finish.STOP, second, first, nameless), {"g_1": "g"}, "r1"
    )
    assert parts == [
        {"functionCall": {"id": "a", "name": "f", "args": {}}},
        {"functionCall": {"id": "r1-1", "name": "g", "args": {"x": 1}}},
        None,
    ]
