"""The items of a Responses request's input, one by one."""

from __future__ import annotations

from typing import Any

from casedesk_proxy.dialects.core.findings import Findings
from casedesk_proxy.dialects.responses.input_items import (
    AudioPart,
    FilePart,
    ImagePart,
    InputCall,
    InputItem,
    InputMessage,
    InputPart,
    InputResult,
    InputThought,
    read_input,
)
from casedesk_proxy.dialects.responses.names import QualifiedName
from tests.fixtures.table import table

CALL = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "c1", "output": "ok"}
CUSTOM = {"type": "custom_tool_call", "call_id": "c1", "name": "p", "input": "x"}


def read(*items: Any) -> tuple[InputItem, ...]:
    """The items, which must have no fault."""
    findings = Findings()
    found = read_input(list(items), findings)
    assert not findings.faults
    assert not findings.features
    return found


def faults(given: Any) -> list[str]:
    findings = Findings()
    read_input(given, findings)
    return [one.path for one in findings.faults.violations()]


def said(*parts: Any, role: str = "user") -> dict[str, Any]:
    return {"type": "message", "role": role, "content": list(parts)}


@table(
    ("given", "paths"),
    [
        (None, ["input"]),
        (7, ["input"]),
        ([], ["input"]),
        ([7], ["input[0]"]),
        ([{}], ["input[0].type"]),
        ([{"type": 7}], ["input[0].type"]),
        ([{"role": "nobody"}], ["input[0].role"]),
        ([{"role": "user"}], ["input[0].content"]),
        ([said(7)], ["input[0].content[0].type"]),
        ([said({"type": "input_text", "text": 7})], ["input[0].content[0].text"]),
        ([said({"type": "refusal"}, role="assistant")], ["input[0].content[0].refusal"]),
        ([said({"type": "input_image"})], ["input[0].content[0].image_url"]),
        ([said({"type": "input_file"})], ["input[0].content[0].file_data"]),
        ([said({"type": "input_audio", "input_audio": "x"})], ["input[0].content[0].input_audio"]),
        ([said({"type": "input_audio", "input_audio": {"data": "x"}})],
         ["input[0].content[0].input_audio"]),
        ([said({"type": "input_image", "image_url": "data:,"}, role="assistant")],
         ["input[0].content[0].image_url"]),
        ([{**CALL, "arguments": {}}], ["input[0].arguments"]),
        ([{**CALL, "call_id": ""}], ["input[0].call_id"]),
        ([{**CALL, "name": 7}], ["input[0].name"]),
        ([{**CALL, "namespace": 7}], ["input[0].namespace"]),
        ([CALL, CALL], ["input[1].call_id"]),
        ([{**CUSTOM, "input": 7}], ["input[0].input"]),
        ([RESULT], ["input[0].call_id"]),
        ([CALL, RESULT, RESULT], ["input[2].call_id"]),
        ([CALL, {**RESULT, "output": 7}], ["input[1].output"]),
    ],
)  # fmt: skip
def test_wrong_ones(given: Any, paths: list[str]) -> None:
    assert faults(given) == paths


def test_a_text_is_the_users() -> None:
    findings = Findings()
    assert read_input("Hi", findings) == (InputMessage("user", ("Hi",)),)


@table(
    ("part", "wanted"),
    [
        ({"type": "input_text", "text": "a"}, ("a",)),
        ({"type": "output_text", "text": ""}, ()),
        ({"type": "refusal", "refusal": "no"}, ("no",)),
        ({"type": "input_image", "image_url": "u", "detail": "low"},
         (ImagePart("u", "input[0].content[0].image_url", "low"),)),
        ({"type": "input_image", "image_url": "u", "detail": 7},
         (ImagePart("u", "input[0].content[0].image_url"),)),
        ({"type": "input_file", "file_data": "d", "filename": 7},
         (FilePart("d", "", "input[0].content[0].file_data"),)),
        ({"type": "input_audio", "input_audio": {"data": "d", "format": "wav"}},
         (AudioPart("d", "wav", "input[0].content[0].input_audio"),)),
    ],
)  # fmt: skip
def test_parts(part: dict[str, Any], wanted: tuple[InputPart, ...]) -> None:
    assert read(said(part)) == (InputMessage("user", wanted),)


@table(
    ("part", "place"),
    [
        ({"type": "input_image", "file_id": "f"}, "file_id"),
        ({"type": "input_file", "file_id": "f"}, "file_id"),
        ({"type": "input_file", "file_url": "u"}, "file_url"),
        ({"type": "input_video"}, ""),
    ],
)
def test_parts_that_only_openai_could_read(part: dict[str, Any], place: str) -> None:
    findings = Findings()
    read_input([said(part)], findings)
    (found,) = findings.features.violations()
    assert found.path == f"input[0].content[0].{place}".rstrip(".")


def test_calls_and_results() -> None:
    inside = {**CALL, "namespace": "n", "arguments": ""}
    assert read(inside, RESULT) == (
        InputCall("c1", QualifiedName("f", "n"), "{}", "input[0]"),
        InputResult("c1", ("ok",), "input[1]"),
    )


def test_a_freeform_call_has_one_argument() -> None:
    assert read(CUSTOM, {**RESULT, "type": "custom_tool_call_output"})[0] == InputCall(
        "c1", QualifiedName("p"), '{"input":"x"}', "input[0]"
    )


def test_a_summary_stands_in_for_thoughts_that_are_missing() -> None:
    summary = [{"type": "summary_text", "text": "a"}, 7, {"text": "b"}]
    thought = {"type": "reasoning", "content": [], "summary": summary, "encrypted_content": "x"}
    assert read(thought, {"type": "reasoning"}) == (InputThought("a\n\nb", "input[0]"),)
