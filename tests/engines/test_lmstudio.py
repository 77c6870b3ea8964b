"""LM Studio with the answers of its documentation: no package of it runs here."""

from __future__ import annotations

from typing import Any

import pytest

from casedesk_proxy.engines.lmstudio import SPEC, read_models
from casedesk_proxy.errors import Unsupported
from casedesk_proxy.terms import Ability, Control, Dialect, ModelInfo
from tests.dialects.asking import chat, with_config
from tests.engines.answers import look_at
from tests.engines.known import REFUSED
from tests.fixtures.recorded_nodes import reply
from tests.fixtures.table import table

LISTED = reply(
    '{"data":[{"id":"google/gemma","object":"model","owned_by":"organization_owner"},'
    '{"id":"deepseek-r1","object":"model","owned_by":"organization_owner"},'
    '{"id":"nomic","object":"model","owned_by":"organization_owner"}],"object":"list"}'
)
#: 0.4: its own list, shortened.
NEW = reply(
    '{"models":[{"type":"llm","key":"google/gemma","loaded_instances":[{"id":"google/gemma",'
    '"config":{"context_length":4096,"parallel":4}}],"max_context_length":262144,"capabilities":'
    '{"vision":true,"trained_for_tool_use":true,"reasoning":{"allowed_options":["off","on"]}}},'
    '{"type":"llm","key":"deepseek-r1","loaded_instances":[],"max_context_length":131072,'
    '"capabilities":{"vision":false,"trained_for_tool_use":true,"reasoning":'
    '{"allowed_options":["on"]}}},'
    '{"type":"embedding","key":"nomic","loaded_instances":[],"max_context_length":2048}]}'
)
#: 0.3.6 to 0.3.
OLD = reply(
    '{"object":"list","data":[{"id":"google/gemma","type":"vlm","state":"loaded",'
    '"max_context_length":262144,"loaded_context_length":4096},'
    '{"id":"deepseek-r1","type":"llm","state":"not-loaded","max_context_length":131072},'
    '{"id":"nomic","type":"embeddings","state":"not-loaded","max_context_length":2048}]}'
)
#: To whatever it does not know.
UNKNOWN = reply('{"error":"Unexpected endpoint or method. (GET /x)"}')
ONLY_EMBEDS = frozenset(Ability) - {Ability.EMBEDDING}
NO_EMBEDDINGS = frozenset({Ability.EMBEDDING})


HEARD = ({"GET /v1/models": LISTED, "GET /api/v1/models": NEW}, UNKNOWN)
SENT: dict[str, Any] = {
    "one call at a time": False,
    "n": REFUSED,
    "effort for a level": None,
    "effort for a budget": None,
    "response_format json_object": {
        "type": "json_schema",
        "json_schema": {"name": "response", "schema": {"type": "object"}},
    },
    "tool_choice named": "required",
    "top_logprobs": REFUSED,
    "logprobs beside tools": REFUSED,
}
MEDIA = {"image/webp"}


@table(("path", "native"), [("/api/v1/models", NEW), ("/api/v0/models", OLD)], ids=["new", "old"])
def test_it_is_known_by_its_own_list(path: str, native: bytes) -> None:
    found, _ = look_at(SPEC, {"GET /v1/models": LISTED, f"GET {path}": native}, UNKNOWN)
    assert found is not None
    assert found.engine is SPEC
    gemma, deepseek, nomic = found.models
    assert (gemma.context_length, gemma.trained_length, gemma.loaded) == (4096, 262144, True)
    assert gemma.lacks == NO_EMBEDDINGS
    assert (deepseek.context_length, deepseek.loaded) == (None, False)
    assert deepseek.lacks == NO_EMBEDDINGS | {Ability.VISION}
    assert (nomic.embeds, nomic.lacks) == (True, ONLY_EMBEDS)


def test_models_that_cannot_be_kept_from_thinking() -> None:
    found, _ = look_at(SPEC, {"GET /v1/models": LISTED, "GET /api/v1/models": NEW}, UNKNOWN)
    assert found is not None
    assert [(one.thinks, one.ignores) for one in found.models] == [
        (True, frozenset()),
        (True, frozenset({Control.OFF})),
        (False, frozenset()),
    ]


def test_each_loaded_instance_has_a_context_of_its_own() -> None:
    listing = {"data": [{"id": "m"}, {"id": "m:2"}, {"id": "other"}]}
    instances = [
        {"id": name, "config": {"context_length": length}}
        for name, length in (("m", 4096), ("m:2", 8192))
    ]
    models = read_models(listing, {"models": [{"key": "m", "loaded_instances": instances}]})
    assert [one.context_length for one in models] == [4096, 8192, None]
    assert models[2] == ModelInfo("other")


NEWER = '{"models":[{"key":"m","loaded_instances":[]}]}'
OLDER = '{"data":[{"id":"m","state":"loaded"}]}'


@table(
    ("path", "native", "responds"),
    [("/api/v1/models", NEWER, True), ("/api/v0/models", OLDER, False)],
)
def test_its_newer_list_tells_that_it_speaks_responses(
    path: str, native: str, responds: bool
) -> None:
    found, _ = look_at(SPEC, {"GET /v1/models": LISTED, f"GET {path}": reply(native)})
    assert found is not None
    assert (Dialect.RESPONSES in found.dialects) is responds


@table("native", [UNKNOWN, reply('{"models":[{"key":"m"}]}'), reply("{}")])
def test_another_server_is_not_taken_for_it(native: bytes) -> None:
    replies = {"GET /v1/models": LISTED, "GET /api/v1/models": native, "GET /api/v0/models": native}
    assert look_at(SPEC, replies)[0] is None


def test_json_without_a_schema_is_asked_for_by_one() -> None:
    sent = chat(with_config(responseMimeType="application/json"), SPEC)
    assert sent["response_format"]["type"] == "json_schema"


@table("wish", [{"candidateCount": 2}, {"responseLogprobs": True}])
def test_what_its_documentation_does_not_name_is_refused(wish: dict[str, object]) -> None:
    with pytest.raises(Unsupported):
        chat(with_config(**wish), SPEC)
