from __future__ import annotations

import pytest
from pydantic import ValidationError

from casedesk_proxy.config.nodes import Node
from casedesk_proxy.config.schema import Config, Secret, Server
from casedesk_proxy.config.values import Address
from tests.fixtures.table import table


def test_defaults() -> None:
    server = Config().server
    assert (server.listen, server.admin) == ("127.0.0.1:8080", "127.0.0.1:9180")
    assert server.max_body == 32 * 1024**2
    assert server.drain_timeout == 600.0
    assert server.header_timeout == 10.0
    assert server.body_timeout == 60.0
    assert server.keepalive_timeout == 75.0


def test_addresses_are_at_hand() -> None:
    server = Server(listen="[::1]:81", admin="unix:/run/a.sock")
    assert server.listen_address == Address("::1", 81)
    assert server.admin_address == Address(path="/run/a.sock")
    assert Server(admin=None).admin_address is None


def test_values_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Config().server.listen = "127.0.0.1:1"  # type: ignore[misc]


def test_no_repr_shows_a_key() -> None:
    node = Node.model_validate({"url": "http://a", "api_key": "hush-hush"})
    assert node.api_key == Secret(inline="hush-hush")
    for text in (repr(node), str(node), repr(node.api_key), f"{Config(nodes={'a': node})}"):
        assert "hush" not in text


def test_no_error_shows_a_key() -> None:
    with pytest.raises(ValidationError) as caught:
        Secret.model_validate({"inline": "hush-hush", "env": "A"})
    assert "hush" not in str(caught.value)


@table("where", [{}, {"env": ""}, {"env": "A", "file": "/b"}])
def test_a_key_lies_in_exactly_one_place(where: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Secret.model_validate(where)
