"""Fields become properties; kinds become types, lists, choices and references."""

from __future__ import annotations

from casedesk_proxy.dialects.core.known_fields import Fate, KnownField
from casedesk_proxy.openapi.schemas import make_schemas


def test_kinds_become_types() -> None:
    made = make_schemas(
        {
            "A": {
                "any": KnownField(),
                "b": KnownField("string|B[]", required=True),
                "c": KnownField("string", Fate.REFUSED, "it is gone", values=("x", "y")),
                "d": KnownField("integer[]", Fate.IGNORED),
                "d.e": KnownField("string"),
            },
            "B": {},
        }
    )
    assert made == {
        "A": {
            "type": "object",
            "properties": {
                "any": {"x-fate": "mapped"},
                "b": {
                    "anyOf": [
                        {"type": "string"},
                        {"type": "array", "items": {"$ref": "#/components/schemas/B"}},
                    ],
                    "x-fate": "mapped",
                },
                "c": {
                    "type": "string",
                    "enum": ["x", "y"],
                    "description": "Refused: it is gone.",
                    "x-fate": "refused",
                },
                "d": {
                    "type": "array",
                    "items": {"type": "integer"},
                    "description": "Ignored.",
                    "x-fate": "ignored",
                },
            },
            "required": ["b"],
        },
        "B": {"type": "object", "properties": {}},
    }
