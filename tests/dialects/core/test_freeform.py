"""Freeform tools as functions."""

from __future__ import annotations

from typing import Any

from casedesk_proxy.dialects.core.freeform import (
    FREEFORM_PARAMETERS,
    is_freeform,
    read_freeform,
    write_freeform,
)
from tests.fixtures.table import table

SHELL = {"type": "custom", "name": "shell"}


@table(
    ("tool", "wanted"),
    [
        ({**SHELL}, True),
        ({**SHELL, "format": None}, True),
        ({**SHELL, "format": {"type": "text"}}, True),
        ({**SHELL, "format": {"type": "grammar", "syntax": "lark"}}, False),
        ({**SHELL, "format": {}}, False),
        ({**SHELL, "format": "text"}, False),
        ({**SHELL, "type": "function"}, False),
        ({**SHELL, "type": ["custom"]}, False),
        ({**SHELL, "name": ""}, False),
        ({**SHELL, "name": 7}, False),
        ({"type": "custom", "custom": {"name": "shell"}}, False),
        ({}, False),
    ],
)
def test_only_a_tool_without_a_grammar_is_freeform(tool: dict[str, Any], wanted: bool) -> None:
    assert is_freeform(tool) is wanted


@table("text", ["ls -l", "", 'a "b"\n\\c', '{"input": "x"}', "ü\u2028"])
def test_an_input_survives(text: str) -> None:
    assert read_freeform(write_freeform(text)) == text


@table(
    ("arguments", "wanted"),
    [
        ('{"input":"ls"}', "ls"),
        ('{"input":"ls","why":"look"}', '{"input":"ls","why":"look"}'),
        ('{"command":"ls"}', '{"command":"ls"}'),
        ('{"input":7}', '{"input":7}'),
        ("{}", ""),
        ("", ""),
        ('{"input":"l', ""),
    ],
)
def test_other_arguments_are_the_input(arguments: str, wanted: str) -> None:
    assert read_freeform(arguments) == wanted


def test_the_function_has_one_argument() -> None:
    assert FREEFORM_PARAMETERS["required"] == list(FREEFORM_PARAMETERS["properties"])
    assert read_freeform(f'{{"{FREEFORM_PARAMETERS["required"][0]}":"ls"}}') == "ls"
