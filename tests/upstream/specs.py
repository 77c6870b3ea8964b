"""Snapshots for tests: nodes by name, each with its own keys, and one deployment of all."""

from __future__ import annotations

from casedesk_proxy.auth.keys import KeyTable
from casedesk_proxy.config.load import load_config
from casedesk_proxy.snapshot import Snapshot, compile_snapshot
from casedesk_proxy.upstream.metadata import Metadata
from casedesk_proxy.upstream.tls import NodeContexts, make_contexts
from casedesk_proxy.wire.addresses import TrustedProxies


def snapshot(**nodes: str) -> Snapshot:
    """The values are the contents of a node's braces: ``url: http://…, engine: ollama``."""
    lines = "\n".join(f"  {name}: {{{keys}}}" for name, keys in nodes.items())
    text = f"nodes:\n{lines}\ndeployments:\n  d: {{auth: none, nodes: [{', '.join(nodes)}]}}\n"
    config = load_config(text, "test.yaml").config
    return compile_snapshot(config, {}, make_contexts(config, NodeContexts()).by_node)


EMPTY = Snapshot(
    {}, {}, KeyTable(()), None, 2**25, 2**29, 10_000, 2**18, 60.0, 0, 0, TrustedProxies(()), ()
)


class InForce:
    """The active snapshot, like a gateway's ``serving``."""

    def __init__(self, snapshot: Snapshot = EMPTY) -> None:
        self.snapshot = snapshot


def put(metadata: Metadata, snapshot: Snapshot) -> None:
    """Make another snapshot active."""
    current = metadata._current
    assert isinstance(current, InForce)
    before, current.snapshot = current.snapshot, snapshot
    metadata.apply(before)
