"""The configuration as values: every setting, its type, its default and what it is for.

What all of it has in common: see `section`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StrictInt, StrictStr, field_validator

from casedesk_proxy.config.alias import Alias, AliasOrName
from casedesk_proxy.config.console import Console, User
from casedesk_proxy.config.engines import EngineName
from casedesk_proxy.config.fetching import FetchUrls
from casedesk_proxy.config.files import Files
from casedesk_proxy.config.hosts import HostName, TrustedProxy
from casedesk_proxy.config.ledger import Ledger
from casedesk_proxy.config.limits import DeploymentLimits, KeyLimits, LimitDefaults
from casedesk_proxy.config.node_urls import NodeUrl
from casedesk_proxy.config.secret import Secret
from casedesk_proxy.config.section import Section, setting
from casedesk_proxy.config.values import (
    AbsolutePath,
    Address,
    Duration,
    Listen,
    ModelName,
    Name,
    Pause,
    Sha256,
    Size,
    Switch,
    parse_listen,
)
from casedesk_proxy.engines.registry import find_engine
from casedesk_proxy.terms import Dialect

__all__ = [
    "Alias", "Config", "Console", "Deployment", "Files", "Key", "Ledger", "LogLevel", "Node",
    "NodeTls", "Policy", "Secret", "Server", "ServerTls", "User",
]  # fmt: skip

Policy = Literal["least-streams", "round-robin", "ordered", "prefix-affinity"]
ThinkingMode = Literal["auto", "none", "effort", "all"]
LogLevel = Literal["debug", "info", "warning", "error"]
Positive = Annotated[StrictInt, Field(ge=1, le=1_000_000)]
Count = Annotated[StrictInt, Field(ge=0, le=1_000_000)]
Items = Annotated[StrictInt, Field(ge=1000, le=10_000_000)]
Planners = Annotated[StrictInt, Field(ge=0, le=64)]


class ServerTls(Section):
    """Certificate and key for clients that come over https."""

    cert: AbsolutePath = setting("PEM file with the certificate, then its intermediates.")
    key: AbsolutePath = setting("PEM file with the private key, without a passphrase.")


class Server(Section):
    """The process: where it listens and how long it waits for clients."""

    listen: Listen = setting(
        "Public address: host:port, [v6]:port or unix:/path. Unused under socket activation.",
        "127.0.0.1:8080",
        reload=False,
    )
    admin: Listen | None = setting(
        "Address of /metrics, /healthz, /readyz and /status; null: none.",
        "127.0.0.1:9180",
        reload=False,
    )
    max_body: Size = setting("Largest request body.", 32 * 2**20)
    max_bodies: Size = setting(
        "Largest sum of all request bodies held at once; no less than max_body.", 256 * 2**20
    )
    max_upload: Size = setting(
        "Largest form with a file (audio, images), which is passed on as it comes, not held.",
        512 * 2**20,
    )
    body_items: Items = setting(
        "Most JSON objects in one request body; where it is translated a tenth of them turns, a "
        "fifth parts.",
        100_000,
    )
    large_body: Size = setting("From it on a body is planned by a process apart.", 256 * 2**10)
    planners: Planners = setting("Most such processes; 0: none, and all others wait.", 2)
    drain_timeout: Duration = setting("How long a stop waits for running streams.", 600.0)
    header_timeout: Pause = setting(
        "From the first byte of a request's head to its last.", 10.0, reload=False
    )
    body_timeout: Pause = setting(
        "Longest silence inside a request's body, and the time over which min_rate is taken.", 60.0
    )
    send_timeout: Pause = setting(
        "How long a client may take nothing of a reply that is complete.", 60.0
    )
    min_rate: Count = setting(
        "Least bytes per second of a request's body, and of a complete reply; 0: any.", 512
    )
    keepalive_timeout: Pause = setting(
        "How long a client's idle connection is kept.", 75.0, reload=False
    )
    hosts: tuple[HostName, ...] = setting(
        "More names by which clients may call the proxy, and whose web pages may.", ()
    )
    refusals_per_minute: Count = setting(
        "Requests without a valid key that an address may have refused; 0: any number.", 600
    )
    trusted_proxies: tuple[TrustedProxy, ...] = setting(
        "Reverse proxies in front: what they say about a client's address is believed.", ()
    )
    log_format: Literal["logfmt", "json"] = setting("Form of the log on stderr.", "logfmt")
    access_log: Switch = setting("One line for every exchange.", True)
    log_level: LogLevel = setting("Least grave lines that are written.", "info")
    watch: Switch = setting("Reload when this file is edited.", False)
    upgrade_on_reload: Switch = setting(
        "Where another version was installed meanwhile, a reload starts it in our place.", False
    )
    state_directory: AbsolutePath | None = setting(
        "Where the proxy keeps what it is to know after a restart, such as the ledger; null: "
        "systemd's StateDirectory, else ~/.local/state/casedesk-proxy.",
        None,
        reload=False,
    )
    instances_directory: AbsolutePath | None = setting(
        "Where instances of one host share slots and queues, on a file system in memory; null: "
        "what CASEDESK_PROXY_INSTANCES names, as in the systemd units, else nothing is shared.",
        None,
        reload=False,
    )
    tls: ServerTls | None = setting(
        "Serve https instead of http; renewed files are read again on reload.", None, reload=False
    )

    @property
    def listen_address(self) -> Address:
        return parse_listen(self.listen)

    @property
    def admin_address(self) -> Address | None:
        return None if self.admin is None else parse_listen(self.admin)


class NodeTls(Section):
    """How an https node's certificate is checked."""

    ca: AbsolutePath | None = setting("PEM file of the CAs to trust instead of the system's.", None)
    verify: Switch = setting("false takes any certificate: only for tests.", True)


class Node(Section):
    """One inference server."""

    url: NodeUrl = setting(
        "http or https, host, port and, if need be, a path prefix, not /v1; or a Unix socket: "
        "http+unix:///run/llama.sock."
    )
    engine: EngineName = setting(
        "What runs there; auto: taken for openai until it is recognised.", EngineName("auto")
    )
    speaks: tuple[Dialect, ...] | None = setting(
        "Protocols that it serves itself; null: what its engine is known to speak.", None
    )
    models: tuple[ModelName, ...] | None = setting(
        "Its models, for nodes that cannot list them; null: ask the node.", None
    )
    system_role: Literal["anywhere", "first", "none"] = setting(
        "Where its models' chat templates take a system message in translated requests.",
        "anywhere",
    )
    thinking: dict[ModelName, ThinkingMode] = setting(
        "How its models are asked to think in translated requests: one word for all of them, or "
        "a word for each name or pattern.",
        {},
    )
    max_streams: Positive | None = setting("Most requests at it at once; null: no limit.", None)
    weight: Positive = setting("Its share beside the others of a deployment.", 1)
    drain: Switch = setting("true: it finishes what it has and gets no more.", False)
    probe_interval: Duration = setting(
        "How often it is asked whether it lives while nothing is heard of it; 0: never.", 10.0
    )
    hung_after: Duration = setting(
        "How long it may answer no probe and send nothing before it counts as hung; 0: for ever.",
        5.0,
    )
    api_key: Secret | None = setting(
        "The node's own key: {env: …}, {file: …} or {credential: …}.", None
    )
    connect_timeout: Pause = setting("Until its connection stands, TLS included.", 5.0)
    first_byte_timeout: Pause = setting("From the request to the head of its reply.", 900.0)
    idle_timeout: Pause = setting("Longest silence inside its reply.", 900.0)
    tls: NodeTls | None = setting("How its certificate is checked; null: as the system does.", None)

    @field_validator("thinking", mode="before")
    @classmethod
    def _take_word(cls, value: Any) -> Any:
        return {"*": value} if isinstance(value, str) else value

    @property
    def dialects(self) -> tuple[Dialect, ...]:
        """What it speaks: as configured, else as its engine is known to."""
        return find_engine(self.engine).speaks if self.speaks is None else self.speaks


class Deployment(Section):
    """A name in the URL: which nodes, which models, and who may use them."""

    auth: Literal["keys", "none"] = setting("keys, or none: whoever reaches it may use it.", "keys")
    nodes: tuple[StrictStr, ...] = setting("Names of its nodes; order matters to policy: ordered.")
    models: tuple[ModelName, ...] | None = setting(
        "Models that it serves, as the nodes name them; null: whatever its nodes report.", None
    )
    aliases: dict[ModelName, AliasOrName] = setting(
        "Other names for models, with parameters or without: exact ones are tried first, then "
        "patterns with * in order.",
        {},
    )
    prefix: StrictStr = setting("Put before model names in the catalogue, taken off requests.", "")
    policy: Policy = setting("Which node takes the next request.", "least-streams")
    max_waiting: Count = setting("Most requests that wait for a slot at a node.", 1000)
    queue_timeout: Pause = setting("How long a request may wait for a slot.", 300.0)
    failover_timeout: Duration = setting(
        "How long after its first attempt failed a request may try other nodes; 0: not at all.",
        30.0,
    )
    connect_timeout: Pause | None = setting("Instead of its nodes' own; null: theirs.", None)
    first_byte_timeout: Pause | None = setting("Instead of its nodes' own; null: theirs.", None)
    idle_timeout: Pause | None = setting("Instead of its nodes' own; null: theirs.", None)
    heartbeat: Duration = setting(
        "Silence after which a stream that we frame gets a sign of life; 0: none.", 10.0
    )
    heartbeat_verbatim: Switch = setting(
        "Signs of life also for streams that are relayed as they are.", False
    )
    unknown_fields: Literal["refuse", "ignore"] = setting(
        "What becomes of a Gemini request with fields that Google does not know.", "refuse"
    )
    unknown_tools: Literal["drop", "refuse"] = setting(
        "What becomes of a Responses request with tools that no node has, such as web_search: they "
        "are left out with x-casedesk-dropped where it is translated, or it is answered 400.",
        "drop",
    )
    documents: Literal["as-they-are", "text"] = setting(
        "What becomes of a stored PDF that a request names: text: its text is passed on; "
        "as-they-are: the file is, where the node takes such files, else it is refused.",
        "as-they-are",
    )
    fetch_urls: FetchUrls | None = setting(
        "Contents that requests name by an address are fetched by the proxy; null: never.", None
    )
    nodes_fetch_urls: Switch = setting(
        "Relayed requests may name contents by an address, which nodes fetch themselves.", False
    )
    usage: Literal["ask", "verbatim"] = setting(
        "Whether nodes are asked for the counts of OpenAI streams whose clients do not ask: the "
        "event with them is taken out again. verbatim: not; counts are estimates then.",
        "ask",
    )
    count_prompt: Switch = setting(
        "Ask the node's tokenizer beside a translated Anthropic stream, for its message_start.",
        True,
    )
    client_stall_timeout: Pause = setting(
        "How long a client may read nothing of its stream.", 300.0
    )
    limits: DeploymentLimits = setting(
        "How much all its clients together may use.", DeploymentLimits()
    )


class Key(Section):
    """A client's credential, known here by its hash alone."""

    name: Name = setting("Who holds it; stands in logs.")
    sha256: Sha256 = setting("SHA-256 of the key, 64 hexadecimal digits.")
    deployments: tuple[StrictStr, ...] = setting("Names of the deployments that it opens.")
    admin: Switch = setting("It may use the administration's API, which manages keys.", False)
    note: Annotated[StrictStr, Field(max_length=200)] = setting("What people should know.", "")
    limits: KeyLimits = setting("How much it may use.", KeyLimits())


class Config(Section):
    """The whole file."""

    server: Server = setting("The process.", Server(), reload=True)
    default_deployment: StrictStr | None = setting(
        "Deployment of the bare mounts (/v1, /v1beta, /genai) for keys that open several.", None
    )
    ledger: Ledger = setting("Who used what.", Ledger())
    limits: LimitDefaults = setting("How much anybody may use.", LimitDefaults())
    files: Files = setting("What clients upload.", Files())
    nodes: dict[Name, Node] = setting("Inference servers by name.", {})
    deployments: dict[Name, Deployment] = setting("Deployments by name.", {})
    keys: tuple[Key, ...] = setting("Who may use deployments with auth: keys.", ())
    console: Console = setting("Pages for people.", Console())
    users: tuple[User, ...] = setting("Who signs in to the console by name.", ())
