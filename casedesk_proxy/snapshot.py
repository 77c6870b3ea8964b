"""One configuration, compiled, as planning reads it. Immutable; a reload replaces the reference.

A running exchange keeps the snapshot that it began with; a reload never changes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from typing import Protocol
from urllib.parse import urlsplit

from casedesk_proxy.auth.keys import KeyTable
from casedesk_proxy.catalog.names import ModelRules
from casedesk_proxy.config.limits import KeyLimits, LimitDefaults, parse_zone
from casedesk_proxy.config.node_urls import ON_SOCKET, socket_path
from casedesk_proxy.config.nodes import Node
from casedesk_proxy.config.schema import Config, Deployment, Key
from casedesk_proxy.engines.registry import find_engine
from casedesk_proxy.engines.spec import EngineSpec
from casedesk_proxy.limits.rules import compile_rules, expiry_of
from casedesk_proxy.surfaces.file_references import FileReference, find_references
from casedesk_proxy.surfaces.parameters import Parameters, compile_parameters
from casedesk_proxy.terms import Call, Dialect, Principal, UseRules
from casedesk_proxy.wire.addresses import TrustedProxies

__all__ = [
    "Current",
    "DeploymentSpec",
    "NodeSpec",
    "Snapshot",
    "compile_principal",
    "compile_snapshot",
]


#: A body's objects are counted from this share of `server.large_body` on; a body with more objects
#: than this is planned by a planner.
_COUNTED_SHARE, _MAX_OBJECTS = 1 / 16, 500


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """A node as requests see it. ``base`` is the path of its URL without a trailing slash;
    ``host_header`` is its own authority: some nodes refuse a foreign one (Ollama, measured).
    ``socket`` is the path of the Unix socket on which it listens, in place of ``host`` and
    ``port``; None for others.
    ``tls`` is an https node's TLS context (`upstream.tls` makes and uses it)."""

    name: str
    secure: bool
    host: str
    port: int
    base: str
    host_header: bytes
    engine: EngineSpec
    speaks: tuple[Dialect, ...]
    models: tuple[str, ...] | None
    key: str | None = field(repr=False)
    config: Node = field(repr=False)
    tls: object = field(default=None, repr=False, compare=False)
    #: The first two numbers of its engine's release; () if it did not report one.
    version: tuple[int, ...] = ()
    socket: str | None = None
    #: The changes that the proxy makes in requests to this node.
    parameters: Parameters | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class DeploymentSpec:
    name: str
    auth: str
    policy: str
    refuse_unknown: bool
    refuse_tools: bool
    asks_usage: bool
    client_stall_timeout: float
    rules: ModelRules
    config: Deployment = field(repr=False)
    #: The parameters of aliases, by the alias's name or pattern, without aliases that have none.
    parameters: Mapping[str, Parameters] = field(default_factory=dict, repr=False)
    limits: UseRules | None = None
    #: The parameters of the key of the request.
    key_parameters: Parameters | None = field(default=None, repr=False)

    def for_key(self, only: tuple[str, ...] | None, parameters: object = None) -> DeploymentSpec:
        """The deployment as a key sees it. ``only``: the models to which the key is limited; None:
        all. ``parameters``: the changes in the key's requests; None: none."""
        if only is None and parameters is None:
            return self
        assert parameters is None or isinstance(parameters, Parameters)
        rules = self.rules if only is None else replace(self.rules, only=only)
        return replace(self, rules=rules, key_parameters=parameters)

    def find_parameters(self, alias: str) -> Parameters | None:
        """The changes in requests that use ``alias``, which is "" for those that use none."""
        own, of_key = self.parameters.get(alias), self.key_parameters
        return own.then(of_key) if own and of_key else own or of_key

    def find_references(self, call: Call, raw: bytes) -> tuple[FileReference, ...]:
        """The files to insert into the request's body before it is planned."""
        of_web, inline = self.config.fetch_urls is not None, self.config.documents == "text"
        return find_references(call, raw, of_web=of_web, inline=inline)

    def connect_timeout(self, node: NodeSpec) -> float:
        """Seconds. Here and in the two methods below, the deployment's setting has priority over
        the node's."""
        return self.config.connect_timeout or node.config.connect_timeout

    def first_byte_timeout(self, node: NodeSpec) -> float:
        return self.config.first_byte_timeout or node.config.first_byte_timeout

    def idle_timeout(self, node: NodeSpec) -> float:
        return self.config.idle_timeout or node.config.idle_timeout


@dataclass(frozen=True, slots=True)
class Snapshot:
    """``keys`` are those of the configuration, ``stored_keys`` those of the state file."""

    nodes: Mapping[str, NodeSpec]
    deployments: Mapping[str, DeploymentSpec]
    keys: KeyTable
    default_deployment: str | None
    max_body: int
    max_upload: int
    body_items: int
    large_body: int
    body_timeout: float
    min_rate: int
    refusals_per_minute: int
    proxies: TrustedProxies
    open_to_all: tuple[str, ...]
    stored_keys: KeyTable = field(default_factory=KeyTable)
    time_zone: tzinfo = UTC

    @property
    def any_keys(self) -> bool:
        """Whether there are keys, or were any, or may be: the holder of a former key should learn
        that it ended."""
        stored = self.stored_keys
        return bool(self.keys or stored or stored.has_ended or not stored.is_read)

    def find_principal(self, key: str) -> Principal | None:
        """The holder of ``key``; None if it is not known. If both files have a key of the same
        name, the configuration's counts."""
        return self._choose(self.keys.match(key), self.stored_keys.match(key))

    def find_by_digest(self, digest: bytes) -> Principal | None:
        """The same for a key's SHA-256."""
        return self._choose(self.keys.find(digest), self.stored_keys.find(digest))

    def _choose(self, configured: Principal | None, stored: Principal | None) -> Principal | None:
        if configured is not None:
            return configured
        return None if stored is None or stored.name in self.keys.names else stored

    def is_large(self, body: bytes) -> bool:
        """Whether a planner should plan a body: because it has many bytes, or many objects. An
        object costs as much time as a hundred bytes of text, or more."""
        size = len(body)
        if size < self.large_body * _COUNTED_SHARE:
            return False
        return size >= self.large_body or body.count(b"{") > _MAX_OBJECTS

    @property
    def all_limits(self) -> Iterator[UseRules]:
        """The limits of all keys and deployments that have some."""
        for deployment in self.deployments.values():
            if deployment.limits is not None:
                yield deployment.limits
        for principal in (*self.keys.principals, *self.stored_keys.principals):
            if principal.limits is not None:
                yield principal.limits


class Current(Protocol):
    """Returns the active snapshot. Read it for each decision; never keep it."""

    @property
    def snapshot(self) -> Snapshot: ...


def compile_snapshot(
    config: Config, secrets: Mapping[str, str], tls: Mapping[str, object] | None = None
) -> Snapshot:
    """``secrets``: the nodes' own keys by node name, already read. ``tls``: the TLS contexts of
    https nodes, for connections to them."""
    contexts = tls or {}
    return Snapshot(
        nodes={
            name: _node(name, node, secrets.get(name), contexts.get(name))
            for name, node in config.nodes.items()
        },
        deployments={name: _deployment(name, one) for name, one in config.deployments.items()},
        keys=KeyTable((one.sha256, _principal(one, config.limits)) for one in config.keys),
        default_deployment=config.default_deployment,
        max_body=config.server.max_body,
        max_upload=config.server.max_upload,
        body_items=config.server.body_items,
        large_body=config.server.large_body,
        body_timeout=config.server.body_timeout,
        min_rate=config.server.min_rate,
        refusals_per_minute=config.server.refusals_per_minute,
        proxies=TrustedProxies(config.server.trusted_proxies),
        open_to_all=tuple(name for name, one in config.deployments.items() if one.auth == "none"),
        time_zone=parse_zone(config.limits.time_zone),
    )


def compile_principal(
    name: str, deployments: Iterable[str], admin: bool, own: KeyLimits, defaults: LimitDefaults
) -> Principal:
    """The holder of a key, with the key's limits: its ``own``, else those of ``defaults``."""
    limits = own.within(defaults.keys)
    return Principal(
        name=name,
        deployments=frozenset(deployments),
        admin=admin,
        limits=compile_rules("key", name, limits),
        models=limits.models,
        expires=expiry_of(limits, parse_zone(defaults.time_zone)),
        parameters=compile_parameters(limits.parameters) if limits.parameters else None,
    )


def _principal(key: Key, defaults: LimitDefaults) -> Principal:
    return compile_principal(key.name, key.deployments, key.admin, key.limits, defaults)


def _node(name: str, node: Node, key: str | None, tls: object) -> NodeSpec:
    socket = socket_path(node.url)
    url = urlsplit(node.url if socket is None else ON_SOCKET)
    secure = url.scheme == "https"
    host = url.hostname or ""
    port = url.port or (443 if secure else 80)
    return NodeSpec(
        name=name,
        secure=secure,
        host=host,
        port=port,
        base=url.path.rstrip("/"),
        host_header=url.netloc.rpartition("@")[2].encode("idna" if not host.isascii() else "ascii"),
        engine=find_engine(node.engine),
        speaks=node.dialects,
        models=node.models,
        key=key,
        config=node,
        tls=tls,
        socket=socket,
        parameters=compile_parameters(node.parameters) if node.parameters else None,
    )


def _deployment(name: str, deployment: Deployment) -> DeploymentSpec:
    aliases = {asked: one.model for asked, one in deployment.aliases.items()}
    patterns = {asked for asked in aliases if any(mark in asked for mark in "*?[")}
    compiled = {asked: compile_parameters(one) for asked, one in deployment.aliases.items()}
    return DeploymentSpec(
        name=name,
        auth=deployment.auth,
        policy=deployment.policy,
        refuse_unknown=deployment.unknown_fields == "refuse",
        refuse_tools=deployment.unknown_tools == "refuse",
        asks_usage=deployment.usage == "ask",
        client_stall_timeout=deployment.client_stall_timeout,
        rules=ModelRules(
            aliases={a: m for a, m in aliases.items() if a not in patterns},
            patterns=tuple((a, m) for a, m in aliases.items() if a in patterns),
            prefix=deployment.prefix,
            models=deployment.models,
            nodes=deployment.nodes,
            descriptions={a: one.description for a, one in deployment.aliases.items()},
        ),
        parameters={asked: one for asked, one in compiled.items() if one is not None},
        config=deployment,
        limits=compile_rules("deployment", name, deployment.limits),
    )
