"""The names of a terminal's keys."""

from __future__ import annotations

import os
import pty
import termios

import pytest

from casedesk_proxy.cli.key_presses import KeyPresses, split_keys
from tests.fixtures.patience import PATIENCE_S


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("q", ["q"]),
        ("\x1b[A\x1b[B", ["up", "down"]),
        ("\x1bOA", ["up"]),
        ("\x1b[5~\x1b[6~", ["pageup", "pagedown"]),
        ("/ab\x7f\r", ["/", "a", "b", "backspace", "enter"]),
        ("\x1b", ["escape"]),
        ("é", ["é"]),
        # What has no name, and what is no character that is shown.
        ("\x1b[15~\x1b[1;5C\x00\x07", []),
    ],
)
def test_keys_are_told_apart(text: str, keys: list[str]) -> None:
    assert split_keys(text) == keys


def test_a_terminal_is_given_back_as_it_was() -> None:
    master, terminal = pty.openpty()
    try:
        before = termios.tcgetattr(terminal)
        keys = KeyPresses(terminal)
        with keys.listening():
            assert not termios.tcgetattr(terminal)[3] & (termios.ICANON | termios.ECHO)
            assert keys.wait(0) == []
            os.write(master, b"s\x1b[A")
            assert keys.wait(PATIENCE_S) == ["s", "up"]
        assert termios.tcgetattr(terminal)[:4] == before[:4]
    finally:
        os.close(terminal)
        os.close(master)


def test_a_terminal_that_is_gone_is_left() -> None:
    reading, writing = os.pipe()
    os.close(writing)
    try:
        assert KeyPresses(reading).wait(1) == ["q"]
    finally:
        os.close(reading)
