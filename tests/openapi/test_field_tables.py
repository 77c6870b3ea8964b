"""The tables of all APIs in one form, including those of the configuration's fields."""

from __future__ import annotations

import pytest

from casedesk_proxy.config.parameter_fields import OWN
from casedesk_proxy.dialects.core.known_fields import Fate
from casedesk_proxy.dialects.gemini.fields import MESSAGES
from casedesk_proxy.openapi.field_tables import FIELDS
from casedesk_proxy.terms import Dialect
from tests.dialects.fates import check_references


@pytest.mark.parametrize("surface", Dialect)
def test_every_field_that_an_alias_may_change_is_known(surface: Dialect) -> None:
    """A field that the configuration accepts and the table lacks would be refused to clients."""
    known = {name for fields in FIELDS[surface].values() for name in fields}
    # The tables have what is inside of an object in a message of its own. An alias may set what
    # only its node reads: Anthropic's and Responses' fields of engines.
    wanted = {name.partition(".")[0] for name in OWN[surface.value]}
    own = {"top_k", "min_p", "seed", "presence_penalty", "frequency_penalty"}
    assert wanted - known - own == set()


def test_geminis_table_is_whole() -> None:
    made = FIELDS[Dialect.GEMINI]
    assert {name: fields.keys() for name, fields in made.items()} == {
        name: fields.keys() for name, fields in MESSAGES.items()
    }
    part = made["Part"]
    assert (part["inlineData"].kind, part["thoughtSignature"].fate) == ("Blob", Fate.IGNORED)
    assert made["Content"]["parts"].kind == "Part[]"
    assert made["FunctionCallingConfig"]["mode"].values == ("AUTO", "ANY", "NONE", "VALIDATED")
    check_references(made)


def test_types_of_what_is_passed_on_are_those_that_the_configuration_takes() -> None:
    chat = FIELDS[Dialect.OPENAI]["ChatRequest"]
    assert chat["temperature"].kind == "number"
    assert chat["max_tokens"].kind == "integer"
    assert chat["stop"].kind == "string|array"
    assert chat["tool_choice"].kind == "any"
    assert chat["store"].kind == "boolean"
    assert chat["metadata"].kind == "object"
    assert {chat[name].fate for name in ("temperature", "messages")} == {Fate.PASSED_ON}
