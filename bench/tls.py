"""Relays that are measured with TLS towards their clients.

The clients of `engine/load.c` do not support TLS. HAProxy, beside them on the core of the load,
passes on their bytes under TLS, so that the relay pays only for its side of it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bench.engine.process import free_port
from bench.installation import Unavailable, find_debian
from bench.target import Place, Target, fill

__all__ = ["make_certificate", "make_tls_client", "over_tls"]


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Files with a certificate for 127.0.0.1, by an unknown authority, and with its key. Raises
    Unavailable."""
    try:
        import trustme
    except ImportError:
        raise Unavailable("the package trustme is needed: make test installs it") from None
    cert, key = folder / "cert.pem", folder / "key.pem"
    made = trustme.CA().issue_cert("127.0.0.1")
    made.cert_chain_pems[0].write_to_path(cert)
    made.private_key_pem.write_to_path(key)
    return cert, key


def over_tls(target: Target) -> Target:
    """The same relay, listening for TLS. Raises Unavailable without HAProxy."""
    find_debian("haproxy", "haproxy")
    return replace(target, name=f"{target.name}-tls", tls_port=target.port, port=free_port())


def make_tls_client(target: Target, folder: Path) -> list[str]:
    """The command of the process beside the clients."""
    place = Place(engines=None, node_port=target.tls_port, folder=folder)  # type: ignore[arg-type]
    config = fill("tls-client.cfg", place, port=target.port)
    return [find_debian("haproxy", "haproxy"), "-db", "-f", str(config)]
