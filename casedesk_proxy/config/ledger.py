"""The ledger's section of the file."""

from __future__ import annotations

from casedesk_proxy.config.secret import Secret
from casedesk_proxy.config.section import Section, setting
from casedesk_proxy.config.values import Duration, Switch

__all__ = ["Ledger"]


class Ledger(Section):
    """The book of who used what."""

    enabled: Switch = setting(
        "Write one row to the state file for every exchange.", True, reload=False
    )
    url: Secret | None = setting(
        "A PostgreSQL database that every row is also sent to: {env: …}, {file: …} or"
        " {credential: …} with its URL, postgresql://user:password@host/name.",
        None,
        reload=False,
    )
    keep: Duration = setting(
        "How long rows are kept; after that only sums by day, key, deployment and model. 0:"
        " forever.",
        90 * 86400.0,
    )
    key_metrics: Switch = setting("Metrics with the names of keys as labels.", True)
