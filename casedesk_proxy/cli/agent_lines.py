"""Lines to type or paste so that agents use a proxy: Claude Code, gemini-cli and Codex.

Agents request models by their vendors' names (``AGENT_NAMES``), which a deployment must have as
aliases.
"""

from __future__ import annotations

__all__ = ["AGENT_NAMES", "agent_lines"]

#: Patterns of the names that agents request by default.
AGENT_NAMES = ("claude-*", "gemini-*", "gpt-*")

_LINES = """\
Claude Code:

    ANTHROPIC_BASE_URL={base} ANTHROPIC_AUTH_TOKEN={key} claude

gemini-cli:

    GOOGLE_GEMINI_BASE_URL={local} GEMINI_API_KEY={key} gemini

with this line in ~/.gemini/settings.json:

    {{"security": {{"auth": {{"selectedType": "gemini-api-key"}}}}}}

Codex:

    DESK_KEY={key} codex

with these lines in ~/.codex/config.toml:

    model = "gpt-5"
    model_provider = "desk"

    [model_providers.desk]
    name = "desk"
    base_url = "{base}/v1"
    wire_api = "responses"
    env_key = "DESK_KEY"
"""


def agent_lines(base: str, key: str) -> str:
    """``base`` is the proxy's URL without a path. gemini-cli accepts plain http only for
    ``localhost``; without its setting, a base URL makes it say "Invalid auth method selected"
    (0.61.0)."""
    return _LINES.format(base=base, local=base.replace("//127.0.0.1:", "//localhost:"), key=key)
