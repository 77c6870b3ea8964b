from __future__ import annotations

from typing import Any

from casedesk_proxy.engines import vllm
from casedesk_proxy.engines.vllm import SPEC
from casedesk_proxy.terms import Dialect
from tests.dialects.reading import event
from tests.engines.answers import look_at
from tests.engines.known import REFUSED
from tests.engines.streams import DONE, choice, counted
from tests.fixtures import recorded_nodes
from tests.fixtures.recorded_nodes import reply
from tests.fixtures.table import table

LOCKED = reply('{"error":"Unauthorized"}', "401 Unauthorized")


HEARD = (recorded_nodes.VLLM, recorded_nodes.VLLM_MISSING)
SENT: dict[str, Any] = {
    "top_p of zero": 1e-06,
    "five stops": REFUSED,
    "chat_template_kwargs": {"enable_thinking": False},
    "effort for a budget": None,
    "thinking_token_budget": 900,
}
MEDIA = {"image/webp", "image/gif", "audio/wav", "audio/x-wav", "audio/mpeg", "video/mp4"}
STREAM = (
    choice(role="assistant", content=""),
    choice(reasoning="t"),
    choice(content="a"),
    choice(tool_calls=[{"index": 0, "id": "c", "function": {"name": "f", "arguments": ""}}]),
    choice(tool_calls=[{"index": 0, "function": {"arguments": '{"y":'}}]),
    choice("stop", tool_calls=[{"index": 0, "function": {"arguments": "1}"}}]),
    counted(),
    DONE,
)
FAILS = (event(error={"message": "x", "type": "E", "code": 500}), DONE)


def test_it_is_known_by_its_version_and_by_who_owns_its_models() -> None:
    found, asked = look_at(SPEC, recorded_nodes.VLLM, recorded_nodes.VLLM_MISSING)
    assert found is not None
    assert (found.engine, found.version, found.needs_key) == (SPEC, "0.32.0", False)
    assert found.dialects == (Dialect.OPENAI, Dialect.ANTHROPIC, Dialect.RESPONSES)
    assert [one.path for together in asked for one in together] == ["/version"]


def test_its_version_is_told_to_everybody() -> None:
    replies = {**recorded_nodes.VLLM, "GET /v1/models": LOCKED}
    found, _ = look_at(SPEC, replies, recorded_nodes.VLLM_MISSING)
    assert found is not None
    assert (found.models, found.needs_key) == ((), True)


def test_another_server_with_a_version_is_not_taken_for_it() -> None:
    replies = {**recorded_nodes.VLLM, "GET /v1/models": recorded_nodes.SGLANG["GET /v1/models"]}
    assert look_at(SPEC, replies)[0] is None


@table(
    ("version", "responds"), [("0.9.2", False), ("0.10.0", True), ("0.32.0", True), ("dev", True)]
)
def test_its_responses_came_with_a_release(version: str, responds: bool) -> None:
    assert (Dialect.RESPONSES in vllm._dialects(version)) is responds
