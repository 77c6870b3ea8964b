"""The error for a request that may not use its deployment: what was wrong, and what to do. No
message contains a credential."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from casedesk_proxy.auth.credentials import ACCEPTED_FORMS
from casedesk_proxy.auth.keys import Access
from casedesk_proxy.auth.near_misses import describe_wrong
from casedesk_proxy.errors import ClientFault, Forbidden, NotFound, Unauthenticated
from casedesk_proxy.terms import Principal, record
from casedesk_proxy.wording import quoted

__all__ = ["UNREAD", "Presented", "explain_refusal"]

#: What the holder of a key learns that is not known: clients give up at 401.
UNREAD = "the state file with the keys cannot be read now; send the request again"
_UNREAD_RETRY_S = 1.0
#: How many names of deployments one message lists.
_MAX_LISTED_NAMES = 8


@record
class Presented:
    """What a client presented as its key. ``principal``: whose key it is, None if it is not known.
    ``sent_several``: whether it came with others, which were ignored; ``instead``: what a client
    without a credential sent in its place; ``ended``: why a former key is no longer valid;
    ``may_be_valid``: the keys of the state file could not be read yet."""

    credential: str | None = dataclasses.field(repr=False)
    principal: Principal | None = None
    sent_several: bool = False
    instead: str = ""
    ended: str = ""
    may_be_valid: bool = False


def explain_refusal(
    presented: Presented, deployment: str, access: Access, open_to_all: Sequence[str]
) -> ClientFault:
    """The error where `find_user` finds nobody. ``open_to_all``: the deployments that need no
    key, which are named to those who may know of deployments."""
    doors = _list("deployments that need no key:", open_to_all)
    if access is Access.MISSING:
        return _not_found(deployment, doors)
    principal = presented.principal
    if principal is None:
        if presented.credential and presented.may_be_valid:
            return ClientFault(UNREAD, status=503, code="no_state", retry_after=_UNREAD_RETRY_S)
        return _unauthenticated(presented)
    doors = _list("this key may use", sorted(principal.deployments or ())) + doors
    if not deployment:
        return _not_found("", doors)
    return Forbidden(
        f"this key does not grant access to deployment {quoted(deployment)}; ask an admin to"
        f" add it to the key{doors}"
    )


def _unauthenticated(presented: Presented) -> Unauthenticated:
    if not presented.credential:
        required = "a key is required"
        message = f"{presented.instead}; {required}" if presented.instead else required
        return Unauthenticated(f"{message}; send it as {ACCEPTED_FORMS}")
    used = ""
    if presented.sent_several:
        used = f" (of several credentials, only the first of {ACCEPTED_FORMS} is used)"
    if presented.ended:
        # The key was typed correctly.
        return Unauthenticated(f"{presented.ended}; ask for a new one{used}", code="invalid_key")
    looks = describe_wrong(presented.credential)
    message = f"unknown key: {looks}" if looks else "unknown key"
    return Unauthenticated(
        f"{message}; check it for typing errors, or ask for a new one{used}", code="invalid_key"
    )


def _not_found(deployment: str, doors: str) -> NotFound:
    if not deployment:
        message = "no default deployment is configured; use /proxy/{deployment}/…"
    else:
        message = f"unknown deployment {quoted(deployment)}"
    return NotFound(message + doors, code="deployment_not_found")


def _list(message: str, names: Sequence[str]) -> str:
    """A clause with the first of ``names``; "" if there are none."""
    if not names:
        return ""
    others = f" and {len(names) - _MAX_LISTED_NAMES} more" if len(names) > _MAX_LISTED_NAMES else ""
    return f"; {message} {', '.join(names[:_MAX_LISTED_NAMES])}{others}"
