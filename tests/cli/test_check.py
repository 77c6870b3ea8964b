from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from tests.cli.command import invoke, run

EXAMPLES = Path(__file__).parents[2] / "config"
MINIMAL = (EXAMPLES / "minimal.yaml").read_text()


def test_a_locale_without_a_character_of_the_summary(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("""
nodes: {n: {url: "http://127.0.0.1:1"}}
deployments: {d: {nodes: [n], models: [m], aliases: {Ω: m}, auth: none}}
""")
    done = run("check", file, PYTHONIOENCODING="latin-1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "? -> m" in done.stdout


def test_a_good_file() -> None:
    done = run("check", EXAMPLES / "gpu-host.yaml")
    assert (done.returncode, done.stderr) == (0, "")
    for word in (
        "vllm1",
        "http://127.0.0.1:8001",
        "credential studio-key",
        "desk-app, lab",
        "vllm0, vllm1, sglang",
        "gemini-* → Qwen/Qwen3-32B",
        "https://0.0.0.0:8443/proxy/DEPLOYMENT/{gemini,anthropic,openai,ollama}",
        "admin      127.0.0.1:9180",
    ):
        assert word in done.stdout, word


def test_quiet_is_silent_about_a_good_file() -> None:
    done = invoke("check", "--quiet", EXAMPLES / "minimal.yaml")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_all_complaints_one_line_each(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("sever: {}\nnodes:\n  a: {url: 5}\ndeployments:\n  d: {nodes: [b]}\n")
    done = invoke("check", file)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        f"error: {file}:1:1: sever: unknown setting; did you mean server?",
        f'error: {file}:3:12: nodes.a.url: is a number, but must be text; put it in quotes: "5"',
        f"error: {file}:5:15: deployments.d.nodes[0]: there is no node 'b'; known: a",
    ]


def test_warnings_do_not_refuse(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("k")
    key.chmod(0o644)
    file = tmp_path / "c.yaml"
    text = MINIMAL.replace('11434"', f'11434", api_key: {{file: {key}}}')
    file.write_text(text.replace("auth: none, ", ""))
    done = invoke("check", file)
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        f"warning: {file}:7:3: deployments.desk: requires keys, but no key may use it; create one"
        " with `casedesk-proxy key new --deployment desk`",
        f"warning: {file}:5:59: nodes.ollama.api_key.file: everyone on this machine can read {key};"
        f" chmod o-rwx {key}",
    ]
    assert "nobody" in done.stdout


def test_keys_of_the_state_file_open_a_deployment(tmp_path: Path) -> None:
    file, state = tmp_path / "c.yaml", str(tmp_path / "state")
    file.write_text(MINIMAL.replace("auth: none, ", ""))
    key = ("key", "new", "--config", file, "--name", "dora", "--deployment", "desk")
    assert invoke(*key, STATE_DIRECTORY=state).returncode == 0
    done = invoke("check", file, STATE_DIRECTORY=state)
    assert (done.returncode, done.stderr) == (0, "")
    assert "dora" in done.stdout


def test_keys_are_read_when_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(MINIMAL.replace('11434"', '11434", api_key: {env: A_KEY}'))
    assert invoke("check", file).returncode == 0
    done = invoke("check", "--keys", file)
    assert done.returncode == 2
    place = f"{file}:5:43: nodes.ollama.api_key"
    assert f"error: {place}: the environment variable A_KEY is not set" in done.stderr
    assert invoke("check", "--keys", file, A_KEY="k").returncode == 0


def test_a_certificate_that_has_expired_is_named(tmp_path: Path) -> None:
    """The proxy would serve: some clients do not look."""
    pair = trustme.CA().issue_cert("localhost", not_after=datetime(2026, 3, 20, tzinfo=UTC))
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    pair.cert_chain_pems[0].write_to_path(cert)
    pair.private_key_pem.write_to_path(key)
    file = tmp_path / "c.yaml"
    file.write_text(f"server: {{tls: {{cert: {cert}, key: {key}}}}}\n{MINIMAL}")
    assert invoke("check", file).stderr == ""
    done = invoke("check", "--keys", "--quiet", file)
    assert done.returncode == 0
    assert done.stderr.startswith(
        f"warning: {file}:1:22: server.tls.cert: {cert} expired on 2026-03-20 00:00 UTC"
    )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "No such file or directory; name yours with --config FILE"),
        (b"nodes: \xff", "is not UTF-8; line 1 has other bytes; save the file as UTF-8"),
        (b"", "is empty; `casedesk-proxy init` writes a first one"),
        (b"\x00", "the character U+0000 is not allowed in YAML"),
        (b"#" * (17 * 2**20), "is larger than 4 MiB"),
    ],
)
def test_files_that_are_none(tmp_path: Path, data: bytes | None, words: str) -> None:
    file = tmp_path / "c.yaml"
    if data is not None:
        file.write_bytes(data)
    done = invoke("check", file)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"error: {file}")
    assert words in done.stderr


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    done = invoke("check", tmp_path)
    assert (done.returncode, done.stderr) == (
        2,
        f"error: {tmp_path}: Is a directory; name the file in it\n",
    )


def test_names_that_look_like_markup_are_shown_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(MINIMAL.replace("nodes: [ollama]", 'nodes: [ollama], models: ["[red]m[/red]"]'))
    assert "[red]m[/red]" in invoke("check", file).stdout
