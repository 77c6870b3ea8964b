from __future__ import annotations

import json

from click.testing import CliRunner
from jsonschema import Draft202012Validator

from casedesk_proxy.cli import main


def test_it_prints_the_schema() -> None:
    result = CliRunner().invoke(main, ["schema"])
    assert result.exit_code == 0
    schema = json.loads(result.stdout)
    Draft202012Validator.check_schema(schema)
    assert schema["properties"]["nodes"]["description"]
