"""``schema``: the configuration's JSON Schema."""

from __future__ import annotations

import json

import click

from casedesk_proxy.config.json_schema import config_schema

__all__ = ["schema"]


@click.command()
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    click.echo(json.dumps(config_schema(), indent=2, ensure_ascii=False))
