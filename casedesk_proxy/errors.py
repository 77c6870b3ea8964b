"""Everything that can go wrong, sorted by whose fault it is.

    ProxyError                      status, code, message: safe to show to the client
    ├── ClientFault                 BadRequest · Unauthenticated · Forbidden · NotFound · TooLarge
    │   ├── Unsupported             what translation would lose (always 400)
    │   └── LimitReached            a key, or a deployment, has reached a limit (always 429)
    ├── UpstreamFault               NoNode · ConnectFailed · UpstreamTimeout · StreamBroken ·
    │   │                           KeyRefused · ModelLost
    │   └── NodeError               of StreamBroken: an error inside a reply of status 200
    └── Busy                        ours: no capacity now, come back after ``retry_after``
    ConfigError                     separate: a list of complaints; never reaches HTTP

An HTTP error *answered* by a node is not an exception: it is relayed. No message here may contain a
credential, a node's address or a node's own error text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from casedesk_proxy.terms import Limit, Standing

__all__ = [
    "MAX_PATH_CHARS",
    "MAX_VIOLATIONS",
    "BadRequest",
    "Busy",
    "ClientFault",
    "Complaint",
    "ConfigError",
    "ConnectFailed",
    "Forbidden",
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
    "bounded",
]

#: Characters of a message in a log line.
_MAX_REASON_CHARS = 160
#: Characters of a message that are read for the log line.
_MAX_READ_CHARS = 1000
#: From the first opening quote to the last closing one: a quoted text may contain quotes itself.
_QUOTED = re.compile(r"(?<![\w'])['\"].*['\"](?!\w)")


#: Limits whose end no program waits for.
_LASTING = frozenset({Limit.TOKENS_PER_DAY, Limit.TOKENS_PER_MONTH})
#: Characters of a message for clients.
MAX_MESSAGE_CHARS = 8192
#: How many places one error names, here and in every envelope; and the characters of a path and of
#: its description: names in a body are the client's own, and may be as long as the body.
MAX_VIOLATIONS = 20
MAX_PATH_CHARS = 200
_MAX_DESCRIPTION_CHARS = 400


@dataclass(frozen=True, slots=True)
class Violation:
    """One faulty place in a request body: ``contents[0].parts[1].videoMetadata``. ``media``: image,
    document, audio or video, if the fault is in such a part."""

    path: str
    description: str
    media: str = ""


def bounded(text: str, most: int) -> str:
    """At most so many characters, ending in an ellipsis if some are missing."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _bounded(one: Violation) -> Violation:
    path, description = (
        bounded(one.path, MAX_PATH_CHARS),
        bounded(one.description, _MAX_DESCRIPTION_CHARS),
    )
    return Violation(path, description, one.media)


class ProxyError(Exception):
    """An error reply. ``code`` is a stable lower-case word for programs, such as
    ``model_not_found``.

    ``violations`` lists every faulty path; ``retry_after`` is in seconds. ``repeatable``: whether
    clients that repeat failed requests automatically may do so.
    """

    status = 500
    code = "internal"
    #: What to do about it, if a message does not say so itself.
    remedy = ""
    repeatable = True
    #: What the node said, or where it is, if the message does not contain it: only for the log.
    said = ""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        violations: tuple[Violation, ...] = (),
        retry_after: float | None = None,
    ) -> None:
        if self.remedy and "; " not in message:
            message = f"{message}; {self.remedy}"
        message = bounded(message, MAX_MESSAGE_CHARS)
        super().__init__(message)
        self.message = message
        self.status = status or type(self).status
        self.code = code or type(self).code
        self.violations = tuple(map(_bounded, violations[:MAX_VIOLATIONS]))
        self.retry_after = retry_after

    @property
    def reason(self) -> str:
        """The message for a log: its first clause, short, without quoted texts, which are a
        client's or a node's."""
        clause = _first_clause(self.message)
        if self.said:
            clause = f"{clause}: {_first_clause(self.said)}"
        return bounded(clause, _MAX_REASON_CHARS)


def _first_clause(text: str) -> str:
    if len(text) > _MAX_READ_CHARS:
        # A quoted text may end only after the cut.
        text = f"{text[:_MAX_READ_CHARS]}'"
    return _QUOTED.sub("…", " ".join(text.split())).partition("; ")[0]


class ClientFault(ProxyError):
    """The request cannot be served as it was sent."""

    status = 400
    code = "invalid_request"


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


class StreamBroken(UpstreamFault):
    """The node closed or reset its reply, or sent invalid data. A generation was lost, and each
    repeat costs a whole one; a request that crashes nodes must not be repeated automatically
    (`pools.retry`)."""

    status = 502
    code = "node_broke"
    remedy = "try again, and if it happens again, look into the node's log"
    repeatable = False


class NodeError(StreamBroken):
    """An error that a node put into a reply of status 200: into a stream, or as the body.

    ``answered`` is the status that it would have had as an HTTP error, ``body`` what the node sent.
    """

    def __init__(self, answered: int, body: bytes) -> None:
        super().__init__("the node reported an error in the middle of its reply")
        self.answered = answered
        self.body = body


class Busy(ProxyError):
    status = 429
    code = "overloaded"


@dataclass(frozen=True, slots=True)
class Complaint:
    """One fault of a configuration. ``line`` and ``column`` start at 1; 0 where unknown.

    ``path`` is the key path, e.g. ``nodes.gpu0.url``; ``remedy`` says what to do.
    """

    path: str
    message: str
    file: str = ""
    line: int = 0
    column: int = 0
    remedy: str = ""

    def __str__(self) -> str:
        place = f"{self.file or 'config'}:{self.line}:{self.column}" if self.line else self.file
        text = f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"
        return f"{text}; {self.remedy}" if self.remedy else text


class ConfigError(Exception):
    """All complaints about a configuration, in file order."""

    def __init__(self, complaints: list[Complaint]) -> None:
        super().__init__("\n".join(str(c) for c in complaints))
        self.complaints = complaints
