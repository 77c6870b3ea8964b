"""Reads ``generationConfig``, with Google's limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from casedesk_proxy.dialects.core.findings import Findings
from casedesk_proxy.dialects.gemini.contents import read_detail
from casedesk_proxy.dialects.schema.checks import check_json_schema
from casedesk_proxy.dialects.schema.gemini import convert_schema
from casedesk_proxy.dialects.schema.ordering import lower_types, put_in_order

__all__ = ["GenerationConfig", "read_config"]

PATH = "generationConfig"
#: Field, lowest and highest value.
_RANGES: tuple[tuple[str, float, float], ...] = (
    ("temperature", 0, 2),
    ("topP", 0, 1),
    ("topK", 0, 2**31),
    ("candidateCount", 1, 8),
    ("maxOutputTokens", 1, 2**31),
    ("presencePenalty", -2, 2),
    ("frequencyPenalty", -2, 2),
    ("logprobs", 0, 20),
)
_MAX_STOP_SEQUENCES = 5
_JSON = "application/json"
_ENUM = "text/x.enum"
_SCHEMAS = ("responseSchema", "responseJsonSchema", "_responseJsonSchema")


@dataclass(frozen=True, slots=True)
class GenerationConfig:
    """A field is None if the client did not set it. ``schema`` is JSON Schema, ``{}`` for any JSON;
    ``schema_path`` is the field that asked for it. ``budget`` -1 leaves thinking to the model."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    candidates: int = 1
    max_tokens: int | None = None
    stops: tuple[str, ...] = ()
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logprobs: bool = False
    top_logprobs: int | None = None
    schema: dict[str, Any] | None = None
    schema_path: str = ""
    thoughts: bool = False
    budget: int | None = None
    level: str | None = None
    detail: str | None = None


def read_config(config: dict[str, Any], findings: Findings) -> GenerationConfig:
    _check_ranges(config, findings)
    _check_modalities(config, findings)
    schema, schema_path = _read_format(config, findings)
    thinking = config.get("thinkingConfig", {})
    _check_thinking(thinking, findings)
    return GenerationConfig(
        temperature=config.get("temperature"),
        top_p=config.get("topP"),
        top_k=config.get("topK"),
        candidates=config.get("candidateCount", 1),
        max_tokens=config.get("maxOutputTokens"),
        stops=tuple(config.get("stopSequences", ())),
        seed=config.get("seed"),
        presence_penalty=config.get("presencePenalty"),
        frequency_penalty=config.get("frequencyPenalty"),
        logprobs=config.get("responseLogprobs", False),
        top_logprobs=config.get("logprobs"),
        schema=schema,
        schema_path=schema_path,
        thoughts=thinking.get("includeThoughts", False),
        budget=thinking.get("thinkingBudget"),
        level=thinking.get("thinkingLevel"),
        detail=read_detail(config.get("mediaResolution")),
    )


def _check_ranges(config: dict[str, Any], findings: Findings) -> None:
    for name, least, greatest in _RANGES:
        value = config.get(name)
        if value is not None and not least <= value <= greatest:
            path = f"{PATH}.{name}"
            limit = f"from {least} to {greatest}" if greatest < 2**31 else f"at least {least}"
            findings.fault(path, f"{path} must be {limit}")
    stops = config.get("stopSequences", ())
    if len(stops) > _MAX_STOP_SEQUENCES:
        path = f"{PATH}.stopSequences"
        findings.fault(path, f"{path} can hold up to {_MAX_STOP_SEQUENCES} sequences")
    for at, stop in enumerate(stops):
        if not stop:
            path = f"{PATH}.stopSequences[{at}]"
            findings.fault(path, f"{path} must not be empty")
    if "logprobs" in config and not config.get("responseLogprobs"):
        path = f"{PATH}.logprobs"
        findings.fault(path, f"{path} needs responseLogprobs to be true")


def _check_modalities(config: dict[str, Any], findings: Findings) -> None:
    wanted = config.get("responseModalities", [])
    for at, modality in enumerate(wanted):
        if modality != "TEXT":
            findings.refuse(f"{PATH}.responseModalities[{at}]", "the node only returns text")
    if config.get("imageConfig") is not None and wanted != ["TEXT"]:
        findings.refuse(f"{PATH}.imageConfig", "the node cannot generate images")


def _check_thinking(thinking: dict[str, Any], findings: Findings) -> None:
    path = f"{PATH}.thinkingConfig"
    budget = thinking.get("thinkingBudget")
    if budget is not None and budget < -1:
        findings.fault(f"{path}.thinkingBudget", f"{path}.thinkingBudget must be at least -1")
    if budget is not None and "thinkingLevel" in thinking:
        findings.fault(path, f"{path} can have thinkingBudget or thinkingLevel, not both")


def _read_format(config: dict[str, Any], findings: Findings) -> tuple[dict[str, Any] | None, str]:
    given = [name for name in _SCHEMAS if config.get(name) is not None]
    if len(given) > 1:
        findings.fault(PATH, f"{PATH} can have only one of: {', '.join(given)}")
    path = f"{PATH}.{given[0]}" if given else ""
    mime = config.get("responseMimeType", "").partition(";")[0].strip().lower()
    schema = _read_schema(config[given[0]], path, findings) if given else None
    if mime == _ENUM:
        findings.refuse_format(
            f"{PATH}.responseMimeType", "nodes return JSON or text, not a bare enum value"
        )
    elif mime == _JSON:
        return (schema, path) if given else ({}, f"{PATH}.responseMimeType")
    elif mime not in ("", "text/plain"):
        message = f"{PATH}.responseMimeType must be text/plain, {_JSON} or {_ENUM}"
        findings.fault(f"{PATH}.responseMimeType", message)
    elif given:
        findings.fault(path, f"{path} needs responseMimeType {_JSON} or {_ENUM}")
    return None, ""


def _read_schema(schema: Any, path: str, findings: Findings) -> dict[str, Any]:
    if path.endswith(".responseSchema"):
        return convert_schema(schema, path, findings.schema_fault, findings.unknown)
    schema = lower_types(schema)
    check_json_schema(schema, path, findings.schema_fault)
    return put_in_order(schema) if isinstance(schema, dict) else {}
