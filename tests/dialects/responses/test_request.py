"""A Responses request as a value: the fields that are neither input nor tools."""

from __future__ import annotations

from typing import Any

from casedesk_proxy.dialects.core.findings import Findings
from casedesk_proxy.dialects.responses.request import ResponsesRequest, TextFormat, read_request
from tests.fixtures.table import table


def read(findings: Findings | None = None, **fields: Any) -> ResponsesRequest:
    """If ``findings`` are not given, there must be none."""
    found = findings or Findings()
    request = read_request({"input": "Hi", **fields}, found)
    assert findings is not None or (not found.faults and not found.features and not found.dropped)
    return request


SCHEMA = {"type": "json_schema", "name": "A", "schema": {"type": "object"}}


@table(
    ("fields", "path"),
    [
        ({"instructions": ["x"]}, "instructions"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"max_output_tokens": True}, "max_output_tokens"),
        ({"temperature": 2.5}, "temperature"),
        ({"top_p": "1"}, "top_p"),
        ({"include": "x"}, "include"),
        ({"top_logprobs": 21}, "top_logprobs"),
        ({"reasoning": "high"}, "reasoning"),
        ({"reasoning": {"effort": "huge"}}, "reasoning.effort"),
        ({"text": "x"}, "text"),
        ({"text": {"format": "json"}}, "text.format.type"),
        ({"text": {"format": {**SCHEMA, "name": ""}}}, "text.format.name"),
        ({"text": {"format": {**SCHEMA, "schema": "x"}}}, "text.format.schema"),
        ({"seed": "7"}, "seed"),
        ({"seed": 2**70}, "seed"),
    ],
)
def test_wrong_ones(fields: dict[str, Any], path: str) -> None:
    findings = Findings()
    read(findings, **fields)
    assert [one.path for one in findings.faults.violations()] == [path]


def test_what_is_null_was_not_sent() -> None:
    names = ("instructions", "temperature", "top_p", "text", "reasoning", "include", "tools")
    assert read(**dict.fromkeys(names)) == read()


@table(
    ("fields", "logprobs"),
    [
        ({}, None),
        ({"top_logprobs": 0}, None),
        ({"top_logprobs": 3}, 3),
        ({"include": ["message.output_text.logprobs"]}, 0),
        ({"include": ["message.output_text.logprobs"], "top_logprobs": 0}, 0),
    ],
)
def test_log_probabilities(fields: dict[str, Any], logprobs: int | None) -> None:
    assert read(**fields).logprobs == logprobs


@table(
    ("format", "wanted"),
    [
        (None, None),
        ({"type": "text"}, None),
        ({"type": "json_object"}, TextFormat("text.format")),
        (SCHEMA, TextFormat("text.format", "A", None, {"type": "object"}, None)),
        (
            {**SCHEMA, "description": "d", "strict": True},
            TextFormat("text.format", "A", "d", {"type": "object"}, True),
        ),
    ],
)
def test_formats(format: Any, wanted: TextFormat | None) -> None:
    assert read(text={"format": format}).format == wanted


def test_how_wordy_it_should_be_is_dropped() -> None:
    findings = Findings()
    read(findings, text={"verbosity": "low"})
    assert findings.dropped == ("text.verbosity",)
    assert read(text={"verbosity": "medium"}).format is None


def test_the_reply_says_again_what_was_sent() -> None:
    repeated = read(temperature=1, metadata={"a": "b"}, service_tier="flex").repeated
    assert repeated["temperature"] == 1
    assert repeated["metadata"] == {"a": "b"}
    assert repeated["truncation"] == "disabled"
    assert "service_tier" not in repeated
