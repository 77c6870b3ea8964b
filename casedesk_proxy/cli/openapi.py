"""``openapi``: the HTTP APIs as OpenAPI documents."""

from __future__ import annotations

import json

import click

from casedesk_proxy import __version__
from casedesk_proxy.openapi.names import NAMES

__all__ = ["openapi"]


@click.command()
@click.argument("api", type=click.Choice(NAMES))
def openapi(api: str) -> None:
    """Print the OpenAPI 3.1 document of an API, for API tools.

    It holds every route, and for every known field of a request whether it is mapped, ignored,
    left out or refused (x-fate).
    """
    # Imported here: the other commands start without it.
    from casedesk_proxy.openapi.documents import make_document

    click.echo(json.dumps(make_document(api, __version__), indent=2, ensure_ascii=False))
