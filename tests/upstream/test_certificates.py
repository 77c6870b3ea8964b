"""What is said of a TLS handshake that failed, with certificates that are at fault."""

from __future__ import annotations

import asyncio
import datetime
import ssl
from typing import Any

import pytest
import trustme

from casedesk_proxy.upstream.certificates import describe_handshake, remedy_of
from tests.fixtures.raw_node import Step, raw_node

LONG_AGO = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
NOT_YET = datetime.datetime(2400, 1, 1, tzinfo=datetime.UTC)
LATER = NOT_YET + datetime.timedelta(days=1)


async def fail(*names: str, is_known: bool = True, **dates: Any) -> ssl.SSLError:
    """The error that follows from a certificate of a node with these names and dates."""
    authority, here = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    there = ssl.create_default_context()
    authority.issue_cert(*names, **dates).configure_cert(here)
    if is_known:
        authority.configure_trust(there)
    async with raw_node(Step.CLOSE, tls=here) as node:
        with pytest.raises(ssl.SSLError) as raised:
            await asyncio.open_connection("127.0.0.1", node.port, ssl=there)
    return raised.value


@pytest.mark.parametrize(
    ("names", "more", "said"),
    [
        (
            ("127.0.0.1",),
            {"not_before": LONG_AGO, "not_after": LONG_AGO + datetime.timedelta(days=9)},
            "has expired; renew it",
        ),
        (
            ("127.0.0.1",),
            {"not_before": NOT_YET, "not_after": LATER},
            "is not valid yet; compare the clocks of both machines",
        ),
        (
            ("127.0.0.2",),
            {},
            "is for another name; correct its url, or issue one for the name in it",
        ),
        (("127.0.0.1",), {"is_known": False}, "is not trusted; set its tls.ca"),
    ],
)
async def test_what_is_wrong_with_a_certificate(
    names: tuple[str, ...], more: dict[str, Any], said: str
) -> None:
    error = await fail(*names, **more)
    text = describe_handshake(error).text("gpu0")
    assert text == f"node gpu0's certificate {said}"
    assert "127.0.0" not in text
    assert isinstance(error, ssl.SSLCertVerificationError)
    remedy = said.partition("; ")[2].replace("its ", "nodes.gpu0.")
    assert remedy_of(error, "nodes.gpu0") == remedy


def test_other_faults() -> None:
    plain = ssl.SSLError()
    plain.reason = ""
    assert describe_handshake(plain).text("n") == (
        "node n did not agree on TLS (handshake failed); check its url and its certificate"
    )
    revoked = ssl.SSLCertVerificationError()
    revoked.verify_code = 23
    assert describe_handshake(revoked).text("n") == (
        "node n's certificate is not trusted; replace it"
    )
