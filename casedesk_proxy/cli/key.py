"""``key``: keys for clients, made and revoked in the state file, with immediate effect and without
a reload."""

from __future__ import annotations

import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

import click

from casedesk_proxy.cli.credential import key_lines
from casedesk_proxy.cli.files import read_config
from casedesk_proxy.cli.groups import CommandGroup
from casedesk_proxy.cli.key_csv import export_keys, import_keys
from casedesk_proxy.cli.key_lists import audit, list_keys, show_limits
from casedesk_proxy.cli.key_store import change_keys
from casedesk_proxy.cli.options import DEFAULT_FILE
from casedesk_proxy.cli.report import check_value, fail
from casedesk_proxy.cli.state_file import find_state_file, state_options
from casedesk_proxy.config.complaints import ConfigError
from casedesk_proxy.config.schema import Config
from casedesk_proxy.config.units import parse_duration
from casedesk_proxy.config.values import Name
from casedesk_proxy.config.wording import nearest
from casedesk_proxy.keystore.changes import (
    Author,
    KeyFault,
    alter,
    expire,
    issue,
    revoke,
    rotate,
)
from casedesk_proxy.keystore.credential import Credential, mint
from casedesk_proxy.keystore.draft import draft_new_key, parse_when, redraft_key
from casedesk_proxy.wording import spell_time

__all__ = ["key", "token"]


@click.group(cls=CommandGroup)
def key() -> None:
    """Keys for clients. They are kept in the state file, as hashes. A running proxy takes a change
    within a second, on all instances, without a reload. Keys may also be in the configuration,
    which takes precedence where both have the same name.
    """


def _check_names(
    context: click.Context, parameter: click.Parameter, value: str | tuple[str, ...] | None
) -> str | tuple[str, ...] | None:
    for name in (value,) if isinstance(value, str) else value or ():
        check_value(Name, name, name)
    return value


_NAME = click.option(
    "--name", callback=_check_names, metavar="NAME", help="Name of the holder, as the log shows it."
)
_DEPLOYMENTS = click.option(
    "--deployment", "deployments", multiple=True, callback=_check_names, metavar="NAME",
    help="Deployment that the key may use; repeatable.",
)  # fmt: skip


_LIMITS = click.option(
    "--limit", "limits", multiple=True, metavar="NAME=VALUE",
    help="Usage limit: tokens_per_day=100000, tokens_per_day=soft:80000,hard:100000, parallel=2,"
         " models=qwen3:8b,gemma*; repeatable.",
)  # fmt: skip


@key.command(short_help="Create a key and print it, only this once.")
@click.argument("holder", metavar="[NAME]", required=False, callback=_check_names)
@_NAME
@_DEPLOYMENTS
@click.option("--note", default="", help="A note for people.")
@click.option("--expires", metavar="WHEN", help="30d, 2027-01-31 or 2027-01-31T18:00 (UTC).")
@_LIMITS
@click.option("--admin", is_flag=True, help="Allow the key to use the admin API.")
@click.option("--yaml", is_flag=True, help="Store nothing; print lines for the configuration.")
@state_options
def new(
    holder: str | None, name: str | None, deployments: tuple[str, ...], note: str,
    expires: str | None, limits: tuple[str, ...], admin: bool, yaml: bool, file: Path,
    state: Path | None,
) -> None:  # fmt: skip
    """Create a key and print it, only this once: only its hash is stored. NAME is short for --name
    NAME. Without --deployment the key may use the configuration's only deployment, or else its
    default one. If stdout is not a terminal, it gets the key alone, so that
    `KEY=$(casedesk-proxy key new --name me)` works.
    """
    if holder is not None:
        if name not in (None, holder):
            raise click.UsageError(f"two names: {holder} and --name {name}; write one")
        name = holder
    credential = mint()
    if yaml:
        _print_lines(name or "client", deployments or ("desk",), credential)
        return
    if name is None:
        fail("--name is missing: logs show it, and you need it to revoke the key")
    config = _read(file)
    if not deployments and not admin:
        deployments = _choose(config, file)
    _check_deployments(config, deployments)
    if config is not None and any(one.name == name for one in config.keys):
        fail(f"the configuration has a key {name}, which takes precedence; choose another name")
    path = find_state_file(file, state)
    fields = {
        "name": name, "sha256": credential.sha256, "deployments": list(deployments),
        "note": note, "admin": admin, "expires": expires, "limits": _read_limits(limits),
    }  # fmt: skip
    change_keys(path, lambda file, by: issue(file, draft_new_key(fields, by.now), by))
    _show(credential, f"{name} may use {', '.join(deployments) or 'no deployment'}")


@key.command("set", short_help="Change a key's limits, deployments, note or rights.")
@click.argument("name")
@_LIMITS
@_DEPLOYMENTS
@click.option("--note", default=None, help="A note for people.")
@click.option(
    "--admin/--no-admin", default=None, help="Allow the key to use the admin API, or not."
)
@state_options
def set_key(
    name: str, limits: tuple[str, ...], deployments: tuple[str, ...], note: str | None,
    admin: bool | None, file: Path, state: Path | None,
) -> None:  # fmt: skip
    """Change the key NAME; what you do not name stays as it is. VALUE may also be none (no such
    limit) or default (the limit of all keys, limits.keys in the configuration). --deployment
    replaces all deployments of the key.
    """
    given = {"limits": _read_limits(limits), "deployments": list(deployments), "note": note}
    fields = {what: one for what, one in {**given, "admin": admin}.items() if one not in ({}, [])}
    fields = {what: one for what, one in fields.items() if one is not None}
    if not fields:
        fail("nothing to change; name a --limit, --deployment, --note or --admin")
    _check_deployments(_read(file), deployments)
    kept = change_keys(
        find_state_file(file, state),
        lambda connection, by: alter(
            connection, name, lambda old: redraft_key(old, fields, by.now), by
        ),
    )
    click.echo(f"{name} may use {', '.join(kept.deployments) or 'no deployment'};"
               f" limits: {show_limits(kept)}")  # fmt: skip


@key.command("revoke", short_help="Revoke keys.")
@click.argument("names", nargs=-1, required=True)
@state_options
def revoke_keys(names: tuple[str, ...], file: Path, state: Path | None) -> None:
    """Revoke keys, from the next request on. Running streams end as usual. All of NAMES are
    revoked, or none.
    """

    def revoke_all(connection: sqlite3.Connection, by: Author) -> None:
        for name in names:
            revoke(connection, name, by)

    change_keys(find_state_file(file, state), revoke_all)
    click.echo(f"revoked: {', '.join(names)}")


@key.command("expire", short_help="Set or clear a key's expiry.")
@click.argument("name")
@click.argument("when")
@state_options
def expire_key(name: str, when: str, file: Path, state: Path | None) -> None:
    """Set when a key expires: WHEN is 30d (from now), 2027-01-31, 2027-01-31T18:00 (UTC), now or
    never."""
    try:
        until = parse_when(when, time.time())
    except KeyFault as fault:
        fail(f"WHEN: {fault.message}")
    path = find_state_file(file, state)
    change_keys(path, lambda connection, by: expire(connection, name, until, by))
    click.echo(
        f"{name} " + ("does not expire" if until is None else f"expires {spell_time(until)}")
    )


@key.command("rotate", short_help="Replace a key with a new one.")
@click.argument("name")
@click.option("--grace", default="0s", show_default=True, metavar="TIME",
              help="How long the old key stays valid, such as 1d.")  # fmt: skip
@state_options
def rotate_key(name: str, grace: str, file: Path, state: Path | None) -> None:
    """Replace the key NAME with a new one that has the same rights, limits and note, and print
    it."""
    try:
        grace_s = parse_duration(grace)
    except ValueError as error:
        raise click.BadParameter(f"{grace!r} {error}") from None
    credential = mint()
    change_keys(
        find_state_file(file, state),
        lambda connection, by: rotate(connection, name, credential.sha256, grace_s, by),
    )
    _show(credential, f"the old key of {name} is valid for {grace} more" if grace_s
          else f"the old key of {name} is no longer valid")  # fmt: skip


@click.command("new")
@click.option("--name", default="client", show_default=True, callback=_check_names,
              help="Name of the holder, as the log shows it.")  # fmt: skip
@click.option("--deployment", "deployments", multiple=True, default=("desk",), show_default=True,
              callback=_check_names,
              help="Deployment that the key may use; repeatable.")  # fmt: skip
def _mint_lines(name: str, deployments: tuple[str, ...]) -> None:
    """Create a key and print it with lines for the configuration: `key new --yaml`."""
    _print_lines(name, deployments, mint())


#: The command's former name; it stored nothing.
token = click.Group("token", {"new": _mint_lines}, hidden=True, help="The old name of `key`.")

key.add_command(list_keys)
key.add_command(audit)
key.add_command(export_keys)
key.add_command(import_keys)


def _read_limits(given: tuple[str, ...]) -> dict[str, Any]:
    pairs = (one.partition("=") for one in given)
    return {name: _read_limit(name, value) for name, _, value in pairs}


def _read_limit(name: str, value: str) -> Any:
    """Reverses `show_limits`; other values are checked together with the key."""
    if value in ("none", "default"):
        return None if value == "none" else value
    if name == "models":
        return value.split(",")
    if ":" in value and name != "expires":
        parts = (one.partition(":") for one in value.split(","))
        return {which: _read_limit("", number) for which, _, number in parts}
    return int(value) if value.isdecimal() else value


def _print_lines(name: str, deployments: tuple[str, ...], credential: Credential) -> None:
    _show(credential, "in the configuration, under keys:")
    beside = not sys.stdout.isatty()
    click.echo(key_lines(name, credential, deployments), nl=False, err=beside)


def _show(credential: Credential, more: str) -> None:
    click.echo("the key, shown only this once:", err=True)
    click.echo(credential.key)
    click.echo(more, err=True)


def _read(file: Path) -> Config | None:
    """None if there is no file and none was requested."""
    if not file.exists() and str(file) == DEFAULT_FILE:
        return None
    try:
        return read_config(file).config
    except ConfigError as error:
        fail(error)


def _choose(config: Config | None, file: Path) -> tuple[str, ...]:
    names = list(config.deployments) if config is not None else []
    if config is not None and config.default_deployment is not None:
        names = [config.default_deployment]
    if len(names) == 1:
        return tuple(names)
    remedy = (
        f"choose from {', '.join(names[:10])}"
        if config is not None
        else f"there is no {file} to take it from: name your configuration with --config FILE"
    )
    return fail(f"--deployment is missing: name the deployment that the key may use; {remedy}")


def _check_deployments(config: Config | None, names: tuple[str, ...]) -> None:
    for name in names if config is not None else ():
        if config is not None and name not in config.deployments:
            meant = nearest(name, config.deployments)
            remedy = (
                f"did you mean {meant}?"
                if meant
                else f"it has {', '.join([*config.deployments][:10])}"
            )
            fail(f"--deployment: the configuration has no deployment {name}; {remedy}")
