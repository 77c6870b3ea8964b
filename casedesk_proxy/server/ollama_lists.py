"""Ollama's lists and its version, of all nodes of a deployment that speak its API, as if they
were one Ollama."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from casedesk_proxy import jsonio
from casedesk_proxy.catalog.names import ModelRules, visible_names
from casedesk_proxy.engines.reading import named_entries
from casedesk_proxy.errors import NoNode, Unsupported
from casedesk_proxy.snapshot import NodeSpec, Snapshot
from casedesk_proxy.surfaces.envelopes import OwnReply
from casedesk_proxy.surfaces.ollama import least_version, merge_models
from casedesk_proxy.surfaces.unserved_paths import base_url
from casedesk_proxy.terms import Action, Call, Dialect, ModelInfo
from casedesk_proxy.upstream.live_answers import LiveAnswers
from casedesk_proxy.upstream.metadata import Metadata

__all__ = ["PATHS", "merge_answers"]

PATHS = {
    Action.LIST_MODELS: "/api/tags",
    Action.LIST_LOADED: "/api/ps",
    Action.VERSION: "/api/version",
}
_HEADERS = ((b"content-type", b"application/json; charset=utf-8"),)
#: Seconds that the first round over the nodes may delay a client, while nothing is known.
_FIRST_LOOK_WAIT_S = 3.0


async def merge_answers(
    call: Call,
    deployment: str,
    rules: ModelRules,
    snapshot: Snapshot,
    metadata: Metadata,
    answers: LiveAnswers,
) -> OwnReply:
    """Raises Unsupported if no node speaks Ollama's API, NoNode if none of them answers."""
    await metadata.first_look(rules.nodes, _FIRST_LOOK_WAIT_S)
    nodes = [metadata.nodes.get(name) or snapshot.nodes[name] for name in rules.nodes]
    speakers = [node for node in nodes if Dialect.OLLAMA in node.speaks]
    if not speakers:
        raise _unsupported(deployment, nodes)
    answered = await answers.ask(speakers, PATHS[call.action])
    if not answered:
        raise NoNode(
            "no node of this deployment that speaks Ollama's API responded; try again later"
        )
    return OwnReply(200, _HEADERS, jsonio.dumps(_merge(call.action, rules, answered)))


def _merge(
    action: Action, rules: ModelRules, answered: dict[str, Mapping[str, Any]]
) -> dict[str, Any]:
    if action is Action.VERSION:
        versions = (one.get("version") for one in answered.values())
        return {"version": least_version(one for one in versions if isinstance(one, str))}
    entries = {
        node: {entry["name"]: entry for entry in named_entries(listing, "models", "name")}
        for node, listing in answered.items()
    }
    # Nodes of other engines, and silent ones, have nothing here.
    held = {
        name: tuple(ModelInfo(model) for model in entries.get(name, ())) for name in rules.nodes
    }
    return merge_models(visible_names(rules, held), list(entries.values()))


def _unsupported(deployment: str, nodes: list[NodeSpec]) -> Unsupported:
    spoken = sorted({str(dialect) for node in nodes for dialect in node.speaks})
    return Unsupported(
        "unsupported_dialect: no node of this deployment speaks Ollama's own API; they speak "
        f"{', '.join(spoken) or 'nothing known yet'}, and OpenAI clients find them at "
        f"{base_url(Dialect.OPENAI, deployment)}",
        code="unsupported_dialect",
    )
