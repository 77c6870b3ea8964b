"""Anthropic's forms: a model, the list page by page, and the version that a request must have."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.errors import BadRequest
from casedesk_proxy.surfaces import anthropic
from casedesk_proxy.terms import ModelInfo
from tests.fixtures import sdks
from tests.fixtures.table import table

MANY = tuple(ModelInfo(f"m{number:04}") for number in range(1500))
models = st.lists(st.text(min_size=1, max_size=6), unique=True, max_size=12).map(
    lambda found: tuple(ModelInfo(name) for name in found)
)
sizes = st.integers(1, 5)


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
def test_pages(query: str, wanted: range, more: bool) -> None:
    reply = anthropic.list_models(MANY, query)
    assert ids(reply) == [MANY[number].name for number in wanted]
    assert reply["has_more"] is more


@table(
    ("query", "field"),
    [("limit=0", "limit"), ("limit=1001", "limit"), ("limit=x", "limit"), ("limit=-1", "limit"),
     ("limit=" + "9" * 5000, "limit"), ("after_id=a&before_id=b", "before_id")],
)  # fmt: skip
def test_bad_parameters(query: str, field: str) -> None:
    with pytest.raises(BadRequest) as caught:
        anthropic.list_models(MANY, query)
    assert caught.value.violations[0].path == field


@given(models, sizes)
def test_pages_make_the_list(found: tuple[ModelInfo, ...], size: int) -> None:
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
def test_model(created: int | None, shown: str) -> None:
    assert anthropic.show_model(ModelInfo("x", created=created)) == {
        "type": "model",
        "id": "x",
        "display_name": "x",
        "created_at": shown,
        "lifecycle": "active",
    }


def test_limits() -> None:
    shown = anthropic.show_model(ModelInfo("x", 8192, 1024))
    assert (shown["max_input_tokens"], shown["max_tokens"]) == (8192, 1024)
    assert anthropic.show_model(ModelInfo("x", 8192))["max_tokens"] == 8192


@table("value", [b"2023-06-01", b"2026-10-21", b"x"])
def test_version_given(value: bytes) -> None:
    anthropic.require_version(((b"Anthropic-Version", value),))
    anthropic.require_version(((b"anthropic-version", b""), (b"anthropic-version", value)))


@table("headers", [(), ((b"anthropic-version", b" "),), ((b"anthropic", b"1"),)])
def test_version_missing(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    with pytest.raises(BadRequest, match="anthropic-version: header is required") as caught:
        anthropic.require_version(headers)
    assert caught.value.status == 400


@table("model", [ModelInfo("x"), ModelInfo("x", 8192, 1024, created=7)])
def test_the_newest_sdk_s_types_are_met(model: ModelInfo) -> None:
    """The SDK itself tolerates missing fields, but programs fail on them later."""
    sdks.anthropic.types.ModelInfo.model_validate(anthropic.show_model(model))
    sdks.anthropic.types.beta.BetaModelInfo.model_validate(anthropic.show_model(model))


def test_a_description_is_shown() -> None:
    assert "description" not in anthropic.show_model(ModelInfo("m"))
    assert anthropic.show_model(ModelInfo("m", description="short"))["description"] == "short"
