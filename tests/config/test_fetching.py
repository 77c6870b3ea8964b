"""From which hosts contents may be fetched, as the configuration says."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from casedesk_proxy.config.fetching import FetchUrls


def test_hosts_are_named() -> None:
    settings = FetchUrls(allow=("img.example.com", "*.example.org"), types=("image/png", "image/*"))
    assert settings.types == ("image/png", "image/*")
    assert "application/pdf" in FetchUrls(allow=()).types
    assert settings.max_size == 20 * 2**20


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"allow": ("*",)},
        {"allow": ("https://h",)},
        {"allow": ("h",), "types": ("image",)},
        {"allow": ("h",), "types": ()},
    ],
)
def test_what_is_no_setting(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        FetchUrls(**values)
