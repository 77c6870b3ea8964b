"""What each node is and serves, asked in the background and answered from a cache.

Only endpoints that report facts are asked: no request here runs or loads a model. A node that does
not answer keeps its last known list; a node that never answered is absent, which planning reads as
"may have any model".
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import aiohttp

from casedesk_proxy.catalog.index import as_list
from casedesk_proxy.engines.reading import version_numbers
from casedesk_proxy.engines.registry import AUTO
from casedesk_proxy.engines.spec import Detected
from casedesk_proxy.snapshot import Current, NodeSpec, Snapshot
from casedesk_proxy.terms import ModelInfo
from casedesk_proxy.upstream.contexts import ContextAdvice
from casedesk_proxy.upstream.detection import complete, detect_engine, refresh
from casedesk_proxy.upstream.inquiries import Answers, Inquirer
from casedesk_proxy.upstream.listings import Listings, fetch_models, node_url
from casedesk_proxy.upstream.look_schedule import LookSchedule
from casedesk_proxy.upstream.tls import context_of
from casedesk_proxy.upstream.unix_sockets import make_connector

__all__ = ["IN_USE_PAUSE_S", "MIN_PAUSE_S", "Metadata"]

log = logging.getLogger(__name__)

#: Seconds between two rounds; the shortest pause between a round and one that is requested out of
#: turn, and between two requests to a node that is in use.
_PERIOD_S = 30.0
MIN_PAUSE_S = 1.0
IN_USE_PAUSE_S = 4.0
#: Seconds between the starts of two nodes' requests in a round.
_STAGGER_S = 0.003
#: Longer lists are not read again after each use.
_MAX_REREAD_MODELS = 50
#: Seconds that one list may take.
_LIST_TIMEOUT_S = 5.0


class Metadata:
    """``reported``: the models of each node that listed them. ``nodes``: the detected engines and
    protocols of nodes. ``set_slots`` is called with the number of requests that a node runs at
    once."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        current: Current,
        set_slots: Callable[[str, int | None], None] = lambda name, slots: None,
        *,
        min_pause_s: float = MIN_PAUSE_S,
        in_use_pause_s: float = IN_USE_PAUSE_S,
        stagger_s: float = _STAGGER_S,
    ) -> None:
        self._loop = loop
        self._set_slots = set_slots
        self._min_pause_s = min_pause_s
        self._in_use_pause_s = in_use_pause_s
        self._stagger_s = stagger_s
        self._current = current
        self._round: asyncio.Task[None] | None = None
        self._asked_at = float("-inf")
        self._detected: dict[str, Detected] = {}
        self._agenda = LookSchedule(loop, self._begin_look)
        self._looks: set[asyncio.Task[None]] = set()
        self._contexts = ContextAdvice()
        self._listings, self._answers = Listings(), Answers()
        self.reported: Mapping[str, tuple[ModelInfo, ...]] = {}
        self.nodes: Mapping[str, NodeSpec] = {}

    @property
    def advice(self) -> Mapping[str, Sequence[str]]:
        """Advice for operators, by node."""
        return self._contexts.advice

    def apply(self, before: Snapshot | None) -> None:
        """Apply the current configuration. ``before``: the previous one, None if this is the first.
        Models named in it count at once; what was learnt about a node that has moved is dropped.
        Cannot fail."""
        snapshot = self._current.snapshot
        old = before.nodes if before is not None else {}
        for name in list(self._detected):
            if name not in snapshot.nodes or _place(snapshot.nodes[name]) != _place(old[name]):
                del self._detected[name]
                self._set_slots(name, None)
        for name, node in old.items():
            if name not in snapshot.nodes or _place(snapshot.nodes[name]) != _place(node):
                self._agenda.forget(name)
        known = {
            name: models
            for name, models in self.reported.items()
            if name in old and name in snapshot.nodes
            and _place(snapshot.nodes[name]) == _place(old[name])
        }  # fmt: skip
        for name, node in snapshot.nodes.items():
            if node.models is not None:
                found = self._detected.get(name)
                models = _named(node.models, found.models if found is not None else ())
                known[name] = as_list(models)
        self.reported = known
        self._update_nodes()

    async def refresh(self, within_s: float | None = None) -> None:
        """Ask all nodes in one round; join a round that is running. A round within ``min_pause_s``
        of the last is skipped, so that many unknown names cannot cause many requests. ``within_s``:
        seconds after which this returns; the round continues."""
        if self._round is None or self._round.done():
            if self._loop.time() - self._asked_at < self._min_pause_s:
                return
            self._asked_at = self._loop.time()
            self._round = self._loop.create_task(self._ask_all(), name="metadata round")
        await asyncio.wait({self._round}, timeout=within_s)

    async def first_look(self, names: Iterable[str], within_s: float) -> None:
        """Wait until each of these nodes has been asked once, whatever the result; at most so many
        seconds."""
        if all(self._agenda.was_looked_at(name) or name in self.reported for name in names):
            return
        await self.refresh(within_s)

    def failed(self, name: str) -> None:
        """A request found that the node does not have a model that it reported."""
        self._agenda.put(name, self._min_pause_s)

    def used(self, name: str) -> None:
        """A request was served: ask the node again soon, as the client may want what is new there.
        Not for services that charge for questions."""
        if name in self._agenda:
            return
        node = self._current.snapshot.nodes.get(name)
        if node is None or node.engine.is_metered:
            return
        if node.models is None and len(self.reported.get(name, ())) <= _MAX_REREAD_MODELS:
            self._agenda.put(name, self._in_use_pause_s)

    async def close(self) -> None:
        """Cancel what is running."""
        self._agenda.close()
        tasks = {task for task in (self._round, *self._looks) if task and not task.done()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def keep_fresh(self) -> None:
        """Runs until cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(_PERIOD_S)

    def _begin_look(self, name: str) -> None:
        node = self._current.snapshot.nodes.get(name)
        if node is not None:
            look = self._loop.create_task(self._look(node), name=f"look at {name}")
            self._looks.add(look)
            look.add_done_callback(self._looks.discard)

    async def _ask_all(self) -> None:
        """Start the requests one after the other, so that their answers do not all arrive in one
        round of the loop."""
        async with asyncio.TaskGroup() as looks:
            for node in self._current.snapshot.nodes.values():
                looks.create_task(self._look(node), name=f"look at {node.name}")
                await asyncio.sleep(self._stagger_s)

    async def _look(self, node: NodeSpec) -> None:
        """Ask one node, and note that it was asked. An internal error must not keep the other
        nodes' answers away, now or later."""
        try:
            await self._look_at(node)
        except Exception:
            log.exception("internal error while querying node %s", node.name)
        self._agenda.note(node.name)

    async def _look_at(self, node: NodeSpec) -> None:
        """Ask one node. Its answer counts as soon as it arrives: a node that hangs delays no
        other."""
        connector = make_connector(node.socket, context_of(node))
        timeout = aiohttp.ClientTimeout(total=_LIST_TIMEOUT_S)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            found = await self._detect(session, node) if node.engine.tells_facts else None
            if found is not None:
                self._note(node, found)
            models = found.models if found is not None else None
            if not models and node.models is None:
                models = await fetch_models(session, node, self._listings)
        current = self._current.snapshot.nodes.get(node.name)
        if models is None or current is None:
            return
        if current.models is not None:
            models = _named(current.models, models)
        if found is not None:
            self._contexts.look(node.name, found.engine, models)
        # Some servers list no model but serve some; a node that listed models before has lost them.
        before = self.reported.get(node.name)
        if models != before and (models or before is not None):
            self.reported = {**self.reported, node.name: as_list(models)}

    async def _detect(self, session: aiohttp.ClientSession, node: NodeSpec) -> Detected | None:
        inquirer = Inquirer(session, node_url(node), node.key, answers=self._answers)
        known = self._detected.get(node.name)
        fresh = await refresh(inquirer, known) if known is not None else None
        if fresh is not None:
            return fresh
        found = await detect_engine(inquirer)
        return await complete(inquirer, found) if found is not None else None

    def _note(self, node: NodeSpec, found: Detected) -> None:
        before = self._detected.get(node.name)
        if found == before:
            return
        self._detected[node.name] = found
        if before is None or before.engine is not found.engine:
            version = f" {found.version}" if found.version else ""
            log.info("node %s is %s%s", node.name, found.engine, version)
            if node.engine not in (AUTO, found.engine):
                log.warning(
                    "node %s is configured as %s but looks like %s",
                    node.name, node.engine, found.engine,
                )  # fmt: skip
        if not found.loading:
            # A node that loads a model does not report its slots.
            self._set_slots(node.name, found.slots)
        self._update_nodes()

    def _update_nodes(self) -> None:
        """Set the detected engine and protocol of nodes for which none is configured."""
        self.nodes = {
            name: _as_found(node, self._detected[name])
            for name, node in self._current.snapshot.nodes.items()
            if name in self._detected
        }


def _named(names: tuple[str, ...], models: tuple[ModelInfo, ...]) -> tuple[ModelInfo, ...]:
    """The configured models, with what the node reports about them."""
    known = {model.name: model for model in models}
    reported = ((name, known.get(name) or known.get(f"{name}:latest")) for name in names)
    return tuple(replace(model or ModelInfo(name), name=name) for name, model in reported)


def _as_found(node: NodeSpec, found: Detected) -> NodeSpec:
    if node.engine not in (AUTO, found.engine):
        return node  # The operator's setting has priority.
    version = version_numbers(found.version or "")
    speaks = found.dialects if node.config.speaks is None and found.dialects else node.speaks
    return replace(node, engine=found.engine, speaks=speaks, version=version)


def _place(node: NodeSpec) -> tuple[object, ...]:
    return node.secure, node.host, node.port, node.socket, node.base, node.engine
