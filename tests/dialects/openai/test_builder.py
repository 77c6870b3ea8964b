"""The pieces of a chat request are what the openai SDK sends."""

from __future__ import annotations

import json
from typing import Any

from casedesk_proxy.dialects.core.findings import Findings
from casedesk_proxy.dialects.openai.builder import (
    NO_PARAMETERS,
    function_call,
    function_tool,
    image_part,
    may_be_strict,
    named_choice,
    response_format,
)
from tests.dialects.asking import OPENAI, VLLM
from tests.fixtures import sdks
from tests.fixtures.table import table


def test_the_sdk_s_types_are_met() -> None:
    types = sdks.openai.types.chat
    call = types.ChatCompletionMessageFunctionToolCall.model_validate(
        function_call("a", "f", {"x": [1]})
    )
    assert json.loads(call.function.arguments) == {"x": [1]}
    assert named_choice("f") == {"type": "function", "function": {"name": "f"}}


def test_a_tool_has_only_what_was_declared() -> None:
    bare = function_tool("f", None, NO_PARAMETERS, strict=False)
    assert bare == {"type": "function", "function": {"name": "f", "parameters": NO_PARAMETERS}}
    whole = function_tool("f", "", NO_PARAMETERS, strict=True)["function"]
    assert (whole["description"], whole["strict"]) == ("", True)


def test_an_image_is_a_data_url() -> None:
    plain = image_part("image/png", "AA==")
    assert plain["image_url"] == {"url": "data:image/png;base64,AA=="}
    assert image_part("image/png", "AA==", "low")["image_url"]["detail"] == "low"


CLOSED: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}


@table(
    ("schema", "at_openai"),
    [
        (CLOSED, True),
        ({**CLOSED, "required": []}, False),
        ({**CLOSED, "required": [["a"]]}, False),
        ({**CLOSED, "properties": {"a": {"type": "what"}}}, False),
        ({"type": "string"}, False),
    ],
)
def test_strict_is_sent_only_where_it_is_not_refused(
    schema: dict[str, Any], at_openai: bool
) -> None:
    assert may_be_strict(schema, OPENAI.profile) is at_openai
    assert may_be_strict(schema, VLLM.profile)


def test_a_strict_schema_is_declared_strict_where_that_matters() -> None:
    findings = Findings()
    strict = {
        engine.name: response_format(schema, "s", engine.profile, findings)["json_schema"].get(
            "strict"
        )
        for engine in (OPENAI, VLLM)
        for schema in (CLOSED,)
    }
    assert strict == {"openai": True, "vllm": None}
    loose = response_format({"type": "string"}, "s", OPENAI.profile, findings)
    assert "strict" not in loose["json_schema"]
    assert not findings.faults.kept
