"""Numbers that the state file keeps about itself."""

from __future__ import annotations

from casedesk_proxy.store.facts import count_up, raise_number, read_number, read_origin
from tests.ledger.book import book


def test_a_number_that_nobody_wrote_is_0_and_is_counted_up_from_there() -> None:
    with book() as connection:
        assert read_number(connection, "keys") == 0
        for wanted in (1, 2, 3):
            count_up(connection, "keys")
            assert read_number(connection, "keys") == wanted
        assert read_number(connection, "others") == 0


def test_a_number_that_is_raised_never_falls() -> None:
    with book() as connection:
        for value, wanted in ((9, 9), (10, 10), (7, 10)):
            raise_number(connection, "forwarded", value)
            assert read_number(connection, "forwarded") == wanted


def test_each_file_has_an_origin_of_its_own() -> None:
    with book() as one, book() as other:
        assert read_origin(one) == read_origin(one) != read_origin(other)
