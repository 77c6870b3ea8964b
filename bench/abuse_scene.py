"""The setup of one abuse: the proxy with its nodes, innocent clients and an abuser."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import select
import shlex
import signal
import subprocess
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.abuse_probe import Prober, Pulse
from bench.abuses.bodies import MAX_BODIES
from bench.abuses.kind import Abuse
from bench.engine.build import Engines
from bench.engine.clients import Request, load_command
from bench.engine.process import child, free_port, read_port, wait_for_port
from bench.target import BODY, GEMINI_BODY, PATH
from bench.targets import ROOT

__all__ = ["LOADS", "Scene", "Settings"]

#: Seconds of a stream's life, so that some are opened again during the abuse.
_LIFE = ("4", "12")
_SILENCE_S = "30"
#: The control does not pass through the proxy: its gaps are caused by the machine.
LOADS = ("verbatim", "translated", "control")


@dataclass(frozen=True, slots=True)
class Settings:
    """``streams`` innocent ones at ``rate`` events per second each; ``seconds`` of every abuse,
    ``patience`` seconds to recover from it, ``share`` of its full size."""

    streams: int
    rate: float
    seconds: float
    patience: float
    share: float
    load_core: int
    target_core: int
    proxy_command: str
    seed: int = 0


class Scene:
    """The child processes of one abuse, alive while ``stack`` is open."""

    def __init__(self, abuse: Abuse, settings: Settings, engines: Engines, folder: Path) -> None:
        self.abuse, self.settings, self.engines, self.folder = abuse, settings, engines, folder
        self.keys = {name: secrets.token_urlsafe(24) for name in ("innocent", "abuser")}
        self.loads: dict[str, subprocess.Popen[str]] = {}
        self.pipe, self.log_is_read = -1, True
        self.seconds = max(settings.seconds, abuse.least_seconds)

    def start(self, stack: ExitStack) -> None:
        self.pulse = stack.enter_context(Pulse(self.folder / "notify"))
        self.node, self.node_port = self._start_node(stack, "node")
        self.twin, self.twin_port = self._start_node(stack, "twin")
        command = [sys.executable, "-m", "bench.abuses", self.abuse.name, str(self.folder)]
        self.abuser = self._child(stack, command, "abuser", piped=True)
        self.abuser_port = read_port(self.abuser)
        self.port, self.admin = free_port(), free_port()
        self.config = self.folder / "casedesk-proxy.yaml"
        self.config.write_text(self._configure())
        self.proxy = self._start_proxy(stack)
        # before anything is stopped: a child that is stopped by a signal does not end
        stack.callback(self._wake_twin)
        for name in LOADS:
            self.loads[name] = self._start_load(stack, name)
        self.prober = stack.enter_context(
            Prober(self.port, self.keys["innocent"], "/proxy/pair/openai" + PATH)
        )

    def _child(
        self, stack: ExitStack, command: list[str], name: str, *, piped: bool = False,
        core: int | None = None, environment: dict[str, str] | None = None,
    ) -> subprocess.Popen[str]:  # fmt: skip
        return stack.enter_context(
            child(
                self.engines.tether, command,
                core=self.settings.load_core if core is None else core,
                log=self.folder / f"{name}.log", piped=piped,
                environment={"PYTHONPATH": str(ROOT), **(environment or {})},
            )
        )  # fmt: skip

    def _start_node(self, stack: ExitStack, name: str) -> tuple[subprocess.Popen[str], int]:
        flags = (
            "--rate",
            str(self.settings.rate),
            "--seconds",
            _LIFE[0],
            "--seconds-most",
            _LIFE[1],
        )
        node = self._child(stack, [str(self.engines.node), *flags], name, piped=True)
        return node, read_port(node)

    def _configure(self) -> str:
        hashed = {name: hashlib.sha256(key.encode()).hexdigest() for name, key in self.keys.items()}
        local = "http://127.0.0.1"
        nodes: dict[str, dict[str, Any]] = {
            "node": {"url": f"{local}:{self.node_port}", "engine": "vllm", "models": ["bench"]},
            "twin": {"url": f"{local}:{self.twin_port}", "engine": "vllm", "models": ["bench"]},
        }
        deployments: dict[str, dict[str, Any]] = {
            "bench": {"nodes": ["node"]},
            "pair": {"nodes": ["node", "twin"], "policy": "round-robin"},
        }
        if self.abuse.tls_nodes:
            tls = {"ca": str(self.folder / "ca.pem")}
            for number in range(self.abuse.tls_nodes):
                url = f"https://127.0.0.1:{self.abuser_port}/{number}"
                nodes[f"tls{number}"] = {
                    "url": url,
                    "engine": "openai",
                    "tls": tls,
                    "models": ["t"],
                }
        bad = {"url": f"{local}:{self.abuser_port}", "engine": "openai", "speaks": ["openai"]}
        if self.abuse.serve is None:
            bad = {"url": f"{local}:{self.twin_port}", "engine": "openai"}
        nodes["bad"] = bad
        deployments["abuse"] = {"nodes": ["bad"]}
        opens = {"innocent": ["bench", "pair"], "abuser": ["abuse"]}
        server = {
            "listen": f"127.0.0.1:{self.port}", "admin": f"127.0.0.1:{self.admin}",
            "max_bodies": MAX_BODIES,
        }  # fmt: skip
        parts = {"server": server, "nodes": nodes, "deployments": deployments}
        # JSON is YAML; the keys come last and in YAML's own form, so that a further line adds one.
        lines = [f"{name}: {json.dumps(part)}" for name, part in parts.items()] + ["keys:"]
        for name, names in opens.items():
            lines.append(
                f'  - {{name: {name}, sha256: "{hashed[name]}", deployments: {json.dumps(names)}}}'
            )
        return "\n".join([*lines, ""])

    def _start_proxy(self, stack: ExitStack) -> subprocess.Popen[str]:
        settings = self.settings
        words = {"config": self.config, "port": self.port, "node_port": self.node_port}
        command = shlex.split(settings.proxy_command.format(**words))
        if self.abuse.log_pipe:
            pipe = self.folder / "log.pipe"
            os.mkfifo(pipe)
            self.pipe = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
            stack.callback(os.close, self.pipe)
            command = ["sh", "-c", f'exec "$@" 2>{shlex.quote(str(pipe))}', "sh", *command]
        proxy = self._child(
            stack, command, "proxy", core=settings.target_core, environment=self.pulse.environment
        )
        wait_for_port(proxy, self.port, self.folder / "proxy.log")
        return proxy

    def _start_load(self, stack: ExitStack, name: str) -> subprocess.Popen[str]:
        half = max(1, self.settings.streams // 2)
        path, body, count, port = {
            "verbatim": ("/proxy/bench/openai" + PATH, BODY, half, self.port),
            "translated": (
                "/proxy/bench/gemini/v1beta/models/bench:streamGenerateContent?alt=sse",
                GEMINI_BODY, half, self.port,
            ),
            "control": (PATH, BODY, max(1, half // 4), self.node_port),
        }[name]  # fmt: skip
        headers = {"Content-Type": "application/json"}
        if name != "control":
            headers["Authorization"] = f"Bearer {self.keys['innocent']}"
        request = Request("127.0.0.1", port, path, headers, body)
        flags = ("--control", "--streams", str(count), "--idle", _SILENCE_S)
        command = load_command(self.engines.load, request, self.folder, *flags)
        return self._child(stack, command, f"load-{name}", piped=True)

    def begin(self) -> None:
        """Start the abuser."""
        settings = self.settings
        self.log_is_read = False
        if self.abuse.stopped_twin:
            self.twin.send_signal(signal.SIGSTOP)
        victim = {
            "port": self.port, "admin": self.admin, "pid": self.proxy.pid,
            "key": self.keys["abuser"], "config": str(self.config),
            "seconds": self.seconds, "share": settings.share,
        }  # fmt: skip
        assert self.abuser.stdin is not None
        self.abuser.stdin.write(json.dumps(victim) + "\n")
        self.abuser.stdin.flush()

    def end(self) -> None:
        """Undo what continues without the abuser."""
        self._wake_twin()
        self.log_is_read = True

    def read_log(self) -> None:
        """Read the log as a manager would, if it is a pipe and is to be read."""
        if self.pipe >= 0 and self.log_is_read:
            with suppress(BlockingIOError):
                while os.read(self.pipe, 1 << 16):
                    pass

    def abuser_is_done(self) -> bool:
        """Whether it has reported its result, or has ended."""
        return bool(select.select([self.abuser.stdout], [], [], 0)[0])

    def _wake_twin(self) -> None:
        if self.abuse.stopped_twin:
            self.twin.send_signal(signal.SIGCONT)
