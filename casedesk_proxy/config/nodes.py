"""A node, as the configuration describes it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StrictInt, field_validator

from casedesk_proxy.config.alias import ParameterRules
from casedesk_proxy.config.engines import EngineName
from casedesk_proxy.config.node_urls import NodeUrl
from casedesk_proxy.config.secret import Secret
from casedesk_proxy.config.section import Section, setting
from casedesk_proxy.config.values import AbsolutePath, Duration, ModelName, Pause, Switch
from casedesk_proxy.engines.registry import find_engine
from casedesk_proxy.terms import Dialect

__all__ = ["Node", "NodeTls"]

Positive = Annotated[StrictInt, Field(ge=1, le=1_000_000)]
ThinkingMode = Literal["auto", "none", "effort", "all"]


class NodeTls(Section):
    """How an https node's certificate is checked."""

    ca: AbsolutePath | None = setting("PEM file of the CAs to trust instead of the system's.", None)
    verify: Switch = setting("false accepts any certificate; for tests only.", True)


class Node(Section):
    """One inference server."""

    url: NodeUrl = setting(
        "http or https, host, port and, if need be, a path prefix, not /v1; or a Unix socket: "
        "http+unix:///run/llama.sock."
    )
    engine: EngineName = setting(
        "The node's engine; auto: treated as openai until it is detected.", EngineName("auto")
    )
    speaks: tuple[Dialect, ...] | None = setting(
        "Protocols that the node speaks; null: those that its engine is known to speak.", None
    )
    models: tuple[ModelName, ...] | None = setting(
        "The node's models, if it cannot list them; null: ask the node.", None
    )
    system_role: Literal["anywhere", "first", "none"] = setting(
        "Where the models' chat templates accept a system message (translated requests).",
        "anywhere",
    )
    thinking: dict[ModelName, ThinkingMode] = setting(
        "How its models are asked to think: one word for all, or one for each name or pattern.",
        {},
    )
    max_streams: Positive | None = setting("Maximum concurrent requests; null: no limit.", None)
    weight: Positive = setting("Weight relative to the deployment's other nodes.", 1)
    drain: Switch = setting("true: the node finishes its requests and gets no new ones.", False)
    probe_interval: Duration = setting(
        "Interval of health checks while there is no traffic; 0: never.", 10.0
    )
    hung_after: Duration = setting(
        "How long a node may be silent, probes included, before it counts as hung; 0: forever.",
        5.0,
    )
    api_key: Secret | None = setting(
        "The node's key: {env: …}, {file: …} or {credential: …}.", None
    )
    connect_timeout: Pause = setting("Time limit for connecting, TLS included.", 5.0)
    first_byte_timeout: Pause = setting("Time limit from request to reply's head.", 900.0)
    idle_timeout: Pause = setting("Maximum silence inside a reply.", 900.0)
    parameters: ParameterRules | None = setting(
        "Changes to every request to this node, in its own protocol, written as an alias's, and"
        " made after all others.",
        None,
    )
    tls: NodeTls | None = setting(
        "How the node's certificate is checked; null: against the system's CAs.", None
    )

    @field_validator("thinking", mode="before")
    @classmethod
    def _take_word(cls, value: Any) -> Any:
        return {"*": value} if isinstance(value, str) else value

    @property
    def dialects(self) -> tuple[Dialect, ...]:
        """The protocols that it speaks: as configured, else those of its engine."""
        return find_engine(self.engine).speaks if self.speaks is None else self.speaks
