"""Everything that can go wrong, sorted by whose fault it is.

    ProxyError                      status, code, message: safe to show to the client
    ├── ClientFault                 BadRequest · Unauthenticated · Forbidden · NotFound · TooLarge
    │   ├── Unsupported             what translation would lose (always 400)
    │   └── LimitReached            a key, or a deployment, has reached a limit (always 429)
    ├── UpstreamFault               NoNode · ConnectFailed · UpstreamTimeout · StreamBroken ·
    │   │                           KeyRefused · ModelLost
    │   └── NodeError               of StreamBroken: an error inside a reply of status 200
    └── Busy                        ours: no capacity now, come back after ``retry_after``

An HTTP error *answered* by a node is not an exception: it is relayed. No message here may contain a
credential, a node's address or a node's own error text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from casedesk_proxy.terms import Limit, Standing
from casedesk_proxy.wording import (
    MAX_PATH_CHARS,
    AboutNode,
    Wording,
    bounded,
    reason_of,
    text_of,
    with_remedy,
)

__all__ = [
    "MAX_VIOLATIONS",
    "BadRequest",
    "Busy",
    "ClientFault",
    "ConnectFailed",
    "Forbidden",
    "InternalFault",
    "KeyRefused",
    "LimitReached",
    "ModelLost",
    "NoNode",
    "NodeError",
    "NotFound",
    "ProxyError",
    "StreamBroken",
    "TooLarge",
    "Unauthenticated",
    "Unsupported",
    "UpstreamFault",
    "UpstreamTimeout",
    "Violation",
]

#: Limits whose end no program waits for.
_LASTING = frozenset({Limit.TOKENS_PER_DAY, Limit.TOKENS_PER_MONTH})
#: How many places one error names, here and in every envelope, and the characters of a description.
MAX_VIOLATIONS = 20
_MAX_DESCRIPTION_CHARS = 400


@dataclass(frozen=True, slots=True)
class Violation:
    """One faulty place in a request body: ``contents[0].parts[1].videoMetadata``. ``media``: image,
    document, audio or video, if the fault is in such a part."""

    path: str
    description: str
    media: str = ""


def _bounded(one: Violation) -> Violation:
    path = bounded(one.path, MAX_PATH_CHARS)
    return Violation(path, bounded(one.description, _MAX_DESCRIPTION_CHARS), one.media)


class ProxyError(Exception):
    """An error reply. ``code`` is a stable lower-case word for programs, such as
    ``model_not_found``.

    ``wording`` is the message as its maker gave it, ``message`` what a client gets. ``violations``
    lists every faulty path; ``retry_after`` is in seconds. ``repeatable``: whether clients that
    repeat failed requests automatically may do so.
    """

    status = 500
    code = "internal"
    #: What to do about it, if the message does not contain that.
    remedy = ""
    repeatable = True
    #: The words by which clients know what is wrong, where they look for them.
    known_by = ""
    #: What the node said, or where it is, if the message does not contain it: only for the log.
    said = ""

    def __init__(
        self,
        wording: Wording,
        *,
        status: int | None = None,
        code: str | None = None,
        violations: tuple[Violation, ...] = (),
        retry_after: float | None = None,
    ) -> None:
        self.wording = with_remedy(wording, self.remedy)
        self.message = text_of(self.wording)
        super().__init__(self.message)
        self.status = status or type(self).status
        self.code = code or type(self).code
        self.violations = tuple(map(_bounded, violations[:MAX_VIOLATIONS]))
        self.retry_after = retry_after

    def with_node(self, node: str) -> Self:
        """The same error with the node's name, if its message is about the node: another object
        then, since many replies share some errors. "": no name is known."""
        if not node or isinstance(self.wording, str):
            return self
        message = text_of(self.wording, node)
        named = type(self).__new__(type(self), message)
        named.__dict__.update(self.__dict__, message=message)
        return named

    @property
    def reason(self) -> str:
        """The message for a log: its first clause, short, without quoted texts, which are a
        client's or a node's."""
        return reason_of(self.message, self.said)


class ClientFault(ProxyError):
    """The request cannot be served as it was sent."""

    status = 400
    code = "invalid_request"

    @classmethod
    def about(
        cls, path: str, why: str, *, status: int | None = None, code: str | None = None,
        media: str = "",
    ) -> Self:  # fmt: skip
        """The error for one faulty place: a field, a parameter or a header. ``media``: see
        Violation."""
        violations = (Violation(path, why, media),)
        return cls(f"{path}: {why}", status=status, code=code, violations=violations)


class BadRequest(ClientFault):
    """Also 405 and 408, given as ``status``; ``allow`` then names the methods of a 405."""

    allow = ""


class Unauthenticated(ClientFault):
    status = 401
    code = "unauthenticated"


class Forbidden(ClientFault):
    status = 403
    code = "permission_denied"


class NotFound(ClientFault):
    """``model``: the client's name of the model, if that was not found."""

    status = 404
    code = "not_found"
    model = ""


class TooLarge(ClientFault):
    status = 413
    code = "request_too_large"


class Unsupported(ClientFault):
    """``code`` is unsupported_gemini_feature, unsupported_response_format,
    invalid_response_format_schema or unsupported_dialect; the message begins with it."""

    status = 400
    code = "unsupported_gemini_feature"


class LimitReached(ClientFault):
    """``standing`` says which limit, and how it stands ``at`` a time, in seconds since 1970. A
    client that has to wait only a little may repeat the request automatically, after
    ``retry_after`` seconds; if it must wait a day or a month it may not."""

    status = 429

    def __init__(self, message: str, standing: Standing, *, at: float, retry_after: float) -> None:
        self.standing = standing
        self.at = at
        self.repeatable = standing.limit not in _LASTING
        # OpenAI's codes, which programs of all kinds know.
        code = "rate_limit_exceeded" if self.repeatable else "insufficient_quota"
        super().__init__(message, code=code, retry_after=retry_after)


class UpstreamFault(ProxyError):
    """A node failed before the first byte of its reply reached the client."""

    status = 502
    code = "upstream_error"


class NoNode(UpstreamFault):
    status = 503
    code = "no_node"


class ConnectFailed(UpstreamFault):
    status = 502
    code = "node_unreachable"


class UpstreamTimeout(UpstreamFault):
    """The node was silent for too long. Its work was lost, and the next node would be as slow: as
    for StreamBroken."""

    status = 504
    code = "node_timeout"
    repeatable = False


class KeyRefused(UpstreamFault):
    """The node refuses our key, or its account has no permission or no credit: the operator must
    correct that. Never 401 or 403, which would mean the client's key (RFC 9110, 15.5.2)."""

    status = 500
    code = "node_key_refused"
    repeatable = False


class ModelLost(UpstreamFault):
    """A node reports that it lacks a model, or does not serve such requests for it."""

    status = 404
    code = "model_not_found"


class InternalFault(ProxyError):
    def __init__(self) -> None:
        super().__init__("internal error in the proxy; look into its log")


class StreamBroken(UpstreamFault):
    """The node closed or reset its reply, or sent invalid data. A generation was lost, and each
    repeat costs a whole one; a request that crashes nodes must not be repeated automatically
    (`pools.retry`). ``did`` and ``its``: see `AboutNode`."""

    status = 502
    code = "node_broke"
    remedy = "try again, and if it happens again, look into the node's log"
    repeatable = False

    def __init__(self, did: str, *, its: str = "") -> None:
        super().__init__(AboutNode(did, its))


class NodeError(StreamBroken):
    """An error that a node put into a reply of status 200: into a stream, or as the body.

    ``answered`` is the status that it would have had as an HTTP error, ``body`` what the node sent.
    """

    def __init__(self, answered: int, body: bytes) -> None:
        super().__init__("reported an error in the middle of its reply")
        self.answered = answered
        self.body = body


class Busy(ProxyError):
    status = 429
    code = "overloaded"
