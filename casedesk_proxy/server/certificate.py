"""The certificate of the public listener, read from its files."""

from __future__ import annotations

import ssl

from casedesk_proxy.config.schema import ServerTls

__all__ = ["load_certificate", "make_listener_context"]


def load_certificate(settings: ServerTls) -> ssl.SSLContext:
    """A context that presents this certificate. Raises OSError, of which ssl.SSLError is one, for
    files that cannot be used."""
    context = make_listener_context()
    # The empty answer prevents OpenSSL from asking for a passphrase on the terminal.
    context.load_cert_chain(settings.cert, settings.key, lambda: "")
    return context


def make_listener_context() -> ssl.SSLContext:
    """One without a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    return context
