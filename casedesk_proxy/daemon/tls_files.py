"""Whether the TLS files of a configuration can be used, and for how long, reported by the setting's
path."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator

from casedesk_proxy.config.complaints import Complaint
from casedesk_proxy.config.schema import Config, ServerTls
from casedesk_proxy.config.settings import Path, spell
from casedesk_proxy.server.certificate import load_certificate
from casedesk_proxy.wording import spell_time

__all__ = ["find_tls_faults", "warn_of_certificate"]

#: What is wrong with the setting at the path, and the remedy.
_Fault = tuple[Path, str, str]
#: A certificate that expires within so many seconds should have been renewed: most programs renew
#: it a month before.
_SOON_S = 14 * 86400.0


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


def warn_of_certificate(
    config: Config, *, file: str = "config", now: float | None = None
) -> list[Complaint]:
    """A complaint if the server's certificate has expired, will within two weeks, or is not valid
    yet. ``now``: seconds since 1970; None: by the clock."""
    tls = config.server.tls
    if tls is None:
        return []
    try:
        validity = load_certificate(tls).validity
    except OSError:
        # `find_tls_faults` says why.
        return []
    if validity is None:
        return []
    now = time.time() if now is None else now
    (since, until), remedy = validity, "renew it; a reload takes the new one"
    if now < since:
        what, remedy = f"is not valid before {spell_time(since)}", "check this machine's clock"
    elif now >= until:
        what = f"expired on {spell_time(until)}, so clients refuse it"
    elif until - now < _SOON_S:
        what = f"expires on {spell_time(until)}"
    else:
        return []
    return [Complaint("server.tls.cert", f"{tls.cert} {what}", file, remedy=remedy)]


def _check_chain(tls: ServerTls) -> Iterator[_Fault]:
    unreadable = [*_check_read(("server", "tls", "cert"), tls.cert)]
    unreadable += _check_read(("server", "tls", "key"), tls.key)
    if unreadable:
        yield from unreadable
        return
    try:
        load_certificate(tls)
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
