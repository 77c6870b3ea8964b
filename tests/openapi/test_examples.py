"""Every example belongs to an operation."""

from __future__ import annotations

from casedesk_proxy.openapi.admin_operations import ADMIN_OPERATIONS
from casedesk_proxy.openapi.examples import EXAMPLES
from casedesk_proxy.openapi.surface_operations import list_operations
from casedesk_proxy.terms import Dialect


def test_every_example_belongs_to_an_operation_with_a_body() -> None:
    surfaces = [surface for surface in Dialect if surface is not Dialect.RESPONSES]
    operations = [*ADMIN_OPERATIONS, *(one for name in surfaces for one in list_operations(name))]
    assert EXAMPLES.keys() <= {one.action for one in operations if one.body is not None}
