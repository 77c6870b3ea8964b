"""Turns off the tricks that the environment names."""

from __future__ import annotations

import os

from casedesk_proxy.cli.report import fail, warn
from casedesk_proxy.config.complaints import Complaint
from casedesk_proxy.fastpath.switches import VARIABLE, read_plain, turn_off

__all__ = ["obey_environment"]


def obey_environment() -> None:
    """Call before any object is made that could use a trick. Ends the command for an unknown
    name."""
    try:
        off = read_plain(os.environ.get(VARIABLE, ""))
    except ValueError as error:
        fail(str(error))
    turn_off(off)
    if off:
        warn([Complaint("", f"turned off: {', '.join(sorted(off))}", VARIABLE)])
