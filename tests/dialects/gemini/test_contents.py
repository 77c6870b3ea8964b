"""A conversation is read into turns that alternate, with each result paired with its call."""

from __future__ import annotations

import base64
from typing import Any

from casedesk_proxy.dialects.core.findings import Findings
from casedesk_proxy.dialects.gemini.blocks import ContentTurn, Media, Text
from casedesk_proxy.dialects.gemini.contents import read_detail, read_text, read_turns
from tests.dialects.asking import PNG
from tests.fixtures.table import table

CALL = {"functionCall": {"name": "f"}}
RESULT = {"functionResponse": {"name": "f", "response": {"x": 1}}}


def content(role: str, *parts: dict[str, Any] | str) -> dict[str, Any]:
    return {
        "role": role,
        "parts": [{"text": one} if isinstance(one, str) else one for one in parts],
    }


def blob(mime: str, data: str = PNG) -> dict[str, Any]:
    return {"inlineData": {"mimeType": mime, "data": data}}


def read(*contents: dict[str, Any], fragment: bool = False) -> list[ContentTurn]:
    findings = Findings()
    turns = read_turns(list(contents), "contents", findings, fragment=fragment)
    assert not [*findings.faults.kept, *findings.features.kept]
    return turns


def faults(*contents: dict[str, Any]) -> list[str]:
    findings = Findings()
    read_turns(list(contents), "c", findings)
    return [one.path for one in (*findings.faults.kept, *findings.features.kept)]


def texts(turns: list[ContentTurn]) -> list[tuple[str, str]]:
    return [(turn.role, "".join(one.text for one in turn.texts())) for turn in turns]


def test_contents_of_one_role_become_one_turn() -> None:
    turns = read(
        content("user", "a"), content("", "b"), content("model", "c"), content("user", "d")
    )
    assert texts(turns) == [("user", "ab"), ("model", "c"), ("user", "d")]


def test_an_empty_text_counts_only_as_the_last_prompt() -> None:
    assert texts(read(content("user", "a"), content("model", ""), content("user", "b"))) == [
        ("user", "ab")
    ]
    assert texts(read(content("model", "a"), content("user", ""))) == [("model", "a"), ("user", "")]


def test_thoughts_are_left_out_and_reported() -> None:
    findings = Findings()
    thought = {"text": "hm", "thought": True}
    turns = read_turns([content("user", "a"), content("model", thought, "b")], "c", findings)
    assert texts(turns) == [("user", "a"), ("model", "b")]
    assert findings.dropped == ("c[1].parts[0].text",)


@table(("mime", "block"), [("image/JPG; x=y", "image/jpeg"), ("audio/wav", "audio/wav")])
def test_media(mime: str, block: str) -> None:
    [turn] = read(content("user", blob(mime)))
    assert turn.blocks == [Media(block, PNG, None, "contents[0].parts[0].inlineData")]


@table("mime", ["text/plain", "application/json"])
def test_media_that_are_text_are_text(mime: str) -> None:
    data = base64.b64encode("grüß dich".encode()).decode()
    [turn] = read(content("user", blob(mime, data)))
    assert turn.blocks == [Text("grüß dich", "contents[0].parts[0].inlineData")]


def test_results_are_paired_by_id_or_else_in_order() -> None:
    named = {"functionCall": {"name": "f", "id": "b"}}
    answer = {"functionResponse": {"name": "f", "id": "b", "response": {}}}
    calls, results = read(
        content("user", "a"), content("model", CALL, named), content("user", answer, RESULT)
    )[1:]
    assert [call.id for call in calls.calls()] == ["call00001", "call00002"]
    assert [result.id for result in results.results()] == ["call00002", "call00001"]


def test_in_a_fragment_a_result_without_its_call_is_text() -> None:
    [turn] = read(content("user", RESULT), fragment=True)
    assert [one.text for one in turn.texts()] == ['{"x":1}']


@table(
    ("contents", "paths"),
    [
        ((), ["c"]),
        ((content("system", "a"),), ["c[0].role"]),
        ((content("user", "a", RESULT),), ["c[0].parts[1].functionResponse"]),
        ((content("user", CALL),), ["c[0].parts[0].functionCall"]),
        ((content("user", {"text": "a", **CALL}),), ["c[0].parts[0]"]),
        ((content("user", blob("")),), ["c[0].parts[0].inlineData.mimeType"]),
        ((content("user", blob("image/png", "")),), ["c[0].parts[0].inlineData.data"]),
        ((content("user", blob("image/png", "*")),), ["c[0].parts[0].inlineData.data"]),
        ((content("user", blob("text/plain", "/w==")),), ["c[0].parts[0].inlineData.data"]),
        ((content("user", "a"), content("model", blob("image/png"))), ["c[1].parts[0].inlineData"]),
    ],
)
def test_faults(contents: tuple[dict[str, Any], ...], paths: list[str]) -> None:
    assert faults(*contents)[: len(paths)] == paths


def test_a_content_that_must_be_text() -> None:
    findings = Findings()
    mixed = content("user", "a", blob("image/png"), "b")
    assert read_text(mixed, "system", "only text", findings) == ["a", "b"]
    assert [one.path for one in findings.features.kept] == ["system.parts[1].inlineData"]


@table(
    ("resolution", "detail"),
    [
        ("MEDIA_RESOLUTION_LOW", "low"),
        ({"level": "MEDIA_RESOLUTION_ULTRA_HIGH"}, "high"),
        (3, "high"),
        ("MEDIA_RESOLUTION_MEDIUM", None),
        (None, None),
    ],
)
def test_resolutions(resolution: Any, detail: str | None) -> None:
    assert read_detail(resolution) == detail
