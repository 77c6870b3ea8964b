"""One configuration with all that serving it takes: made whole in a thread, adopted in one step.

What reads files or takes time happens in `compile_runtime`; nothing is left for the event loop
that could wait or fail.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

from casedesk_proxy.config.schema import Config, ServerTls
from casedesk_proxy.snapshot import Snapshot, compile_snapshot
from casedesk_proxy.upstream.tls import NodeContexts, make_contexts

__all__ = ["ListenerTls", "Runtime", "compile_runtime"]


@dataclass(frozen=True, slots=True)
class Runtime:
    """``certificate``: for clients that come over https; None: they come over http."""

    config: Config
    snapshot: Snapshot
    certificate: ssl.SSLContext | None = field(default=None, repr=False)
    contexts: NodeContexts = field(default_factory=NodeContexts, repr=False)


def compile_runtime(
    config: Config, secrets: Mapping[str, str], before: Runtime | None = None
) -> Runtime:
    """Reads certificates: call it in a thread where a loop runs. TLS contexts of nodes whose
    settings and CA files are as ``before`` are kept. ``secrets``: the nodes' keys, by node name.

    Raises OSError for a certificate, key or CA file that cannot be used.
    """
    contexts = make_contexts(config, before.contexts if before else NodeContexts())
    return Runtime(
        config,
        compile_snapshot(config, secrets, contexts.by_node),
        _load_certificate(config.server.tls),
        contexts,
    )


class ListenerTls:
    """What listening sockets do handshakes with. They keep it for good; ``certificate`` is what
    each new handshake shows, and may be replaced at any time."""

    def __init__(self, certificate: ssl.SSLContext) -> None:
        self.certificate = certificate
        self.context = _make_context()

        def choose(handshake: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
            handshake.context = self.certificate

        # Called for every handshake, also of clients that name no server.
        self.context.sni_callback = choose


def _make_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _load_certificate(settings: ServerTls | None) -> ssl.SSLContext | None:
    if settings is None:
        return None
    context = _make_context()
    # The empty answer stops OpenSSL from asking for a passphrase on the terminal.
    context.load_cert_chain(settings.cert, settings.key, lambda: "")
    return context
