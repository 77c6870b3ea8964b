"""TLS towards nodes."""

from __future__ import annotations

import ssl

from casedesk_proxy.exchange.snapshot import NodeSpec

__all__ = ["node_tls"]


def node_tls(node: NodeSpec) -> ssl.SSLContext | None:
    """The context for an https node, None for http. Raises OSError for an unreadable CA file."""
    if not node.secure:
        return None
    settings = node.config.tls
    context = ssl.create_default_context(cafile=settings.ca if settings else None)
    context.set_alpn_protocols(["http/1.1"])
    if settings is not None and not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
