"""Another name for a model, and rules for changes in requests: in those that use this name or, if a
key has the rules, in all of the key's requests.

An alias is written as the model's name alone, or as a section. `parameter_checks`, which knows the
fields of every protocol, checks the rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, StrictStr, WithJsonSchema
from pydantic_core import PydanticKnownError

from casedesk_proxy.config.section import Section, setting
from casedesk_proxy.config.values import ModelName, complain, is_model_name

__all__ = ["FORMS", "RULES", "SECTIONS", "Alias", "AliasOrName", "ParameterRules"]

#: The rules, in the order in which they are applied.
RULES = ("remove", "default", "map", "cap", "set")
#: The protocols that can have their own rules.
SECTIONS = ("gemini", "anthropic", "openai", "responses", "ollama")
#: Requests other than conversations, which only have their own rules; usually forms.
FORMS = ("transcriptions", "images")

_OWN_RULES = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        **{rule: {"type": "object"} for rule in RULES},
        "remove": {"type": "array", "items": {"type": "string"}},
    },
}
Fields = dict[StrictStr, Any]
OwnRules = Annotated[dict[StrictStr, Any], WithJsonSchema(_OWN_RULES)]


class ParameterRules(Section):
    """The changes in requests."""

    set: Fields = setting("Values that every request gets, whatever its client says.", {})
    default: Fields = setting("Values used where the client gives none.", {})
    remove: tuple[StrictStr, ...] = setting("Fields removed from every request.", ())
    cap: Fields = setting("Maximum values; a request without max_tokens gets the maximum.", {})
    map: dict[StrictStr, Fields] = setting(
        "Replaces a field's values with others, or with other fields.", {}
    )
    gemini: OwnRules = setting("The same rules for Gemini requests, by Gemini's field names.", {})
    anthropic: OwnRules = setting(
        "The same rules for Anthropic requests, by Anthropic's field names.", {}
    )
    openai: OwnRules = setting(
        "The same rules for OpenAI chat requests, by OpenAI's field names.", {}
    )
    responses: OwnRules = setting(
        "The same rules for Responses requests, by their field names.", {}
    )

    ollama: OwnRules = setting("The same rules for Ollama's own API, by its field names.", {})
    transcriptions: OwnRules = setting(
        "The same rules for transcriptions and translations of speech, by their field names.", {}
    )
    images: OwnRules = setting(
        "The same rules for generated, edited and varied images, by their field names.", {}
    )

    def rules(self, section: str = "") -> dict[str, Any]:
        """The written rules of `RULES`: for a protocol, or with shared names."""
        if section:
            return dict(getattr(self, section))
        return {name: value for name in RULES if (value := getattr(self, name))}


class _Name(Section):
    model: ModelName = setting("The model, as its nodes name it.")
    description: StrictStr = setting("Shown in the catalogue.", "")


#: Lists of settings begin with the name's: the last base's come first.
class Alias(ParameterRules, _Name):
    """A name for a model, and the parameters that go with it."""


def _read(value: Any) -> Any:
    if isinstance(value, str):
        if not is_model_name(value):
            raise complain("is not a model name", "write it as the node lists it, without spaces")
        return {"model": value}
    # A name with a space after its colon becomes a mapping with one unknown key.
    slip = len(value) == 1 and next(iter(value)) not in Alias.model_fields if _is_map(value) else 1
    if slip and not isinstance(value, Alias):
        raise PydanticKnownError("string_type")
    return value


def _is_map(value: Any) -> bool:
    return isinstance(value, Mapping)


AliasOrName = Annotated[Alias, BeforeValidator(_read)]
