"""``demo``: the proxy with a simulated node; no configuration, no model, no GPU."""

from __future__ import annotations

import click

from casedesk_proxy.cli.report import fail
from casedesk_proxy.errors import ConfigError

__all__ = ["demo"]


@click.command()
@click.option("--listen", default="127.0.0.1:8080", show_default=True, help="Where to serve.")
@click.option("--pace", default=20.0, show_default=True, help="Words per second.")
def demo(listen: str, pace: float) -> None:
    """Serve with a simulated node: no configuration, no model, no GPU.

    Exit code 2 for an address that is taken or none.
    """
    # Here and not above: the other commands start without the server and its libraries.
    from casedesk_proxy.daemon.demo import serve_demo

    try:
        serve_demo(listen, pace)
    except (ConfigError, OSError) as error:
        fail(error)
