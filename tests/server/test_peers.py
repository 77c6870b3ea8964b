"""The log names the client of a request and the reason of a refusal, on every kind of listener."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from casedesk_proxy.telemetry.log_output import LogFormatter, flushed
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.proxy import proxy_here
from tests.fixtures.raw_client import connect

CONFIG = {
    "nodes": {"n": {"url": "http://127.0.0.1:9", "engine": "openai", "models": ["m"]}},
    "deployments": {"d": {"nodes": ["n"], "auth": "none"}},
    "default_deployment": "d",
}
REQUEST = b"GET /v1/models/none HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%b\r\n"


async def ask_logged(
    capfd: pytest.CaptureFixture[str], data: bytes, **server: object
) -> tuple[bytes, dict[str, object]]:
    """The reply, and the last line of the log."""
    config = {**CONFIG, "server": {"access_log": True, **server}}
    async with proxy_here(config, log_formatter=LogFormatter("json")) as proxy:
        async with connect(proxy.url) as client:
            client.write(data)
            reply = await client.rest()
        await flushed(PATIENCE_S)
    lines = [line for line in capfd.readouterr().err.splitlines() if '"id"' in line]
    return reply, json.loads(lines[-1])


async def test_the_connections_own_address(capfd: pytest.CaptureFixture[str]) -> None:
    forged = b"X-Forwarded-For: 203.0.113.7\r\n"
    reply, facts = await ask_logged(capfd, REQUEST % forged)
    assert reply.startswith(b"HTTP/1.1 404 ")
    assert facts["client"] == "127.0.0.1"
    assert facts["reason"] == "model … is not served here"
    assert "none" not in str(facts["reason"])


async def test_the_forwarded_one_of_a_trusted_proxy(capfd: pytest.CaptureFixture[str]) -> None:
    told = b"X-Forwarded-For: 198.51.100.1, 203.0.113.7\r\n"
    _, facts = await ask_logged(capfd, REQUEST % told, trusted_proxies=["127.0.0.0/8"])
    assert facts["client"] == "203.0.113.7"


async def test_a_unix_socket(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    listen = f"unix:{tmp_path}/s"
    _, facts = await ask_logged(capfd, REQUEST % b"", listen=listen)
    assert facts["client"] == "unix"
    told = b"X-Forwarded-For: 203.0.113.7\r\n"
    _, facts = await ask_logged(capfd, REQUEST % told, listen=listen, trusted_proxies=["unix"])
    assert facts["client"] == "203.0.113.7"


@pytest.mark.parametrize(
    ("path", "version", "key"),
    [
        ("/v1/messages", b"", "type"),
        ("/proxy/d/anthropic/v1/messages", b"", "type"),
        ("/v1/models", b"anthropic-version: 2023-06-01\r\n", "type"),
        ("/v1/chat/completions", b"", "error.param"),
        ("/proxy/d/openai/v1/models", b"", "error.param"),
        ("/v1beta/models/m:generateContent?key=secret", b"", "error.status"),
        ("/v1/models/m:generateContent", b"", "error.status"),
    ],
)
@pytest.mark.parametrize("fault", [b"No header\r\n\r\n", b"X: " + b"a" * 40000])
async def test_what_cannot_be_read_is_refused_in_its_own_envelope(
    capfd: pytest.CaptureFixture[str], path: str, version: bytes, key: str, fault: bytes
) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: h\r\n".encode() + version + fault
    reply, facts = await ask_logged(capfd, head)
    assert reply[9:12] == (b"431" if len(fault) > 100 else b"400")
    body = json.loads(reply.partition(b"\r\n\r\n")[2])
    for name in key.split("."):
        assert name in body
        body = body[name]
    assert facts["method"] == "POST"
    assert facts["target"] == path.replace("secret", "***")
    assert facts["client"] == "127.0.0.1"
    assert facts["reason"]


async def test_a_head_that_takes_too_long(capfd: pytest.CaptureFixture[str]) -> None:
    beginning = b"POST /v1/messages HTTP/1.1\r\nHos"
    reply, facts = await ask_logged(capfd, beginning, header_timeout=0.05)
    assert reply.startswith(b"HTTP/1.1 408 ")
    assert json.loads(reply.partition(b"\r\n\r\n")[2])["type"] == "error"
    assert facts["surface"] == "anthropic"
