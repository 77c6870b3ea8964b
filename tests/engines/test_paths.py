"""The tables of inference paths, and the paths that administer each engine."""

from __future__ import annotations

import pytest

from casedesk_proxy.engines import paths
from casedesk_proxy.engines.paths import ModelPlace, nearest_path
from casedesk_proxy.engines.registry import AUTO, ENGINES, INFERENCE_PATHS, find_administered
from casedesk_proxy.engines.spec import EngineSpec
from casedesk_proxy.terms import Action

ALL = pytest.mark.parametrize("engine", ENGINES.values(), ids=str)


@ALL
def test_every_path_of_an_engine_is_known_by_the_same_value(engine: EngineSpec) -> None:
    assert len({one.path for one in engine.paths}) == len(engine.paths)
    for one in engine.paths:
        assert one is INFERENCE_PATHS[one.path]


@ALL
def test_nothing_that_administers_an_engine_is_relayed_to_any(engine: EngineSpec) -> None:
    for path in engine.administration.split():
        assert not path.startswith(("/", "v1/"))
        administered = find_administered(path)
        assert administered is not None
        assert find_administered(f"{path}/0".upper()) is administered
    for path in INFERENCE_PATHS:
        assert find_administered(path[1:]) is None
        assert find_administered(path.removeprefix("/v1")[1:]) is None


def test_every_path_belongs_to_an_engine_that_can_be_named() -> None:
    owned = {one.path for engine in ENGINES.values() if engine is not AUTO for one in engine.paths}
    assert owned == INFERENCE_PATHS.keys()


def test_an_engine_s_own_spelling_is_taken_where_it_lacks_the_one_that_was_asked_for() -> None:
    assert nearest_path(paths.RERANKING, "/v2/rerank", Action.RERANK) == "/v1/rerank"
    assert nearest_path(paths.RERANKING, "/reranking", Action.RERANK) == "/reranking"
    assert nearest_path(paths.RERANKING, "/infill", Action.INFILL) == ""


def test_uploads_name_their_model_in_a_form() -> None:
    forms = [one.path for one in INFERENCE_PATHS.values() if one.model is ModelPlace.FORM]
    assert forms == [
        "/v1/audio/transcriptions",
        "/v1/audio/translations",
        "/v1/images/edits",
        "/v1/images/variations",
    ]
