"""Checks that a node can be reached and accepts its key; the result is a sentence that says what to
do."""

from __future__ import annotations

import errno
import ssl

import aiohttp
from yarl import URL

from casedesk_proxy.snapshot import NodeSpec
from casedesk_proxy.upstream.certificates import remedy_of
from casedesk_proxy.upstream.listings import list_headers, list_url
from casedesk_proxy.upstream.tls import context_of
from casedesk_proxy.upstream.unix_sockets import describe, make_connector

__all__ = ["ANSWER_TIMEOUT_S", "check_node"]

#: As long as a busy engine may need to list its models.
ANSWER_TIMEOUT_S = 5.0


async def check_node(node: NodeSpec, timeout_s: float = ANSWER_TIMEOUT_S) -> str:
    """What is wrong with the node, in a sentence; "" if all is well. Requests only the list of
    models, which runs no model."""
    url = URL(list_url(node), encoded=True)
    connector = make_connector(node.socket, context_of(node))
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            session.get(url, headers=list_headers(node), allow_redirects=False) as reply,
        ):
            return _judge_status(node, reply.status)
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        return _explain(node, error, timeout_s)


def _judge_status(node: NodeSpec, status: int) -> str:
    place = f"nodes.{node.name}"
    match status:
        case 401 | 403 if node.key is None:
            return f"requires a key ({status}); set {place}.api_key"
        case 401 | 403:
            return f"rejects its key ({status}); set another {place}.api_key"
        case 503:
            return "answers 503: it is starting, or overloaded; try again in a minute"
        case _ if 300 <= status < 400:
            return (
                f"answers with a redirect ({status}), which is never followed; correct {place}.url"
            )
        case _ if status >= 500:
            return f"answers {status}: look into the node's log"
    return ""


def _explain(node: NodeSpec, error: Exception, timeout_s: float) -> str:
    place = f"nodes.{node.name}"
    if isinstance(error, TimeoutError):
        return f"did not answer within {timeout_s:g} s; is it running, and is {place}.url right?"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        reason = error.certificate_error
        assert isinstance(reason, ssl.SSLCertVerificationError)
        said = reason.verify_message.removesuffix(".")
        return f"presents a certificate that is not accepted: {said}; {remedy_of(reason, place)}"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"its host name {node.host} cannot be resolved; correct {place}.url"
    if node.socket is not None and isinstance(error, OSError):
        return f"its socket {node.socket} {describe(error)}"
    if isinstance(error, aiohttp.ClientConnectorError) and error.errno == errno.ECONNREFUSED:
        return f"refuses connections: start it, or correct {place}.url"
    if isinstance(error, aiohttp.ClientSSLError):
        return (
            "does not speak TLS at that port, or no version that the proxy supports; is"
            f" {place}.url http://?"
        )
    return f"cannot be reached ({type(error).__name__}); correct {place}.url"
