"""Who sends a request, for what, and whether it is allowed: decided by its head alone, before its
body is read.

The rules are in `surfaces` (what a path means), `auth` (whose key it is, what a browser may do) and
the snapshot (what each deployment requires). Only `admit` puts them in order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from casedesk_proxy.auth.browsers import Hosts, require_own_host, require_own_site
from casedesk_proxy.auth.credentials import find_credential, has_several
from casedesk_proxy.auth.explanations import Presented, explain_refusal
from casedesk_proxy.auth.keys import bare_deployment, find_access, find_user
from casedesk_proxy.auth.near_misses import describe_sent
from casedesk_proxy.auth.sessions import Sessions, find_signed_in
from casedesk_proxy.errors import BadRequest, ClientFault
from casedesk_proxy.fastpath.memory import Memory
from casedesk_proxy.planning.route import ModelPlacement, no_placements
from casedesk_proxy.replying.record import CallFacts
from casedesk_proxy.snapshot import DeploymentSpec, Snapshot
from casedesk_proxy.surfaces.paths import guess_surface, read_call
from casedesk_proxy.terms import Action, Call, RawHeaders, UseRules, record
from casedesk_proxy.wire.headers import accept_request_id
from casedesk_proxy.wire.http1 import RequestHead, header
from casedesk_proxy.wire.query import log_target

__all__ = [
    "CATALOGUE",
    "FILES",
    "Admitted",
    "BaseUrl",
    "UploadUrl",
    "admit",
    "has_key",
    "read_facts",
]

#: Actions for which no node is asked.
CATALOGUE = frozenset(
    {Action.USAGE, Action.LIST_MODELS, Action.GET_MODEL, Action.LIST_LOADED, Action.VERSION}
)


#: Actions that the file store answers.
FILES = frozenset(
    {
        Action.UPLOAD_FILE, Action.CREATE_FILE, Action.LIST_FILES, Action.GET_FILE,
        Action.FILE_CONTENT, Action.DELETE_FILE,
    }
)  # fmt: skip


#: Actions that limits do not count.
_UNCOUNTED = CATALOGUE | FILES
#: Pairs of limits that are remembered.
_MAX_PAIRS = 10_000


@dataclass(frozen=True, slots=True)
class Admitted:
    """An admitted request. ``request_id`` is the client's own, if the head has an acceptable one;
    ``log_target`` is the target without its secrets; ``facts`` are for the exchange's record.
    ``limits`` are those of the key and of the deployment, ``counted`` those for which this request
    counts; ``expires`` is when the key expires, in seconds since 1970. ``placements`` is what
    planning remembers of models for requests with the same head: see `fastpath.admission_cache`.
    ``by_session``: the session was the only credential, so this holds for this request alone."""

    call: Call
    deployment: DeploymentSpec
    request_id: str | None
    log_target: str
    facts: CallFacts
    limits: tuple[UseRules, ...] = ()
    counted: tuple[UseRules, ...] = ()
    expires: float | None = None
    by_session: bool = False
    placements: Memory[str, ModelPlacement] = field(
        default_factory=no_placements, compare=False, repr=False
    )


@record
class BaseUrl:
    """A request to a base URL, which needs no key."""

    call: Call

    @property
    def facts(self) -> CallFacts:
        return CallFacts(self.call.surface, self.call.action)


@record
class UploadUrl:
    """An upload continues at its own URL, which is the permission: no key is read."""

    call: Call

    @property
    def facts(self) -> CallFacts:
        return CallFacts(self.call.surface, self.call.action)


def admit(
    snapshot: Snapshot, head: RequestHead, hosts: Hosts, sessions: Sessions | None = None
) -> Admitted | BaseUrl | UploadUrl:
    """``hosts``: the listener's own names; ``sessions``: those of people signed in to the console,
    which count if there is no other credential. Raises a ClientFault."""
    call = read_call(head.method, head.target, head.headers)
    require_own_site(head.method, head.headers, hosts)
    if call.action is Action.BASE:
        if snapshot.open_to_all:
            require_own_host(head.method, head.target, head.headers, hosts)
        return BaseUrl(call)
    if call.action is Action.RESUME_UPLOAD:
        _require_plain(head.headers)
        return UploadUrl(call)
    query = head.target.partition("?")[2]
    credential = find_credential(head.headers, query)
    known = snapshot.find_principal(credential) if credential else None
    if not credential and sessions is not None:
        known = find_signed_in(head.method, head.headers, sessions)
    by_session = known is not None and not credential
    name = call.deployment or bare_deployment(known, snapshot.default_deployment) or ""
    deployment = snapshot.deployments.get(name)
    access = find_access(deployment.auth if deployment else None, any_keys=snapshot.any_keys)
    principal = find_user(known, name, access)
    if principal is None:
        keys = snapshot.stored_keys
        presented = Presented(
            credential, known, bool(credential) and has_several(head.headers, query),
            instead="" if credential else describe_sent(head.headers, query),
            ended=keys.explain(credential) if credential and known is None else "",
            may_be_valid=not keys.is_read,
        )  # fmt: skip
        raise explain_refusal(presented, name, access, snapshot.open_to_all)
    assert deployment is not None, "nobody may use a deployment that does not exist"
    if known is None or by_session:
        require_own_host(head.method, head.target, head.headers, hosts)
    if call.action not in CATALOGUE:
        _require_plain(head.headers)
    facts = CallFacts(call.surface, call.action, principal.name, deployment.name)
    ident = accept_request_id(head.headers)
    deployment = deployment.for_key(principal.models, principal.parameters)
    limits = _join(principal.limits, deployment.limits)
    counted = () if call.action in _UNCOUNTED else limits
    return Admitted(
        call, deployment, ident, log_target(head.target), facts, limits, counted,
        principal.expires, by_session,
    )  # fmt: skip


@lru_cache(maxsize=_MAX_PAIRS)
def _join(*limits: UseRules | None) -> tuple[UseRules, ...]:
    """The same tuple for the same limits, with every head: their counters are found by its
    identity."""
    return tuple(one for one in limits if one is not None)


def read_facts(head: RequestHead) -> CallFacts:
    """The facts in the head of a request that was not admitted. Raises nothing."""
    try:
        call = read_call(head.method, head.target, head.headers)
    except ClientFault:
        return CallFacts(guess_surface(head.target, head.headers))
    return CallFacts(call.surface, call.action)


def has_key(snapshot: Snapshot, head: RequestHead) -> bool:
    """Whether the caller has a valid key, whatever else is refused. Raises nothing."""
    credential = find_credential(head.headers, head.target.partition("?")[2])
    return credential is not None and snapshot.find_principal(credential) is not None


def _require_plain(headers: RawHeaders) -> None:
    """Raises BadRequest (415) for a body in a content coding."""
    coding = header(headers, b"content-encoding")
    if coding is not None and coding.lower() != b"identity":
        raise BadRequest(
            "content-encoding: compressed request bodies are not supported; send the body"
            " uncompressed",
            status=415,
        )
