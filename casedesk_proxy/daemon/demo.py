"""The demonstration: the proxy and a simulated node in one process, open to all local programs."""

from __future__ import annotations

import contextlib
import json
import os
import sys

import uvloop

from casedesk_proxy.config.load import load_config
from casedesk_proxy.daemon.reload import Prepared
from casedesk_proxy.daemon.run import Daemon
from casedesk_proxy.server.app import Gateway
from casedesk_proxy.simulator.app import start
from casedesk_proxy.store.file import find_directory

__all__ = ["serve_demo"]

_CONFIG = """
server: {{listen: "{listen}", admin: null, state_directory: {state}}}
default_deployment: desk
nodes:
  simulated: {{url: "{url}", engine: openai, speaks: [gemini, anthropic, openai]}}
deployments:
  desk:
    auth: none
    nodes: [simulated]
    aliases: {{"gemini-*": sim, "claude-*": sim, "gpt-*": sim, "gemma2:9b": sim}}
"""

_INVITATION = """
A simulated node is being served. Paste a line into another terminal:

  Gemini     curl -N '{url}/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse' \\
               -d '{{"contents":[{{"role":"user","parts":[{{"text":"Hello"}}]}}]}}'

  Anthropic  curl -N {url}/v1/messages -H 'anthropic-version: 2023-06-01' \\
               -d '{{"model":"claude-demo","max_tokens":50,"stream":true,"messages":[{{"role":"user","content":"Hello"}}]}}'

  OpenAI     curl -N {url}/v1/chat/completions \\
               -d '{{"model":"gpt-demo","stream":true,"messages":[{{"role":"user","content":"Hello"}}]}}'

  Models     curl {url}/v1/models

Point an SDK at {url} with any key. Ctrl-C ends the demo.
"""  # noqa: E501


def serve_demo(listen: str, pace: float) -> None:
    """Serve until stopped. ``pace``: words per second. Raises OSError, ConfigError."""
    uvloop.run(_run(listen, pace))


async def _run(listen: str, pace: float) -> None:
    simulator = await start(pace=pace)
    try:
        # A separate folder, so that it does not mix with the data of a proxy of the same user.
        directory = find_directory(None, os.environ)
        state = json.dumps(None if directory is None else f"{directory}-demo")
        text = _CONFIG.format(listen=listen, url=simulator.url, state=state)
        config = load_config(text, "demo").config
        await Daemon(Prepared(config, {})).run(_invite)
    finally:
        await simulator.stop()


def _invite(gateway: Gateway) -> None:
    with contextlib.suppress(OSError):
        sys.stdout.write(_INVITATION.format(url=gateway.urls[0]))
        sys.stdout.flush()
