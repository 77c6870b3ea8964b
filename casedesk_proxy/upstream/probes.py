"""Probes nodes that have sent nothing, to learn whether they are alive.

Other signs count first: a node that serves requests is not probed. The engine's ``probe`` is the
path that is requested. Times are spread, so that nodes and proxies do not fall into step.

A probe without an answer means either that the process hangs, or that it does one thing at a time
and is processing a long prompt. The two cannot be told apart, and both are treated in the same way:
such a node counts as hung (`pools.node`) after ``hung_after``. The probe continues to wait, so that
a late answer is noticed at once.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import random
import ssl

import aiohttp
from yarl import URL

from casedesk_proxy.pools.circuit_breaker import FIRST_COOLDOWN_S, NodeFault
from casedesk_proxy.pools.node import NodeState
from casedesk_proxy.pools.retry import OVERLOAD_STATUSES, RETRYABLE_STATUSES
from casedesk_proxy.snapshot import Current, NodeSpec
from casedesk_proxy.upstream.certificates import describe_handshake
from casedesk_proxy.upstream.descriptors import are_used_up
from casedesk_proxy.upstream.listings import node_url
from casedesk_proxy.upstream.metadata import Metadata
from casedesk_proxy.upstream.slots import Slots
from casedesk_proxy.upstream.tls import context_of
from casedesk_proxy.upstream.tracebacks import drop_tracebacks
from casedesk_proxy.upstream.unix_sockets import describe, is_full, make_connector

__all__ = ["TICK_S", "Prober"]

log = logging.getLogger(__name__)

#: Seconds: between two checks which nodes are due; for one answer if no node can count as hung; for
#: which a probe continues to wait for a hung node; and the spread of each pause.
TICK_S = 0.5
_TIMEOUT_S = 5.0
_LINGER_S = 25.0
_SPREAD_SHARE = 0.2
#: The part of ``hung_after`` after which a node is probed that has requests and sends nothing.
_HUSH_SHARE = 0.2
#: Statuses of 5xx from a node that is alive: the path does not exist, or the node is full.
_ALIVE = OVERLOAD_STATUSES | {501}


class Prober:
    """Run ``run`` as a task; call ``apply`` first and whenever the configuration changes."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        current: Current,
        slots: Slots,
        metadata: Metadata,
        *,
        tick_s: float = TICK_S,
        timeout_s: float = _TIMEOUT_S,
        first_cooldown_s: float = FIRST_COOLDOWN_S,
    ) -> None:
        self._loop = loop
        self._current = current
        self._slots = slots
        self._metadata = metadata
        self._tick_s = tick_s
        self._timeout_s = timeout_s
        self._first_cooldown_s = first_cooldown_s
        self._due: dict[str, float] = {}
        self._looked: dict[str, float] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._out: set[str] = set()
        self._refreshing: asyncio.Task[None] | None = None

    def apply(self) -> None:
        """The configuration has changed: probe its nodes soon. Cannot fail."""
        nodes = self._current.snapshot.nodes
        for name, probe in self._asking.items():
            # The probe may wait for a node that has moved.
            probe.cancel()
            self._due[name] = self._loop.time()
        self._out &= nodes.keys()
        now = self._loop.time()
        # Nothing is known of a new node: no request should be needed to notice that it does not
        # run.
        self._due = {
            name: self._due.get(
                name,
                now + random.random() * min(self._first_cooldown_s, node.config.probe_interval),
            )
            for name, node in nodes.items()
        }

    async def run(self) -> None:
        """Runs until cancelled."""
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session:
            try:
                while True:
                    try:
                        await self._look_round(session)
                    except Exception:
                        # The nodes must be checked all the same.
                        log.exception("internal error while nodes were checked")
                    # At the same moments as other timers: see `LoopLagMonitor`.
                    await asyncio.sleep(self._tick_s - self._loop.time() % self._tick_s)
            finally:
                tasks = [*self._asking.values()]
                if self._refreshing is not None:
                    tasks.append(self._refreshing)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _look_round(self, session: aiohttp.ClientSession) -> None:
        snapshot, now = self._current.snapshot, self._loop.time()
        for name, node in snapshot.nodes.items():
            state = self._slots.states.get(name)
            interval = node.config.probe_interval
            if state is not None:
                if state.hung:
                    await _look_at_streams(state, now)
                    if self._current.snapshot is not snapshot:
                        return  # Its nodes may have gone, or moved: the next round is about others.
                if state.has_resumed(now):
                    self._slots.mark_heard(state)
                self._ask_who_is_back(state)
            if state is None or not interval or name in self._asking:
                continue
            self._due[name] = min(self._due[name], now + self._pause(node, state, now))
            if now < self._due[name]:
                continue
            await _look_at_streams(state, now)
            if self._current.snapshot is not snapshot:
                return
            self._due[name] = now + interval * (1 + _SPREAD_SHARE * (2 * random.random() - 1))
            if self._is_heard(state, now):
                self._slots.probe_ok(state)
                continue
            task = self._loop.create_task(self._ask(session, node, state), name=name)
            self._asking[name] = task
            task.add_done_callback(self._done)

    def _pause(self, node: NodeSpec, state: NodeState, now: float) -> float:
        """The longest pause in seconds before the next probe; shorter if there is a reason for an
        early one."""
        interval, hung_after_s = node.config.probe_interval, node.config.hung_after
        if state.hung or not state.breaker.is_closed():
            # A node that is down is probed more often, so that it is back soon.
            return min(self._first_cooldown_s, interval)
        if hung_after_s and state.in_flight:
            # A request waits there, perhaps in vain.
            return max(state.last_heard_at + hung_after_s * _HUSH_SHARE - now, 0.0)
        return interval

    def _ask_who_is_back(self, state: NodeState) -> None:
        """Ask a node that is back for its models, which may have changed. A probe or a request may
        have noticed that it is back."""
        if state.hung or not state.breaker.is_closed():
            self._out.add(state.name)
        elif state.name in self._out:
            self._out.discard(state.name)
            self._refreshing = self._loop.create_task(self._metadata.refresh(), name="refresh")

    def _done(self, task: asyncio.Task[None]) -> None:
        self._asking.pop(task.get_name(), None)

    def _is_heard(self, state: NodeState, now: float) -> bool:
        """Whether the node sends tokens, or has sent replies since the last check and none showed a
        fault."""
        before = self._looked.get(state.name, float("-inf"))
        self._looked[state.name] = now
        counts = state.is_sending(now) or state.breaker.is_closed()
        return counts and state.last_heard_at > before

    async def _ask(self, session: aiohttp.ClientSession, node: NodeSpec, state: NodeState) -> None:
        path = self._metadata.nodes.get(node.name, node).engine.probe
        if path is None:
            return
        began, hung_after_s = self._loop.time(), node.config.hung_after
        asking = self._loop.create_task(self._fetch(session, node, path), name=f"probe {node.name}")
        try:
            wait = hung_after_s
            while hung_after_s and not (await asyncio.wait({asking}, timeout=wait))[0]:
                wait = await self._doubt_anew(state, began, hung_after_s)
            self._judge(state, await asking)
        except TimeoutError as error:
            drop_tracebacks(error)
            if not hung_after_s:
                self._doubt(state)
        except (aiohttp.ClientError, OSError) as error:
            drop_tracebacks(error)
            if are_used_up(error):
                return
            if is_full(error):
                # The node listens, but accepts no more connections for now.
                self._doubt(state)
                return
            state.hung_at = None  # The node is down.
            self._slots.record_failure(state, NodeFault.UNREACHABLE, _describe(node, error))
            if isinstance(error, aiohttp.ClientConnectorError):
                # A request would not reach the node either. If a node accepts a connection and then
                # closes it, it may only dislike the probe's path.
                state.breaker.probe_failed(self._loop.time())
        finally:
            asking.cancel()
            await asyncio.wait({asking})

    async def _fetch(self, session: aiohttp.ClientSession, node: NodeSpec, path: str) -> int:
        if node.socket is None:
            return await self._get(session, node, path)
        async with aiohttp.ClientSession(connector=make_connector(node.socket)) as own:
            return await self._get(own, node, path)

    async def _get(self, session: aiohttp.ClientSession, node: NodeSpec, path: str) -> int:
        headers = {"Accept-Encoding": "identity"}
        if node.key is not None:
            headers["Authorization"] = f"Bearer {node.key}"
        hung_after_s = node.config.hung_after
        limit_s = hung_after_s + _LINGER_S if hung_after_s else self._timeout_s
        async with session.get(
            URL(node_url(node) + path, encoded=True),
            headers=headers,
            ssl=context_of(node) or True,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=limit_s),
        ) as reply:
            return reply.status

    async def _doubt_anew(self, state: NodeState, began: float, hung_after_s: float) -> float:
        """The probe that ``began`` then is still unanswered; returns when to check again."""
        now = self._loop.time()
        await _look_at_streams(state, now)
        quiet = now - max(began, state.last_heard_at)
        if quiet < hung_after_s:
            return hung_after_s - quiet
        self._slots.mark_hung(state, quiet)
        return hung_after_s

    def _judge(self, state: NodeState, status: int) -> None:
        outcome = f"health check answered with status {status}"
        self._slots.mark_heard(state)
        if status in RETRYABLE_STATUSES - OVERLOAD_STATUSES:
            self._slots.record_failure(state, NodeFault.UNAVAILABLE, outcome)
        elif status >= 500 and status not in _ALIVE:
            # The node is running but may have a problem; requests will show that.
            state.breaker.note_error(self._loop.time(), outcome)
        else:
            # A node that answers 401 or 404 is alive.
            self._slots.probe_ok(state)

    def _doubt(self, state: NodeState) -> None:
        """There was no answer in time. A node that has requests may be processing a long prompt."""
        if state.in_flight:
            state.breaker.note_error(self._loop.time(), "health check timed out")
        else:
            self._slots.record_failure(state, NodeFault.SILENT, "health check timed out")


async def _look_at_streams(state: NodeState, now: float) -> None:
    """Checks some streams in each round, so that thousands of them do not delay other work."""
    for _ in state.looks(now):
        await asyncio.sleep(0)


def _describe(node: NodeSpec, error: aiohttp.ClientError | OSError) -> str:
    """Why a probe got no answer."""
    if not isinstance(error, aiohttp.ClientConnectorError):
        return "health check could not reach it"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        reason = error.certificate_error
        assert isinstance(reason, ssl.SSLCertVerificationError)
        return f"health check could not reach it: {describe_handshake(reason)}"
    if node.socket is not None:
        return f"health check could not reach it: its socket {describe(error)} ({node.socket})"
    refused = error.os_error.errno == errno.ECONNREFUSED
    return "connection refused (health check)" if refused else "health check could not reach it"
