from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from casedesk_proxy.config import values
from casedesk_proxy.config.values import Address, parse_listen
from tests.fixtures.table import table


@table(
    ("text", "address"),
    [
        ("127.0.0.1:8080", Address("127.0.0.1", 8080)),
        ("localhost:0", Address("localhost", 0)),
        ("[::1]:80", Address("::1", 80)),
        ("0.0.0.0:65535", Address("0.0.0.0", 65535)),
        ("unix:/run/proxy.sock", Address(path="/run/proxy.sock")),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    assert parse_listen(text) == address
    assert str(address) == text


@table(
    ("text", "remedy"),
    [
        ("8080", "write 127.0.0.1:8080"),
        (":8080", "write 127.0.0.1:8080"),
        ("*:8080", "write 127.0.0.1:8080"),
        ("127.0.0.1", "write host:port, [v6]:port or unix:/path"),
        ("::1:80", "write host:port, [v6]:port or unix:/path"),
        ("127.0.0.1:70000", "write host:port, [v6]:port or unix:/path"),
        ("http://127.0.0.1:80", "write host:port, [v6]:port or unix:/path"),
        ("", "write host:port, [v6]:port or unix:/path"),
        ("unix:proxy.sock", "for example unix:/run/proxy.sock"),
        ("unix:/" + "a" * 107, "use at most 107 bytes"),
    ],
)
def test_what_is_no_address(text: str, remedy: str) -> None:
    with pytest.raises(PydanticCustomError) as caught:
        parse_listen(text)
    assert caught.value.context is not None
    assert caught.value.context["remedy"] == remedy


@table(
    ("one", "other", "clash"),
    [
        ("127.0.0.1:80", "127.0.0.1:80", True),
        ("0.0.0.0:80", "127.0.0.1:80", True),
        ("127.0.0.1:80", "[::]:80", True),
        ("127.0.0.1:80", "127.0.0.2:80", False),
        ("127.0.0.1:80", "127.0.0.1:81", False),
        ("127.0.0.1:0", "127.0.0.1:0", False),
        ("unix:/a", "unix:/a", True),
        ("unix:/a", "127.0.0.1:80", False),
    ],
)
def test_addresses_that_cannot_both_be_bound(one: str, other: str, clash: bool) -> None:
    assert parse_listen(one).clashes_with(parse_listen(other)) is clash
    assert parse_listen(other).clashes_with(parse_listen(one)) is clash


@table(
    ("text", "local"),
    [
        ("127.0.0.1:1", True),
        ("127.1.2.3:1", True),
        ("localhost:1", True),
        ("[::1]:1", True),
        ("unix:/a", True),
        ("0.0.0.0:1", False),
        ("10.0.0.1:1", False),
        ("[::]:1", False),
    ],
)
def test_who_can_reach_an_address(text: str, local: bool) -> None:
    assert parse_listen(text).is_local() is local


def check(kind: object, value: object) -> object:
    return TypeAdapter(kind).validate_python(value)


@table("name", ["gpu0", "a.b_c-d", "alice@example.org", "7", "x" * 100])
def test_names(name: str) -> None:
    assert check(values.Name, name) == name


@table("name", ["", "-a", "a b", "a/b", "ä", "a:b", "a\n", "x" * 101, 'a"', ".."])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(ValidationError):
        check(values.Name, name)


@table("name", ["gemma2:9b", "Qwen/Qwen3-32B", "gemini-*", "modèle"])
def test_model_names(name: str) -> None:
    assert check(values.ModelName, name) == name


@table("name", ["", " a", "a ", "a\tb", "a\x00", "x" * 513])
def test_what_is_no_model_name(name: str) -> None:
    with pytest.raises(ValidationError):
        check(values.ModelName, name)


def test_hashes_compare_in_lower_case() -> None:
    assert check(values.Sha256, "AB" * 32) == "ab" * 32


@table("text", ["ab" * 31, "zz" * 32, "", "ab" * 32 + "\n"])
def test_what_is_no_hash(text: str) -> None:
    with pytest.raises(ValidationError):
        check(values.Sha256, text)


@table("path", ["tls/cert.pem", "~/key", "", "/a\0"])
def test_paths_are_absolute(path: str) -> None:
    assert check(values.AbsolutePath, "/etc/key") == "/etc/key"
    with pytest.raises(ValidationError):
        check(values.AbsolutePath, path)


def test_a_pause_is_not_empty() -> None:
    assert check(values.Pause, "1s") == 1.0
    assert check(values.Duration, 0) == 0.0
    with pytest.raises(ValidationError):
        check(values.Pause, "0s")


@table("value", ["true", 1, 0, None, "yes"])
def test_a_switch_is_a_truth_value(value: object) -> None:
    assert check(values.Switch, False) is False
    with pytest.raises(ValidationError):
        check(values.Switch, value)
