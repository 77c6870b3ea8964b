"""The certificate of the public listener: what shows it in handshakes, and how long it is valid."""

from __future__ import annotations

import contextlib
import ssl
from dataclasses import dataclass, field

from casedesk_proxy.config.schema import ServerTls

__all__ = ["Certificate", "load_certificate", "make_listener_context"]

#: OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which Python has no name for.
_NO_CHECK_TIME = ssl.VerifyFlags(0x200000)


@dataclass(frozen=True, slots=True)
class Certificate:
    """``context`` shows it in handshakes. ``validity``: from when and until when it is valid, in
    seconds since 1970; None if clients refuse it at any time, because it is for another use."""

    context: ssl.SSLContext = field(repr=False)
    validity: tuple[float, float] | None = None

    @property
    def until(self) -> float | None:
        """When it expires, in seconds since 1970."""
        return None if self.validity is None else self.validity[1]


def load_certificate(settings: ServerTls) -> Certificate:
    """Raises OSError, of which ssl.SSLError is one, for files that cannot be used."""
    context = make_listener_context()
    # The empty answer prevents OpenSSL from asking for a passphrase on the terminal.
    context.load_cert_chain(settings.cert, settings.key, lambda: "")
    return Certificate(context, _read_validity(context, settings.cert))


def make_listener_context() -> ssl.SSLContext:
    """One without a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _read_validity(context: ssl.SSLContext, path: str) -> tuple[float, float] | None:
    """As a client sees it in a handshake in memory, since Python reads certificates nowhere
    else."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        client.load_verify_locations(path)
        asking = client.wrap_bio(to_client, to_server)
        for side in (asking, context.wrap_bio(to_server, to_client, server_side=True), asking):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
        found = asking.getpeercert() or {}
        since, until = (
            ssl.cert_time_to_seconds(str(found[one])) for one in ("notBefore", "notAfter")
        )
    except (OSError, ValueError, KeyError):
        return None
    return float(since), float(until)
