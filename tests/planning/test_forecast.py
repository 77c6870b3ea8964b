"""The forecast for a request is what the planner would do."""

from __future__ import annotations

from casedesk_proxy.planning.forecast import (
    FEATURES,
    SURFACES,
    Forecast,
    forecast,
    sample_request,
)
from casedesk_proxy.surfaces.paths import read_call
from casedesk_proxy.terms import Ability, Action, Dialect, ModelInfo
from tests.fixtures.table import table
from tests.planning.configs import make_snapshot

TEXT = """
nodes:
  n: {{url: "http://127.0.0.1:9001", engine: {engine}, models: [m]}}
deployments:
  d: {{nodes: [n], auth: none}}
"""


def look(engine: str, info: ModelInfo | None = None) -> dict[tuple[str, str], Forecast]:
    snapshot = make_snapshot(TEXT.format(engine=engine))
    reported = {"n": (info or ModelInfo("m"),)}
    found = forecast(snapshot, snapshot.deployments["d"], reported, {})
    return {(str(one.surface), one.feature): one for one in found}


def test_what_a_node_speaks_is_relayed_and_the_rest_translated() -> None:
    found = look("vllm")
    assert found["openai", "text"].outcome == "relayed"
    assert found["gemini", "text"].outcome == "translated"
    assert {one.model for one in found.values()} == {"m"}


def test_every_feature_of_every_surface_is_looked_at() -> None:
    without = {("anthropic", "embeddings"), ("responses", "embeddings")}
    every = {(str(surface), feature) for surface in SURFACES for feature in FEATURES}
    assert set(look("vllm")) == every - without
    assert {one.outcome for one in look("vllm").values()} == {"relayed", "translated"}, (
        "vLLM has them all: a sample that is refused is a wrong sample"
    )


def test_what_is_refused_is_named_by_its_place() -> None:
    one = look("localai")["gemini", "schema"]
    assert one.outcome == "refused"
    assert one.reason.startswith("generationConfig.responseJsonSchema: ")


def test_what_is_left_out_is_named() -> None:
    one = look("tgi")["anthropic", "thinking"]
    assert (one.outcome, one.dropped) == ("translated", ("thinking.budget_tokens",))


def test_what_a_node_reports_of_its_model_counts() -> None:
    lacks = frozenset({Ability.TOOLS, Ability.VISION})
    found = look("ollama", ModelInfo("m", lacks=lacks))
    for surface in SURFACES:
        assert found[str(surface), "images"].outcome == "refused", surface
        assert found[str(surface), "tools"].outcome == "refused", surface
        assert found[str(surface), "text"].outcome != "refused", surface


def test_a_refusal_without_a_place_has_its_message() -> None:
    found = look("gemini")
    one = found["anthropic", "text"]
    assert one.outcome == "refused"
    assert "no node with the model 'm' speaks anthropic" in one.reason


@table("surface", SURFACES)
def test_a_name_with_a_slash_and_a_colon(surface: Dialect) -> None:
    sample = sample_request(surface, "text", "a/b:c")
    assert sample is not None
    call = read_call("POST", sample.target, sample.headers)
    assert (call.model if surface is Dialect.GEMINI else sample.body["model"]) == "a/b:c"
    assert call.action is not Action.BASE
