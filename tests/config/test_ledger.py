"""The ledger's keys."""

from __future__ import annotations

from casedesk_proxy.config.ledger import Ledger
from casedesk_proxy.config.schema import Config


def test_it_is_kept_unless_it_is_switched_off() -> None:
    assert Config().ledger == Ledger(enabled=True)
    assert not Config.model_validate({"ledger": {"enabled": False}}).ledger.enabled
