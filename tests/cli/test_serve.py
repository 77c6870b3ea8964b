from __future__ import annotations

import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.cli.command import COMMAND, ENVIRONMENT, invoke, run
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.prepared_process import PreparedProcess

GOOD = """\
server: {{listen: "127.0.0.1:{port}", admin: null}}
nodes: {{a: {{url: "http://127.0.0.1:1"}}}}
deployments: {{d: {{auth: none, nodes: [a]}}}}
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def assert_one_line(stderr: str, *words: str) -> None:
    (line,) = stderr.splitlines()
    assert line.startswith("error: ")
    for word in words:
        assert word in line


def serve(*arguments: str | Path, **environment: str) -> tuple[int, str]:
    """The exit code and the output of a ``serve`` that fails before it serves."""
    process = PreparedProcess(["serve", *map(str, arguments)], {**ENVIRONMENT, **environment})
    assert process.stderr is not None
    with process.stderr:
        said = process.stderr.read()
    return process.wait(PATIENCE_S), said


@pytest.mark.parametrize("by_environment", [False, True])
def test_the_file_is_found(tmp_path: Path, by_environment: bool) -> None:
    path = tmp_path / "none.yaml"
    if by_environment:
        code, said = serve(CASEDESK_PROXY_CONFIG=str(path))
    else:
        code, said = serve("--config", path, CASEDESK_PROXY_CONFIG="/other")
    assert code == 2
    assert_one_line(said, str(path), "No such file or directory", "casedesk-proxy init")


def test_the_file_may_stand_alone(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    code, said = serve(path, CASEDESK_PROXY_CONFIG="/other")
    assert code == 2
    assert_one_line(said, str(path), "No such file or directory")
    code, said = serve(path, "--config", "/other")
    assert code == 2
    assert f"two configurations: {path} and --config /other; name one" in said


def test_the_usual_file_is_the_last_resort() -> None:
    done = invoke("serve", "--help")
    assert "/etc/casedesk-proxy/config.yaml" in done.stdout
    assert "CASEDESK_PROXY_CONFIG" in done.stdout


def test_a_bad_file_is_told_line_by_line(tmp_path: Path) -> None:
    path = write(tmp_path / "c.yaml", "nodes: {a: {url: 5}}\ndeployments: {d: {nodes: [b]}}\n")
    done = run("serve", "--config", path)
    assert (done.returncode, done.stdout) == (2, "")
    assert [line.partition(": is")[0] for line in done.stderr.splitlines()] == [
        f"error: {path}:1:18: nodes.a.url",
        f"error: {path}:2:27: deployments.d.nodes[0]: there is no node 'b'; known: a",
    ]


def test_keys_and_tls_files_that_are_missing_are_told_together(tmp_path: Path) -> None:
    text = GOOD.format(port=0).replace(':1"', ':1", api_key: {env: NOT_SET}')
    text = text.replace("admin: null", "admin: null, tls: {cert: /none/c, key: /none/k}")
    path = write(tmp_path / "c.yaml", text)
    code, said = serve("--config", path)
    assert code == 2
    assert [line.partition(";")[0] for line in said.splitlines()] == [
        f"error: {path}:1:58: server.tls.cert: cannot read /none/c: No such file or directory",
        f"error: {path}:1:72: server.tls.key: cannot read /none/k: No such file or directory",
        f"error: {path}:2:40: nodes.a.api_key: the environment variable NOT_SET is not set",
    ]


def test_a_busy_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        path = write(tmp_path / "c.yaml", GOOD.format(port=port))
        code, said = serve("--config", path)
    assert code == 2
    assert_one_line(said, f"127.0.0.1:{port}", "in use")


def test_a_good_file_is_served(tmp_path: Path) -> None:
    path = write(tmp_path / "c.yaml", GOOD.format(port=0))
    with subprocess.Popen(
        [*COMMAND, "serve", "--config", str(path)],
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            assert "http://127.0.0.1:" in line, line
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
