"""A configuration for planning: three nodes, two deployments, one key."""

from __future__ import annotations

import hashlib

from casedesk_proxy.config.load import load_config
from casedesk_proxy.snapshot import Snapshot, compile_snapshot

KEY = "cdp-test-key"
TEXT = f"""
default_deployment: desk
nodes:
  local: {{url: "http://127.0.0.1:9001", engine: llama-server, models: [tiny, "gemma2:9b"]}}
  google: {{url: "https://gemini.example/base/", engine: gemini, models: [gemini-pro], api_key: k}}
  silent: {{url: "http://[::1]:9003", engine: openai}}
deployments:
  desk:
    nodes: [local, google]
    aliases: {{gpt-4: tiny, "claude-*": "gemma2:9b", flash: gemini-pro}}
  open: {{nodes: [silent], auth: none}}
keys:
  - {{name: alice, sha256: "{hashlib.sha256(KEY.encode()).hexdigest()}", deployments: [desk]}}
"""


def make_snapshot(text: str = TEXT) -> Snapshot:
    return compile_snapshot(load_config(text, "test.yaml").config, {"google": "google-key"})
