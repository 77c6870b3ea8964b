from __future__ import annotations

from typing import Any

from casedesk_proxy.engines.openai import SPEC
from tests.engines.answers import look_at
from tests.engines.known import REFUSED
from tests.fixtures.recorded_nodes import recorded, reply
from tests.fixtures.table import table

SENT: dict[str, Any] = {
    "top_k": None,
    "five stops": REFUSED,
}
MEDIA = {"image/webp", "image/gif", "audio/wav", "audio/x-wav", "audio/mpeg"}


@table(
    "listing",
    [recorded("litellm.models"), recorded("llama-cpp-python-0.3.36.models")],
    ids=["LiteLLM", "llama-cpp-python"],
)
def test_any_server_with_its_list_is_taken_for_it(listing: bytes) -> None:
    found, asked = look_at(SPEC, {"GET /v1/models": listing})
    assert found is not None
    assert ([one.name for one in found.models], asked) == (["tiny"], [])


@table(
    "listing",
    [reply("[1, 2]"), reply('{"data": {"a": 1}}'), reply('{"data": []}', "500 Oops"), b""],
)
def test_without_a_list_it_is_not(listing: bytes) -> None:
    replies = {"GET /v1/models": listing} if listing else {}
    assert look_at(SPEC, replies)[0] is None
