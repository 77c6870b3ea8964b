"""Tricks that the environment turns off are logged, and a wrong name is an error."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from casedesk_proxy.cli.plain import obey_environment
from casedesk_proxy.fastpath.switches import VARIABLE, Trick, is_on, turn_off


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = turn_off([])
    yield
    turn_off(before)


def test_nothing_is_turned_off_or_said_unasked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    obey_environment()
    assert all(map(is_on, Trick))
    assert capsys.readouterr().err == ""


def test_what_is_turned_off_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(VARIABLE, "heads,cork")
    obey_environment()
    assert [trick for trick in Trick if not is_on(trick)] == [Trick.CORK, Trick.HEADS]
    assert capsys.readouterr().err == "warning: CASEDESK_PLAIN: turned off: cork, heads\n"


def test_a_wrong_name_ends_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(VARIABLE, "head")
    with pytest.raises(click.exceptions.Exit) as ended:
        obey_environment()
    assert ended.value.exit_code == 2
    assert "'head'" in capsys.readouterr().err
    assert all(map(is_on, Trick))
