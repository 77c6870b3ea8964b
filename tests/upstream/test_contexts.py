from __future__ import annotations

import logging

import pytest

from casedesk_proxy.terms import Engine, ModelInfo
from casedesk_proxy.upstream.contexts import Warnings, advise

SHORT = ModelInfo("a", 4096, trained_length=131072)


def test_a_model_that_runs_with_less_than_it_could() -> None:
    (told,) = advise([SHORT])
    for word in ("a runs with", "4096", "131072", "OLLAMA_CONTEXT_LENGTH=32768", "num_ctx"):
        assert word in told


def test_models_of_which_it_is_not_known_share_a_sentence() -> None:
    models = [ModelInfo(f"m{number}", trained_length=8192) for number in range(12)]
    (told,) = advise(models)
    assert "m0, m1" in told
    assert "and 2 more" in told
    assert "OLLAMA_CONTEXT_LENGTH=8192" in told


@pytest.mark.parametrize(
    "model",
    [
        ModelInfo("a", 32768, trained_length=131072),
        ModelInfo("a", 2048, trained_length=2048),
        ModelInfo("a", 512, trained_length=2048, embeds=True),
        ModelInfo("a", 512),
        ModelInfo("a"),
    ],
)
def test_nothing_to_say(model: ModelInfo) -> None:
    assert advise([model]) == []


def test_it_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    warnings = Warnings()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            warnings.look("gpu0", Engine.OLLAMA, [SHORT])
            warnings.look("gpu1", Engine.LLAMA_SERVER, [SHORT])
        warnings.look("gpu0", Engine.OLLAMA, [ModelInfo("a", 8192, trained_length=131072)])
    assert [record.message.split()[1] for record in caplog.records] == ["gpu0:", "gpu0:"]
    assert "8192" in warnings.advice["gpu0"][0]
    warnings.look("gpu0", Engine.OLLAMA, [])
    assert warnings.advice["gpu0"] == []
