"""What every pair of client and node offers: a translated request, and a translator for its reply.

    translate(call, body, context) → TranslatedRequest | Answered
        raises BadRequest, Unsupported, or TooDeep if the body can no longer be serialised

Nothing here knows HTTP framing, connections or time. A translator is made for one request; it
belongs to the pair and the request, not to the node's engine, so it remains valid when the node
changes before the reply's first byte.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from casedesk_proxy.engines.profile import Profile
from casedesk_proxy.engines.restrictions import UNRESTRICTED, Restrictions, fit_profile
from casedesk_proxy.engines.spec import EngineSpec
from casedesk_proxy.errors import ProxyError
from casedesk_proxy.terms import Call, Control, Position, RawHeaders, Usage

__all__ = ["Answered", "Context", "SideRequest", "Translate", "TranslatedRequest", "Translator"]


@dataclass(frozen=True, slots=True)
class Context:
    """What translation needs to know beyond the call and its body.

    ``model`` is the node's name of the model, ``asked`` the client's. ``request_id`` replaces ids
    that a node leaves out. ``client`` is the value of ``x-goog-api-client`` or, if that is missing,
    of ``user-agent``: a few clients need a profile of their own. ``output_limit`` is how many
    tokens the model may write, for a protocol that requires a limit if the client set none.
    ``prompt_tokens`` is the prompt's size if it was counted beforehand.
    """

    model: str
    asked: str
    engine: EngineSpec
    request_id: str
    client: str = ""
    refuse_unknown: bool = True
    #: Refuse tools that no node has, instead of leaving them out with a warning.
    refuse_tools: bool = False
    #: Seconds since 1970, for replies that contain their creation time.
    now: float = 0.0
    output_limit: int | None = None
    prompt_tokens: int | None = None
    #: Ask the node's tokenizer beside a stream whose beginning contains the prompt's size.
    count_prompt: bool = False
    #: Put the system text before the first user turn, since templates such as Gemma's know no
    #: system role.
    fold_system: bool = False
    #: Put system messages at the very beginning, the only place where templates such as Qwen's
    #: accept them.
    system_first: bool = False
    #: What the model does not support although its engine does.
    restrictions: Restrictions = UNRESTRICTED

    @property
    def profile(self) -> Profile:
        """What the engine accepts with this model."""
        return fit_profile(self.engine, self.restrictions)


class Translator(Protocol):
    """Translates the node's reply for the client, for one request.

    ``feed`` takes body bytes of a 2xx reply as they arrive and returns the body bytes that are now
    due to the client, b"" if none are. ``finish`` is called once, when the node's reply has ended
    as its framing promised, and returns the rest: the last chunk, or a whole unary body, in pieces
    if it is too large to be joined. Both raise StreamBroken if the node's reply is invalid:
    garbled, with an error inside the stream, or ended without a finish reason. An end is never
    invented. After an exception only ``halt`` may be called.

    ``halt`` is called when the reply breaks: it returns the body bytes that were due before, and
    the position of the client's body after them, so that an error can be inserted. ``keepalive``
    returns a keepalive for a silent stream, b"" if none is safe; it may be called before the first
    ``feed``.

    ``refuse`` judges a reply of any other status: it returns the error for the client, in our
    words, without anything in the node's text that reveals its machine.
    """

    @property
    def content_type(self) -> str:
        """The content type of the client's reply, such as ``text/event-stream``."""

    @property
    def usage(self) -> Usage:
        """What the node has reported so far."""

    @property
    def complete(self) -> bool:
        """Whether the client has, or gets with the returned bytes, all of the reply's content and
        its closing event; not before the closing event is written. What the node sends after that
        is ignored, and ``finish`` will not raise. The relay may let go of the node."""

    def feed(self, data: bytes) -> bytes: ...

    def finish(self) -> bytes | tuple[bytes, ...]: ...

    def halt(self) -> tuple[bytes, Position]: ...

    def keepalive(self) -> bytes: ...

    def refuse(self, status: int, headers: RawHeaders, body: bytes) -> ProxyError: ...


@dataclass(frozen=True, slots=True)
class SideRequest:
    """A request of the proxy to the same node, beside the client's: POST ``body`` to ``path``.

    The translator uses the answer but works without it. ``take`` gets the body of a reply with
    status 200 and raises nothing.
    """

    path: str
    body: bytes
    take: Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class TranslatedRequest:
    """A request for the node: POST ``body``, JSON, to ``path`` below the node's base URL.

    ``streams``: the node is asked for a stream, whatever the client gets. ``headers`` are for the
    client's reply, for example that a count is an estimate. ``dropped`` names the fields that were
    left out although the client set them: harmless, but worth a warning. ``controls`` are the
    controls of thinking that the request contains, each with its field.
    """

    path: str
    body: bytes
    streams: bool
    translator: Translator
    headers: tuple[tuple[str, str], ...] = ()
    dropped: tuple[str, ...] = field(default=())
    side_request: SideRequest | None = None
    controls: Mapping[Control, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answered:
    """A reply that needs no node: JSON, status 200."""

    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


#: Raises BadRequest or Unsupported, naming every offending path, before any node is called; TooDeep
#: for a body that is nested more deeply than JSON can be serialised.
Translate = Callable[[Call, dict[str, Any], Context], TranslatedRequest | Answered]
