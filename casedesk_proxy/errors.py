"""Everything that can go wrong, sorted by whose fault it is.

    ProxyError                      status, code, message: safe to show to the client
    ├── ClientFault                 BadRequest · Unauthenticated · Forbidden · NotFound · TooLarge
    │   ├── Unsupported             what transposition would lose (always 400)
    │   └── LimitReached            a key, or a deployment, has used what it may (always 429)
    ├── UpstreamFault               NoNode · ConnectFailed · UpstreamTimeout · StreamBroken ·
    │   │                           KeyRefused · ModelLost
    │   └── NodeError               of StreamBroken: told by the node in a reply of status 200
    └── Busy                        ours: no capacity now, come back after ``retry_after``
    ConfigError                     separate: a list of complaints; never reaches HTTP

An HTTP error *answered* by a node is not an exception: it is relayed. No message here may hold a
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

#: Characters of a message that a log line shows.
_MAX_REASON_CHARS = 160
#: Characters of a message that are read for that.
_MAX_READ_CHARS = 1000
#: From the first opening quote to the last closing one: what is quoted may hold quotes itself.
_QUOTED = re.compile(r"(?<![\w'])['\"].*['\"](?!\w)")


#: Limits whose end no program waits for.
_LASTING = frozenset({Limit.TOKENS_PER_DAY, Limit.TOKENS_PER_MONTH})
#: Characters of a message, as clients get it.
MAX_MESSAGE_CHARS = 8192
#: Places named in one error, here and in every envelope, and the characters of a path and of what
#: is wrong there: names in a body are the client's own, and may be as long as the body.
MAX_VIOLATIONS = 20
MAX_PATH_CHARS = 200
_MAX_DESCRIPTION_CHARS = 400


@dataclass(frozen=True, slots=True)
class Violation:
    """One offending place in a request body: ``contents[0].parts[1].videoMetadata``. ``media``:
    image, document, audio or video, where it is such a part that stands in the way."""

    path: str
    description: str
    media: str = ""


def bounded(text: str, most: int) -> str:
    """So many characters at most, the last of them an ellipsis where some are missing."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _bounded(one: Violation) -> Violation:
    path, description = (
        bounded(one.path, MAX_PATH_CHARS),
        bounded(one.description, _MAX_DESCRIPTION_CHARS),
    )
    return Violation(path, description, one.media)


class ProxyError(Exception):
    """An error reply. ``code`` is a stable lower-case word for programs, e.g. ``model_not_found``.

    ``violations`` lists every offending path; ``retry_after`` is in seconds. ``repeatable``:
    whether clients that repeat a failed request by themselves may do so.
    """

    status = 500
    code = "internal"
    #: What to do about it, where a message does not say so itself.
    remedy = ""
    repeatable = True
    #: What the node said, or where it is, where the message does not repeat it: for the log alone.
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
        """The message as a log may hold it: its first clause, short, without what it quotes, since
        that is a client's text or a node's."""
        clause = _first_clause(self.message)
        if self.said:
            clause = f"{clause}: {_first_clause(self.said)}"
        return bounded(clause, _MAX_REASON_CHARS)


def _first_clause(text: str) -> str:
    if len(text) > _MAX_READ_CHARS:
        # What is quoted there may end only behind the cut.
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
    """``model``: what a client asked for, where that is what was not found."""

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
    """``standing`` says which limit, and how it stands ``at`` a time, in seconds since 1970.
    A client that has to wait only a little may repeat the request by itself, after ``retry_after``
    seconds; with a day or a month to wait it may not."""

    status = 429

    def __init__(self, message: str, standing: Standing, *, at: float, retry_after: float) -> None:
        self.standing = standing
        self.at = at
        self.repeatable = standing.limit not in _LASTING
        # OpenAI's words, which programs of all kinds know.
        code = "rate_limit_exceeded" if self.repeatable else "insufficient_quota"
        super().__init__(message, code=code, retry_after=retry_after)


class UpstreamFault(ProxyError):
    """A node failed us before the first byte of its reply reached the client."""

    status = 502
    code = "upstream_error"


class NoNode(UpstreamFault):
    status = 503
    code = "no_node"


class ConnectFailed(UpstreamFault):
    status = 502
    code = "node_unreachable"


class UpstreamTimeout(UpstreamFault):
    """The node was silent for too long. What it had worked was for nothing, and the next one
    would be as slow: as for StreamBroken."""

    status = 504
    code = "node_timeout"
    repeatable = False


class KeyRefused(UpstreamFault):
    """The node does not take our key, or its account has no right or no credit: the operator's
    to fix. Never 401 or 403, by which clients would change their own (RFC 9110 section 15.5.2)."""

    status = 500
    code = "node_key_refused"
    repeatable = False


class ModelLost(UpstreamFault):
    """The node that should have a model, or serve such requests for it, says that it does not."""

    status = 404
    code = "model_not_found"


class StreamBroken(UpstreamFault):
    """The node closed, reset or garbled its reply. A generation was lost, and each repeat costs
    a whole one; a request that kills nodes must not come back by itself (`pools.retry`)."""

    status = 502
    code = "node_broke"
    remedy = "try again, and if it happens again, look into the node's log"
    repeatable = False


class NodeError(StreamBroken):
    """An error that a node put into a reply of status 200: into a stream, or as the body.

    ``answered`` is the status that it would have had as an HTTP error, ``body`` what it said.
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
