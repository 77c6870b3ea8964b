"""``init``: looks for running nodes and writes a configuration for them."""

from __future__ import annotations

import asyncio
import shlex
import shutil
import socket
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from casedesk_proxy.cli.agent_lines import agent_lines
from casedesk_proxy.cli.files import write_new
from casedesk_proxy.cli.report import check_value, fail, make_harmless
from casedesk_proxy.cli.running_engines import find_engine_ports
from casedesk_proxy.cli.starter import DEPLOYMENT, Found, model_names, name_nodes, starter_config
from casedesk_proxy.config.load import load_config
from casedesk_proxy.config.node_urls import NodeUrl
from casedesk_proxy.engines.registry import ENGINES, usual_ports
from casedesk_proxy.engines.spec import Detected
from casedesk_proxy.keystore.credential import mint
from casedesk_proxy.terms import Dialect
from casedesk_proxy.upstream.contexts import advise
from casedesk_proxy.upstream.detection import MODEL_LIST, detect_engine
from casedesk_proxy.upstream.inquiries import Inquirer
from casedesk_proxy.upstream.unix_sockets import open_session

__all__ = ["HOST", "PLACES", "Ports", "init", "write_starter"]

HOST = "127.0.0.1"


def _enumerate(names: Sequence[str], word: str) -> str:
    """``a, b and c``"""
    *others, last = names
    return f"{', '.join(others)} {word} {last}" if others else last


#: The default URLs of engines. An engine is detected on any port.
PLACES = tuple(
    (port, _enumerate([one.title for one in engines], "or"))
    for port, engines in usual_ports().items()
)


@dataclass(frozen=True, slots=True)
class Ports:
    """The usual ports: of engines, each with its titles, and of the proxy's listeners.
    ``find_running`` returns the ports of running engines."""

    places: tuple[tuple[int, str], ...] = PLACES
    listen: int = 8080
    admin: int = 9180
    find_running: Callable[[], list[int]] = find_engine_ports

    def find_free(self, wanted: int) -> int:
        """The first port from ``wanted`` on that is free now and not an engine's default."""
        usual = {port for port, _ in self.places} - {wanted}
        ports = (port for port in range(wanted, wanted + 1000) if port not in usual)
        return next((port for port in ports if _is_free(port)), wanted)


_PORTS = Ports()

_HELP = f"""Find running nodes and write a configuration for them.

Asks {_enumerate([one.title for one in ENGINES.values() if one.ports], "and")} what they are and
what they serve, on their usual ports of this machine and on those of their processes; no model is
run. Exit code 1 when nothing was found.
"""


_START = """\
Start an engine, then run `casedesk-proxy init` again. One of:

    ollama serve                and, once: ollama pull qwen3:8b
    vllm serve Qwen/Qwen3-8B --port 8000
    llama-server -m MODEL.gguf --port 8081 --jinja
"""
_WHERE = """\
If one runs on another machine or at a Unix socket, say where:

    casedesk-proxy init --node http://HOST:PORT
    casedesk-proxy init --node /PATH/OF/ITS.sock
"""
_DEMO = """\
To see the proxy at work without a model: casedesk-proxy demo"""


def _read_urls(
    context: click.Context, parameter: click.Parameter, urls: tuple[str, ...]
) -> tuple[str, ...]:
    return tuple(_read_url(url) for url in urls)


def _read_url(text: str) -> str:
    """A node's URL in the configuration's form. Also accepts a URL without a scheme, only the path
    of a Unix socket, only a port of this machine, and a client's base URL, which ends in /v1."""
    if text.isdecimal():
        text = f"{HOST}:{text}"
    scheme = "http+unix://" if text.startswith("/") else "http://"
    whole = "://" in text or text.startswith("unix:")
    url = (text if whole else scheme + text).rstrip("/")
    return check_value(NodeUrl, url.removesuffix("/v1"), text)


@click.command(help=_HELP)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default="casedesk-proxy.yaml",
    show_default=True,
    help="Where to write.",
)
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@click.option(
    "--node",
    "urls",
    multiple=True,
    metavar="URL",
    callback=_read_urls,
    help="Look here instead of the usual local ports; repeatable.",
)
def init(output: Path, force: bool, urls: tuple[str, ...]) -> None:
    write_starter(output, urls, _PORTS, force=force)


def write_starter(output: Path, urls: tuple[str, ...], ports: Ports, *, force: bool) -> None:
    """Try ``urls``, or else the usual ``ports``, write a configuration for what answers, and print
    the next steps. Ends the command if that is not possible."""
    if output.exists() and not force:
        _refuse(output)
    places = urls or tuple(f"http://{HOST}:{port}" for port in _list_ports(ports))
    found = name_nodes(asyncio.run(_look(places)))
    if not found:
        _fail_nothing_found(urls, ports)
    _report_silent(urls, found)
    for one in found:
        click.echo(make_harmless(f"{one.url}  {_describe(one.node)}"))
        for sentence in advise(one.node.engine, one.node.models):
            click.echo(make_harmless(f"  note: {sentence}"))
    listen = _choose_port(ports, found)
    credential = mint()
    admin = f"{HOST}:{ports.find_free(ports.admin)}"
    text = starter_config(found, f"{HOST}:{listen}", admin, credential)
    load_config(text, str(output))
    try:
        write_new(output, text, replace=force)
    except FileExistsError:
        _refuse(output)
    except FileNotFoundError:
        fail(f"{output}: there is no folder {output.parent}; create it, or write elsewhere")
    except OSError as error:
        fail(error)
    click.echo(f"\nwrote {output}. Clients use the deployment {DEPLOYMENT} with this key:\n")
    click.echo(f"    {credential.key}\n")
    click.echo("It is shown only this once. Next:\n")
    click.echo(f"    {_program()} serve --config {output}\n")
    click.echo("In other terminals, status, top, key and usage find it by\n")
    click.echo(f"    export CASEDESK_PROXY_CONFIG={shlex.quote(str(output.absolute()))}\n")
    click.echo("Then clients with this key find it at\n")
    click.echo(f"    Gemini, Anthropic   http://{HOST}:{listen}")
    click.echo(f"    OpenAI, Codex       http://{HOST}:{listen}/v1")
    if any(Dialect.OLLAMA in one.node.dialects for one in found):
        click.echo(f"    Ollama              http://{HOST}:{listen}, OLLAMA_API_KEY for the key")
    click.echo(f"\n{agent_lines(f'http://{HOST}:{listen}', credential.key)}", nl=False)


def _list_ports(ports: Ports) -> list[int]:
    """The usual ports first, then those of engines' processes."""
    usual = [port for port, _ in ports.places]
    return [*usual, *(port for port in ports.find_running() if port not in usual)]


def _program() -> str:
    """This program in the form in which it can be typed: a virtual environment's may not be in
    PATH."""
    name, typed = "casedesk-proxy", Path(sys.argv[0])
    return name if shutil.which(name) or typed.name != name else str(typed)


async def _look(urls: Sequence[str]) -> list[tuple[str, Detected]]:
    answers = await asyncio.gather(*map(_look_at, urls))
    return [(url, node) for url, node in zip(urls, answers, strict=True) if node is not None]


async def _look_at(url: str) -> Detected | None:
    session, base = open_session(url)
    async with session:
        return await detect_engine(Inquirer(session, base))


def _refuse(output: Path) -> None:
    fail(f"{output} exists already; --force replaces it, --output writes another file")


def _fail_nothing_found(urls: Sequence[str], ports: Ports) -> None:
    """What was tried and what to do; ends the command."""
    click.echo("error: no running node was found", err=True)
    for url, why in _ask_why(urls):
        click.echo(f"  looked at {url}: {why}", err=True)
    for port, engines in () if urls else ports.places:
        click.echo(f"  looked for {engines} on {HOST}:{port}", err=True)
    for text in (_START, *(() if urls else (_WHERE,)), _DEMO):
        click.echo(text, err=True)
    raise click.exceptions.Exit(1)


def _report_silent(urls: Iterable[str], found: Iterable[Found]) -> None:
    """Reports which of the given ``urls`` are not in the file."""
    there = {one.url for one in found}
    for url, why in _ask_why([one for one in urls if one not in there]):
        click.echo(
            f"warning: {url}: {why}; start it and run init again, or add it to nodes: by hand",
            err=True,
        )


def _ask_why(urls: Sequence[str]) -> list[tuple[str, str]]:
    """For each of the ``urls`` at which no engine was found, what is there."""

    async def ask_all() -> list[str]:
        return await asyncio.gather(*map(_look_why, urls))

    return list(zip(urls, asyncio.run(ask_all()), strict=True))


async def _look_why(url: str) -> str:
    session, base = open_session(url)
    async with session:
        answer = await Inquirer(session, base).ask(MODEL_LIST)
    if not answer.status:
        return "nothing answers there"
    return f"no known engine answers there without a key (status {answer.status})"


def _describe(node: Detected) -> str:
    title = node.engine.title
    names = model_names([node])
    if node.loading:
        state = "still loading its model"
    elif names:
        state = ", ".join(names)
    else:
        state = "requires a key before it lists its models" if node.needs_key else "no models yet"
    version = f" {node.version}" if node.version and node.version.isprintable() else ""
    return f"{title}{version}: {state}"


def _choose_port(ports: Ports, found: Iterable[Found]) -> int:
    """The proxy's port; prints a note if it is not the usual one."""
    wanted = ports.listen
    port = ports.find_free(wanted)
    if port != wanted:
        urls = (f"http://{HOST}:{wanted}", f"http://localhost:{wanted}")
        owner = next((one.name for one in found if one.url.rstrip("/") in urls), "another program")
        click.echo(f"port {wanted} is taken by {owner}, so the proxy will listen on {port}")
    return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # The proxy binds with the same option: a connection in TIME_WAIT does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
