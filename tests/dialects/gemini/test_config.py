"""``generationConfig``: its values, and Google's limits for them."""

from __future__ import annotations

from typing import Any

from casedesk_proxy.dialects.core.findings import Findings
from casedesk_proxy.dialects.gemini.config import GenerationConfig, read_config
from tests.fixtures.table import table

OBJECT = {"type": "OBJECT", "properties": {"x": {"type": "STRING"}}}
JSON = "application/json"


def read(**config: Any) -> GenerationConfig:
    findings = Findings()
    made = read_config(config, findings)
    assert not [*findings.faults.kept, *findings.features.kept, *findings.schema_faults.kept]
    return made


def paths(**config: Any) -> list[str]:
    findings = Findings()
    read_config(config, findings)
    kept = [*findings.faults.kept, *findings.features.kept, *findings.formats.kept]
    return [one.path.removeprefix("generationConfig.") for one in kept]


def test_nothing_is_set_by_itself() -> None:
    assert read() == GenerationConfig()


def test_values() -> None:
    made = read(
        temperature=0.5, topP=1, topK=40, candidateCount=2, maxOutputTokens=9, seed=1,
        stopSequences=["a"], responseLogprobs=True, logprobs=3,
        thinkingConfig={"includeThoughts": True, "thinkingBudget": -1},
    )  # fmt: skip
    assert (made.temperature, made.top_p, made.top_k, made.candidates) == (0.5, 1, 40, 2)
    assert (made.max_tokens, made.seed, made.stops) == (9, 1, ("a",))
    assert (made.logprobs, made.top_logprobs, made.thoughts, made.budget) == (True, 3, True, -1)


@table("field", ["responseSchema", "responseJsonSchema"])
def test_a_schema_becomes_json_schema(field: str) -> None:
    made = read(responseMimeType=f"{JSON}; charset=utf-8", **{field: OBJECT})
    assert made.schema == {"type": "object", "properties": {"x": {"type": "string"}}}
    assert made.schema_path == f"generationConfig.{field}"


def test_json_without_a_schema() -> None:
    made = read(responseMimeType=JSON)
    assert (made.schema, made.schema_path) == ({}, "generationConfig.responseMimeType")


@table(
    ("config", "where"),
    [
        ({"temperature": 2.1}, ["temperature"]),
        ({"topP": -0.1, "candidateCount": 9}, ["topP", "candidateCount"]),
        ({"maxOutputTokens": 0}, ["maxOutputTokens"]),
        ({"stopSequences": list("abcdef")}, ["stopSequences"]),
        ({"stopSequences": ["a", ""]}, ["stopSequences[1]"]),
        ({"logprobs": 1}, ["logprobs"]),
        ({"responseModalities": ["TEXT", "IMAGE"]}, ["responseModalities[1]"]),
        ({"imageConfig": {}}, ["imageConfig"]),
        ({"thinkingConfig": {"thinkingBudget": -2}}, ["thinkingConfig.thinkingBudget"]),
        ({"thinkingConfig": {"thinkingBudget": 1, "thinkingLevel": "LOW"}}, ["thinkingConfig"]),
        ({"responseSchema": OBJECT}, ["responseSchema"]),
        ({"responseMimeType": "text/x.enum"}, ["responseMimeType"]),
        ({"responseMimeType": "text/html"}, ["responseMimeType"]),
        (
            {"responseSchema": OBJECT, "responseJsonSchema": OBJECT, "responseMimeType": JSON},
            ["generationConfig"],
        ),
    ],
)
def test_faults(config: dict[str, Any], where: list[str]) -> None:
    assert paths(**config) == where
