from __future__ import annotations

import errno
import subprocess
import sys

import click
import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from casedesk_proxy.cli.report import fail, make_table, open_console, warn, write_table
from casedesk_proxy.config.complaints import Complaint, ConfigError
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


#: It clears the screen, and turns the direction of the line.
HOSTILE = "a\x1b[2J\u202eb"


def test_names_of_others_do_not_control_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("model", "tokens", box=None, pad_edge=False)
    table.add_row(Text(HOSTILE), Text("1"))
    console = open_console()
    console.print(table)
    console.print(Text(HOSTILE), Text("two\nlines"))
    with pytest.raises(click.exceptions.Exit):
        fail(f"the node says {HOSTILE}")
    said = capsys.readouterr()
    harmless = "a\ufffd[2J\ufffdb"
    _, row, *others = said.out.splitlines()
    assert row.split() == [harmless, "1"]
    assert others == [f"{harmless} two", "lines"]
    assert said.err == f"error: the node says {harmless}\n"


def test_names_of_all_languages_stay_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    name = "日本\u3000語 می\u200cخواهم \U0001f468\u200d\U0001f469"
    open_console().print(Text(name))
    assert capsys.readouterr().out == f"{name}\n"


@pytest.mark.parametrize(("is_terminal", "wanted"), [(False, HOSTILE), (True, "a\ufffd[2J\ufffdb")])
def test_only_a_terminal_gets_other_names_in_tables_for_programs(
    is_terminal: bool,
    wanted: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    write_table(f"model,tokens\n{HOSTILE},1\n")
    assert capsys.readouterr().out == f"model,tokens\n{wanted},1\n"


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


def test_a_narrow_terminal_shows_the_end_of_a_long_name() -> None:
    table = make_table("node", "url")
    table.add_row("n", "http://127.0.0.1:26010")
    console = Console(width=20)
    with console.capture() as captured:
        console.print(table)
    cells = [line[6:].strip() for line in captured.get().splitlines()[1:]]
    assert "".join(cells) == "http://127.0.0.1:26010"
