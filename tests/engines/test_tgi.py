from __future__ import annotations

from typing import Any

from casedesk_proxy.engines.tgi import SPEC, read_models
from tests.dialects.reading import event
from tests.engines.answers import look_at
from tests.engines.known import REFUSED
from tests.engines.streams import DONE, choice, counted
from tests.fixtures import recorded_nodes
from tests.fixtures.recorded_nodes import reply
from tests.fixtures.table import table

HEARD = (recorded_nodes.TGI, recorded_nodes.NOT_FOUND)
SENT: dict[str, Any] = {
    "one call at a time": False,
    "top_k": None,
    "top_p of zero": 1e-06,
    "top_p of one": None,
    "n": REFUSED,
    "five stops": REFUSED,
    "effort for a level": None,
    "effort for a budget": None,
    "top_logprobs": REFUSED,
    "format and tools": REFUSED,
}
MEDIA = {"image/webp", "image/gif"}
STREAM = (
    choice(role="assistant", content="a"),
    choice(
        role="assistant",
        tool_calls=[{"index": 0, "id": "0", "function": {"name": "f", "arguments": {"y": 1}}}],
    ),
    choice("eos_token", role="assistant", content=""),
    counted(id="", model="other"),
    DONE,
)
FAILS = (event(error="x", error_type="generation"),)


@table(
    ("info", "lengths"),
    [
        ({"max_input_tokens": 100, "max_total_tokens": 150}, (100, 50)),
        ({"max_input_length": 100, "max_total_tokens": 150}, (100, 50)),
        ({"max_total_tokens": 150}, (150, None)),
        ({"max_input_tokens": 100, "max_total_tokens": 100}, (100, None)),
        ({}, (None, None)),
    ],
)
def test_tgi_s_limits(info: dict[str, Any], lengths: tuple[int | None, int | None]) -> None:
    (model,) = read_models({"model_id": "m", **info})
    assert (model.context_length, model.output_limit) == lengths


def test_it_is_known_by_its_limits() -> None:
    found, _ = look_at(SPEC, recorded_nodes.TGI)
    assert found is not None
    assert (found.engine, found.version) == (SPEC, "3.3.7")


def test_its_sister_for_embeddings_is_not_taken_for_it() -> None:
    """The sister has the same page, without a limit for written tokens."""
    assert look_at(SPEC, {"GET /info": reply('{"model_id":"m","version":"1.7"}')})[0] is None


@table("info", [None, [], {}, {"model_id": 7}])
def test_a_page_without_a_model(info: object) -> None:
    assert read_models(info) == ()
