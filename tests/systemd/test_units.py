"""The shipped units under a real systemd, installed by `make install`: start on the first request,
reload, restart and upgrade under streams, watchdog, credentials.

One machine for all; each test leaves the service stopped and its files as installed.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest

from bench.engine.process import free_port
from casedesk_proxy.planners.parent import NICE_WEIGHT
from casedesk_proxy.simulator.script import Script
from tests.daemon.streams import Streamed, ask, read_stream, request, stream
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.raw_client import RawClient, connect
from tests.fixtures.raw_node import NodeConnection, Play, raw_node
from tests.fixtures.simulated import SimulatorThread, simulator_thread
from tests.server.gateways import SSE, chunk
from tests.systemd.machine import ROOT, Machine, boot
from tests.systemd.test_grafana import ALERTS, QUERIES

# The first test waits for the installation.
pytestmark = pytest.mark.timeout(400)

SOCKET, SERVICE = "casedesk-proxy.socket", "casedesk-proxy.service"
DRAINING = "draining 200 streams; 1 of 1 nodes usable"
BRIDGE = "casedesk-proxy@restart-1.service"
RELEASE_AGAIN = """\
cd /usr/local/lib/casedesk-proxy && cp -a "$(readlink current)" 99991231000000 &&
sed -i "1s|/[0-9]*/bin/|/99991231000000/bin/|" 99991231000000/bin/casedesk-proxy &&
ln -sfn 99991231000000 current
"""
UNITS = (SERVICE, "casedesk-proxy@a.service", "casedesk-proxy@b.service")
#: Seconds that a bridge may take here.
BRIDGE_S = 120
WORD = b'data: {"choices": [{"delta": {"content": "%d "}}]}\n\n'
ANSWERED = b'{"object": "list", "data": [{"id": "m"}], "choices": []}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
CONFIG_FILE = "/etc/casedesk-proxy/config.yaml"
CONFIG = """\
server: {{listen: "127.0.0.1:1", admin: "127.0.0.1:{admin}", drain_timeout: 90s}}
default_deployment: d
nodes:
  n: {{url: "{url}", engine: openai, models: [m]{node}}}
deployments:
  d: {{auth: none, nodes: [n]}}
"""
#: The fourth request is the last that is taken.
LIMITS = "limits: {requests_per_minute: {soft: 1, hard: 4}}"
#: A node that is asked first and is not there.
DEAD = "url: 'http://127.0.0.1:1', engine: openai, models: [m], probe_interval: 0s"


def test_units_run_nothing_that_a_small_debian_lacks() -> None:
    """For example, a small Debian has no /bin/kill."""
    run = {
        program
        for unit in (ROOT / "systemd").glob("*.service")
        for program in re.findall(r"^Exec\w+=[-+]*(\S+)", unit.read_text(), re.MULTILINE)
    }
    own = "/usr/local/bin/casedesk-proxy"
    assert run == {"/bin/sh", own, f"{own}-upgrade"}


class Place:
    """The machine, with the service on its own ports."""

    def __init__(self, machine: Machine, node: SimulatorThread) -> None:
        self.machine = machine
        self.node = node
        self.port, self.admin, *self.instance_admins = _free_ports(4)

    def configure(self, node: str = "", url: str | None = None) -> None:
        text = CONFIG.format(admin=self.admin, url=url or self.node.url, node=node)
        self.machine.write(CONFIG_FILE, text)

    def prepare(self) -> None:
        self.configure()
        self.drop_in(SOCKET, f"[Socket]\nListenStream=\nListenStream=127.0.0.1:{self.port}\n")
        for name, port in zip("ab", self.instance_admins, strict=True):
            text = f"CASEDESK_PROXY_ADMIN=127.0.0.1:{port}\n"
            self.machine.write(f"/etc/casedesk-proxy/{name}.env", text)

    def drop_in(self, unit: str, text: str) -> None:
        self.machine.write(f"/etc/systemd/system/{unit}.d/test.conf", text)
        self.machine.systemctl("daemon-reload")

    def clear(self) -> None:
        units = ["casedesk-proxy@*.service", SERVICE, SOCKET]
        self.machine.systemctl("kill", "--signal=KILL", *units, check=False)
        self.machine.systemctl("stop", *units, check=False)
        self.machine.systemctl("reset-failed", check=False)
        self.machine.run(
            "sh", "-c", "rm -rf /etc/systemd/system/casedesk-proxy*.d /etc/casedesk-proxy/keys/*"
        )
        self.machine.systemctl("daemon-reload")

    def status(self, port: int | None = None) -> dict[str, object]:
        connection = HTTPConnection("127.0.0.1", port or self.admin, timeout=PATIENCE_S)
        try:
            connection.request("GET", "/status")
            told: dict[str, object] = json.loads(connection.getresponse().read())
            return told
        finally:
            connection.close()

    def metrics(self) -> str:
        connection = HTTPConnection("127.0.0.1", self.admin, timeout=PATIENCE_S)
        try:
            connection.request("GET", "/metrics")
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def post(self, body: str) -> int:
        """The status of the reply."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request("POST", "/v1/chat/completions", body)
            return connection.getresponse().status
        finally:
            connection.close()

    async def processes(self, unit: str, count: int, *, or_more: bool = False) -> list[int]:
        """The processes of a unit, once there are this many, in the order in which they started."""
        deadline = time.monotonic() + PATIENCE_S
        found = ""
        while time.monotonic() < deadline:
            group = self.machine.show(unit, "ControlGroup")
            found = self.machine.run("cat", f"/sys/fs/cgroup{group}/cgroup.procs", check=False)
            # One that has just ended stands there as 0.
            numbers = sorted(int(one) for one in found.split() if one != "0")
            if len(numbers) == count or (or_more and len(numbers) > count):
                return numbers
            await asyncio.sleep(0.05)
        raise AssertionError(f"{unit} has the processes {found.split()}, and not {count}")


def _free_ports(count: int) -> list[int]:
    found: set[int] = set()
    while len(found) < count:
        found.add(free_port())
    return list(found)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with boot(tmp_path_factory.mktemp("machine")) as machine:
        yield machine


@pytest.fixture(scope="module")
def node() -> Iterator[SimulatorThread]:
    with simulator_thread(m=Script(words=3)) as thread:
        yield thread


@pytest.fixture
def place(machine: Machine, node: SimulatorThread) -> Iterator[Place]:
    place = Place(machine, node)
    place.prepare()
    yield place
    place.clear()


def numbers(count: int) -> list[str]:
    return [str(one) for one in range(1, count + 1)]


# Without the service.


def test_the_units_are_understood_and_tight(machine: Machine) -> None:
    for unit in (SOCKET, *UNITS):
        assert machine.run("systemd-analyze", "verify", unit) == ""
    for unit in UNITS:
        told = machine.run("systemd-analyze", "security", "--no-pager", unit)
        exposure = re.search(r"exposure level for \S+ (\d+\.\d+)", told)
        assert exposure, told
        assert float(exposure[1]) <= 1.5


def test_every_directive_of_the_hardening_is_in_both_units() -> None:
    plain, instance = (
        (ROOT / "systemd" / name).read_text().partition("# -- What it may do")[2].strip()
        for name in ("casedesk-proxy.service", "casedesk-proxy@.service")
    )
    assert plain.replace("\n", "") == instance.replace("\nDefaultInstance=a", "").replace("\n", "")


# One process.


async def test_it_starts_with_the_first_request(place: Place) -> None:
    place.machine.systemctl("start", SOCKET)
    assert place.machine.show(SERVICE, "ActiveState") == "inactive"
    first = await ask(place.port)
    assert first.status == 200
    assert place.machine.wait(SERVICE, "ActiveState", "active")
    assert place.machine.wait(SERVICE, "StatusText", "serving 0 streams; 1 of 1 nodes usable")
    assert place.machine.wait(SERVICE, "SubState", "running")
    # Without the lines of tests before it.
    own = f"_SYSTEMD_INVOCATION_ID={place.machine.show(SERVICE, 'InvocationID')}"
    lines = place.machine.journal(
        own, "-o", "json", "--output-fields=PRIORITY,MESSAGE", until="end=completed"
    )
    told = [json.loads(line) for line in lines.splitlines()]
    (access,) = [one for one in told if "end=completed" in one["MESSAGE"]]
    assert access["PRIORITY"] == "6"
    assert access["MESSAGE"].startswith("id="), "the level is journald's to show"


async def test_reload_and_a_file_that_is_wrong(place: Place) -> None:
    machine = place.machine
    machine.systemctl("start", SERVICE)
    first = asyncio.Event()
    running = asyncio.ensure_future(stream(place.port, "words=60&words_per_second=20", first=first))
    await first.wait()
    place.configure(", weight: 7")
    machine.systemctl("reload", SERVICE)
    place.configure(", weight: heavy")
    told = machine.systemctl("reload", SERVICE, check=False)
    assert "failed" in told
    machine.wait(SERVICE, "SubState", "running")
    status = machine.show(SERVICE, "StatusText")
    assert f"CONFIGURATION REFUSED: {CONFIG_FILE}:4" in status
    journal = machine.journal("-u", SERVICE, "-p", "err", "-o", "cat", until=f"{CONFIG_FILE}:4")
    assert "nodes.n.weight" in journal
    machine.journal("-u", SERVICE, "-o", "cat", until="nodes.n.weight changed")
    place.configure(", api_key: {credential: key_none}")
    assert "failed" in machine.systemctl("reload", SERVICE, check=False)
    assert "key_none" in machine.show(SERVICE, "StatusText")
    assert (await ask(place.port)).status == 200
    streamed = await running
    assert (streamed.whole, streamed.words) == (True, numbers(60))
    place.configure()
    machine.systemctl("reload", SERVICE)
    assert machine.wait(SERVICE, "StatusText", "serving 0 streams; 1 of 1 nodes usable")
    assert machine.show(SERVICE, "NRestarts") == "0"


def streams_until(go_on: asyncio.Event) -> Play:
    """A node whose streams of two words end when a test says so."""

    async def play(connection: NodeConnection) -> None:
        while True:
            request = await connection.request()
            if b"stream" not in request.body or not json.loads(request.body)["stream"]:
                await connection.send(ANSWER % len(ANSWERED), ANSWERED)
                continue
            await connection.send(SSE, chunk(WORD % 1))
            await go_on.wait()
            await connection.send(chunk(WORD % 2), chunk(b"data: [DONE]\n\n"), b"0\r\n\r\n")

    return play


async def test_a_restart_breaks_none_of_200_streams(place: Place) -> None:
    machine, go_on = place.machine, asyncio.Event()
    # A machine that has much else to do takes longer than the bridge is waited for.
    slow = f"Environment=CASEDESK_PROXY_BRIDGE_TIMEOUT={BRIDGE_S - 10}\nTimeoutStopSec={BRIDGE_S}"
    place.drop_in(SERVICE, f"[Service]\n{slow}\n")
    async with raw_node(play=streams_until(go_on)) as node:
        place.configure(url=node.url)
        machine.systemctl("start", SERVICE)
        before = machine.pid_of(SERVICE)
        firsts = [asyncio.Event() for _ in range(200)]
        tasks = [asyncio.ensure_future(stream(place.port, "", first=one)) for one in firsts]
        await asyncio.gather(*(one.wait() for one in firsts))
        machine.systemctl("restart", "--no-block", SERVICE)
        # Whoever comes while it drains is served by a bridge.
        active = (BRIDGE, "ActiveState", "active")
        await asyncio.to_thread(machine.wait, *active, seconds=BRIDGE_S)
        await asyncio.to_thread(machine.wait, SERVICE, "StatusText", DRAINING)
        asked = [asyncio.ensure_future(ask(place.port)) for _ in range(20)]
        assert {one.status for one in await asyncio.gather(*asked)} == {200}
        assert not any(one.done() for one in tasks)
        go_on.set()
        streamed = await asyncio.gather(*tasks)
        assert sum(one.whole for one in streamed) == 200
        assert all(one.words == numbers(2) for one in streamed)
        inactive = (BRIDGE, "ActiveState", "inactive")
        await asyncio.to_thread(machine.wait, *inactive, seconds=BRIDGE_S)
        assert machine.pid_of(SERVICE) != before
        assert machine.show(SERVICE, "ActiveState") == "active"
        assert machine.show(SERVICE, "Result") == "success"
        assert (await ask(place.port)).status == 200


async def test_a_restart_that_is_called_off_leaves_no_bridge(place: Place) -> None:
    machine, go_on = place.machine, asyncio.Event()
    async with raw_node(play=streams_until(go_on)) as node:
        place.configure(url=node.url)
        machine.systemctl("start", SERVICE)
        first = asyncio.Event()
        running = asyncio.ensure_future(stream(place.port, "", first=first))
        await first.wait()
        machine.systemctl("restart", "--no-block", SERVICE)
        await asyncio.to_thread(machine.wait, BRIDGE, "ActiveState", "active")
        machine.systemctl("stop", "--no-block", SERVICE)
        go_on.set()
        assert (await running).whole
        await asyncio.to_thread(machine.wait, SERVICE, "ActiveState", "inactive")
        await asyncio.to_thread(machine.wait, BRIDGE, "ActiveState", "inactive", seconds=90)


async def test_a_bridge_that_does_not_start_lets_connections_wait(place: Place) -> None:
    machine = place.machine
    machine.systemctl("start", SERVICE)
    good = machine.path(CONFIG_FILE).read_text()
    machine.write(CONFIG_FILE, "nodes: {}\n")
    machine.systemctl("restart", "--no-block", SERVICE)
    await asyncio.to_thread(machine.wait, SERVICE, "SubState", "auto-restart")
    waiting = asyncio.ensure_future(ask(place.port))
    machine.write(CONFIG_FILE, good)
    assert (await waiting).status == 200
    machine.journal("-u", SERVICE, "-o", "cat", until=f"{BRIDGE} did not start")


async def test_a_reload_takes_a_version_that_was_installed(place: Place) -> None:
    machine = place.machine
    text = machine.path(CONFIG_FILE).read_text()
    machine.write(CONFIG_FILE, text.replace("server: {", "server: {upgrade_on_reload: true, "))
    machine.systemctl("start", SERVICE)
    before = machine.pid_of(SERVICE)
    first = asyncio.Event()
    running = asyncio.ensure_future(stream(place.port, "words=90&words_per_second=20", first=first))
    await first.wait()
    # As an installation does it: `current` names another release.
    machine.run("sh", "-c", RELEASE_AGAIN)
    await asyncio.to_thread(machine.systemctl, "reload", SERVICE)
    after = machine.pid_of(SERVICE)
    assert after != before
    assert (await ask(place.port)).status == 200
    assert place.status()["pid"] == after
    assert (await running).whole
    await asyncio.to_thread(
        machine.run, "sh", "-c", f"while [ -e /proc/{before} ]; do sleep .1; done"
    )
    assert machine.show(SERVICE, "SubState") == "running"
    # It is a service like any other.
    machine.systemctl("kill", "--kill-whom=main", "--signal=KILL", SERVICE)
    await asyncio.to_thread(machine.wait, SERVICE, "NRestarts", "1")
    assert (await ask(place.port)).status == 200


async def test_the_watchdog_restarts_a_loop_that_hangs(place: Place) -> None:
    machine = place.machine
    place.machine.write(
        "/run/blocker/sitecustomize.py",
        "import signal, time\nsignal.signal(signal.SIGUSR1, lambda *_: time.sleep(600))\n",
    )
    # Enough for a loop that only waits for its turn on the CPU.
    place.drop_in(
        SERVICE, "[Service]\nWatchdogSec=3\nRestartSec=100ms\nEnvironment=PYTHONPATH=/run/blocker\n"
    )
    machine.systemctl("start", SERVICE)
    before = machine.pid_of(SERVICE)
    machine.systemctl("kill", "--kill-whom=main", "--signal=USR1", SERVICE)
    answer = asyncio.ensure_future(ask(place.port))
    await asyncio.to_thread(machine.wait, SERVICE, "NRestarts", "1")
    await asyncio.to_thread(machine.wait, SERVICE, "SubState", "running")
    assert machine.pid_of(SERVICE) != before
    assert (await asyncio.gather(answer, return_exceptions=True))[0]
    assert (await ask(place.port)).status == 200
    machine.journal("-u", SERVICE, "-o", "cat", until="Watchdog timeout")
    where = 'File "/run/blocker/sitecustomize.py", line 2'
    machine.journal("-u", SERVICE, "-o", "cat", until=where)


def nice_of(machine: Machine, pid: int) -> int:
    return int(machine.run("cat", f"/proc/{pid}/stat").rpartition(")")[2].split()[16])


async def test_planners_go_with_their_daemon(place: Place) -> None:
    machine = place.machine
    place.drop_in(SERVICE, "[Service]\nRestartSec=100ms\n")
    machine.systemctl("start", SERVICE)
    main, parent = await place.processes(SERVICE, 2)
    assert main == machine.pid_of(SERVICE), "the parent is there without any large request"
    large = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x" * 300_000}]})
    assert await asyncio.to_thread(place.post, large) == 200
    before = await place.processes(SERVICE, 3, or_more=True)
    assert before[:2] == [main, parent]
    # The tests may run with a low priority, too.
    assert nice_of(machine, before[2]) == min(nice_of(machine, main) + NICE_WEIGHT, 19)
    machine.systemctl("kill", "--kill-whom=main", "--signal=KILL", SERVICE)
    await asyncio.to_thread(machine.wait, SERVICE, "NRestarts", "1")
    await asyncio.to_thread(machine.wait, SERVICE, "SubState", "running")
    for gone in before:
        assert machine.run("kill", "-0", str(gone), check=False), "no such process"
    assert not {*before} & {*await place.processes(SERVICE, 2)}


async def test_every_series_of_dashboard_and_alerts_exists(place: Place) -> None:
    """The series are read after a failover, a wait for a slot, a stream, a client that left, and a
    limit that was reached."""
    text = (
        CONFIG.format(admin=place.admin, url=place.node.url, node=", max_streams: 1")
        .replace("nodes:\n", f"nodes:\n  dead: {{{DEAD}}}\n", 1)
        .replace("nodes: [n]", f"nodes: [dead, n], policy: ordered, {LIMITS}")
        # What the tests before it used is in the ledger, and counts for this minute.
        .replace("default_deployment: d", "default_deployment: limited")
        .replace("\n  d: {", "\n  limited: {")
    )
    place.machine.write(CONFIG_FILE, text)
    place.machine.systemctl("start", SERVICE)
    streams = [stream(place.port, "words=9&words_per_second=40") for _ in range(2)]
    assert all(one.whole for one in await asyncio.gather(*streams))
    first = asyncio.Event()
    leaving = asyncio.ensure_future(
        stream(place.port, "words=500&words_per_second=20", first=first)
    )
    await first.wait()
    leaving.cancel()
    assert (await ask(place.port)).status == 200, "its slot is free"
    assert (await ask(place.port)).status == 429
    told = set(re.findall(r"^(\w+)[{ ]", place.metrics(), re.MULTILINE))
    asked = set(re.findall(r"\b(?:casedesk|process)_\w+", " ".join([ALERTS, *QUERIES])))
    assert {"process_open_fds", "process_resident_memory_bytes"} <= asked
    only_with_tls = "casedesk_certificate_expiry_timestamp_seconds"
    assert asked - told == {only_with_tls}


async def test_it_reads_its_credentials_and_nothing_else(place: Place) -> None:
    machine = place.machine
    machine.write("/etc/casedesk-proxy/keys/studio", "the-node-s-key\n", 0o600)
    place.configure(", api_key: {credential: key_studio}")
    machine.systemctl("start", SERVICE)
    place.node.forget()
    assert (await ask(place.port)).status == 200
    (call,) = place.node.calls()
    assert "Bearer the-node-s-key" in str(call.headers)
    pid = machine.pid_of(SERVICE)
    owner = machine.run("stat", "-c", "%u:%g", f"/proc/{pid}").split(":")
    assert int(owner[0]) >= 61184, "a dynamic user"

    def as_service(*command: str) -> str:
        drop = ("setpriv", "--reuid", owner[0], "--regid", owner[1], "--clear-groups")
        return machine.run("nsenter", "-t", str(pid), "-m", *drop, *command, check=False)

    credential = f"/run/credentials/{SERVICE}/key_studio"
    assert as_service("cat", credential) == "the-node-s-key"
    for path in ("/etc/casedesk-proxy/keys/studio", "/etc/shadow", "/root", "/run/blocker/x"):
        assert re.search("denied|No such", as_service("cat", path)), path
    assert "denied" in as_service("ls", "-A", "/home")
    for folder in ("/etc", "/etc/casedesk-proxy", "/usr/local/lib/casedesk-proxy", "/run", "/var"):
        assert re.search("Read-only|denied", as_service("touch", f"{folder}/x")), folder
    assert as_service("touch", "/var/lib/casedesk-proxy/x") == ""
    other = machine.run("setpriv", "--reuid", "nobody", "cat", credential, check=False)
    assert "denied" in other
    for text in (machine.journal("-u", SERVICE), json.dumps(place.status())):
        assert "the-node-s-key" not in text


# Several.


async def test_instances_share_the_socket(place: Place) -> None:
    place.machine.systemctl("start", "casedesk-proxy@a", "casedesk-proxy@b")
    # Each is stopped for a moment, so that it is the other one's turn.
    for stopped, serving in (("a", "b"), ("b", "a")):
        place.machine.systemctl(
            "kill", "--kill-whom=main", "--signal=STOP", f"casedesk-proxy@{stopped}"
        )
        answers = await asyncio.gather(*(ask(place.port) for _ in range(5)))
        assert {one.status for one in answers} == {200}, serving
        place.machine.systemctl(
            "kill", "--kill-whom=main", "--signal=CONT", f"casedesk-proxy@{stopped}"
        )
    served = [place.status(port)["nodes"]["n"]["asked"] for port in place.instance_admins]  # type: ignore[index]
    assert served == [5, 5]
    assert place.machine.show(SERVICE, "ActiveState") == "inactive"


async def test_one_that_is_killed_leaves_its_work_to_the_other(place: Place) -> None:
    place.machine.systemctl("start", "casedesk-proxy@a", "casedesk-proxy@b")
    place.machine.systemctl("kill", "--kill-whom=main", "--signal=KILL", "casedesk-proxy@a")
    answers = await asyncio.gather(*(ask(place.port) for _ in range(20)))
    assert {one.status for one in answers} == {200}
    await asyncio.to_thread(place.machine.wait, "casedesk-proxy@a.service", "NRestarts", "1")


class Load:
    """Short and long requests, one after another, until it is stopped; every failure is kept."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._stop = asyncio.Event()
        self.done = {"kept": 0, "short": 0, "long": 0}
        self.failures: list[object] = []
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.ensure_future(self._short()) for _ in range(4)]
        self._tasks += [asyncio.ensure_future(self._kept()) for _ in range(8)]
        self._tasks += [asyncio.ensure_future(self._long(one)) for one in range(20)]

    async def finish(self) -> None:
        self._stop.set()
        await asyncio.gather(*self._tasks)

    def _check(self, kind: str, streamed: Streamed, words: list[str]) -> None:
        if (streamed.status, streamed.whole, streamed.words) == (200, True, words):
            self.done[kind] += 1
        else:
            self.failures.append((kind, streamed))

    async def _short(self) -> None:
        while not self._stop.is_set():
            try:
                self._check("short", await ask(self._port), [])
            except OSError as error:
                self.failures.append(("short", error))
            await asyncio.sleep(0.005)

    async def _long(self, number: int) -> None:
        words = 10 + number
        while not self._stop.is_set():
            try:
                script = f"words={words}&words_per_second=20"
                self._check("long", await stream(self._port, script), numbers(words))
            except OSError as error:
                self.failures.append(("long", error))

    async def _kept(self) -> None:
        """A client with a pool: it uses a connection until a reply closes it."""
        while not self._stop.is_set():
            try:
                async with connect(f"http://127.0.0.1:{self._port}") as client:
                    await self._ask_on(client)
            except OSError as error:
                self.failures.append(("kept", error))

    async def _ask_on(self, client: RawClient) -> None:
        while not self._stop.is_set():
            client.write(request("words=3", stream=False))
            answer = await read_stream(client)
            self._check("kept", answer, [])
            if "connection: close" in answer.head.lower():
                return
            await asyncio.sleep(0.02)


async def test_an_upgrade_under_load_fails_nothing(place: Place) -> None:
    machine = place.machine
    machine.systemctl("enable", "--now", SOCKET, "casedesk-proxy@a")
    load = Load(place.port)
    load.start()
    for old, new in (("a", "b"), ("b", "a")):
        await asyncio.sleep(0.5)
        told = await asyncio.to_thread(machine.run, "casedesk-proxy-upgrade", "--wait")
        assert f"casedesk-proxy@{new}.service serves; casedesk-proxy@{old}.service drains" in told
        assert machine.show(f"casedesk-proxy@{old}", "Result") == "success"
        assert machine.systemctl("is-enabled", f"casedesk-proxy@{new}") == "enabled"
        assert (
            "disabled"
            in machine.systemctl("is-enabled", f"casedesk-proxy@{old}", SOCKET, check=False).split(
                "\n"
            )[0]
        )
    await load.finish()
    assert load.failures == []
    assert min(load.done.values()) >= 20, load.done
    assert machine.show(SERVICE, "ActiveState") == "inactive", (
        "the socket started nothing by itself"
    )
    assert machine.systemctl("is-enabled", SOCKET) == "enabled"
    machine.systemctl("disable", "casedesk-proxy@a", SOCKET)


async def test_an_upgrade_that_cannot_start_leaves_the_old_one_serving(place: Place) -> None:
    machine = place.machine
    machine.systemctl("start", "casedesk-proxy@a")
    machine.write(CONFIG_FILE, "nodes: {}\n")
    place.drop_in("casedesk-proxy@b.service", "[Service]\nRestart=no\n")
    told = machine.run("casedesk-proxy-upgrade", check=False)
    assert "casedesk-proxy@a.service serves on" in told
    error = f"error: {CONFIG_FILE}:1"
    machine.journal(
        *("-u", "casedesk-proxy@b", "-p", "err", "-o", "cat", "-t", "casedesk-proxy"), until=error
    )
    assert (await ask(place.port)).status == 200
    assert machine.show("casedesk-proxy@a", "ActiveState") == "active"
