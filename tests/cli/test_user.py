"""``user``: users added to and removed from the state file."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from click.testing import CliRunner, Result

from casedesk_proxy.cli import main
from casedesk_proxy.console.passwords import is_right
from casedesk_proxy.console.rows import StoredUser, read_all
from casedesk_proxy.store.file import FILE_NAME, open_writer
from tests.fixtures.table import table


def run(*arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(main, ["user", *arguments], input=typed)


def users(folder: Path) -> list[StoredUser]:
    with closing(open_writer(folder / FILE_NAME)) as file:
        return read_all(file)[1]


def test_a_user_s_life(tmp_path: Path) -> None:
    state = ("--state", str(tmp_path))
    made = run("new", "dora", "--deployment", "desk", "--admin", *state, typed="s3cret pass\n")
    assert (made.exit_code, made.output) == (0, "dora: created; may use desk, an admin\n")
    (dora,) = users(tmp_path)
    assert (dora.name, dora.deployments, dora.admin) == ("dora", ("desk",), True)
    assert is_right("s3cret pass", dora.password)
    assert run("list", *state).output == "dora  admin  desk\n"
    changed = run("new", "dora", *state, typed="another one\n")
    assert changed.output == "dora: changed; may use no deployment\n"
    assert not users(tmp_path)[0].admin
    assert run("remove", "dora", *state).output == "removed: dora\n"
    assert run("remove", "dora", *state).exit_code != 0
    assert users(tmp_path) == []


def test_a_hash_for_the_configuration() -> None:
    assert is_right("s3cret pass", run("hash", typed="s3cret pass\n").output.strip())


@table("typed", ["", "short\n", "x" * 1001 + "\n"])
def test_a_password_that_is_none_makes_nothing(typed: str) -> None:
    assert run("hash", typed=typed).exit_code != 0
