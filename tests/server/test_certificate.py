from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from casedesk_proxy.config.schema import ServerTls
from casedesk_proxy.server.certificate import load_certificate

#: In seconds since 1970: 10 and 20 March 2026.
SINCE, UNTIL = 1773100800.0, 1773964800.0
DATES = [datetime.fromtimestamp(one, UTC) for one in (SINCE, UNTIL)]


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
    server = load_certificate(write_files(tmp_path, made, made.private_key_pem.bytes())).context
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


@pytest.mark.parametrize("kind", list(trustme.KeyType))
def test_the_validity_of_a_certificate_whose_time_is_over(
    tmp_path: Path, kind: trustme.KeyType
) -> None:
    made = trustme.CA().issue_cert(
        "localhost", not_before=DATES[0], not_after=DATES[1], key_type=kind
    )
    found = load_certificate(write_files(tmp_path, made, made.private_key_pem.bytes()))
    assert found.validity == (SINCE, UNTIL)
    assert found.until == UNTIL


def test_a_certificate_for_another_use_is_served_without_a_date(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    usage = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.CLIENT_AUTH])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 7, *DATES)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "cert.pem").write_bytes(made.public_bytes(Encoding.PEM))
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.pem").write_bytes(pem)
    files = ServerTls(cert=str(tmp_path / "cert.pem"), key=str(tmp_path / "key.pem"))
    found = load_certificate(files)
    assert found.validity is None
    assert found.until is None
