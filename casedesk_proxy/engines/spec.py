"""`EngineSpec`: all that the gateway knows of an engine, in one value.

Each module of this package with a ``SPEC`` describes one engine, and `engines.registry` finds it.
No module elsewhere names an engine: every difference is a field here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from casedesk_proxy.engines.inquiries import Asking, NodeAnswer
from casedesk_proxy.engines.paths import InferencePath
from casedesk_proxy.engines.profile import PLAIN, Profile
from casedesk_proxy.terms import Dialect, ModelInfo

__all__ = ["Contexts", "Detected", "EngineSpec", "Fingerprint"]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """How an engine is recognised by its answers. Only requests for facts are allowed: none that
    loads, wakes or runs a model.

    ``look`` gets the node's answer to ``GET /v1/models``, which all nodes are asked first, and
    returns None for another engine. Fingerprints with a lower ``turn`` are tried first: an engine
    that imitates another must come before it. ``owners`` and ``servers`` are hints to try this one
    before all others: ``owned_by`` of the first model that the node lists, and its Server header.

    ``refresh`` makes fewer inquiries than ``look`` at a known node; it returns None if the node has
    to be detected again. ``complete`` adds facts that need one more inquiry and that only requests
    use.
    """

    look: Callable[[NodeAnswer], Asking[Detected | None]]
    turn: int = 50
    owners: frozenset[str] = frozenset()
    servers: frozenset[str] = frozenset()
    refresh: Callable[[Detected], Asking[Detected | None]] | None = None
    complete: Callable[[Detected], Asking[Detected]] | None = None


@dataclass(frozen=True, slots=True)
class Contexts:
    """For an engine that cuts prompts which are longer than the context of a running model, and
    answers the rest without an error.

    ``advise`` returns the sentences about such models; ``remedy`` what an operator can do, given
    the length in tokens that a model was trained with (0: unknown).
    """

    advise: Callable[[Iterable[ModelInfo]], list[str]]
    remedy: Callable[[int], str]


@dataclass(frozen=True, slots=True, eq=False)
class EngineSpec:
    """One engine. There is one spec of each, so they are compared by identity.

    ``name`` is for configurations, logs and metrics, ``title`` for people. ``speaks``: the
    protocols that any release serves, the preferred one first.
    """

    name: str
    title: str
    speaks: tuple[Dialect, ...]
    profile: Profile = PLAIN
    #: Tested with a real server, not only from documentation.
    tested: bool = True
    #: Lists for people show lower ranks first, and equal ranks by name.
    rank: int = 50
    #: The default ports; it is detected on any port.
    ports: tuple[int, ...] = ()
    #: The cheapest path that neither runs nor wakes a model. None: it is never probed, since each
    #: inquiry would count against a quota.
    probe: str | None = "/v1/models"
    #: It disables Nagle's algorithm (TCP_NODELAY). A sender that waits for acknowledgements would
    #: be slowed by a receiver that delays them; this one does not wait.
    sends_at_once: bool = False
    #: Words of its command line that identify its process, such as the program's name.
    programs: tuple[str, ...] = ()
    #: Other names that people write for it.
    other_names: frozenset[str] = frozenset()
    #: Last segments of URLs in its own API, which do not belong to a node's URL.
    url_ends: frozenset[str] = frozenset()
    #: None: it is not detected, only configured.
    fingerprint: Fingerprint | None = None
    #: Whether a node that is configured as this engine is asked for more than its list of models.
    tells_facts: bool = True
    #: Its chat streams end with counts even if they were not requested (``timings``).
    counts_streams: bool = False
    #: It serves OpenAI's Realtime API, a WebSocket at /v1/realtime.
    has_realtime: bool = False
    #: It reads documents such as PDF itself, in chats and Responses requests.
    takes_documents: bool = False
    #: The largest request with inline media in bytes, for an engine that stores files itself, to
    #: which media that make a request larger are uploaded; None: it stores none.
    max_inline: int | None = None
    #: None: it refuses prompts that are too long.
    contexts: Contexts | None = None
    #: Its paths besides the protocols that it speaks; no other path of it is ever requested.
    paths: tuple[InferencePath, ...] = ()
    #: Paths that administer it, without version and leading slash, separated by blanks. Every path
    #: that is not in ``paths`` is refused; for these, and paths below them, the refusal says what
    #: they are.
    administration: str = ""

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<engine {self.name}>"

    @property
    def is_metered(self) -> bool:
        """Whether inquiries count against a quota."""
        return self.probe is None


@dataclass(frozen=True, slots=True)
class Detected:
    """An engine at a URL. ``models`` is empty if it reported none: it has none, is ``loading``, or
    ``needs_key``. ``slots``: how many requests it runs at once, if it reports that."""

    engine: EngineSpec
    models: tuple[ModelInfo, ...] = ()
    dialects: tuple[Dialect, ...] = ()
    version: str | None = None
    slots: int | None = None
    needs_key: bool = False
    loading: bool = False
