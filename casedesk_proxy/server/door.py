"""Who may come in, and to what: decided by a request's head alone, before its body is read."""

from __future__ import annotations

from casedesk_proxy.auth.browsers import Hosts, require_own_host, require_own_site
from casedesk_proxy.auth.credentials import find_credential
from casedesk_proxy.auth.near_misses import describe_sent
from casedesk_proxy.auth.tokens import authorise, bare_deployment
from casedesk_proxy.errors import ClientFault, ProxyError
from casedesk_proxy.planning.standing import Standing
from casedesk_proxy.relay.request import require_plain
from casedesk_proxy.replying.record import Outcome
from casedesk_proxy.snapshot import Snapshot
from casedesk_proxy.surfaces.paths import guess_surface, read_call
from casedesk_proxy.terms import Action, Call
from casedesk_proxy.wire.headers import accept_request_id
from casedesk_proxy.wire.http1 import RequestHead

__all__ = ["CATALOGUE", "admit", "is_known", "look", "read_wish"]

CATALOGUE = frozenset({Action.LIST_MODELS, Action.GET_MODEL})


def read_wish(head: RequestHead, outcome: Outcome, hosts: Hosts) -> Call:
    """What is wanted, noted in ``outcome`` as far as it is known. Raises a ClientFault."""
    try:
        call = read_call(head.method, head.target, head.headers)
    except ClientFault:
        outcome.surface = guess_surface(head.target, head.headers)
        raise
    outcome.surface, outcome.action = call.surface, call.action
    require_own_site(head.method, head.headers, hosts)
    return call


def is_known(snapshot: Snapshot, head: RequestHead) -> bool:
    """Whether the caller has a valid token, whatever is refused. Raises nothing."""
    try:
        credential = find_credential(head.headers, head.target.partition("?")[2])
    except ProxyError:
        return False
    return credential is not None and snapshot.tokens.match(credential) is not None


def look(snapshot: Snapshot, head: RequestHead, hosts: Hosts) -> None:
    """Whether the caller may see what there is at a base URL. Raises Forbidden."""
    if snapshot.open_to_all:
        require_own_host(head.method, head.target, head.headers, hosts)


def admit(snapshot: Snapshot, head: RequestHead, target: str, call: Call, hosts: Hosts) -> Standing:
    """``call``, if the caller may have it. ``target``: as it may stand in a log. Raises a
    ClientFault."""
    query = head.target.partition("?")[2]
    credential = find_credential(head.headers, query)
    known = snapshot.tokens.match(credential) if credential else None
    name = call.deployment or bare_deployment(known, snapshot.default_deployment) or ""
    deployment = snapshot.deployments.get(name)
    hidden = "tokens" if snapshot.tokens else None
    auth = deployment.auth if deployment else hidden
    sent = "" if credential else describe_sent(head.headers, query)
    principal = authorise(
        known, credential, name, auth, sent=sent, open_to_all=snapshot.open_to_all
    )
    assert deployment is not None, "authorise refuses names that no deployment has"
    if known is None:
        require_own_host(head.method, head.target, head.headers, hosts)
    if call.action not in CATALOGUE:
        require_plain(head.headers)
    ident = accept_request_id(head.headers)
    return Standing(head, snapshot, ident, target, call, deployment, principal.name)
