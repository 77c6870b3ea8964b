"""Snapshots for tests: nodes by name, each with keys of its own, and one deployment over all."""

from __future__ import annotations

from casedesk_proxy.config.load import load_config
from casedesk_proxy.snapshot import Snapshot, compile_snapshot


def snapshot(**nodes: str) -> Snapshot:
    """Values are what stands in a node's braces: ``url: http://…, engine: ollama``."""
    lines = "\n".join(f"  {name}: {{{keys}}}" for name, keys in nodes.items())
    text = f"nodes:\n{lines}\ndeployments:\n  d: {{auth: none, nodes: [{', '.join(nodes)}]}}\n"
    return compile_snapshot(load_config(text, "test.yaml").config, {})
