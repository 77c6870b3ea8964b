"""``doctor``: asks the nodes what they are, and reports beforehand what will not work, and why."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from casedesk_proxy.cli.files import read_config
from casedesk_proxy.cli.options import file_or_config
from casedesk_proxy.cli.report import fail, make_table, open_console, warn
from casedesk_proxy.cli.serve import read_keys
from casedesk_proxy.cli.state_file import locate_state_file
from casedesk_proxy.cli.stored_keys import find_warnings, read_valid_keys
from casedesk_proxy.config.complaints import ConfigError
from casedesk_proxy.config.schema import Config
from casedesk_proxy.planning.forecast import FEATURES, Forecast, forecast
from casedesk_proxy.snapshot import NodeSpec, Snapshot, compile_snapshot
from casedesk_proxy.terms import ModelInfo
from casedesk_proxy.upstream.checkup import check_node
from casedesk_proxy.upstream.metadata import Metadata
from casedesk_proxy.upstream.tls import NodeContexts, make_contexts

__all__ = ["doctor"]

#: The first prompt of a coding agent: its instructions and its tools.
_AGENT_PROMPT_TOKENS = 20_000


@dataclass(frozen=True, slots=True)
class _Findings:
    """``troubles``: by node, what is wrong with it, "" if nothing is."""

    snapshot: Snapshot
    troubles: Mapping[str, str]
    reported: Mapping[str, tuple[ModelInfo, ...]]
    nodes: Mapping[str, NodeSpec]
    advice: Mapping[str, Sequence[str]]


@click.command()
@file_or_config
@click.option("--try", "tries", is_flag=True, help="Also send a tiny request to each model.")
def doctor(file: Path, tries: bool) -> None:
    """Ask the nodes, and say what will not work and why. FILE is short for --config FILE.

    Reads the nodes' keys, so run it as the service runs. No model is run without --try, which sends
    a request of a few tokens by each surface through a proxy of its own. Exit code 1 if a node or a
    model does not work, 2 if the configuration cannot be used.
    """
    try:
        loaded = read_config(file)
        with loaded.locating():
            secrets = read_keys(loaded.config, file)
        contexts = make_contexts(loaded.config, NodeContexts())
    except (ConfigError, OSError) as error:
        fail(error)
    state = locate_state_file(loaded.config.server.state_directory)
    warn(find_warnings(loaded, read_valid_keys(state)))
    snapshot = compile_snapshot(loaded.config, secrets, contexts.by_node)
    findings = asyncio.run(_examine(snapshot))
    console = open_console()
    troubled = _report_nodes(console, findings)
    for name in snapshot.deployments:
        troubled |= _report_deployment(console, findings, name)
    if tries:
        troubled |= _report_tries(console, loaded.config, secrets, findings)
    if troubled:
        raise click.exceptions.Exit(1)


class _Unchanging:
    """A snapshot that never changes."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot


async def _examine(snapshot: Snapshot) -> _Findings:
    metadata = Metadata(asyncio.get_running_loop(), _Unchanging(snapshot))
    metadata.apply(None)
    names = list(snapshot.nodes)
    checks = (check_node(node) for node in snapshot.nodes.values())
    troubles, _ = await asyncio.gather(asyncio.gather(*checks), metadata.refresh())
    await metadata.close()
    return _Findings(
        snapshot, dict(zip(names, troubles, strict=True)), metadata.reported, metadata.nodes,
        metadata.advice,
    )  # fmt: skip


def _report_nodes(console: Console, findings: _Findings) -> bool:
    """Returns whether a node has a problem."""
    table = make_table("node", "url", "engine", "models", "state")
    for name, node in findings.snapshot.nodes.items():
        found = findings.nodes.get(name)
        version = ".".join(map(str, found.version)) if found is not None else ""
        known = f"{(found or node).engine.title} {version}".strip()
        models = str(len(findings.reported[name])) if name in findings.reported else "unknown"
        state = findings.troubles[name] or "answers"
        table.add_row(*map(Text, (name, node.config.url, known, models, state)))
    console.print(table)
    for name, sentences in findings.advice.items():
        for sentence in sentences:
            console.print(Text(f"nodes.{name}: {sentence}"))
    return any(findings.troubles.values())


def _report_deployment(console: Console, findings: _Findings, name: str) -> bool:
    """Returns whether it offers no model."""
    deployment = findings.snapshot.deployments[name]
    found = list(forecast(findings.snapshot, deployment, findings.reported, findings.nodes))
    console.print()
    if not found:
        console.print(
            Text(f"deployment {name}: offers no model; list some under models, or repair its nodes")
        )
        return True
    console.print(Text(f"deployment {name}"))
    contexts = {
        model: tokens
        for model, tokens in _find_contexts(findings, deployment.config.nodes).items()
        if any(one.model == model for one in found)
    }
    table = make_table("model", "context", *FEATURES)
    for model in dict.fromkeys(one.model for one in found):
        own = [one for one in found if one.model == model]
        cells = (_sum_up([one for one in own if one.feature == feature]) for feature in FEATURES)
        table.add_row(*map(Text, (model, str(contexts.get(model, "unknown")), *cells)))
    console.print(table)
    if troubles := [*_explain(found), *_warn_of_contexts(contexts)]:
        console.print(Text("\nwhat will not work, or not as a client may expect:"))
        for line in troubles:
            console.print(Text(f"  {line}"))
    return False


def _find_contexts(findings: _Findings, nodes: Iterable[str]) -> dict[str, int]:
    """The context of each model in tokens, as its nodes report it: at the node with the
    shortest."""
    contexts: dict[str, int] = {}
    for info in (info for node in nodes for info in findings.reported.get(node, ())):
        if (tokens := info.context_length) is not None:
            contexts[info.name] = min(tokens, contexts.get(info.name, tokens))
    return contexts


def _warn_of_contexts(contexts: Mapping[str, int]) -> list[str]:
    return [
        f"coding agents, {model}: its context is {tokens} tokens, an agent's first prompt has about"
        f" {_AGENT_PROMPT_TOKENS}; start the node with a longer context"
        for model, tokens in contexts.items()
        if tokens < _AGENT_PROMPT_TOKENS
    ]


def _sum_up(found: Sequence[Forecast]) -> str:
    """One feature of one model over the surfaces."""
    refused = [one.surface for one in found if one.outcome == "refused"]
    if not refused:
        return "yes"
    return "no" if len(refused) == len(found) else f"not {', '.join(refused)}"


def _explain(found: Iterable[Forecast]) -> list[str]:
    """Each reason why something does not work once, with its surfaces and models."""
    reasons: dict[tuple[str, str], dict[str, list[str]]] = {}
    for one in found:
        reason = one.reason if one.outcome == "refused" else ""
        if one.dropped:
            reason = f"works without {', '.join(one.dropped)}"
        if reason:
            concerned = reasons.setdefault((one.feature, reason), {})
            concerned.setdefault(one.surface, []).append(one.model)
    return [
        f"{feature} with {surface}, {', '.join(models)}: {reason}"
        for (feature, reason), concerned in reasons.items()
        for surface, models in concerned.items()
    ]


def _report_tries(
    console: Console, config: Config, secrets: dict[str, str], findings: _Findings
) -> bool:
    # Imported here: it needs the server and its libraries.
    from casedesk_proxy.cli.trial import try_models

    console.print()
    troubled = False
    for line, failed in try_models(config, secrets, findings.snapshot, findings.reported):
        console.print(Text(line))
        troubled |= failed
    return troubled
