"""Host names and proxies in the forms that operators write."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from casedesk_proxy.config import hosts
from tests.fixtures.table import table


def check(kind: Any, value: object) -> Any:
    return TypeAdapter(kind).validate_python(value)


@table("name", ["llm.example.com", "*.example.com", "*", "gpu_1", "10.0.0.5", "a."])
def test_host_names(name: str) -> None:
    assert check(hosts.HostName, name) == name


@table(
    ("text", "remedy"),
    [
        ("https://llm.example.com/v1", "write llm.example.com, without scheme, port and path"),
        ("llm.example.com:8443", "write llm.example.com, without scheme, port and path"),
        ("user@llm.example.com", "write llm.example.com, without scheme, port and path"),
        ("*example.com", "write for example llm.example.com or *.example.com"),
        ("llm.*.com", "write for example llm.example.com or *.example.com"),
        ("", "write for example llm.example.com or *.example.com"),
        ("a b", "write for example llm.example.com or *.example.com"),
        ("a." * 200, "write for example llm.example.com or *.example.com"),
    ],
)
def test_what_is_no_host_name(text: str, remedy: str) -> None:
    with pytest.raises(ValidationError) as caught:
        check(hosts.HostName, text)
    assert caught.value.errors()[0]["ctx"]["remedy"] == remedy


@table("text", ["proxy.lan", "10.0.0.0/33", "10.0.0.1:80", "*", ""])
def test_what_is_no_trusted_proxy(text: str) -> None:
    for good in ("10.0.0.5", "10.0.0.0/8", "fd00::/8", "unix"):
        assert check(hosts.TrustedProxy, good) == good
    with pytest.raises(ValidationError, match="is neither an IP address nor a network"):
        check(hosts.TrustedProxy, text)
