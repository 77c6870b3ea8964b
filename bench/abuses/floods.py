"""More connections and requests than any client needs, most of them without a key."""

from __future__ import annotations

import resource
import socket
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from bench.abuses.kind import Abuse, Victim
from bench.abuses.wire import connect, crowd, drain, head, pour, status_of

__all__ = ["FLOODS"]

_PIPELINED = 100_000
_TINY = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n"
#: Descriptors that the proxy may open beside those it has.
_FEW_DESCRIPTORS = 40
_HALF_HEADS = 400


def _pipeline(victim: Victim) -> None:
    """4.8 MB of requests without a key at once; the replies are read."""
    with suppress(OSError), connect(victim.port) as peer:
        first = pour(peer, _TINY * victim.scaled(_PIPELINED), victim)
        victim.said[status_of(first or drain(peer, victim))] += 1
        drain(peer, victim)


def _pipeline_with_key(victim: Victim) -> None:
    """With answers, not refusals, whose rate is limited."""
    request = head("/proxy/abuse/openai/v1/models", method="GET", key=victim.key)
    with suppress(OSError), connect(victim.port) as peer:
        first = pour(peer, request * victim.scaled(_PIPELINED), victim)
        victim.said[status_of(first or drain(peer, victim))] += 1
        drain(peer, victim)


def _pipeline_slowly_read(victim: Victim) -> None:
    """The same, by a client that reads nothing."""
    with suppress(OSError), connect(victim.port, receive_buffer=4096) as peer:
        pour(peer, _TINY * victim.scaled(_PIPELINED), victim, read=False)
        time.sleep(max(0.0, min(1.0, victim.left)))


def _knock(victim: Victim) -> None:
    """One refusal for each connection, as fast as possible."""
    request = head("/v1/messages", key="not-a-key", length=2) + b"{}"
    try:
        with connect(victim.port) as peer:
            peer.sendall(request)
            victim.said[status_of(peer.recv(4096))] += 1
    except OSError:
        victim.said["no connection"] += 1


def _knock_again(victim: Victim) -> None:
    """Refusals on a kept connection."""
    request = head("/v1/messages", key="not-a-key", length=2) + b"{}"
    with suppress(OSError), connect(victim.port) as peer:
        while victim.left > 0:
            peer.sendall(request)
            reply = peer.recv(65536)
            if not reply:
                break
            victim.said[status_of(reply)] += 1


def _hold_half_heads(victim: Victim) -> None:
    """On both listeners."""
    half = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nX-Never-Ends: "
    with ExitStack() as stack:
        for number in range(victim.scaled(_HALF_HEADS)):
            if victim.left <= 0:
                break
            try:
                peer = stack.enter_context(connect((victim.port, victim.admin)[number % 2]))
                peer.sendall(half)
                victim.said["half heads"] += 1
            except OSError:
                victim.said["no connection"] += 1
        time.sleep(max(0.0, victim.left))


def _take_descriptors(victim: Victim) -> None:
    """More connections than the proxy can hold, after its limit was lowered."""
    open_now = len(list(Path(f"/proc/{victim.pid}/fd").iterdir()))
    soft, hard = resource.prlimit(victim.pid, resource.RLIMIT_NOFILE)
    few = max(int(one.name) for one in Path(f"/proc/{victim.pid}/fd").iterdir()) + 1
    resource.prlimit(
        victim.pid, resource.RLIMIT_NOFILE, (max(open_now, few) + _FEW_DESCRIPTORS, hard)
    )
    try:
        with ExitStack() as stack:
            for _ in range(3 * _FEW_DESCRIPTORS):
                with suppress(OSError):
                    peer: socket.socket = stack.enter_context(connect(victim.port))
                    peer.sendall(b"GET /")
                    victim.said["connections held"] += 1
            time.sleep(max(0.0, victim.left))
    finally:
        resource.prlimit(victim.pid, resource.RLIMIT_NOFILE, (soft, hard))


FLOODS = (
    Abuse("pipeline", "100 000 pipelined GETs without a key", crowd(1, _pipeline)),
    Abuse("pipelines", "12 times 100 000 pipelined GETs", crowd(12, _pipeline)),
    Abuse("pipelined-lists", "12 times as many with a key", crowd(12, _pipeline_with_key)),
    Abuse("unread-refusals", "12 times as many, no reply read",
          crowd(12, _pipeline_slowly_read)),
    Abuse("refusals", "wrong keys, a connection each, 4 clients", crowd(4, _knock)),
    Abuse("kept-refusals", "wrong keys on 4 kept connections", crowd(4, _knock_again)),
    Abuse("half-heads", "400 half heads on both listeners", _hold_half_heads),
    Abuse("descriptors", "no descriptor left", _take_descriptors, new_may_wait=True),
)  # fmt: skip
