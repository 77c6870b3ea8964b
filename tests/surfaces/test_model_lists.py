"""Model lists in the three shapes, page by page."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.errors import BadRequest
from casedesk_proxy.surfaces import anthropic, gemini, openai
from casedesk_proxy.terms import ModelInfo
from tests.fixtures import sdks
from tests.fixtures.table import table

MANY = tuple(ModelInfo(f"m{number:04}") for number in range(1500))


def names(reply: dict[str, Any]) -> list[str]:
    return [one["name"].removeprefix("models/") for one in reply["models"]]


@table(
    ("model", "shown"),
    [
        (
            ModelInfo("gemma2:9b", 8192, 4096),
            {
                "name": "models/gemma2:9b",
                "baseModelId": "gemma2",
                "version": "9b",
                "displayName": "gemma2:9b",
                "inputTokenLimit": 8192,
                "outputTokenLimit": 4096,
                "supportedGenerationMethods": [
                    "generateContent",
                    "streamGenerateContent",
                    "countTokens",
                ],
            },
        ),
        (
            ModelInfo("host:5000/embed", 512, embeds=True),
            {
                "name": "models/host:5000/embed",
                "baseModelId": "host:5000/embed",
                "version": "001",
                "displayName": "host:5000/embed",
                "inputTokenLimit": 512,
                "outputTokenLimit": 512,
                "supportedGenerationMethods": ["embedContent", "batchEmbedContents"],
            },
        ),
        (
            ModelInfo("both", also_embeds=True),
            {
                "name": "models/both",
                "baseModelId": "both",
                "version": "001",
                "displayName": "both",
                "supportedGenerationMethods": [
                    "generateContent",
                    "streamGenerateContent",
                    "countTokens",
                    "embedContent",
                    "batchEmbedContents",
                ],
            },
        ),
        (
            ModelInfo("tunedModels/x", thinks=True),
            {
                "thinking": True,
                "name": "tunedModels/x",
                "baseModelId": "tunedModels/x",
                "version": "001",
                "displayName": "tunedModels/x",
                "supportedGenerationMethods": [
                    "generateContent",
                    "streamGenerateContent",
                    "countTokens",
                ],
            },
        ),
    ],
)
def test_gemini_model(model: ModelInfo, shown: dict[str, Any]) -> None:
    assert gemini.show_model(model) == shown


@table(
    ("query", "count"),
    [
        ("", 50), ("pageSize=7", 7), ("pageSize=1000", 1000), ("pageSize=1001", 1000),
        ("pageSize=0", 50), ("pageSize=" + "9" * 4000, 1000), ("page_size=3", 3),
        ("pageSize=5&%24alt=json%3Benum-encoding%3Dint", 5),
    ],
)  # fmt: skip
def test_gemini_page_size(query: str, count: int) -> None:
    reply = gemini.list_models(MANY, query)
    assert names(reply) == [model.name for model in MANY[:count]]
    assert "nextPageToken" in reply


def test_gemini_short_list_has_no_token() -> None:
    assert gemini.list_models(MANY[:50]).keys() == {"models"}
    assert gemini.list_models(()) == {"models": []}


@table("size", ["-1", "x", "1.5", " 1", "٣", "1e3", "%00"])
def test_gemini_bad_page_size(size: str) -> None:
    with pytest.raises(BadRequest) as caught:
        gemini.list_models(MANY, f"pageSize={size}")
    assert caught.value.violations[0].path == "pageSize"


def forged(name: str) -> str:
    return base64.urlsafe_b64encode(b"\0\0\0\0" + name.encode()).decode()


@table("token", ["x", "AAAA", forged("m0003"), "ä", "%FF", "=", "A" * 9999])
def test_gemini_bad_token(token: str) -> None:
    with pytest.raises(BadRequest) as caught:
        gemini.list_models(MANY, f"pageToken={token}")
    assert caught.value.violations[0].path == "pageToken"


def test_gemini_pages_survive_a_change_of_the_list() -> None:
    first = gemini.list_models(MANY[:4], "pageSize=2")
    token = first["nextPageToken"]
    without_last = (*MANY[:1], *MANY[2:4])
    assert names(gemini.list_models(without_last, f"pageToken={token}")) == ["m0002", "m0003"]


models = st.lists(st.text(min_size=1, max_size=6), unique=True, max_size=12).map(
    lambda found: tuple(ModelInfo(name) for name in found)
)
sizes = st.integers(1, 5)


@given(models, sizes)
def test_gemini_pages_make_the_list(found: tuple[ModelInfo, ...], size: int) -> None:
    seen: list[str] = []
    query = f"pageSize={size}"
    while True:
        reply = gemini.list_models(found, query)
        seen += [one["displayName"] for one in reply["models"]]
        if "nextPageToken" not in reply:
            break
        assert len(reply["models"]) == size
        query = f"pageSize={size}&pageToken={reply['nextPageToken']}"
    assert seen == sorted(model.name for model in found)


def ids(reply: dict[str, Any]) -> list[str]:
    found = [one["id"] for one in reply["data"]]
    assert reply["first_id"] == (found[0] if found else None)
    assert reply["last_id"] == (found[-1] if found else None)
    return found


@table(
    ("query", "wanted", "more"),
    [
        ("", range(20), True),
        ("limit=3", range(3), True),
        ("limit=1000", range(1000), True),
        ("limit=2&after_id=m0002", range(3, 5), True),
        ("limit=2&after_id=m1497", range(1498, 1500), False),
        ("after_id=m1499", range(0), False),
        ("limit=2&after_id=m00025", range(3, 5), True),
        ("limit=2&before_id=m0005", range(3, 5), True),
        ("limit=2&before_id=m0002", range(2), False),
        ("limit=2&before_id=m0000", range(0), False),
        ("beta=true", range(20), True),
    ],
)
def test_anthropic_pages(query: str, wanted: range, more: bool) -> None:
    reply = anthropic.list_models(MANY, query)
    assert ids(reply) == [MANY[number].name for number in wanted]
    assert reply["has_more"] is more


@table(
    ("query", "field"),
    [("limit=0", "limit"), ("limit=1001", "limit"), ("limit=x", "limit"), ("limit=-1", "limit"),
     ("limit=" + "9" * 5000, "limit"), ("after_id=a&before_id=b", "before_id")],
)  # fmt: skip
def test_anthropic_bad_parameters(query: str, field: str) -> None:
    with pytest.raises(BadRequest) as caught:
        anthropic.list_models(MANY, query)
    assert caught.value.violations[0].path == field


@given(models, sizes)
def test_anthropic_pages_make_the_list(found: tuple[ModelInfo, ...], size: int) -> None:
    ordered = sorted(model.name for model in found)
    seen, after = [], {"limit": str(size)}
    while True:
        reply = anthropic.list_models(found, "&".join(f"{k}={v}" for k, v in after.items()))
        seen += ids(reply)
        if not reply["has_more"]:
            break
        after["after_id"] = "".join(f"%{byte:02x}" for byte in reply["last_id"].encode())
    assert seen == ordered


@table(
    ("created", "shown"),
    [(None, "1970-01-01T00:00:00Z"), (1_700_000_000, "2023-11-14T22:13:20Z"),
     (10**18, "1970-01-01T00:00:00Z"), (-(10**18), "1970-01-01T00:00:00Z")],
)  # fmt: skip
def test_anthropic_model(created: int | None, shown: str) -> None:
    assert anthropic.show_model(ModelInfo("x", created=created)) == {
        "type": "model",
        "id": "x",
        "display_name": "x",
        "created_at": shown,
        "lifecycle": "active",
    }


@table("model", [ModelInfo("x"), ModelInfo("x", 8192, 1024, created=7)])
def test_the_newest_sdks_types_are_met(model: ModelInfo) -> None:
    """The SDKs themselves tolerate missing fields, but programs fail on them later."""
    sdks.anthropic.types.ModelInfo.model_validate(anthropic.show_model(model))
    sdks.anthropic.types.beta.BetaModelInfo.model_validate(anthropic.show_model(model))
    sdks.openai.types.Model.model_validate(openai.show_model(model))


def test_anthropic_limits() -> None:
    shown = anthropic.show_model(ModelInfo("x", 8192, 1024))
    assert (shown["max_input_tokens"], shown["max_tokens"]) == (8192, 1024)
    assert anthropic.show_model(ModelInfo("x", 8192))["max_tokens"] == 8192


def test_openai_list() -> None:
    assert openai.list_models((ModelInfo("a"), ModelInfo("b", 8192, created=5, owned_by="o"))) == {
        "object": "list",
        "data": [
            {"id": "a", "object": "model", "created": 0, "owned_by": "casedesk-proxy"},
            {"id": "b", "object": "model", "created": 5, "owned_by": "o", "max_model_len": 8192},
        ],
    }


@table("value", [b"2023-06-01", b"2026-10-21", b"x"])
def test_version_given(value: bytes) -> None:
    anthropic.require_version(((b"Anthropic-Version", value),))
    anthropic.require_version(((b"anthropic-version", b""), (b"anthropic-version", value)))


@table("headers", [(), ((b"anthropic-version", b" "),), ((b"anthropic", b"1"),)])
def test_version_missing(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    with pytest.raises(BadRequest, match="anthropic-version: header is required") as caught:
        anthropic.require_version(headers)
    assert caught.value.status == 400


@table("surface", [gemini, anthropic, openai])
def test_a_description_is_shown(surface: Any) -> None:
    assert "description" not in surface.show_model(ModelInfo("m"))
    assert surface.show_model(ModelInfo("m", description="short"))["description"] == "short"
