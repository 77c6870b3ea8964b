"""The first configuration: what `init` found, as commented YAML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from casedesk_proxy.cli.agent_lines import AGENT_NAMES
from casedesk_proxy.cli.credential import key_lines, quote
from casedesk_proxy.config.values import is_model_name
from casedesk_proxy.engines.spec import Detected
from casedesk_proxy.keystore.credential import Credential
from casedesk_proxy.terms import ModelInfo

__all__ = ["DEPLOYMENT", "HOLDER", "Found", "model_names", "name_nodes", "starter_config"]

DEPLOYMENT = "desk"
HOLDER = "me"


@dataclass(frozen=True, slots=True)
class Found:
    name: str
    url: str
    node: Detected


def name_nodes(found: Iterable[tuple[str, Detected]]) -> list[Found]:
    """Named after their engines: vllm, vllm-2, …"""
    named: list[Found] = []
    for url, node in found:
        number = 1 + sum(one.node.engine is node.engine for one in named)
        name = f"{node.engine}-{number}" if number > 1 else str(node.engine)
        named.append(Found(name, url, node))
    return named


def model_names(nodes: Iterable[Detected]) -> list[str]:
    """Each name once, in the order of the nodes; names that a configuration cannot contain are left
    out."""
    return _usable_names(model for node in nodes for model in node.models)


def _usable_names(models: Iterable[ModelInfo]) -> list[str]:
    return list(dict.fromkeys(model.name for model in models if is_model_name(model.name)))


def starter_config(found: Sequence[Found], listen: str, admin: str, credential: Credential) -> str:
    """It is valid without changes or warnings."""
    return "".join(
        (
            "# Written by `casedesk-proxy init`. `casedesk-proxy schema` lists all settings and\n"
            "# what they do; `casedesk-proxy check FILE` checks a change before it is used.\n\n"
            "server:\n"
            f"  listen: {listen}  # for clients; with 0.0.0.0 the whole network can reach it\n"
            f"  admin: {admin}   # /metrics, /healthz, /readyz, /status\n\n"
            "# Behind the bare URLs /v1 and /v1beta.\n"
            f"default_deployment: {DEPLOYMENT}\n\n"
            "nodes:\n",
            *(_node_lines(one) for one in found),
            _deployment_lines(found),
            "\n# Clients, known by the hashes of their keys. Another one:\n"
            f"# casedesk-proxy key new --name NAME --deployment {DEPLOYMENT}\n"
            "keys:\n",
            key_lines(HOLDER, credential, (DEPLOYMENT,)),
        )
    )


def _node_lines(found: Found) -> str:
    node = found.node
    lines = [f"  {found.name}:", f"    url: {quote(found.url)}", f"    engine: {node.engine}"]
    if node.version is not None and node.version.isprintable():
        lines[-1] += f"  # {node.version}"
    if node.dialects not in ((), node.engine.speaks):
        lines.append(f"    speaks: [{', '.join(node.dialects)}]  # this version speaks both")
    if node.slots is not None:
        # Only a hint: the engine queues beyond its slots, while a limit here would turn clients
        # away.
        lines.append(f"    # max_streams: {node.slots}  # as many as it runs at once")
    if node.needs_key:
        variable = found.name.upper().replace("-", "_") + "_KEY"
        lines.append("    # It requires a key: set the variable and remove the #.")
        lines.append(f"    # api_key: {{env: {variable}}}")
    return "\n".join(lines) + "\n"


def _deployment_lines(found: Sequence[Found]) -> str:
    models = model_names(one.node for one in found)
    lines = [
        "",
        "deployments:",
        f"  {DEPLOYMENT}:",
        "    auth: keys",
        f"    nodes: [{', '.join(one.name for one in found)}]",
    ]
    if models:
        lines.append("    # Found on the nodes. Without this list: whatever they report.")
        lines.append("    models:")
        lines += [f"      - {quote(name)}" for name in models]
    else:
        lines.append("    # No node has listed its models yet, so: whatever they report.")
    return "\n".join([*lines, *_alias_lines(_first_chat_model(found))]) + "\n"


def _alias_lines(chat: str | None) -> list[str]:
    """Agents request their vendors' models. If there is no model to point to, these lines are a
    comment."""
    off = "" if chat else "# "
    lines = [
        "    # Names that Claude Code, gemini-cli and Codex ask for. A node's model of such a name",
        "    # takes precedence.",
        f"    {off}aliases:",
    ]
    model = quote(chat or "a-model-of-yours")
    return lines + [f'    {off}  "{pattern}": {model}' for pattern in AGENT_NAMES]


def _first_chat_model(found: Sequence[Found]) -> str | None:
    models = (model for one in found for model in one.node.models if not model.embeds)
    return next(iter(_usable_names(models)), None)
