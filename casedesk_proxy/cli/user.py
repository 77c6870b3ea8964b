"""``user``: people who sign in to the console by name, made and removed in the state file."""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import click

from casedesk_proxy.cli.groups import CommandGroup
from casedesk_proxy.cli.report import check_value, fail
from casedesk_proxy.cli.state_file import find_state_file, state_options
from casedesk_proxy.config.values import Name
from casedesk_proxy.console.passwords import MAX_PASSWORD_CHARS, hash_password
from casedesk_proxy.console.rows import StoredUser, keep_user, read_all, remove_user
from casedesk_proxy.interrupts import closed_at_interrupt
from casedesk_proxy.store.file import explain, open_reader, open_writer
from casedesk_proxy.store.schema import StoreError

__all__ = ["user"]

_MIN_PASSWORD_CHARS = 8


@click.group(cls=CommandGroup)
def user() -> None:
    """People who sign in to the console by name.

    They are kept in the state file, with scrypt hashes of their passwords. A running proxy takes a
    change within a second, on all instances. Users may also be in the configuration, which takes
    precedence where both have the same name.
    """


@user.command("new", short_help="Create a user, or change a user's password and rights.")
@click.argument("name")
@click.option(
    "--deployment", "deployments", multiple=True, metavar="NAME",
    help="Deployment that the user may call from the console; repeatable.",
)  # fmt: skip
@click.option("--admin", is_flag=True, help="Allow the user to see everything and to manage keys.")
@click.option("--note", default="", help="A note for people.")
@state_options
def new_user(
    name: str, deployments: tuple[str, ...], admin: bool, note: str, file: Path, state: Path | None
) -> None:
    """Create the user NAME. The password is asked for, or read from stdin if that is not a
    terminal. A new password ends the user's sessions.
    """
    check_value(Name, name, name)
    for one in deployments:
        check_value(Name, one, one)
    path, password = find_state_file(file, state), _read_password()
    made = StoredUser(
        name, hash_password(password), deployments, admin, note[:200], made=time.time()
    )
    is_new = _change(path, lambda connection: keep_user(connection, made))
    opened = ", ".join(deployments) or "no deployment"
    done = "created" if is_new else "changed"
    click.echo(f"{name}: {done}; may use {opened}{', an admin' if admin else ''}")


@user.command("remove", short_help="Remove a user, and end the user's sessions.")
@click.argument("name")
@state_options
def remove(name: str, file: Path, state: Path | None) -> None:
    """Remove the user NAME, whose sessions end within a second."""
    if not _change(find_state_file(file, state), lambda connection: remove_user(connection, name)):
        fail(f"the state file has no user {name}")
    click.echo(f"removed: {name}")


@user.command("list", short_help="Show the users of the state file.")
@state_options
def list_users(file: Path, state: Path | None) -> None:
    """Show the users of the state file, one a line: name, admin or not, deployments, note."""
    path = find_state_file(file, state)
    try:
        with open_reader(path) as connection:
            _, users = read_all(connection)
    except (StoreError, OSError, sqlite3.Error) as error:
        fail(f"{path}: {explain(error)}")
    for one in users:
        words = [one.name, "admin" if one.admin else "-", ",".join(one.deployments) or "-"]
        click.echo("  ".join([*words, one.note]).rstrip())


@user.command("hash", short_help="Hash a password for the configuration's users.")
def hash_one() -> None:
    """Print the hash of a password, which is asked for, or read from stdin."""
    click.echo(hash_password(_read_password()))


def _read_password() -> str:
    if sys.stdin.isatty():
        with closed_at_interrupt():
            password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not _MIN_PASSWORD_CHARS <= len(password) <= MAX_PASSWORD_CHARS:
        fail(f"a password has {_MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters")
    return str(password)


def _change(path: Path, work: Callable[[sqlite3.Connection], bool]) -> bool:
    """Perform it in a transaction. After an error, ends the command with nothing changed."""
    try:
        with closing(open_writer(path)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            result = work(connection)
            connection.execute("COMMIT")
            return result
    except (StoreError, OSError, sqlite3.Error) as error:
        fail(f"{path}: {explain(error)}")
