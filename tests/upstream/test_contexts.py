from __future__ import annotations

import logging

import pytest

from casedesk_proxy.engines.llama_server import SPEC as LLAMA_SERVER
from casedesk_proxy.engines.ollama import SPEC as OLLAMA
from casedesk_proxy.terms import ModelInfo
from casedesk_proxy.upstream.contexts import ContextAdvice

SHORT = ModelInfo("a", 4096, trained_length=131072)


def test_it_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    contexts = ContextAdvice()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            contexts.look("gpu0", OLLAMA, [SHORT])
            contexts.look("gpu1", LLAMA_SERVER, [SHORT])
        contexts.look("gpu0", OLLAMA, [ModelInfo("a", 8192, trained_length=131072)])
    assert [record.message.split()[1] for record in caplog.records] == ["gpu0:", "gpu0:"]
    assert "8192" in contexts.advice["gpu0"][0]
    contexts.look("gpu0", OLLAMA, [])
    assert contexts.advice["gpu0"] == []
