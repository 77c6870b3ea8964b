"""``demo``: the proxy with a simulated node; no configuration, no model, no GPU."""

from __future__ import annotations

import errno

import click

from casedesk_proxy.cli.plain import obey_environment
from casedesk_proxy.cli.report import check_value, fail
from casedesk_proxy.config.complaints import ConfigError
from casedesk_proxy.config.values import Listen

__all__ = ["demo"]


def _check_listen(context: click.Context, parameter: click.Parameter, address: str) -> str:
    return check_value(Listen, address, address)


@click.command()
@click.option(
    "--listen",
    default="127.0.0.1:8080",
    show_default=True,
    callback=_check_listen,
    help="Where to serve.",
)
@click.option(
    "--pace",
    type=click.FloatRange(min=0, max=1e6),
    default=20.0,
    show_default=True,
    help="Words per second; 0: all at once.",
)
def demo(listen: str, pace: float) -> None:
    """Serve with a simulated node: no model, no GPU.

    Exit code 2 if the address is invalid or in use.
    """
    obey_environment()
    # Imported here: the other commands start without the server and its libraries.
    from casedesk_proxy.daemon.demo import serve_demo

    try:
        serve_demo(listen, pace)
    except OSError as error:
        in_use = error.errno == errno.EADDRINUSE
        fail(f"{error.strerror} with --listen HOST:PORT" if in_use else error)
    except ConfigError as error:
        fail(error)
