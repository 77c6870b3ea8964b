"""Checks between the settings of a file: names that must exist, and likely mistakes.

Works on the plain values of a file, valid or not, so that its findings are reported together with
those of the schema. Values of the wrong type are skipped: the schema complains of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from casedesk_proxy.config.alias_targets import find_wrong_targets
from casedesk_proxy.config.findings import Finding
from casedesk_proxy.config.node_urls import socket_path, without_endpoint
from casedesk_proxy.config.parameter_checks import check_parameters
from casedesk_proxy.config.schema import Server
from casedesk_proxy.config.settings import Path, show
from casedesk_proxy.config.values import Address, parse_listen
from casedesk_proxy.config.wording import nearest
from casedesk_proxy.engines.registry import ENGINES

__all__ = ["cross_check", "find_unopened"]

_LISTEN = Server.model_fields["listen"].default
#: ``$NAME`` and ``${NAME}``.
_VARIABLE = re.compile(r"\$\{?[A-Za-z_]\w*\}?", re.ASCII)


def cross_check(data: dict[str, Any]) -> list[Finding]:
    return [finding for check in _CHECKS for finding in check(data)]


def find_unopened(data: dict[str, Any]) -> dict[str, Finding]:
    """Warnings by deployment: it requires keys, but no key of the configuration grants access to
    it. A key of the state file may, so the caller must check there before it warns."""
    opened = {
        name
        for key in _list(data.get("keys"))
        if isinstance(key, dict)
        for name in _list(key.get("deployments"))
        if isinstance(name, str)
    }
    return {
        name: Finding(
            ("deployments", name),
            "requires keys, but no key may use it",
            f"create one with `casedesk-proxy key new --deployment {name}`",
            warns=True,
        )
        for name, deployment in _sections(data, "deployments")
        if deployment.get("auth", "keys") == "keys" and name not in opened
    }


def _check_addresses(data: dict[str, Any]) -> Iterator[Finding]:
    server = _mapping(data, "server")
    listen = _address(server.get("listen", _LISTEN))
    admin = _address(server.get("admin", Server.model_fields["admin"].default))
    if listen is None:
        return
    if admin is not None and listen.clashes_with(admin):
        path: Path = ("server", "admin" if "admin" in server else "listen")
        yield Finding(
            path, f"clients and administration cannot share {listen}", "choose another port"
        )
    if listen.is_local():
        return
    for name, deployment in _sections(data, "deployments"):
        if deployment.get("auth") == "none":
            yield Finding(
                ("deployments", name, "auth"),
                f"anyone who can reach {listen} may use this deployment",
                "write auth: keys, or listen on 127.0.0.1",
                warns=True,
            )


def _check_nodes(data: dict[str, Any]) -> Iterator[Finding]:
    if not data.get("nodes"):
        yield Finding(("nodes",), "has no nodes", "`casedesk-proxy init` looks for running ones")
    seen: dict[str, str] = {}
    for name, node in _sections(data, "nodes"):
        if "speaks" in node and node["speaks"] == []:
            yield Finding(("nodes", name, "speaks"), "lists no protocol", "leave it out")
        url = node.get("url")
        if isinstance(url, str):
            yield from _check_url(name, url, node.get("engine"), seen)
        yield from _check_key(name, node.get("api_key"))


def _check_url(name: str, url: str, engine: Any, seen: dict[str, str]) -> Iterator[Finding]:
    path: Path = ("nodes", name, "url")
    plain = url if socket_path(url) is not None else url.rstrip("/").lower()
    first = seen.setdefault(plain, name)
    if first != name:
        message = f"is the url of {first} too: its streams are counted twice"
        yield Finding(path, message, "keep one of the two nodes", warns=True)
    try:
        parts = urlsplit(url.rstrip("/"))
    except ValueError:
        return
    end = parts.path.rpartition("/")[2].lower()
    if not parts.hostname:
        return
    # /api is Ollama's own; for other servers (OpenRouter, Open WebUI) it precedes /v1.
    known = ENGINES.get(engine) if isinstance(engine, str) else None
    if end in ("v1", "v1beta") or (known is not None and end in known.url_ends):
        message = f"ends in /{end}, which the proxy adds itself"
        yield Finding(path, message, f"leave /{end} out", warns=True)
    elif (base := without_endpoint(url)) is not None:
        message = f"ends in {url[len(base) :]}, the path of one request; the proxy adds such paths"
        yield Finding(path, message, f"write {base}", warns=True)


def _check_own_address(data: dict[str, Any]) -> Iterator[Finding]:
    """llama-server's usual port is the proxy's, too. Only a warning: under socket activation the
    proxy does not listen on ``listen``."""
    listen = _address(_mapping(data, "server").get("listen", _LISTEN))
    for name, node in _sections(data, "nodes"):
        there = _place_of(node.get("url"))
        if listen and there and there.is_local() and listen.clashes_with(there):
            message = f"is where the proxy itself listens ({listen})"
            port = "port" if there.path is None else "path"
            remedy = f"give server.listen another {port}, or name the node's own"
            yield Finding(("nodes", name, "url"), message, remedy, warns=True)


def _place_of(url: Any) -> Address | None:
    if not isinstance(url, str):
        return None
    if (socket := socket_path(url)) is not None:
        return Address(path=socket)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 0
    except ValueError:
        return None
    return Address("127.0.0.1" if host == "localhost" else host, port)


def _check_key(name: str, secret: Any) -> Iterator[Finding]:
    variable = secret.get("env") if isinstance(secret, dict) else secret
    if isinstance(variable, str) and _VARIABLE.fullmatch(variable):
        path: Path = ("nodes", name, "api_key")
        message = "contains a shell variable, which is not expanded"
        yield Finding(path, message, "write {env: NAME}, without the $")
    elif isinstance(secret, str) or (isinstance(secret, dict) and secret.get("inline")):
        yield Finding(
            ("nodes", name, "api_key"),
            "the key itself is in this file",
            "write {env: VARIABLE}, {file: /path} or {credential: NAME}",
            warns=True,
        )


def _check_deployments(data: dict[str, Any]) -> Iterator[Finding]:
    nodes = _mapping(data, "nodes")
    if not data.get("deployments"):
        remedy = "add one: deployments: {desk: {nodes: [a node's name]}}"
        yield Finding(("deployments",), "has no deployments", remedy)
    used: set[str] = set()
    for name, deployment in _sections(data, "deployments"):
        path: Path = ("deployments", name, "nodes")
        names = deployment.get("nodes")
        if names == []:
            yield Finding(path, "has no nodes", "list at least one")
        yield from _check_names(path, names, nodes, "node")
        used.update(one for one in _list(names) if isinstance(one, str))
        yield from find_wrong_targets(name, deployment)
    for name in nodes:
        if name not in used and _mapping(data, "deployments"):
            message = "no deployment uses this node"
            yield Finding(("nodes", name), message, "list it under a deployment", warns=True)


def _check_default(data: dict[str, Any]) -> Iterator[Finding]:
    name, deployments = data.get("default_deployment"), _mapping(data, "deployments")
    if isinstance(name, str) and name not in deployments:
        yield _unknown(("default_deployment",), name, deployments, "deployment")


def _check_keys(data: dict[str, Any]) -> Iterator[Finding]:
    deployments = _mapping(data, "deployments")
    names: dict[str, int] = {}
    hashes: dict[str, int] = {}
    for index, key in enumerate(_list(data.get("keys"))):
        if not isinstance(key, dict):
            continue
        yield from _check_unique(index, key, "name", names, lambda text: text)
        yield from _check_unique(index, key, "sha256", hashes, str.lower)
        path: Path = ("keys", index, "deployments")
        yield from _check_names(path, key.get("deployments"), deployments, "deployment")
        if key.get("deployments") == []:
            yield Finding(path, "the key gives access to nothing", "list a deployment", warns=True)


def _check_users(data: dict[str, Any]) -> Iterator[Finding]:
    names: set[str] = set()
    for index, user in enumerate(_list(data.get("users"))):
        if not isinstance(user, dict):
            continue
        if isinstance(name := user.get("name"), str):
            if name in names:
                remedy = "keep one of them"
                yield Finding(("users", index, "name"), "is that of another user", remedy)
            names.add(name)
        path: Path = ("users", index, "deployments")
        known = _mapping(data, "deployments")
        yield from _check_names(path, user.get("deployments"), known, "deployment")


def _check_unique(
    index: int, entry: dict[str, Any], part: str, seen: dict[str, int], form: Callable[[str], str]
) -> Iterator[Finding]:
    value = entry.get(part)
    if not isinstance(value, str):
        return
    first = seen.setdefault(form(value), index)
    if first != index:
        remedy = "give each key its own name" if part == "name" else "create another key"
        yield Finding(("keys", index, part), f"is that of keys[{first}] too", remedy)


def _check_names(path: Path, names: Any, known: dict[str, Any], what: str) -> Iterator[Finding]:
    seen: set[str] = set()
    for index, name in enumerate(_list(names)):
        if not isinstance(name, str):
            continue
        if name not in known:
            yield _unknown((*path, index), name, known, what)
        elif name in seen:
            yield Finding((*path, index), f"names {name} a second time", "keep one of them")
        seen.add(name)


def _unknown(path: Path, name: str, known: dict[str, Any], what: str) -> Finding:
    meant = nearest(name, known)
    if meant is not None:
        remedy = f"did you mean {meant}?"
    elif known:
        remedy = f"known: {', '.join(list(known)[:10])}"
    else:
        remedy = f"define it under {what}s"
    return Finding(path, f"there is no {what} {show(name)!r}", remedy)


def _address(value: Any) -> Address | None:
    if not isinstance(value, str):
        return None
    try:
        return parse_listen(value)
    except ValueError:
        return None


def _mapping(data: dict[str, Any], key: str) -> dict[str, Any]:
    value = data.get(key)
    return value if isinstance(value, dict) else {}


def _sections(data: dict[str, Any], key: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, value in _mapping(data, key).items():
        if isinstance(value, dict):
            yield name, value


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


_CHECKS = (
    _check_addresses,
    _check_nodes,
    _check_own_address,
    _check_deployments,
    check_parameters,
    _check_default,
    _check_keys,
    _check_users,
)
