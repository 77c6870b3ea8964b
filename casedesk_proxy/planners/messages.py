"""Messages between the daemon and a planner, over a private socket: a message has its kind, and the
descriptors of files in memory with the rest.

A planner gets no key, neither a node's nor a client's: the daemon adds the node's when it sends the
request.
"""

from __future__ import annotations

import io
import os
import pickle
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from casedesk_proxy.auth.keys import KeyTable
from casedesk_proxy.engines.registry import find_engine
from casedesk_proxy.engines.spec import EngineSpec
from casedesk_proxy.planners.held_body import HeldBody
from casedesk_proxy.planning.plan import Plan
from casedesk_proxy.planning.route import PlanInputs
from casedesk_proxy.snapshot import DeploymentSpec, NodeSpec, Snapshot
from casedesk_proxy.surfaces.file_references import FileReference
from casedesk_proxy.surfaces.parameters import Parameters
from casedesk_proxy.terms import Call, Control, ModelInfo, RawHeaders

__all__ = [
    "Closed",
    "Facts",
    "MessageKind",
    "PlanRequest",
    "PlanResult",
    "facts_of",
    "pack",
    "receive",
    "send",
]

#: The most descriptors of one message.
_MAX_DESCRIPTORS = 200
_MAX_INLINE_BYTES = 64
#: Headers that contain credentials.
_CREDENTIALS = frozenset(
    {
        b"authorization",
        b"proxy-authorization",
        b"x-api-key",
        b"x-goog-api-key",
        b"api-key",
        b"cookie",
    }
)


class MessageKind(Enum):
    """The daemon sends FACTS, REQUEST and KEEPER, a planner RESULT and FIND_KEEPER."""

    FACTS = b"f"
    REQUEST = b"a"
    #: A response that some node keeps, and the node.
    FIND_KEEPER = b"k"
    KEEPER = b"n"
    RESULT = b"m"


class Closed(Exception):
    """The other side has gone."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What planning reads besides the request; the same for many requests. ``nodes`` and
    ``reported`` as in PlanInputs."""

    snapshot: Snapshot = field(repr=False)
    reported: Mapping[str, tuple[ModelInfo, ...]] = field(repr=False)
    nodes: Mapping[str, NodeSpec] = field(repr=False)


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """One request; its body is sent beside it. ``only``: the models to which its key is limited;
    ``parameters``: the changes in the key's requests."""

    deployment: str
    only: tuple[str, ...] | None
    parameters: Parameters | None
    call: Call
    headers: RawHeaders = field(repr=False)
    request_id: str
    refused: Mapping[tuple[str, str], frozenset[Control]]
    taken: Mapping[tuple[str, str], frozenset[Control]]
    without: frozenset[Control]
    now: float

    @classmethod
    def of(cls, deployment: DeploymentSpec, inputs: PlanInputs) -> PlanRequest:
        headers = tuple(pair for pair in inputs.headers if pair[0].lower() not in _CREDENTIALS)
        return cls(
            deployment.name, deployment.rules.only, deployment.key_parameters, inputs.call, headers,
            inputs.request_id, dict(inputs.refused), dict(inputs.taken), inputs.without, inputs.now,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class PlanResult:
    """The result. ``plan`` has routes without bodies: ``bodies`` gives, by node, the index of its
    body among those sent beside it; -1: the client's, unchanged. ``side_bodies`` does the same for
    side requests. ``references``: the request was not planned, as it names stored files. ``error``
    is a ProxyError; ``bug`` any other exception."""

    plan: Plan | None = None
    bodies: Mapping[str, int] = field(default_factory=dict)
    side_bodies: Mapping[str, int] = field(default_factory=dict)
    text_size: int = 0
    references: tuple[FileReference, ...] = ()
    error: Exception | None = None
    bug: str = ""


def facts_of(
    snapshot: Snapshot,
    reported: Mapping[str, tuple[ModelInfo, ...]],
    nodes: Mapping[str, NodeSpec],
) -> Facts:
    bare = replace(
        snapshot,
        nodes=_without_keys(snapshot.nodes),
        keys=KeyTable(),
        stored_keys=KeyTable(),
    )
    return Facts(bare, dict(reported), _without_keys(nodes))


def _without_keys(nodes: Mapping[str, NodeSpec]) -> dict[str, NodeSpec]:
    return {
        name: replace(
            node, key=None, tls=None, config=node.config.model_copy(update={"api_key": None})
        )
        for name, node in nodes.items()
    }


#: Finds an object that both sides have, by its kind and name.
Find = Callable[[tuple[str, str]], object]


class _Writer(pickle.Pickler):
    """Writes objects that both sides have by their names."""

    def persistent_id(self, value: object) -> tuple[str, str] | None:
        if isinstance(value, NodeSpec):
            return "node", value.name
        if isinstance(value, DeploymentSpec):
            return "deployment", value.name
        return ("engine", value.name) if isinstance(value, EngineSpec) else None


class _Reader(pickle.Unpickler):
    def __init__(self, data: bytes, find: Find) -> None:
        super().__init__(io.BytesIO(data))
        self._find = find

    def persistent_load(self, pid: tuple[str, str]) -> object:
        return self._find(pid)


def pack(value: object) -> bytes:
    """Facts are written in full."""
    if isinstance(value, Facts):
        return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    written = io.BytesIO()
    _Writer(written, pickle.HIGHEST_PROTOCOL).dump(value)
    return written.getvalue()


def unpack(data: bytes, facts: Facts | None) -> Any:
    """``facts``: those of the request that is answered, for the objects that they contain."""

    def find(pid: tuple[str, str]) -> object:
        kind, name = pid
        if kind == "engine":
            return find_engine(name)
        assert facts is not None
        if kind == "deployment":
            return facts.snapshot.deployments[name]
        return facts.nodes.get(name) or facts.snapshot.nodes[name]

    return _Reader(data, find).load()


def send(
    sock: socket.socket, kind: MessageKind, data: bytes, bodies: Sequence[HeldBody] = ()
) -> None:
    """``data``: from `pack`. When this returns, ``data`` and ``bodies`` have been handed over.
    Raises OSError."""
    held = HeldBody.create(data)
    descriptors = [held.fileno(), *(body.fileno() for body in bodies)]
    socket.send_fds(sock, [kind.value], descriptors)


def receive(
    sock: socket.socket, facts: Facts | None = None
) -> tuple[MessageKind, Any, list[HeldBody]]:
    """Raises Closed, and BlockingIOError if nothing has arrived. ``facts``: see `unpack`."""
    try:
        data, descriptors, _, _ = socket.recv_fds(sock, _MAX_INLINE_BYTES, _MAX_DESCRIPTORS)
    except BlockingIOError:
        raise
    except OSError:
        raise Closed from None
    held = [HeldBody(one, os.fstat(one).st_size) for one in descriptors]
    if not data or not held:
        raise Closed
    value = unpack(held[0].read_all(), facts)
    return MessageKind(data), value, held[1:]
