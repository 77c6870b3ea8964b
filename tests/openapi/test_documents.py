"""The documents are valid and contain exactly all routes and all fields."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from casedesk_proxy.dialects.core.known_fields import Fate
from casedesk_proxy.openapi.documents import list_unserved, make_document
from casedesk_proxy.openapi.field_tables import FIELDS
from casedesk_proxy.openapi.file_operations import FILE_MESSAGES
from casedesk_proxy.openapi.names import NAMES
from casedesk_proxy.terms import Dialect

DOCUMENTS = {name: make_document(name, "1.2.3") for name in NAMES}
SURFACES = [name for name in NAMES if name != "admin"]


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for path in document["paths"].values() for operation in path.values()]


@pytest.mark.parametrize("name", NAMES)
def test_a_document_is_valid_openapi(name: str) -> None:
    document = json.loads(json.dumps(DOCUMENTS[name]))
    assert [str(error) for error in OpenAPIV31SpecValidator(document).iter_errors()] == []
    assert document["info"]["version"] == "1.2.3"
    ids = [operation["operationId"] for operation in operations(document)]
    assert len(ids) == len(set(ids)), "each operation has a name of its own"


@pytest.mark.parametrize("name", SURFACES)
def test_every_field_is_in_the_document_with_its_fate(name: str) -> None:
    tables = dict(FIELDS[Dialect(name)])
    if name == Dialect.OPENAI:
        tables |= FIELDS[Dialect.RESPONSES]
    tables |= FILE_MESSAGES.get(Dialect(name), {})
    schemas = DOCUMENTS[name]["components"]["schemas"]
    assert schemas.keys() == {*tables, "Error"}
    for message, fields in tables.items():
        shown = {field: one["x-fate"] for field, one in schemas[message]["properties"].items()}
        assert shown == {
            field: one.fate.value for field, one in fields.items() if "." not in field
        }, message


def test_what_is_refused_says_why() -> None:
    part = DOCUMENTS["gemini"]["components"]["schemas"]["Part"]["properties"]["fileData"]
    assert part["x-fate"] == Fate.REFUSED.value
    assert part["description"].startswith("Refused: ")


@pytest.mark.parametrize("name", NAMES)
def test_examples_fit_their_schemas(name: str) -> None:
    components = DOCUMENTS[name]["components"]
    shown = 0
    for operation in operations(DOCUMENTS[name]):
        for content in operation.get("requestBody", {"content": {}})["content"].values():
            if "example" in content:
                schema = {**content["schema"], "components": components}
                Draft202012Validator(schema).validate(content["example"])
                shown += 1
    assert shown >= 2


@pytest.mark.parametrize("name", SURFACES)
def test_what_is_not_served_is_listed(name: str) -> None:
    listed = {one["api"] for one in DOCUMENTS[name]["x-unserved"]}
    assert {api.name for api in list_unserved(Dialect(name))} <= listed
    assert "the Batch API" in listed


def test_an_unknown_document_is_an_error() -> None:
    with pytest.raises(KeyError):
        make_document("grpc", "1")
