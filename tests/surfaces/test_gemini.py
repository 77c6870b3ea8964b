"""Gemini's forms: a model, and the list page by page."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.errors import BadRequest
from casedesk_proxy.surfaces import gemini
from casedesk_proxy.terms import ModelInfo
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
def test_model(model: ModelInfo, shown: dict[str, Any]) -> None:
    assert gemini.show_model(model) == shown


@table(
    ("query", "count"),
    [
        ("", 50), ("pageSize=7", 7), ("pageSize=1000", 1000), ("pageSize=1001", 1000),
        ("pageSize=0", 50), ("pageSize=" + "9" * 4000, 1000), ("page_size=3", 3),
        ("pageSize=5&%24alt=json%3Benum-encoding%3Dint", 5),
    ],
)  # fmt: skip
def test_page_size(query: str, count: int) -> None:
    reply = gemini.list_models(MANY, query)
    assert names(reply) == [model.name for model in MANY[:count]]
    assert "nextPageToken" in reply


def test_short_list_has_no_token() -> None:
    assert gemini.list_models(MANY[:50]).keys() == {"models"}
    assert gemini.list_models(()) == {"models": []}


@table("size", ["-1", "x", "1.5", " 1", "٣", "1e3", "%00"])
def test_bad_page_size(size: str) -> None:
    with pytest.raises(BadRequest) as caught:
        gemini.list_models(MANY, f"pageSize={size}")
    assert caught.value.violations[0].path == "pageSize"


def forged(name: str) -> str:
    return base64.urlsafe_b64encode(b"\0\0\0\0" + name.encode()).decode()


@table("token", ["x", "AAAA", forged("m0003"), "ä", "%FF", "=", "A" * 9999])
def test_bad_token(token: str) -> None:
    with pytest.raises(BadRequest) as caught:
        gemini.list_models(MANY, f"pageToken={token}")
    assert caught.value.violations[0].path == "pageToken"


def test_pages_survive_a_change_of_the_list() -> None:
    first = gemini.list_models(MANY[:4], "pageSize=2")
    token = first["nextPageToken"]
    without_last = (*MANY[:1], *MANY[2:4])
    assert names(gemini.list_models(without_last, f"pageToken={token}")) == ["m0002", "m0003"]


models = st.lists(st.text(min_size=1, max_size=6), unique=True, max_size=12).map(
    lambda found: tuple(ModelInfo(name) for name in found)
)
sizes = st.integers(1, 5)


@given(models, sizes)
def test_pages_make_the_list(found: tuple[ModelInfo, ...], size: int) -> None:
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


def test_a_description_is_shown() -> None:
    assert "description" not in gemini.show_model(ModelInfo("m"))
    assert gemini.show_model(ModelInfo("m", description="short"))["description"] == "short"
