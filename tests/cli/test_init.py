from __future__ import annotations

import asyncio
import hashlib
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import pytest

from casedesk_proxy.cli.init import HOST, Ports, write_starter
from casedesk_proxy.config.load import load_config
from casedesk_proxy.config.schema import Config
from tests.cli.command import invoke, run
from tests.fixtures import recorded_nodes
from tests.fixtures.recorded_nodes import recorded, running


@contextmanager
def port_in_use() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def unused_port() -> int:
    with port_in_use() as port:
        return port


async def init(*arguments: str | Path) -> tuple[int, str, str]:
    """Run the command in a thread, so that this one can run the nodes."""
    done = await asyncio.to_thread(invoke, "init", *arguments)
    return done.returncode, done.stdout, done.stderr


def load(path: Path) -> Config:
    loaded = load_config(path.read_text(), str(path))
    assert loaded.warnings == []
    return loaded.config


async def test_it_writes_what_it_finds(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    async with (
        running(recorded_nodes.OLLAMA, recorded_nodes.OLLAMA_MISSING) as ollama,
        running(recorded_nodes.VLLM, recorded_nodes.VLLM_MISSING) as vllm,
        running(recorded_nodes.LLAMA, recorded_nodes.LLAMA_MISSING) as llama,
        running(recorded_nodes.SGLANG, recorded_nodes.SGLANG_MISSING) as sglang,
        running(recorded_nodes.TGI) as tgi,
    ):
        nodes = [ollama, vllm, llama, sglang, tgi]
        options = [part for node in nodes for part in ("--node", node.url)]
        code, out, err = await init("--output", path, *options)
        asked = {one for node in nodes for one in node.asked if one.startswith("POST")}
        assert asked == {"POST /api/show"}
    assert (code, err) == (0, "")
    config = load(path)
    assert [(one.url, one.engine) for one in config.nodes.values()] == [
        (ollama.url, "ollama"),
        (vllm.url, "vllm"),
        (llama.url, "llama-server"),
        (sglang.url, "sglang"),
        (tgi.url, "tgi"),
    ]
    desk = config.deployments["desk"]
    assert (desk.auth, len(desk.nodes)) == ("keys", 5)
    assert desk.models == (
        "tiny-thinks:latest",
        "tiny:latest",
        "tiny",
        "bigscience/bloom-560m",
    )
    (key,) = set(re.findall(r"cdp-[A-Za-z0-9_-]{43}", out))
    assert config.keys[0].sha256 == hashlib.sha256(key.encode()).hexdigest()
    assert f"{ollama.url}  Ollama 0.9.3: tiny-thinks:latest, tiny:latest" in out
    assert f"casedesk-proxy serve --config {path}" in out
    aliases = {name: alias.model for name, alias in desk.aliases.items()}
    assert aliases == dict.fromkeys(("claude-*", "gemini-*", "gpt-*"), "tiny-thinks:latest")
    assert re.search(rf"ANTHROPIC_BASE_URL=http://\S+ ANTHROPIC_AUTH_TOKEN={key} claude\n", out)


async def test_nodes_that_tell_no_models(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    locked = recorded_nodes.reply("{}", "401 Unauthorized")
    async with (
        running({}, recorded("llama-server.loading")) as llama,
        running({**recorded_nodes.VLLM, "GET /v1/models": locked}) as vllm,
    ):
        silent = f"http://127.0.0.1:{unused_port()}"
        code, out, err = await init(
            "--output",
            path,
            "--node",
            llama.url,
            "--node",
            vllm.url,
            "--node",
            silent,
        )
    assert code == 0
    assert err == (
        f"warning: {silent}: nothing answers there; start it and run init again, or add it to"
        " nodes: by hand\n"
    )
    assert "llama-server: still loading its model" in out
    assert "vLLM 0.32.0: requires a key before it lists its models" in out
    desk = load(path).deployments["desk"]
    assert (desk.models, dict(desk.aliases)) == (None, {})


def test_nothing_found_says_what_was_looked_for(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{unused_port()}"
    done = run("init", "--node", url, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"looked at {url}: nothing answers there\n" in done.stderr
    assert "ollama serve" in done.stderr
    assert "casedesk-proxy demo" in done.stderr
    assert "say where" not in done.stderr, "the user has just said it"
    assert list(tmp_path.iterdir()) == []


async def test_what_answers_but_is_no_engine(tmp_path: Path) -> None:
    async with running({}) as other:
        code, out, err = await init("--output", tmp_path / "c.yaml", "--node", other.url)
    assert (code, out) == (1, "")
    assert f"{other.url}: no known engine answers there without a key (status 404)\n" in err


def test_where_else_one_may_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    ports = Ports(places=((unused_port(), "Ollama"),), find_running=list)
    with pytest.raises(click.exceptions.Exit):
        write_starter(tmp_path / "c.yaml", (), ports, force=False)
    assert "casedesk-proxy init --node http://HOST:PORT" in capsys.readouterr().err


async def test_only_a_port(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    async with running(recorded_nodes.VLLM) as vllm:
        port = vllm.url.rpartition(":")[2]
        code, out, _ = await init("--output", path, "--node", port)
    assert (code, load(path).nodes["vllm"].url) == (0, f"http://127.0.0.1:{port}")
    assert f"\n    export CASEDESK_PROXY_CONFIG={path}\n" in out


@pytest.mark.parametrize("form", ["{}", "{}/", "http://{}/v1", "http://{}/v1/"])
async def test_urls_as_people_write_them(form: str, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    async with running(recorded_nodes.VLLM) as vllm:
        place = vllm.url.removeprefix("http://")
        code, out, _ = await init("--output", path, "--node", form.format(place))
    assert code == 0
    assert load(path).nodes["vllm"].url == vllm.url
    assert re.search(r"OpenAI, Codex +http://127\.0\.0\.1:\d+/v1\n", out)


@pytest.mark.parametrize("url", ["no url", "ftp://host", "host:99999", "http://u:p@host"])
def test_what_is_no_url_is_refused(url: str, tmp_path: Path) -> None:
    done = invoke("init", "--node", url, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Invalid value for '--node'" in done.stderr


def test_an_existing_file_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    (tmp_path / "casedesk-proxy.yaml").write_text("mine")
    done = invoke("init", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: casedesk-proxy.yaml exists already; --force replaces it, --output writes another"
        " file\n"
    )
    assert (tmp_path / "casedesk-proxy.yaml").read_text() == "mine"


async def test_force_replaces_it(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("mine")
    async with running(recorded_nodes.VLLM) as vllm:
        code, _, _ = await init("--output", path, "--force", "--node", vllm.url)
    assert code == 0
    assert "vllm" in load(path).nodes


async def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "none" / "c.yaml"
    async with running(recorded_nodes.VLLM) as vllm:
        code, out, err = await init("--output", path, "--node", vllm.url)
    assert (code, err) == (
        2, f"error: {path}: there is no folder {path.parent}; create it, or write elsewhere\n"
    )  # fmt: skip
    assert "cdp-" not in out, "a key that opens nothing must not be shown"


async def test_a_node_on_the_proxy_s_port(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An engine's usual port can also be the proxy's."""
    port, path = unused_port(), tmp_path / "c.yaml"
    ports = Ports(((port, "llama-server"),), listen=port)
    async with running(recorded_nodes.LLAMA, recorded_nodes.LLAMA_MISSING, port=port):
        await asyncio.to_thread(write_starter, path, (), ports, force=False)
    config = load(path)
    chosen = config.server.listen_address.port
    assert chosen != port
    assert f"port {port} is taken by llama-server, so the proxy will listen on {chosen}" in (
        capsys.readouterr().out
    )


async def test_an_engine_at_another_port_is_found_by_its_process(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    async with running(recorded_nodes.VLLM) as vllm:
        there = int(vllm.url.rpartition(":")[2])
        ports = Ports(((unused_port(), "vLLM"),), find_running=lambda: [there])
        await asyncio.to_thread(write_starter, path, (), ports, force=False)
    assert load(path).nodes["vllm"].url == vllm.url


def test_usual_ports_are_left_to_the_engines() -> None:
    with port_in_use() as port:
        assert Ports(((port, "a"), (port + 1, "b"))).find_free(port) > port + 1


def test_the_usual_places() -> None:
    assert [port for port, _ in Ports().places][:6] == [11434, 8000, 8080, 8081, 30000, 3000]
    assert (Ports().listen, HOST) == (8080, "127.0.0.1")
