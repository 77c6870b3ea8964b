"""Contexts for https nodes: made once, shared, kept over reloads, renewed with their CA file."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from casedesk_proxy.config.load import load_config
from casedesk_proxy.config.schema import Config
from casedesk_proxy.snapshot import compile_snapshot
from casedesk_proxy.upstream.tls import NodeContexts, context_of, make_contexts


def configuration(**nodes: str) -> Config:
    lines = "".join(f"  {name}: {{{text}}}\n" for name, text in nodes.items())
    text = f"nodes:\n{lines}deployments: {{d: {{nodes: [{', '.join(nodes)}]}}}}\n"
    return load_config(text, "test.yaml").config


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(path)
    return path


def test_equal_settings_share_one(ca: Path) -> None:
    made = make_contexts(
        configuration(
            plain="url: http://p",
            a="url: https://a", b="url: HTTPS://b, tls: {verify: true}",
            c=f"url: https://c, tls: {{ca: {ca}}}", d=f"url: https://d, tls: {{ca: {ca}}}",
            e="url: https://e, tls: {verify: false}",
        ),
        NodeContexts(),
    ).by_node  # fmt: skip
    assert set(made) == set("abcde")
    assert made["a"] is made["b"]
    assert made["c"] is made["d"]
    assert len(set(made.values())) == 3
    assert made["e"].verify_mode is ssl.CERT_NONE
    assert made["a"].check_hostname


def test_what_did_not_change_is_kept(ca: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = configuration(a="url: https://a", c=f"url: https://c, tls: {{ca: {ca}}}")
    before = make_contexts(config, NodeContexts())
    monkeypatch.setattr(ssl, "create_default_context", None)
    assert make_contexts(config, before) == before
    monkeypatch.undo()
    trustme.CA().cert_pem.write_to_path(ca)
    after = make_contexts(config, before).by_node
    assert after["a"] is before.by_node["a"]
    assert after["c"] is not before.by_node["c"], "the file holds another CA"


def test_a_ca_file_that_is_gone_or_none(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    config = configuration(c=f"url: https://c, tls: {{ca: {path}}}")
    with pytest.raises(FileNotFoundError):
        make_contexts(config, NodeContexts())
    path.write_text("no certificate")
    with pytest.raises(ssl.SSLError):
        make_contexts(config, NodeContexts())


def test_https_is_never_plain_by_oversight() -> None:
    config = configuration(a="url: https://a", p="url: http://p")
    nodes = compile_snapshot(config, {}).nodes
    assert context_of(nodes["p"]) is None
    with pytest.raises(TypeError, match="without its TLS context"):
        context_of(nodes["a"])
    made = make_contexts(config, NodeContexts())
    assert context_of(compile_snapshot(config, {}, made.by_node).nodes["a"]) is made.by_node["a"]
