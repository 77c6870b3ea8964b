from __future__ import annotations

import errno
import subprocess

import click
import pytest
from rich.table import Table

from casedesk_proxy.cli.report import fail, open_console, warn
from casedesk_proxy.errors import Complaint, ConfigError
from tests.cli.command import COMMAND, ENVIRONMENT


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (
            ConfigError(
                [Complaint("a.b", "is bad", "f", 1, 2, "mend it"), Complaint("", "x", "f")]
            ),
            ["error: f:1:2: a.b: is bad; mend it", "error: f: x"],
        ),
        (OSError(errno.EADDRINUSE, "cannot listen\non it"), ["error: cannot listen on it"]),
        (FileNotFoundError(2, "No such file", "/x"), ["error: /x: No such file"]),
        (OSError(), ["error: OSError"]),
        ("text", ["error: text"]),
    ],
)
def test_one_line_for_each(
    error: ConfigError | OSError | str, lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(click.exceptions.Exit) as caught:
        fail(error)
    assert caught.value.exit_code == 2
    said = capsys.readouterr()
    assert (said.out, said.err.splitlines()) == ("", lines)


def test_warnings_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    warn([Complaint("a", "is odd", "f")])
    assert capsys.readouterr().err == "warning: f: a: is odd\n"


def test_a_table_that_is_piped_is_not_broken_into_lines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = Table("url", box=None, pad_edge=False)
    table.add_row("http+unix:///" + "long/" * 200)
    open_console().print(table)
    assert len(capsys.readouterr().out.splitlines()) == 2


#: As in a sandbox that has none.
WITHOUT_NULL = """
import os, sys
opened = os.open
def refuse(path, *rest, **named):
    if path == os.devnull:
        raise PermissionError(13, "Permission denied", path)
    return opened(path, *rest, **named)
os.open = refuse
from casedesk_proxy.cli import main
main(sys.argv[1:])
"""
BOXED = (COMMAND[0], "-c", WITHOUT_NULL)


@pytest.mark.parametrize(
    ("how", "command"),
    [
        ("2>/dev/full", COMMAND),
        ("2>&-", COMMAND),
        ("<&- >&- 2>&-", COMMAND),
        ("2>&-", BOXED),
        ("<&- >&- 2>&-", BOXED),
    ],
)
def test_words_that_cannot_be_written_change_no_exit_code(
    how: str, command: tuple[str, ...]
) -> None:
    line = f'exec "$@" check --quiet /nonexistent {how}'
    done = subprocess.run(["sh", "-c", line, "sh", *command], env=ENVIRONMENT, check=False)
    assert done.returncode == 2
