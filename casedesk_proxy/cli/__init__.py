"""Layer 6: the commands."""

import click

__all__ = ["main"]


@click.group()
def main() -> None:
    """CaseDesk Proxy: a streaming gateway for GPU hosts."""
