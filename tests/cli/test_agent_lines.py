from __future__ import annotations

import json
import tomllib

from casedesk_proxy.cli.agent_lines import AGENT_NAMES, agent_lines


def test_each_agent_has_its_lines() -> None:
    text = agent_lines("http://127.0.0.1:8082", "cdp-x")
    assert "ANTHROPIC_BASE_URL=http://127.0.0.1:8082 ANTHROPIC_AUTH_TOKEN=cdp-x claude" in text
    assert "GOOGLE_GEMINI_BASE_URL=http://localhost:8082 GEMINI_API_KEY=cdp-x gemini" in text


def test_gemini_cli_reads_its_setting() -> None:
    text = agent_lines("http://127.0.0.1:8080", "cdp-x")
    (line,) = (line for line in text.splitlines() if line.startswith("    {"))
    assert json.loads(line)["security"]["auth"]["selectedType"] == "gemini-api-key"


def test_codex_reads_its_lines() -> None:
    text = agent_lines("http://127.0.0.1:8080", "cdp-x")
    config = tomllib.loads(text[text.index("    model = ") :])
    provider = config["model_providers"][config["model_provider"]]
    assert provider["base_url"] == "http://127.0.0.1:8080/v1"
    assert provider["wire_api"] == "responses"
    assert f"{provider['env_key']}=cdp-x" in text
    assert any(config["model"].startswith(name.rstrip("*")) for name in AGENT_NAMES)
