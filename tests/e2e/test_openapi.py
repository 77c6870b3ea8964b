"""Requests that schemathesis generates from our own OpenAPI documents: none is answered with a 5xx.

A few of each operation here; `make test-properties` sends many.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from casedesk_proxy.keystore.credential import mint
from casedesk_proxy.openapi.documents import make_document
from casedesk_proxy.openapi.names import NAMES
from casedesk_proxy.simulator.script import Script
from tests.fixtures.proxy import ProxyProcess, key_entry, proxy_process
from tests.fixtures.sdks import schemathesis
from tests.fixtures.simulated import simulator_thread

pytestmark = [pytest.mark.hypothesis, pytest.mark.timeout(240)]

#: Of the profile's examples of a property: there are seventy operations.
_SHARE = 25
#: What a node does not have is no fault of ours, nor a protocol that only a WebSocket speaks.
_HONEST = {501}
MODEL = "m"


@contextmanager
def serving(folder: Path, key: str) -> Iterator[ProxyProcess]:
    with simulator_thread(**{MODEL: Script()}) as node:
        config: dict[str, Any] = {
            "server": {"admin": "127.0.0.1:0", "access_log": False},
            "nodes": {
                "chat": {"url": node.url, "engine": "vllm", "models": [MODEL]},
                "all": {"url": node.url, "speaks": ["gemini", "anthropic"], "models": ["other"]},
            },
            "keys": [{**key_entry(key, "main"), "admin": True}],
            "deployments": {"main": {"nodes": ["chat", "all"]}},
            "default_deployment": "main",
        }
        with proxy_process(folder, config, {"STATE_DIRECTORY": str(folder)}) as proxy:
            yield proxy


@pytest.fixture(scope="module")
def key() -> str:
    return mint().key


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory, key: str) -> Iterator[ProxyProcess]:
    with serving(tmp_path_factory.mktemp("proxy"), key) as running:
        yield running


def with_model(case: Any) -> None:
    """Half of the generated requests name the existing model, so that they reach a node."""
    if isinstance(case.body, dict) and "model" in case.body and len(str(case.body)) % 2:
        case.body["model"] = MODEL
    if "model" in (case.path_parameters or {}):
        case.path_parameters["model"] = MODEL


@pytest.mark.parametrize("name", NAMES)
def test_no_request_is_answered_with_a_fault(proxy: ProxyProcess, key: str, name: str) -> None:
    document = make_document(name, "1")
    document["servers"] = [{"url": "/"}]
    schema = schemathesis.openapi.from_dict(document)
    base = proxy.admin_url if name == "admin" else proxy.url
    share = max(hypothesis.settings().max_examples // _SHARE, 1)
    asked: set[str] = set()
    for found in schema.get_all_operations():
        operation = found.ok()

        @hypothesis.given(case=operation.as_strategy())
        @hypothesis.settings(
            max_examples=share, database=None, suppress_health_check=list(hypothesis.HealthCheck)
        )
        def check(case: Any) -> None:
            with_model(case)
            reply = case.call(base_url=base, headers={"Authorization": f"Bearer {key}"}, timeout=20)
            asked.add(f"{case.method} {case.path}")
            assert reply.status_code < 500 or reply.status_code in _HONEST, reply.text

        check()
    assert len(asked) == sum(len(path) for path in document["paths"].values())
