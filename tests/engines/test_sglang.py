from __future__ import annotations

from typing import Any

from casedesk_proxy.engines.sglang import read_models
from casedesk_proxy.terms import Ability, Control
from tests.dialects.reading import event
from tests.engines.streams import DONE, choice, counted
from tests.fixtures import recorded_nodes
from tests.fixtures.table import table

HEARD = (recorded_nodes.SGLANG, recorded_nodes.SGLANG_MISSING)
SENT: dict[str, Any] = {
    "top_p of zero": 1e-06,
    "effort to switch thinking off": "none",
}
MEDIA = {"image/webp", "image/gif", "audio/wav", "audio/x-wav", "audio/mpeg", "video/mp4"}
STREAM = (
    choice(role="assistant", content=""),
    choice(reasoning_content="t"),
    choice(content="a"),
    event(sglext_cached_tokens={"tokens": 1}),
    choice(tool_calls=[{"index": 0, "id": "c", "function": {"name": "f", "arguments": ""}}]),
    choice(tool_calls=[{"index": 0, "function": {"arguments": '{"y":1}'}}]),
    choice("tool_calls"),
    counted(),
    DONE,
)
FAILS = (event(error={"object": "error", "message": "x"}), DONE)


def test_sglang_with_an_embedding_model() -> None:
    (model,) = read_models({"data": [{"id": "a"}]}, {"is_generation": False})
    assert model.embeds
    assert model.lacks == {Ability.COMPLETION}


@table("can", [True, False, None, "no"])
def test_media_that_it_takes(can: object) -> None:
    told = {"has_image_understanding": can, "has_audio_understanding": can}
    (model,) = read_models({"data": [{"id": "a"}]}, told)
    assert model.lacks == ({Ability.VISION, Ability.AUDIO} if can is False else set())


def test_gpt_oss_cannot_be_kept_from_thinking() -> None:
    (model,) = read_models({"data": [{"id": "a"}]}, {"model_type": "gpt_oss"})
    assert model.ignores == {Control.OFF}
