"""`doctor --try`: real requests through a proxy of its own."""

from __future__ import annotations

from pathlib import Path

from casedesk_proxy.simulator.script import Script
from tests.cli.command import invoke, run
from tests.cli.test_doctor import write
from tests.fixtures.simulated import simulator_thread


def test_a_tiny_request_by_each_surface(tmp_path: Path) -> None:
    with simulator_thread(m=Script(words=3)) as node:
        done = run("doctor", "--try", write(tmp_path, node.url))
        assert len(node.calls()) == 4
    assert done.returncode == 0, done.stdout
    assert done.stderr == "", "what came of each request is said once"
    for surface in ("gemini", "anthropic", "openai", "responses"):
        assert f"\nm with {surface}, deployment d: works, " in done.stdout


def test_a_request_that_fails_says_what_a_client_would_be_told(tmp_path: Path) -> None:
    with simulator_thread(m=Script(status=404)) as refusing:
        done = invoke("doctor", "--try", write(tmp_path, refusing.url))
    assert done.returncode == 1
    assert "\nm with openai, deployment d: failed, 404: " in done.stdout


def test_an_answer_that_is_no_error_of_any_api(tmp_path: Path) -> None:
    with simulator_thread(m=Script(status=500, body=b"<html>")) as broken:
        done = invoke("doctor", "--try", write(tmp_path, broken.url))
    assert done.returncode == 1
    assert "\nm with openai, deployment d: failed, " in done.stdout
