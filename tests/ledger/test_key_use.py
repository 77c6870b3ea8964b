"""The use of each key: bounded, and turned off if names must not be shown."""

from __future__ import annotations

from casedesk_proxy.ledger.key_use import NO_KEY, OTHERS, KeyUse
from casedesk_proxy.replying.record import ExchangeRecord
from casedesk_proxy.terms import Usage


def of(key: str, usage: Usage = Usage(5, 7, 2)) -> ExchangeRecord:  # noqa: B008
    return ExchangeRecord(request_id="r", started=0.0, key=key, usage=usage)


def samples(use: KeyUse) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in use.collect()
        for sample in family.samples
    }


def test_tokens_by_key() -> None:
    use = KeyUse(lambda: True)
    for outcome in (of("alice"), of("alice"), of("", Usage())):
        use.count(outcome)
    assert samples(use) == {
        ("casedesk_key_exchanges_total", "alice"): 2,
        ("casedesk_key_exchanges_total", NO_KEY): 1,
        ("casedesk_key_tokens_total", "alice", "prompt"): 10,
        ("casedesk_key_tokens_total", "alice", "cached"): 4,
        ("casedesk_key_tokens_total", "alice", "output"): 14,
        ("casedesk_key_tokens_total", NO_KEY, "prompt"): 0,
        ("casedesk_key_tokens_total", NO_KEY, "cached"): 0,
        ("casedesk_key_tokens_total", NO_KEY, "output"): 0,
    }


def test_the_label_set_is_bounded() -> None:
    use = KeyUse(lambda: True)
    for number in range(300):
        use.count(of(f"k{number}"))
    use.count(of("k0"))
    assert len(use.by_key) == 201
    assert use.by_key[OTHERS].exchanges == 100
    assert use.by_key["k0"].exchanges == 2


def test_it_is_counted_but_not_exported_where_it_is_switched_off() -> None:
    use = KeyUse(lambda: False)
    use.count(of("alice"))
    assert samples(use) == {}
    assert use.by_key["alice"].exchanges == 1
