"""Why a TLS handshake with a node failed, in words without the node's address."""

from __future__ import annotations

import ssl

from casedesk_proxy.wording import AboutNode

__all__ = ["describe_handshake", "remedy_of"]

#: OpenSSL's codes for certificates (X509_V_ERR_…).
_NOT_YET_VALID, _EXPIRED = frozenset((9,)), frozenset((10,))
_OTHER_NAMES = frozenset((62, 64))
#: Self-signed, or from an unknown authority.
_UNTRUSTED = frozenset((18, 19, 20, 21))


def describe_handshake(error: ssl.SSLError) -> AboutNode:
    """The message with its remedy."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        reason = error.reason or "handshake failed"
        return AboutNode(f"did not agree on TLS ({reason}); check its url and its certificate")
    code = error.verify_code
    if code in _EXPIRED:
        did = "has expired"
    elif code in _NOT_YET_VALID:
        did = "is not valid yet"
    elif code in _OTHER_NAMES:
        did = "is for another name"
    else:
        did = "is not trusted"
    return AboutNode(f"{did}; {remedy_of(error, 'its')}", "certificate")


def remedy_of(error: ssl.SSLCertVerificationError, node: str) -> str:
    """``node``: the beginning of its settings' names, such as ``its`` or ``nodes.gpu0``."""
    dot = "." if "." in node else " "
    code = error.verify_code
    if code in _EXPIRED:
        return "renew it"
    if code in _NOT_YET_VALID:
        return "compare the clocks of both machines"
    if code in _OTHER_NAMES:
        return f"correct {node}{dot}url, or issue one for the name in it"
    if code in _UNTRUSTED:
        return f"set {node}{dot}tls.ca"
    return "replace it"
