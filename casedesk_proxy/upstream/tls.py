"""TLS towards nodes: the contexts of a configuration, made once and shared by all connections.

Making a context reads the system's CAs: some 50 ms, for which an event loop must not stop. So it is
done in the thread that reads a configuration, and nodes with equal settings share a context.
"""

from __future__ import annotations

import hashlib
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from casedesk_proxy.config.nodes import Node, NodeTls
from casedesk_proxy.config.schema import Config
from casedesk_proxy.snapshot import NodeSpec

__all__ = ["NodeContexts", "context_of", "make_contexts"]

#: What determines a context: whether certificates are checked, and the content of the CA files.
_Kind = tuple[bool, str]


@dataclass(frozen=True, slots=True)
class NodeContexts:
    """``by_node``: for the https nodes of one configuration, by their names."""

    by_node: Mapping[str, ssl.SSLContext] = field(default_factory=dict)
    by_kind: Mapping[_Kind, ssl.SSLContext] = field(default_factory=dict, repr=False)


def make_contexts(config: Config, before: NodeContexts) -> NodeContexts:
    """Reads files: call it in a thread. Contexts whose settings are the same as ``before`` are
    reused.

    Raises OSError for a CA file that cannot be read or contains no certificate.
    """
    by_node: dict[str, ssl.SSLContext] = {}
    by_kind: dict[_Kind, ssl.SSLContext] = {}
    for name, node in config.nodes.items():
        if not _is_secure(node):
            continue
        kind = _kind(node.tls)
        if kind not in by_kind:
            by_kind[kind] = before.by_kind.get(kind) or _make(node.tls)
        by_node[name] = by_kind[kind]
    return NodeContexts(by_node, by_kind)


def context_of(node: NodeSpec) -> ssl.SSLContext | None:
    """The context for a connection to the node; None for http. Never None for https, since that
    would send the node's key unencrypted."""
    if not node.secure:
        return None
    if not isinstance(node.tls, ssl.SSLContext):
        raise TypeError(f"node {node.name} was compiled without its TLS context")
    return node.tls


def _is_secure(node: Node) -> bool:
    return node.url.lower().startswith("https:")


def _kind(settings: NodeTls | None) -> _Kind:
    verify = settings is None or settings.verify
    if settings is not None and settings.ca is not None:
        return verify, hashlib.sha256(Path(settings.ca).read_bytes()).hexdigest()
    return verify, _state_of_system()


def _state_of_system() -> str:
    """Changes when the system's CAs are replaced."""
    paths = ssl.get_default_verify_paths()
    states = []
    for path in (paths.cafile, paths.capath):
        try:
            status = os.stat(path or "")
        except OSError:
            continue
        states.append((path, status.st_mtime_ns, status.st_size, status.st_ino))
    return repr(states)


def _make(settings: NodeTls | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.ca if settings else None)
    context.set_alpn_protocols(["http/1.1"])
    if settings is not None and not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
