"""The ``casedesk-proxy`` command, which is also ``python -m casedesk_proxy``."""

from __future__ import annotations

from casedesk_proxy.interrupts import end_at_interrupt

__all__ = ["run"]


def run() -> None:
    end_at_interrupt()
    # Imported here: most of the time until a command begins is spent on its imports.
    from casedesk_proxy.cli import main

    main()


if __name__ == "__main__":
    run()
