"""What is added to Swagger UI; tests in a browser are in `tests/console/test_pages.py`."""

from __future__ import annotations

from casedesk_proxy.swagger.access import SCRIPT, STYLE


def test_nothing_in_it_comes_from_elsewhere_or_runs_from_text() -> None:
    for text in (SCRIPT, STYLE):
        assert not {"//", "url(", "eval", "innerHTML"} & set(text.replace("(", "( ").split())
        assert text.count("{") == text.count("}")
