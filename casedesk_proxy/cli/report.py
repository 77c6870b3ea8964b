"""How commands report problems: one line for each complaint on stderr, exit code 2."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

import click
from pydantic import TypeAdapter, ValidationError
from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook
from rich.segment import Segment
from rich.table import Table

from casedesk_proxy.config.complaints import Complaint, ConfigError
from casedesk_proxy.telemetry.log_output import Destination, find_destination
from casedesk_proxy.wording import is_harmless

__all__ = [
    "can_print",
    "check_value",
    "fail",
    "make_harmless",
    "make_table",
    "open_console",
    "open_streams",
    "warn",
    "write_table",
]

#: If output is not a terminal, lines are not wrapped: wider than any table.
_PLAIN_WIDTH_CHARS = 100_000
_LEVELS = {"warning": "<4>", "error": "<3>"}


def open_console() -> Console:
    """A console for tables on stdout, which shows control characters as U+FFFD."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_PLAIN_WIDTH_CHARS)
    console.push_render_hook(_Harmless())
    return console


def make_table(*titles: str) -> Table:
    """A table without lines. A name or a URL that is too long for a narrow terminal continues in
    the next line: its end, such as a port, may be what matters."""
    table = Table(box=None, pad_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold")
    return table


def make_harmless(text: str) -> str:
    """Names and errors come from clients and nodes. They must not control the terminal, nor turn
    the direction of a line: such characters become U+FFFD."""
    return "".join(one if is_harmless(one) else "\ufffd" for one in text)


def _make_lines_harmless(text: str) -> str:
    return "\n".join(map(make_harmless, text.split("\n")))


class _Harmless(RenderHook):
    """Makes all text of a console harmless, after it has been laid out."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_HarmlessOne(one) for one in renderables]


class _HarmlessOne:
    def __init__(self, one: ConsoleRenderable) -> None:
        self._one = one

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for segment in console.render(self._one, options):
            if segment.control is None:
                segment = Segment(_make_lines_harmless(segment.text), segment.style)
            yield segment


def write_table(text: str) -> None:
    """Write a table in a form for programs, such as CSV: unchanged, except on a terminal."""
    click.echo(_make_lines_harmless(text) if sys.stdout.isatty() else text, nl=False, color=True)


def can_print(text: str) -> bool:
    """Whether stdout's encoding, which the user's locale sets, has these characters."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def warn(complaints: Iterable[Complaint]) -> None:
    for complaint in complaints:
        _say("warning", "yellow", str(complaint))


def fail(error: ConfigError | OSError | str) -> NoReturn:
    """End the command. For problems that the user can correct; any other exception shows its
    traceback."""
    if isinstance(error, ConfigError):
        lines = [str(complaint) for complaint in error.complaints]
    else:
        lines = [_describe(error) if isinstance(error, OSError) else error]
    for line in lines:
        _say("error", "red", line)
    raise click.exceptions.Exit(2)


def check_value(kind: Any, value: str, typed: str) -> str:
    """An option's value in the configuration's form. ``kind`` is the annotated type of its key,
    ``typed`` what the user wrote. Raises BadParameter with the key's own complaint and remedy."""
    try:
        checked: str = TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        context = error.errors()[0]["ctx"]
        raise click.BadParameter(f"{typed!r} {context['message']}; {context['remedy']}") from None
    return checked


def _describe(error: OSError) -> str:
    # asyncio puts the address into strerror, plain calls put a path into filename.
    text = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {text}" if error.filename else text


def _say(kind: str, colour: str, text: str) -> None:
    # journald shows the level itself; it reads it from a prefix (sd-daemon(3)).
    level = _LEVELS[kind] if find_destination(os.environ) is Destination.JOURNAL else ""
    text = make_harmless(" ".join(text.split()))
    try:
        click.echo(f"{level}{click.style(kind, fg=colour)}: {text}", err=True)
    except OSError:
        # A full disk, or a reader that is gone, is no reason to end a service. What Python holds
        # back would fail once more at exit, and change its exit code to 120.
        sys.stderr = io.StringIO()


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def open_streams() -> None:
    """Closed standard streams are opened to /dev/null: otherwise the next file or connection would
    get their number, and with it what is written to them."""
    for number in range(3):
        if not _is_open(number):
            try:
                os.open(os.devnull, os.O_RDWR)  # It gets the lowest free number.
            except OSError:
                # A sandbox may forbid it; a pipe without a reader occupies the number as well.
                os.dup2(os.pipe()[1], number)
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A locale may lack a character of a name, or of a table.
        sys.stdout.reconfigure(errors="replace")
