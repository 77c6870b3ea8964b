"""`EngineSpec`: all that the gateway knows of an engine, in one value.

Each module of this package that has a ``SPEC`` describes one engine, and `engines.registry` finds
it. No module elsewhere names an engine: what makes one different is a field here.
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
    """How an engine is known by its answers. Only what reports facts may be asked: nothing that
    loads, wakes or runs a model.

    ``look`` is given the node's answer to ``GET /v1/models``, which all nodes are asked first,
    and returns None where it is another engine. Those with a lower ``turn`` look first: an engine
    that imitates another has to look before it. ``owners`` and ``servers`` are hints to look first
    of all: ``owned_by`` of the first model that the node lists, and its Server header.

    ``refresh`` makes fewer inquiries than ``look`` of a node that is known; it returns None where
    it has to be looked at anew. ``complete`` adds to what ``look`` found what takes an inquiry
    more, and which only requests need to know.
    """

    look: Callable[[NodeAnswer], Asking[Detected | None]]
    turn: int = 50
    owners: frozenset[str] = frozenset()
    servers: frozenset[str] = frozenset()
    refresh: Callable[[Detected], Asking[Detected | None]] | None = None
    complete: Callable[[Detected], Asking[Detected]] | None = None


@dataclass(frozen=True, slots=True)
class Contexts:
    """Of an engine that cuts prompts which are too long for the context that it runs a model
    with, and answers what is left without an error.

    ``advise`` gives the sentences that there are to say of such models; ``remedy`` what an
    operator can do, given the length in tokens that a model was trained with (0: unknown).
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
    #: Seen at work, not only read about.
    tested: bool = True
    #: Lists for people have lower ones first, then go by name.
    rank: int = 50
    #: Where it listens unless told otherwise; it is recognised on any port.
    ports: tuple[int, ...] = ()
    #: The cheapest path that neither runs inference nor wakes a model. None: it is never asked
    #: whether it lives, as each inquiry would count against somebody's quota.
    probe: str | None = "/v1/models"
    #: It switches Nagle's algorithm off (TCP_NODELAY). A sender that waits for acknowledgements
    #: would be slowed by a receiver that delays them; these are not.
    sends_at_once: bool = False
    #: Words of its command line by which a process is known as it, such as the program's name.
    programs: tuple[str, ...] = ()
    #: What people write for its name.
    other_names: frozenset[str] = frozenset()
    #: Last parts of the URLs of its own API, which do not belong to a node's URL.
    url_ends: frozenset[str] = frozenset()
    #: None: it is not recognised, only configured.
    fingerprint: Fingerprint | None = None
    #: Whether a node that is configured as this is asked for more than its list of models.
    tells_facts: bool = True
    #: Its chat streams end with counts though nobody asks for them (``timings``).
    counts_streams: bool = False
    #: It serves OpenAI's Realtime API, a WebSocket at /v1/realtime.
    has_realtime: bool = False
    #: It reads documents such as PDF itself, in chats and Responses requests.
    takes_documents: bool = False
    #: The largest request with media inside, in bytes, of an engine that has files of its own, to
    #: which media go that make a request larger; None: it has none.
    max_inline: int | None = None
    #: None: it refuses prompts that are too long.
    contexts: Contexts | None = None
    #: What it has beside the protocols that it speaks; no other path of it is ever asked for.
    paths: tuple[InferencePath, ...] = ()
    #: Paths that administer it, without version and leading slash, separated by blanks. Whatever is
    #: not in ``paths`` is refused; these, and what is below them, in words that say what they are.
    administration: str = ""

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<engine {self.name}>"

    @property
    def is_metered(self) -> bool:
        """Whether inquiries count against somebody's quota."""
        return self.probe is None


@dataclass(frozen=True, slots=True)
class Detected:
    """An engine at a URL. ``models`` is empty where it told none: it has none, is ``loading``, or
    ``needs_key``. ``slots``: how many requests it runs at once, where it tells."""

    engine: EngineSpec
    models: tuple[ModelInfo, ...] = ()
    dialects: tuple[Dialect, ...] = ()
    version: str | None = None
    slots: int | None = None
    needs_key: bool = False
    loading: bool = False
