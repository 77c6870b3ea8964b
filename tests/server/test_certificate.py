from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from casedesk_proxy.config.schema import ServerTls
from casedesk_proxy.server.certificate import load_certificate


def write_files(folder: Path, cert: trustme.LeafCert, key: bytes) -> ServerTls:
    (folder / "cert.pem").write_bytes(cert.cert_chain_pems[0].bytes())
    (folder / "key.pem").write_bytes(key)
    return ServerTls(cert=str(folder / "cert.pem"), key=str(folder / "key.pem"))


def test_a_key_of_another_certificate_is_an_os_error(tmp_path: Path) -> None:
    authority = trustme.CA()
    made, other = authority.issue_cert("localhost"), authority.issue_cert("localhost")
    files = write_files(tmp_path, made, other.private_key_pem.bytes())
    with pytest.raises(OSError, match="KEY_VALUES_MISMATCH"):
        load_certificate(files)


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked_for_it(tmp_path: Path) -> None:
    made = trustme.CA().issue_cert("localhost")
    key = load_pem_private_key(made.private_key_pem.bytes(), None)
    form = Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    files = write_files(tmp_path, made, key.private_bytes(*form))
    with pytest.raises(ssl.SSLError):
        load_certificate(files)


def test_http_1_1_is_agreed_with_a_client_that_prefers_http_2(tmp_path: Path) -> None:
    authority = trustme.CA()
    made = authority.issue_cert("localhost")
    server = load_certificate(write_files(tmp_path, made, made.private_key_pem.bytes()))
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(client)
    client.set_alpn_protocols(["h2", "http/1.1"])
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    answering = server.wrap_bio(to_server, to_client, server_side=True)
    with pytest.raises(ssl.SSLWantReadError):
        asking.do_handshake()
    with pytest.raises(ssl.SSLWantReadError):
        answering.do_handshake()
    asking.do_handshake()
    assert asking.selected_alpn_protocol() == "http/1.1"
