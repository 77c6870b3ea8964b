"""The configuration as values: every setting, its type, its default and its purpose.

For the common part of all sections see `section`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictInt, StrictStr

from casedesk_proxy.config.alias import Alias, AliasOrName
from casedesk_proxy.config.console import Console, User
from casedesk_proxy.config.fetching import FetchUrls
from casedesk_proxy.config.files import Files
from casedesk_proxy.config.hosts import HostName, TrustedProxy
from casedesk_proxy.config.ledger import Ledger
from casedesk_proxy.config.limits import DeploymentLimits, KeyLimits, LimitDefaults
from casedesk_proxy.config.nodes import Node
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

__all__ = [
    "Alias", "Config", "Console", "Deployment", "Files", "Key", "Ledger", "LogLevel", "Policy",
    "Secret", "Server", "ServerTls", "User",
]  # fmt: skip

Policy = Literal["least-streams", "round-robin", "ordered", "prefix-affinity"]
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
    max_body: Size = setting("Maximum size of a request body.", 32 * 2**20)
    max_bodies: Size = setting(
        "Maximum total size of request bodies, and of files put into them; at least max_body.",
        256 * 2**20,
    )
    max_upload: Size = setting(
        "Maximum size of a form with a file (audio, images), which is streamed, not held.",
        512 * 2**20,
    )
    body_items: Items = setting(
        "Maximum JSON objects in a request body; a tenth as many turns, a fifth as many parts.",
        100_000,
    )
    large_body: Size = setting(
        "Bodies of this size or more are read and translated by a separate process.", 256 * 2**10
    )
    planners: Planners = setting(
        "Maximum number of such processes; 0: none, so that a large body delays everything else.", 2
    )
    drain_timeout: Duration = setting("How long a stop waits for running streams.", 600.0)
    header_timeout: Pause = setting(
        "Time limit for a request's head, from its first byte to its last.", 10.0, reload=False
    )
    body_timeout: Pause = setting(
        "Maximum silence inside a request's body; min_rate is measured over it.",
        60.0,
    )
    send_timeout: Pause = setting("How long a client may read nothing of a complete reply.", 60.0)
    min_rate: Count = setting(
        "Minimum bytes per second of a request's body, and of a complete reply; 0: no minimum.", 512
    )
    keepalive_timeout: Pause = setting(
        "How long a client's idle connection is kept.", 75.0, reload=False
    )
    hosts: tuple[HostName, ...] = setting(
        "Additional host names of the proxy; web pages from them may call it.",
        (),
    )
    refusals_per_minute: Count = setting(
        "Refused requests without a valid key per client address and minute; 0: no limit.", 600
    )
    trusted_proxies: tuple[TrustedProxy, ...] = setting(
        "Reverse proxies whose statement of the client's address is trusted.", ()
    )
    log_format: Literal["logfmt", "json"] = setting("Format of the log on stderr.", "logfmt")
    access_log: Switch = setting("Log one line for every exchange.", True)
    log_level: LogLevel = setting("Minimum level of the lines that are logged.", "info")
    watch: Switch = setting("Reload when this file is edited.", False)
    upgrade_on_reload: Switch = setting(
        "On reload, start the version that is installed now and hand over to it.",
        False,
    )
    state_directory: AbsolutePath | None = setting(
        "Directory of what the proxy keeps across restarts, such as the ledger; null: systemd's"
        " StateDirectory, else ~/.local/state/casedesk-proxy.",
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


class Deployment(Section):
    """A name in the URL: which nodes, which models, and who may use them."""

    auth: Literal["keys", "none"] = setting(
        "keys: clients need a key; none: anyone who can reach the proxy may use it.",
        "keys",
    )
    nodes: tuple[StrictStr, ...] = setting("Names of its nodes, in the order for policy: ordered.")
    models: tuple[ModelName, ...] | None = setting(
        "Models that it offers, by the nodes' names; null: whatever its nodes report.", None
    )
    aliases: dict[ModelName, AliasOrName] = setting(
        "Other names for models, optionally with parameters: exact names are tried first, then"
        " patterns with *, in order.",
        {},
    )
    prefix: StrictStr = setting(
        "Prefix of model names in the catalogue; removed from names in requests.", ""
    )
    policy: Policy = setting("How the node for the next request is chosen.", "least-streams")
    max_waiting: Count = setting("Maximum number of requests that wait for a slot at a node.", 1000)
    queue_timeout: Pause = setting("How long a request may wait for a slot.", 300.0)
    failover_timeout: Duration = setting(
        "How long a request may try other nodes after a failed attempt; 0: not at all.",
        30.0,
    )
    connect_timeout: Pause | None = setting("Overrides the nodes' value; null: use theirs.", None)
    first_byte_timeout: Pause | None = setting("As connect_timeout.", None)
    idle_timeout: Pause | None = setting("As connect_timeout.", None)
    heartbeat: Duration = setting("Silence before a framed stream's keepalive; 0: never.", 10.0)
    heartbeat_verbatim: Switch = setting("Send keepalives in verbatim streams, too.", False)
    unknown_fields: Literal["refuse", "ignore"] = setting(
        "What happens to a Gemini request with fields that Google does not know.", "refuse"
    )
    unknown_tools: Literal["drop", "refuse"] = setting(
        "Tools that no node has, such as web_search, in a Responses request: drop: leave them out,"
        " see x-casedesk-dropped (translated requests); refuse: answer the request with 400.",
        "drop",
    )
    documents: Literal["as-they-are", "text"] = setting(
        "What of a PDF is passed on, be it stored or in the request: text: its text; as-they-are:"
        " the file, or the request is refused if the node does not accept such files.",
        "as-they-are",
    )
    fetch_urls: FetchUrls | None = setting(
        "Lets the proxy fetch contents that requests name by a URL; null: never.", None
    )
    nodes_fetch_urls: Switch = setting(
        "Relayed requests may name contents by a URL, which nodes fetch themselves.", False
    )
    usage: Literal["ask", "verbatim"] = setting(
        "ask: have nodes count the tokens of OpenAI streams even if clients do not ask, and"
        " remove the event with the counts; verbatim: do not, and estimate the counts.",
        "ask",
    )
    count_prompt: Switch = setting(
        "Ask the node's tokenizer for a translated message_start, up to 2 MiB.",
        True,
    )
    client_stall_timeout: Pause = setting("How long a client may read nothing.", 300.0)
    limits: DeploymentLimits = setting("Usage limits of all clients together.", DeploymentLimits())


class Key(Section):
    """A client's credential, known here only by its hash."""

    name: Name = setting("Name of the holder, as the log shows it.")
    sha256: Sha256 = setting("SHA-256 of the key, 64 hexadecimal digits.")
    deployments: tuple[StrictStr, ...] = setting("Names of the deployments that the key may use.")
    admin: Switch = setting("Allows the key to use the admin API, which manages keys.", False)
    note: Annotated[StrictStr, Field(max_length=200)] = setting("A note for people.", "")
    limits: KeyLimits = setting("Usage limits of the key.", KeyLimits())


class Config(Section):
    """The whole file."""

    server: Server = setting("The process.", Server(), reload=True)
    default_deployment: StrictStr | None = setting(
        "Deployment behind /v1, /v1beta and /genai, for requests without a key or with a key for"
        " several deployments.",
        None,
    )
    ledger: Ledger = setting("The record of who used what.", Ledger())
    limits: LimitDefaults = setting("Usage limits.", LimitDefaults())
    files: Files = setting("Files that clients upload.", Files())
    nodes: dict[Name, Node] = setting("Inference servers by name.", {})
    deployments: dict[Name, Deployment] = setting("Deployments by name.", {})
    keys: tuple[Key, ...] = setting("Who may use deployments with auth: keys.", ())
    console: Console = setting("The web console.", Console())
    users: tuple[User, ...] = setting("Users who sign in to the console by name.", ())
