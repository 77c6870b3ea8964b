"""OpenAI's forms: a model, and the list."""

from __future__ import annotations

from casedesk_proxy.surfaces import openai
from casedesk_proxy.terms import ModelInfo
from tests.fixtures import sdks
from tests.fixtures.table import table


def test_a_list() -> None:
    assert openai.list_models((ModelInfo("a"), ModelInfo("b", 8192, created=5, owned_by="o"))) == {
        "object": "list",
        "data": [
            {"id": "a", "object": "model", "created": 0, "owned_by": "casedesk-proxy"},
            {"id": "b", "object": "model", "created": 5, "owned_by": "o", "max_model_len": 8192},
        ],
    }


@table("model", [ModelInfo("x"), ModelInfo("x", 8192, 1024, created=7)])
def test_the_newest_sdk_s_type_is_met(model: ModelInfo) -> None:
    """The SDK itself tolerates missing fields, but programs fail on them later."""
    sdks.openai.types.Model.model_validate(openai.show_model(model))


def test_a_description_is_shown() -> None:
    assert "description" not in openai.show_model(ModelInfo("m"))
    assert openai.show_model(ModelInfo("m", description="short"))["description"] == "short"
