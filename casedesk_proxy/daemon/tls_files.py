"""Whether the TLS files of a configuration can be used, reported by the setting's path."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

from casedesk_proxy.config.complaints import Complaint
from casedesk_proxy.config.schema import Config, ServerTls
from casedesk_proxy.config.settings import Path, spell

__all__ = ["find_tls_faults"]

#: What is wrong with the setting at the path, and the remedy.
_Fault = tuple[Path, str, str]


def find_tls_faults(config: Config, *, file: str = "config") -> list[Complaint]:
    """A complaint for each certificate, key or CA file that is missing, unreadable or unfit."""
    faults: list[_Fault] = []
    if config.server.tls is not None:
        faults += _check_chain(config.server.tls)
    for name, node in config.nodes.items():
        if node.tls is not None and node.tls.ca is not None:
            faults += _check_ca(("nodes", name, "tls", "ca"), node.tls.ca)
    return [
        Complaint(spell(path), message, file, remedy=remedy) for path, message, remedy in faults
    ]


def _check_chain(tls: ServerTls) -> Iterator[_Fault]:
    unreadable = [*_check_read(("server", "tls", "cert"), tls.cert)]
    unreadable += _check_read(("server", "tls", "key"), tls.key)
    if unreadable:
        yield from unreadable
        return
    try:
        # The empty answer prevents OpenSSL from asking for a passphrase on the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tls.cert, tls.key, lambda: "")
    except ssl.SSLError as error:
        message = f"{tls.cert} and {tls.key} do not belong together: {error.reason or 'not PEM'}"
        remedy = "name a certificate in PEM with its chain, and its key without a passphrase"
        yield ("server", "tls"), message, remedy


def _check_ca(path: Path, ca: str) -> Iterator[_Fault]:
    unreadable = [*_check_read(path, ca)]
    if unreadable:
        yield from unreadable
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(ca)
    except ssl.SSLError:
        yield path, f"{ca} contains no PEM certificate", "name a file of certificates in PEM"


def _check_read(path: Path, name: str) -> Iterator[_Fault]:
    try:
        with open(name, "rb") as opened:
            opened.read(1)
    except OSError as error:
        yield path, f"cannot read {name}: {error.strerror}", "check its path and its owner"
