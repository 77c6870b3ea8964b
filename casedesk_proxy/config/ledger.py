"""The ledger's section of the file."""

from __future__ import annotations

from casedesk_proxy.config.secret import Secret
from casedesk_proxy.config.section import Section, setting
from casedesk_proxy.config.values import Duration, Switch

__all__ = ["Ledger"]


class Ledger(Section):
    """The book of who used what."""

    enabled: Switch = setting("One row in the state file for every exchange.", True, reload=False)
    url: Secret | None = setting(
        "A PostgreSQL database that gets every row, too: {env: …}, {file: …} or {credential: …} "
        "with its URL, postgresql://user:password@host/name.",
        None,
        reload=False,
    )
    keep: Duration = setting(
        "How long rows stay; then only sums by day, key, deployment and model do. 0: for ever.",
        90 * 86400.0,
    )
    key_metrics: Switch = setting("Metrics with the names of keys as labels.", True)
