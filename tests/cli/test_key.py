from __future__ import annotations

import hashlib
import os
import pty
import re
import subprocess
import time
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from casedesk_proxy.cli import main
from casedesk_proxy.cli.options import DEFAULT_FILE
from casedesk_proxy.keystore.rows import read_audit, read_keys
from casedesk_proxy.keystore.table import make_table
from casedesk_proxy.store.file import FILE_NAME, open_reader
from tests.cli.command import COMMAND, invoke
from tests.fixtures.patience import PATIENCE_S


def test_it_prints_a_key_and_the_lines_to_paste() -> None:
    arguments = [
        "key",
        "new",
        "--yaml",
        "--name",
        "alice",
        "--deployment",
        "a",
        "--deployment",
        "b",
    ]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0
    # Into a pipe or a file: the key and nothing else, as `KEY=$(…)` needs it.
    key = result.stdout.removesuffix("\n")
    assert re.fullmatch(r"cdp-[\w-]+", key)
    _, _, lines = result.stderr.partition("under keys:\n")
    assert yaml.safe_load(lines) == [
        {
            "name": "alice",
            "sha256": hashlib.sha256(key.encode()).hexdigest(),
            "deployments": ["a", "b"],
        }
    ]
    assert key not in result.stderr
    assert "only this once" in result.stderr


def test_a_terminal_gets_both_on_stdout() -> None:
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [*COMMAND, "key", "new", "--yaml"],
            stdout=theirs,
            stderr=subprocess.PIPE,
            check=True,
            timeout=PATIENCE_S,
        )
        shown = os.read(ours, 65536).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    key, _, lines = shown.replace("\r\n", "\n").partition("\n")
    (entry,) = yaml.safe_load(lines)
    assert entry["sha256"] == hashlib.sha256(key.encode()).hexdigest()
    assert b"sha256" not in done.stderr


@pytest.mark.parametrize("option", ["--name", "--deployment"])
def test_names_that_no_configuration_takes(option: str) -> None:
    result = CliRunner().invoke(main, ["key", "new", option, "a b"])
    assert result.exit_code == 2
    assert "'a b' is not a name" in result.stderr
    assert result.stdout == ""


def test_the_old_command_still_mints_and_stores_nothing(tmp_path: Path) -> None:
    shown = invoke("token", "new", "--name", "alice", cwd=tmp_path, HOME=str(tmp_path))
    assert (shown.returncode, shown.stdout[:4]) == (0, "cdp-")
    assert "name: alice" in shown.stderr
    assert list(tmp_path.iterdir()) == []
    assert "\n  token" not in CliRunner().invoke(main, ["--help"]).stdout


CONFIG = """
server: {state_directory: STATE}
default_deployment: desk
nodes: {a: {url: "http://a"}}
deployments: {desk: {nodes: [a]}, lab: {nodes: [a]}}
keys: [{name: alice, sha256: "HASH", deployments: [desk]}]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "c.yaml"
    text = CONFIG.replace("STATE", str(tmp_path / "state")).replace("HASH", "ab" * 32)
    file.write_text(text)
    return file


def opened(config: Path, secret: str) -> set[str] | None:
    """What a key gives access to now; None if it is not valid."""
    with open_reader(config.parent / "state" / FILE_NAME) as connection:
        found = make_table(read_keys(connection), time.time()).match(secret.strip())
    return None if found is None or found.deployments is None else set(found.deployments)


def test_a_key_from_its_making_to_its_end(config: Path) -> None:
    where = ("--config", config)
    made = invoke("key", "new", "--name", "bob", *where)
    assert (made.returncode, opened(config, made.stdout)) == (0, {"desk"}), made.stderr
    assert made.stdout.strip() not in made.stderr
    rotated = invoke("key", "rotate", "bob", "--grace", "1d", *where)
    assert opened(config, made.stdout) == opened(config, rotated.stdout) == {"desk"}
    assert "the old key of bob is valid for 1d more" in rotated.stderr
    expired = invoke("key", "expire", "bob", "now", *where).stdout
    assert re.fullmatch(r"bob expires \d{4}-\d\d-\d\d \d\d:\d\d UTC\n", expired)
    assert (opened(config, made.stdout), opened(config, rotated.stdout)) == ({"desk"}, None)
    assert invoke("key", "expire", "bob", "never", *where).stdout == "bob does not expire\n"
    assert opened(config, rotated.stdout) == {"desk"}
    assert invoke("key", "revoke", "bob", *where).stdout == "revoked: bob\n"
    assert (opened(config, made.stdout), opened(config, rotated.stdout)) == (None, None)
    with open_reader(config.parent / "state" / FILE_NAME) as connection:
        done = [(one.action, one.actor.split(",")[0]) for one in read_audit(connection, 9)]
    order = ("revoke", "expire", "expire", "rotate", "new")
    assert done == [(action, "command line") for action in order]


def test_limits_of_a_key_are_changed_and_the_rest_stays(config: Path) -> None:
    limits = ("--limit", "parallel=2", "--limit", "tokens_per_day=soft:80,hard:100")
    made = invoke("key", "new", "--name", "bob", "--note", "n", *limits, "--config", config)
    assert made.returncode == 0, made.stderr
    more = ("--limit", "parallel=5", "--limit", "models=m,gemma*", "--deployment", "lab")
    changed = invoke("key", "set", "bob", *more, "--config", config)
    assert (changed.returncode, changed.stdout) == (
        0,
        "bob may use lab; limits: tokens_per_day=soft:80,hard:100 parallel=5 models=m,gemma*\n",
    ), changed.stderr
    assert opened(config, made.stdout) == {"lab"}
    less = ("--limit", "tokens_per_day=default", "--limit", "parallel=none", "--admin")
    changed = invoke("key", "set", "bob", *less, "--config", config)
    assert changed.stdout == "bob may use lab; limits: parallel=none models=m,gemma*\n"
    with open_reader(config.parent / "state" / FILE_NAME) as connection:
        (key,) = read_keys(connection)
        (note, *_) = read_audit(connection, 1)
    assert (key.note, key.admin) == ("n", True)
    assert note.detail.startswith("admin yes (before: no); tokens_per_day default (before: {")


def test_a_key_for_the_administration_may_open_nothing(config: Path) -> None:
    made = invoke("key", "new", "--name", "root", "--admin", "--config", config)
    assert (made.returncode, opened(config, made.stdout)) == (0, set())
    assert "root may use no deployment" in made.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("new",), "--name is missing"),
        (("new", "--name", "alice"), "the configuration has a key alice, which takes precedence"),
        (("new", "--name", "b", "--deployment", "dask"), "no deployment dask; did you mean desk?"),
        (("new", "--name", "b", "--deployment", "x1"), "no deployment x1; it has desk, lab"),
        (("new", "--name", "b", "--expires", "soon"), "expires: is not a time; write 30d"),
        (("new", "--name", "b", "--limit", "parallel=many"), "limits.parallel: is text, but"),
        (("new", "--name", "b", "--expires", "2020-01-01"), "expires: is in the past; write a"),
        (("new", "b", "--name", "c"), "two names: b and --name c; write one"),
        (("revoke", "nobody"), "error: the state file has no key nobody;"),
        (
            ("set", "nobody", "--note", "n"),
            "error: the state file has no key nobody; keys of the configuration",
        ),
        (("set", "alice"), "nothing to change; name a --limit, --deployment, --note or --admin"),
        (("set", "alice", "--deployment", "dask"), "no deployment dask; did you mean desk?"),
        (("rotate", "nobody"), "error: the state file has no key nobody;"),
        (("expire", "nobody", "soon"), "WHEN: is not a time; write 30d"),
        (("rotate", "nobody", "--grace", "x"), "'x' "),
    ],
)
def test_what_goes_wrong(config: Path, arguments: tuple[str, ...], told: str) -> None:
    shown = invoke("key", *arguments, "--config", config)
    assert (shown.returncode, shown.stdout) == (2, "")
    assert told in " ".join(shown.stderr.split())


def test_all_of_several_names_or_none(config: Path) -> None:
    made = invoke("key", "new", "--name", "bob", "--config", config)
    assert invoke("key", "revoke", "bob", "nobody", "--config", config).returncode == 2
    assert opened(config, made.stdout) == {"desk"}


def test_without_a_configuration_the_deployment_has_to_be_named(tmp_path: Path) -> None:
    shown = invoke("key", "new", "--name", "bob", "--state", tmp_path, cwd=tmp_path)
    assert shown.stderr == (
        "error: --deployment is missing: name the deployment that the key may use; there is no"
        f" {DEFAULT_FILE} to take it from: name your configuration with --config FILE\n"
    )
    named = ("--deployment", "desk", "--state", tmp_path)
    made = invoke("key", "new", "bob", *named, cwd=tmp_path)
    assert (made.returncode, "bob may use desk" in made.stderr) == (0, True)


def test_a_choice_of_deployments_is_told(config: Path) -> None:
    config.write_text(config.read_text().replace("default_deployment: desk\n", ""))
    shown = invoke("key", "new", "--name", "bob", "--config", config)
    assert "name the deployment that the key may use; choose from desk, lab" in shown.stderr
    config.write_text("nodes: 3")
    assert invoke("key", "new", "--name", "bob", "--config", config).returncode == 2
