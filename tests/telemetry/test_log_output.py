"""Lines in the formats for journald, a terminal, a file and readers of JSON."""

from __future__ import annotations

import json
import logging
import os
import pty
import re

from casedesk_proxy.telemetry.log_output import Destination, LogFormatter, find_destination
from tests.fixtures.table import table


def test_the_journal_is_known_by_the_stream_itself() -> None:
    reading, writing = os.pipe()
    try:
        status = os.fstat(writing)
        here = f"{status.st_dev}:{status.st_ino}"
        assert find_destination({"JOURNAL_STREAM": here}, writing) is Destination.JOURNAL
        assert find_destination({"JOURNAL_STREAM": "1:1"}, writing) is Destination.PLAIN
        assert find_destination({}, writing) is Destination.PLAIN
    finally:
        os.close(reading)
        os.close(writing)
    assert find_destination({}, writing) is Destination.PLAIN, "a closed stderr"


def test_a_terminal_is_known() -> None:
    master, slave = pty.openpty()
    try:
        assert find_destination({}, slave) is Destination.TERMINAL
    finally:
        os.close(master)
        os.close(slave)


@table(
    ("level", "prefix"),
    [
        (logging.DEBUG, b"<7>"),
        (logging.INFO, b"<6>"),
        (logging.WARNING, b"<4>"),
        (logging.ERROR, b"<3>"),
        (logging.CRITICAL, b"<2>"),
    ],
)
def test_journald_gets_levels_and_one_line(level: int, prefix: bytes) -> None:
    lines = LogFormatter("logfmt", Destination.JOURNAL)
    assert lines.format(level, "a\nb\rc") == prefix + b"a\\nb\\rc\n"
    assert lines.format_fields(level, {"a": 1}, b"a=1") == prefix + b"a=1\n"
    line = LogFormatter("json", Destination.JOURNAL).format(level, "a\nb")
    assert line.startswith(prefix)
    assert json.loads(line[3:])["message"] == "a\nb"


def test_a_file_gets_time_and_level() -> None:
    line = LogFormatter().format(logging.WARNING, "a\nb").decode()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z warning a\\nb\n", line)


def test_a_person_gets_clock_colour_and_paragraphs() -> None:
    plain = LogFormatter("logfmt", Destination.TERMINAL).format(logging.INFO, "a\nb").decode()
    assert re.fullmatch(r"\d\d:\d\d:\d\d info    a\nb\n", plain)
    coloured = LogFormatter("logfmt", Destination.TERMINAL, colours=True).format(logging.ERROR, "a")
    assert b"\x1b[31merror" in coloured


def test_json_where_it_is_asked_for() -> None:
    line = LogFormatter("json").format_fields(logging.INFO, {"id": "r"}, b"")
    assert json.loads(line) == {"time": json.loads(line)["time"], "level": "info", "id": "r"}
