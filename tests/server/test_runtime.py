"""A configuration is compiled completely in a thread; its adoption neither waits nor fails."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from casedesk_proxy.config.complaints import Complaint, ConfigError
from casedesk_proxy.config.load import load_config
from casedesk_proxy.config.schema import Config
from casedesk_proxy.daemon.reload import Prepared, Reloader
from casedesk_proxy.server.app import Gateway
from tests.fixtures.loop_turns import most_per_turn

NODES = 20


def configuration(folder: Path, model: str = "m", server: str = "") -> Config:
    """A configuration of 20 https nodes, the first ten with a CA file each. No node runs."""
    own = [f", tls: {{ca: {folder}/ca{number}.pem}}" for number in range(NODES // 2)]
    tls = own + [""] * (NODES - len(own))
    nodes = "".join(
        f"  n{number}: {{url: 'https://127.0.0.1:{number + 1}', models: [{model}]{tls[number]}}}\n"
        for number in range(NODES)
    )
    names = ", ".join(f"n{number}" for number in range(NODES))
    text = f"""
server: {{listen: "127.0.0.1:0", admin: null{server}}}
nodes:
{nodes}
deployments: {{d: {{nodes: [{names}], auth: none}}}}
"""
    return load_config(text, "t").config


def write_authorities(folder: Path) -> None:
    for number in range(NODES // 2):
        trustme.CA().cert_pem.write_to_path(folder / f"ca{number}.pem")


def write_certificate(folder: Path) -> str:
    made = trustme.CA().issue_cert("127.0.0.1")
    made.private_key_pem.write_to_path(folder / "key.pem")
    (folder / "cert.pem").write_bytes(b"".join(one.bytes() for one in made.cert_chain_pems))
    return f", tls: {{cert: {folder}/cert.pem, key: {folder}/key.pem}}"


class Contexts:
    """The threads in which TLS contexts are made, and in which certificates and CA files are
    read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.threads: list[int] = []
        note = self.threads.append

        new, load = ssl.SSLContext.__new__, ssl.SSLContext.load_cert_chain

        def make(cls: type[ssl.SSLContext], *arguments: Any, **named: Any) -> ssl.SSLContext:
            note(threading.get_ident())
            return new(cls, *arguments, **named)

        def load_chain(context: ssl.SSLContext, *arguments: Any, **named: Any) -> None:
            note(threading.get_ident())
            load(context, *arguments, **named)

        monkeypatch.setattr(ssl.SSLContext, "__new__", make)
        monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", load_chain)


async def longest_turn(stop: asyncio.Event) -> float:
    """The longest turn of the loop, in seconds of its thread's CPU time, so that other programs do
    not count."""
    longest, last = 0.0, time.thread_time()
    while not stop.is_set():
        await asyncio.sleep(0)
        longest, last = max(longest, time.thread_time() - last), time.thread_time()
    return longest


async def test_a_reload_of_20_https_nodes_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_authorities(tmp_path)
    tls = write_certificate(tmp_path)
    gateway = Gateway(configuration(tmp_path, server=tls), {})
    await gateway.start()
    made = Contexts(monkeypatch)
    stop = asyncio.Event()
    turn = asyncio.ensure_future(longest_turn(stop))
    try:
        for model in ("m", "other"):
            config = configuration(tmp_path, model, server=tls)
            reloader = Reloader(gateway, lambda config=config: Prepared(config, {}), config)  # type: ignore[misc]
            assert await reloader.reload()
            # Metadata and probes look at all nodes now.
            await gateway.metadata.refresh()
        assert len(made.threads) == 6, "the listener's certificate, twice; nothing of the nodes"
        write_authorities(tmp_path)
        assert await reloader.reload()
        assert len(made.threads) >= 4 + NODES // 2
        assert threading.get_ident() not in made.threads
    finally:
        stop.set()
        await gateway.stop()
    # One context alone takes 20 to 50 ms, and three for each node were made. Generous.
    assert await turn < 0.2


@pytest.mark.parametrize("missing", ["ca3.pem", "cert.pem"])
async def test_a_file_that_is_gone_changes_nothing(tmp_path: Path, missing: str) -> None:
    write_authorities(tmp_path)
    tls = write_certificate(tmp_path)
    gateway = Gateway(configuration(tmp_path, server=tls), {})
    state: Callable[[], tuple[object, ...]] = lambda: (  # noqa: E731
        gateway.serving.current, gateway.metadata.reported, gateway.metadata.nodes,
        dict(gateway.dispatcher._pools), dict(gateway.dispatcher.slots.states),
    )  # fmt: skip
    before = state()
    (tmp_path / missing).unlink()
    config = configuration(tmp_path, "other", server=tls)
    try:
        assert not await Reloader(gateway, lambda: Prepared(config, {}), config).reload()
        assert state() == before
    finally:
        await gateway.stop()


async def test_a_stopped_one_reloads_nothing(tmp_path: Path) -> None:
    """Its file may be edited in a drain."""
    write_authorities(tmp_path)
    config = configuration(tmp_path, server=write_certificate(tmp_path))
    gateway = Gateway(config, {})
    reloader = Reloader(gateway, lambda: Prepared(config, {}), config)
    begun: list[bool] = []
    reloader.begun = lambda: begun.append(True)
    try:
        reloader.request()
        await asyncio.sleep(0)
        await reloader.stop()
        reloader.request()
        await asyncio.sleep(0)
        assert begun == [True]
    finally:
        await gateway.stop()


@pytest.mark.parametrize("refused", [False, True])
async def test_what_is_said_of_a_thousand_deployments_is_logged_in_many_turns(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, refused: bool
) -> None:
    write_authorities(tmp_path)
    config = configuration(tmp_path, server=write_certificate(tmp_path))
    gateway = Gateway(config, {})
    said = tuple(Complaint(f"deployments.d{number}", "is open") for number in range(1000))

    def prepare() -> Prepared:
        if refused:
            raise ConfigError(list(said))
        return Prepared(config, {}, said)

    try:
        task = asyncio.ensure_future(Reloader(gateway, prepare, config).reload())
        lines = lambda: sum("is open" in one for one in caplog.messages)  # noqa: E731
        assert await most_per_turn(lines, task.done) <= 50
        assert lines() == 1000
        assert task.result() is not refused
    finally:
        await gateway.stop()
