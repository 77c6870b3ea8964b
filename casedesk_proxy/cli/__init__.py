"""Layer 6: the commands, one module each."""

from __future__ import annotations

import click

from casedesk_proxy import __version__
from casedesk_proxy.cli import (
    check,
    demo,
    doctor,
    init,
    install_service,
    key,
    openapi,
    report,
    schema,
    serve,
    status,
    top,
    usage,
    user,
)

__all__ = ["main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="casedesk-proxy", message="%(prog)s %(version)s")
def main() -> None:
    """CaseDesk Proxy: a streaming gateway for GPU hosts."""
    report.open_streams()


for _command in (
    serve.serve,
    status.status,
    top.top,
    usage.usage,
    check.check,
    doctor.doctor,
    schema.schema,
    openapi.openapi,
    init.init,
    key.key,
    user.user,
    demo.demo,
    install_service.install_service,
):
    main.add_command(_command)
main.add_command(key.token)
