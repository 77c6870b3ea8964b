"""One configuration with everything that is needed to serve it: compiled in a thread, applied by
one assignment.

`compile_runtime` does all that reads files or takes time; nothing is left for the event loop that
could wait or fail. No code keeps a part of a runtime for longer than a decision, or an exchange: it
reads ``serving.current`` each time.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from casedesk_proxy.auth.browsers import Hosts
from casedesk_proxy.auth.keys import KeyTable
from casedesk_proxy.config.schema import Config
from casedesk_proxy.server.certificate import Certificate, load_certificate, make_listener_context
from casedesk_proxy.server.hosts import own_hosts
from casedesk_proxy.server.limits import ServerLimits, read_limits
from casedesk_proxy.snapshot import Snapshot, compile_snapshot
from casedesk_proxy.telemetry.accesslog import Sink, access_log
from casedesk_proxy.telemetry.log_output import LogFormatter
from casedesk_proxy.upstream.tls import NodeContexts, make_contexts

__all__ = [
    "ListenerTls",
    "Listening",
    "Runtime",
    "Serving",
    "compile_runtime",
    "first_runtime",
    "relocate",
    "with_stored_keys",
]


@dataclass(frozen=True, slots=True)
class Listening:
    """Whether only this machine reaches the listeners."""

    public_is_local: bool = True
    admin_is_local: bool = True


@dataclass(frozen=True, slots=True)
class Runtime:
    """``hosts`` and ``admin_hosts`` are the host names of the listeners; ``access_log`` writes an
    exchange's line, None: it is off; ``certificate`` is for clients that come over https, None:
    they come over http."""

    config: Config
    snapshot: Snapshot
    limits: ServerLimits
    listening: Listening
    hosts: Hosts
    admin_hosts: Hosts
    log_formatter: LogFormatter
    access_log: Sink | None
    certificate: Certificate | None = None
    contexts: NodeContexts = field(default_factory=NodeContexts, repr=False)

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches the public listener."""
        return self.listening.public_is_local


class Serving:
    """The active runtime. A reload is one assignment to ``current``, and its readers notice nothing
    else. Code that needs only the snapshot takes it as a `snapshot.Current`."""

    __slots__ = ("current",)

    def __init__(self, runtime: Runtime) -> None:
        self.current = runtime

    @property
    def snapshot(self) -> Snapshot:
        return self.current.snapshot


def first_runtime(
    config: Config, secrets: Mapping[str, str], log_formatter: LogFormatter
) -> Runtime:
    """The first one, otherwise as `compile_runtime`. ``log_formatter``: for the log."""
    contexts = make_contexts(config, NodeContexts())
    return _compile(config, secrets, contexts, log_formatter, Listening())


def compile_runtime(config: Config, secrets: Mapping[str, str], before: Runtime) -> Runtime:
    """Reads certificates: call it in a thread if a loop runs. TLS contexts of nodes whose settings
    and CA files are the same as ``before`` are kept. ``secrets``: the nodes' keys, by node name.

    Raises OSError for a certificate, key or CA file that cannot be used.
    """
    contexts = make_contexts(config, before.contexts)
    log_formatter = replace(before.log_formatter, form=config.server.log_format)
    return _compile(config, secrets, contexts, log_formatter, before.listening)


def _compile(
    config: Config,
    secrets: Mapping[str, str],
    contexts: NodeContexts,
    log_formatter: LogFormatter,
    listening: Listening,
) -> Runtime:
    server = config.server
    return Runtime(
        config=config,
        snapshot=compile_snapshot(config, secrets, contexts.by_node),
        limits=read_limits(server),
        listening=listening,
        hosts=own_hosts(server, local=listening.public_is_local),
        admin_hosts=own_hosts(server, local=listening.admin_is_local),
        log_formatter=log_formatter,
        access_log=access_log(log_formatter) if server.access_log else None,
        certificate=None if server.tls is None else load_certificate(server.tls),
        contexts=contexts,
    )


def relocate(runtime: Runtime, listening: Listening) -> Runtime:
    """The same configuration, now that the listeners' addresses are known."""
    server = runtime.config.server
    return replace(
        runtime,
        listening=listening,
        hosts=own_hosts(server, local=listening.public_is_local),
        admin_hosts=own_hosts(server, local=listening.admin_is_local),
    )


def with_stored_keys(runtime: Runtime, keys: KeyTable) -> Runtime:
    """The same with these keys of the state file."""
    return replace(runtime, snapshot=replace(runtime.snapshot, stored_keys=keys))


class ListenerTls:
    """The permanent TLS context of listening sockets; each new handshake uses the active
    certificate."""

    def __init__(self, serving: Serving) -> None:
        first = serving.current.certificate
        assert first is not None
        self._serving, self._last = serving, first
        self.context = make_listener_context()

        def choose(handshake: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
            handshake.context = self.certificate.context

        # Called for every handshake, also of clients that name no server.
        self.context.sni_callback = choose

    @property
    def certificate(self) -> Certificate:
        """What the next handshake shows. If a reload removed ``server.tls`` the listener keeps its
        certificate."""
        self._last = self._serving.current.certificate or self._last
        return self._last
