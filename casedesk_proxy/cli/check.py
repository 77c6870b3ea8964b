"""``check``: whether a configuration is valid, and what it would serve."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from casedesk_proxy.cli.files import read_config
from casedesk_proxy.cli.options import file_or_config
from casedesk_proxy.cli.report import can_print, fail, make_table, open_console, warn
from casedesk_proxy.cli.serve import find_bucket, read_keys
from casedesk_proxy.cli.state_file import locate_state_file
from casedesk_proxy.cli.stored_keys import find_warnings, read_valid_keys
from casedesk_proxy.config.complaints import Complaint, ConfigError
from casedesk_proxy.config.nodes import Node
from casedesk_proxy.config.schema import Config, Deployment
from casedesk_proxy.daemon.secrets import find_exposed
from casedesk_proxy.daemon.tls_files import warn_of_certificate
from casedesk_proxy.engines.registry import AUTO, find_engine
from casedesk_proxy.engines.spec import Detected, EngineSpec
from casedesk_proxy.files.s3_bucket import S3Bucket
from casedesk_proxy.keystore.rows import StoredKey
from casedesk_proxy.upstream.contexts import advise
from casedesk_proxy.upstream.detection import detect_engine
from casedesk_proxy.upstream.inquiries import Inquirer
from casedesk_proxy.upstream.unix_sockets import open_session

__all__ = ["check"]

#: A name under which no object exists.
_ASKED_KEY = "check"
#: How many keys a cell of the table names.
_MAX_NAMES = 10
#: Seconds to wait for an answer of a node.
_PATIENCE_S = 1.0


@click.command()
@file_or_config
@click.option("--quiet", "-q", is_flag=True, help="Print errors and warnings only, no summary.")
@click.option("--keys", is_flag=True, help="Read the nodes' keys and the certificates, too.")
def check(file: Path, quiet: bool, keys: bool) -> None:
    """Check a configuration; exit code 2 if it is wrong. FILE is short for --config FILE.

    All errors and warnings go to stderr, each with file, line and column; the summary of what would
    be served goes to stdout. Keys of the state file count where you may read it. Without --keys
    nothing is contacted and no node's key is read. Run it with --keys as the service runs: same
    user, environment and credentials. --keys without --quiet also asks nodes that may be Ollama for
    the context lengths of their models, and the files' bucket whether it can be used.
    """
    try:
        loaded = read_config(file)
        with loaded.locating():
            secrets = read_keys(loaded.config, file) if keys else {}
            bucket = find_bucket(loaded.config, file) if keys else None
    except ConfigError as error:
        fail(error)
    stored = read_valid_keys(locate_state_file(loaded.config.server.state_directory))
    warn(find_warnings(loaded, stored))
    warn(loaded.locate(find_exposed(loaded.config, file=str(file))))
    if keys:
        warn(loaded.locate(warn_of_certificate(loaded.config, file=str(file))))
    if bucket is not None and not quiet:
        warn(loaded.locate(_try_bucket(bucket, str(file))))
    if keys and not quiet:
        warn(loaded.locate(asyncio.run(_ask_contexts(loaded.config, secrets, str(file)))))
    if not quiet:
        _summarise(loaded.config, stored or [])


def _try_bucket(bucket: S3Bucket, file: str) -> list[Complaint]:
    try:
        next(bucket.walk(_ASKED_KEY), None)
    except OSError as error:
        return [Complaint("files.s3", str(error), file)]
    return []


async def _ask_contexts(config: Config, secrets: dict[str, str], file: str) -> list[Complaint]:
    """To which lengths nodes would cut prompts. Nodes that do not answer at once are skipped."""
    nodes = {
        name: node for name, node in config.nodes.items()
        if _may_cut(find_engine(node.engine)) and not node.url.startswith("https:")
    }  # fmt: skip
    answers = await asyncio.gather(
        *(_look_at(node, secrets.get(name)) for name, node in nodes.items())
    )
    return [
        Complaint(f"nodes.{name}", sentence, file)
        for name, found in zip(nodes, answers, strict=True)
        if found is not None
        for sentence in advise(found.engine, found.models)
    ]


async def _look_at(node: Node, key: str | None) -> Detected | None:
    session, url = open_session(node.url)
    async with session:
        return await detect_engine(Inquirer(session, url, key, _PATIENCE_S))


def _may_cut(engine: EngineSpec) -> bool:
    return engine is AUTO or engine.contexts is not None


def _summarise(config: Config, stored: list[StoredKey]) -> None:
    console = open_console()
    console.print(_node_table(config))
    console.print(_deployment_table(config, stored))
    scheme = "http" if config.server.tls is None else "https"
    listen = config.server.listen
    base = f"{listen} " if listen.startswith("unix:") else f"{scheme}://{listen}"
    console.print(Text(f"base URLs  {base}/proxy/DEPLOYMENT/{{gemini,anthropic,openai,ollama}}"))
    if config.default_deployment is not None:
        default = f"the deployment {config.default_deployment}, or a key's only one"
        console.print(Text(f"           {base}, OpenAI clients {base}/v1: {default}"))
    console.print(Text(f"admin      {config.server.admin or 'none'}"))


def _node_table(config: Config) -> Table:
    table = make_table("node", "url", "engine", "speaks", "max streams", "its key")
    for name, node in config.nodes.items():
        limit = "" if node.max_streams is None else str(node.max_streams)
        speaks = ", ".join(node.dialects)
        _add(table, name, node.url, node.engine, speaks, limit, _key_place(node))
    return table


def _deployment_table(config: Config, stored: list[StoredKey]) -> Table:
    table = make_table("deployment", "open to", "nodes", "models", "aliases", "policy")
    arrow = "→" if can_print("→") else "->"
    for name, deployment in config.deployments.items():
        models = "as reported" if deployment.models is None else ", ".join(deployment.models)
        aliases = ", ".join(
            f"{asked} {arrow} {one.model}" for asked, one in deployment.aliases.items()
        )
        nodes = ", ".join(deployment.nodes)
        keys = [key.name for key in config.keys if name in key.deployments]
        keys += [key.name for key in stored if name in key.deployments]
        who = _who(deployment, list(dict.fromkeys(keys)))
        _add(table, name, who, nodes, models, aliases, deployment.policy)
    return table


def _who(deployment: Deployment, keys: list[str]) -> str:
    if deployment.auth == "none":
        return "everybody"
    more = f" and {len(keys) - _MAX_NAMES} more" if len(keys) > _MAX_NAMES else ""
    return ", ".join(keys[:_MAX_NAMES]) + more or "nobody"


def _key_place(node: Node) -> str:
    secret = node.api_key
    if secret is None:
        return ""
    for place in ("env", "file", "credential"):
        if getattr(secret, place) is not None:
            return f"{place} {getattr(secret, place)}"
    return "in the file"


def _add(table: Table, *cells: str) -> None:
    """Add plain text: a model's name in brackets must not be read as markup."""
    table.add_row(*(Text(cell) for cell in cells))
