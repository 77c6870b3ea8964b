from __future__ import annotations

from casedesk_proxy.engines.sglang import read_models
from casedesk_proxy.terms import Ability, Control
from tests.fixtures.table import table


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
