"""How the admin listener is found, and how its answers are shown."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from casedesk_proxy.cli.admin_client import ask, find_admin
from tests.cli.fake_admin import fake_admin


def test_a_key_goes_with_a_request() -> None:
    with fake_admin({"POST /a": (202, {"b": 1})}) as admin:
        assert ask(admin.address, "/a", "POST", "secret") == (202, {"b": 1})
        assert ask(admin.address.replace("127.0.0.1", "0.0.0.0"), "/b")[0] == 404
        assert admin.asked == [("POST /a", "Bearer secret"), ("GET /b", "")]


def test_what_is_no_json_is_an_error() -> None:
    with fake_admin({"GET /a": (200, b"<html>")}) as admin, pytest.raises(ValueError):  # noqa: PT011
        ask(admin.address, "/a")


def test_an_address_may_be_a_url(tmp_path: Path) -> None:
    assert find_admin(tmp_path, "http://127.0.0.1:9180/") == "127.0.0.1:9180"
    file = tmp_path / "c.yaml"
    file.write_text(
        "server: {admin: null}\nnodes: {n: {url: 'http://127.0.0.1:2'}}\n"
        "deployments: {d: {auth: none, nodes: [n]}}\n"
    )
    with pytest.raises(click.exceptions.Exit):
        find_admin(file, None)
