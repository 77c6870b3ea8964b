"""Every shared name has its field in each protocol that has one, and the tables agree."""

from __future__ import annotations

from casedesk_proxy.config.alias import SECTIONS
from casedesk_proxy.config.parameter_fields import OPEN_OBJECTS, OWN, PROTECTED, SHARED, kind_of
from tests.fixtures.table import table


@table("section", SECTIONS)
def test_tables_agree(section: str) -> None:
    assert SHARED[section].keys() <= OWN[""].keys()
    assert set(SHARED[section].values()) <= OWN[section].keys()
    assert {"max_tokens", "temperature", "top_p", "effort"} <= SHARED[section].keys()
    assert PROTECTED[section].isdisjoint(OWN[section])
    assert OPEN_OBJECTS[section]


@table(
    ("section", "name", "value", "fits"),
    [
        ("", "temperature", 1, True),
        ("", "temperature", True, False),
        ("", "temperature", 2.1, False),
        ("", "top_k", 1.0, False),
        ("", "seed", -1, True),
        ("", "stop", ["a"], True),
        ("", "stop", [1], False),
        ("openai", "stop", "a", True),
        ("openai", "stop", 1, False),
        ("openai", "tool_choice", None, True),
        ("openai", "chat_template_kwargs.enable_thinking", "x", True),
        ("openai", "logprobs", 1, False),
        ("openai", "tools", [], True),
        ("openai", "user", "u", True),
        ("openai", "metadata", [], False),
        ("openai", "priority", 1.5, True),
        ("anthropic", "system", "s", True),
        ("anthropic", "output_config.effort", "none", False),
        ("gemini", "generationConfig.thinkingConfig.thinkingBudget", -1, True),
    ],
)
def test_kind(section: str, name: str, value: object, fits: bool) -> None:
    kind = kind_of(section, name)
    assert kind is not None
    assert kind.fits(value) is fits


def test_a_field_that_is_not_known() -> None:
    assert kind_of("openai", "temprature") is None
    assert kind_of("", "chat_template_kwargs.enable_thinking") is None
