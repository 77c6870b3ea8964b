"""The instances of this host, for commands: their address, and their combined answer."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from casedesk_proxy.cli.admin_client import ask, find_admin

__all__ = ["ask_all", "combine", "combine_streams", "find_address"]

#: As in the systemd units.
_DIRECTORY = "/run/casedesk-proxy-instances"

Status = dict[str, Any]


def find_address(file: Path, admin: str | None, environ: Mapping[str, str]) -> str:
    """As `find_admin`; if nothing answers there, the address of a running instance."""
    address = find_admin(file, admin)
    if not admin and not _answers(address):
        directory = Path(environ.get("CASEDESK_PROXY_INSTANCES", _DIRECTORY))
        sockets = (f"unix:{one}" for one in sorted(directory.glob("*.sock")))
        return next((one for one in sockets if _answers(one)), address)
    return address


def _answers(address: str) -> bool:
    try:
        ask(address, "/status")
    except OSError:
        return False
    except (http.client.HTTPException, ValueError):
        # Whatever it is, it is at the configured address.
        return True
    return True


def ask_all(address: str, path: str) -> Mapping[str, Status | None] | None:
    """The answer of each instance there, by name; None if the one at the address shares nothing
    with others. Raises OSError."""
    try:
        code, reply = ask(address, f"/all{path}")
    except (http.client.HTTPException, ValueError):
        return None
    said = reply.get("instances") if code == 200 and isinstance(reply, dict) else None
    return said if isinstance(said, dict) and any(said.values()) else None


def combine(said: Mapping[str, Status | None]) -> Status:
    """One status of all: that of the first, with its counts summed. ``instances`` has each one's
    own."""
    found = [one for one in said.values() if one is not None]
    total: Status = {**found[0], "instances": dict(said)}
    total["ready"] = any(one["ready"] for one in found)
    total["draining"] = all(one["draining"] for one in found)
    # One of them may still show a certificate from before the last reload, or be of a version that
    # does not say.
    ends = [one.get("certificate", {}).get("until") for one in found]
    total["certificate"] = {"until": min(filter(None, ends), default=None)}
    for name in ("streams", "connections"):
        total[name] = sum(one[name] for one in found)
    for name in ("exchanges", "waiting"):
        total[name] = _add([one[name] for one in found])
    names = dict.fromkeys(name for one in found for name in one["nodes"])
    total["nodes"] = {
        name: _combine_node([one["nodes"][name] for one in found if name in one["nodes"]])
        for name in names
    }
    keys = dict.fromkeys(name for one in found for name in one["keys"])
    total["keys"] = {
        name: _add([one["keys"][name] for one in found if name in one["keys"]]) for name in keys
    }
    return total


def combine_streams(said: Mapping[str, Status | None]) -> Status:
    """The same for the console's data: the streams of all, in one list."""
    found = [one for one in said.values() if one is not None]
    total: Status = {**found[0]}
    at = _add([{node["name"]: node["in_flight"] for node in one["nodes"]} for one in found])
    total["nodes"] = [{**node, "in_flight": at[node["name"]]} for node in found[0]["nodes"]]
    for section in ("streams", "queue"):
        parts = [one[section] for one in found]
        rows = [row for part in parts for row in part["rows"]]
        sums = {"total": sum(part["total"] for part in parts), "rows": rows}
        total[section] = {**parts[0], **sums}
    return total


def _combine_node(nodes: list[Status]) -> Status:
    counted = {name: sum(one[name] for one in nodes) for name in ("in_flight", "asked")}
    return {**nodes[0], **counted, "healthy": any(one["healthy"] for one in nodes)}


def _add(counts: list[dict[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for one in counts:
        for name, count in one.items():
            total[name] = total.get(name, 0) + count
    return total
