"""A node whose engine is not configured."""

from __future__ import annotations

from casedesk_proxy.engines.auto import SPEC
from casedesk_proxy.engines.profile import PLAIN
from casedesk_proxy.engines.registry import AUTO, FINGERPRINTS
from casedesk_proxy.terms import Dialect


def test_it_is_a_plain_openai_server_until_it_is_recognised() -> None:
    assert AUTO is SPEC
    assert SPEC.speaks == (Dialect.OPENAI,)
    assert SPEC.profile == PLAIN


def test_it_is_nothing_that_a_node_could_be_recognised_as() -> None:
    assert SPEC.fingerprint is None
    assert FINGERPRINTS
