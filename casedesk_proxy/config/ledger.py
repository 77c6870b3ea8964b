"""The ledger's section of the file."""

from __future__ import annotations

from casedesk_proxy.config.section import Section, setting
from casedesk_proxy.config.values import Switch

__all__ = ["Ledger"]


class Ledger(Section):
    """The book of who used what."""

    enabled: Switch = setting("One row in the state file for every exchange.", True, reload=False)
