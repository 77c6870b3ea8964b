"""The SDKs' own tests of files, with the proxy: ``make check-sdk-files``, or ``python -m
tests.suites.sdk_files [genai] [openai] [anthropic]``. All of them must pass.

google-genai's tests are in its wheel and can be run with an API (``--mode api``). Those of
``files:register``, which is refused here, are left out, and so is one for URIs that only accepts
https. openai's and anthropic's are written for a mock server that knows a file of any id: they come
with the source distribution, and that id is replaced by one that a client may choose here. Tests of
contents that come from a mock never reach a server, and are left out. google-generativeai has no
source distribution.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

from tests.fixtures.proxy import proxy_process
from tests.suites.suite import fetch, run

HERE = Path(__file__).parent
#: What such tests call a file, and what it is called instead.
ASKED, CHOSEN = '"file_id"', "chosen"
#: Names that google-genai's tests ask for.
GOOGLE_NAMES = ("vjvu9fwk2qj8", "n1gls7dyh90q", "1g583ke2xdsn")
GOOGLE_TESTS = "not register and not name_transform"
#: The tests of google-genai upload these, with what their beginnings have to be.
CONTENTS = {
    "google.png": b"\x89PNG\r\n\x1a\n", "google.jpg": b"\xff\xd8\xff\xe0",
    "story.pdf": b"%PDF-1.7\n", "pixel.m4a": b"\0\0\0\x20ftypM4A ",
    "animal.mp4": b"\0\0\0\x20ftypisom",
}  # fmt: skip


def run_genai(folder: Path, url: str) -> dict[str, str]:
    from google import genai

    data = folder / "tests" / "data"
    data.mkdir(parents=True)
    for name, content in CONTENTS.items():
        (data / name).write_bytes(content.ljust(2**16, b"\0"))
    base = f"{url}/proxy/d/gemini"
    with genai.Client(api_key="x", vertexai=False, http_options={"base_url": base}) as client:
        for name in GOOGLE_NAMES:
            client.files.upload(file=data / "animal.mp4", config={"name": name})
    tests = Path(find_spec("google.genai").origin).parent / "tests" / "files"
    shutil.copy(HERE / "genai_clients.py", folder)
    words = ["-p", "genai_clients", str(tests), "--mode", "api", "-k", GOOGLE_TESTS]
    # ``google`` is a namespace: without it the tests would be those of a package ``genai``.
    return run(folder, [*words, "-o", "consider_namespace_packages=true"], {
        "GOOGLE_API_KEY": "x", "GOOGLE_GEMINI_BASE_URL": base,
        "GOOGLE_GENAI_REPLAYS_DIRECTORY": str(folder),
        "GOOGLE_GENAI_RUN_GEMINI_ONLY_IN_API_MODE": "1",
    })  # fmt: skip


def run_openai(folder: Path, url: str) -> dict[str, str]:
    source = fetch("openai", folder)
    tests = name_file(source, "tests/api_resources/test_files.py")
    # Those of contents ask a mock, and one asks for a page of no files, which OpenAI refuses, too.
    words = ["-k", "(create or retrieve or list or delete) and not list_with_all_params"]
    return run(source, ["-p", "chosen_files", *tests, *words], _environment(url, f"{url}/v1"))


def run_anthropic(folder: Path, url: str) -> dict[str, str]:
    source = fetch("anthropic", folder)
    tests = name_file(
        source, "tests/api_resources/test_files.py", "tests/api_resources/beta/test_files.py"
    )
    shutil.copy(HERE / "anthropic_clients.py", source / "tests" / "conftest.py")
    (source / "respx.py").write_text("class MockRouter: ...\n")
    words = ["-k", "not download or path_params"]
    return run(source, ["-p", "chosen_files", *tests, *words], _environment(url, url))


def name_file(source: Path, *tests: str) -> list[str]:
    """Give the file, which the tests request, a possible name."""
    for one in tests:
        path = source / one
        path.write_text(re.sub(ASKED, f'"{CHOSEN}"', path.read_text()))
    shutil.copy(HERE / "chosen_files.py", source)
    return list(tests)


def _environment(url: str, base: str) -> Mapping[str, str]:
    made_at = f"{url}/v1beta/files"
    return {"TEST_API_BASE_URL": base, "CHOSEN_AT": made_at, "CHOSEN_FILES": CHOSEN}


SUITES: Mapping[str, Callable[[Path, str], dict[str, str]]] = {
    "genai": run_genai, "openai": run_openai, "anthropic": run_anthropic,
}  # fmt: skip


def main() -> None:
    failed = []
    for name in sys.argv[1:] or SUITES:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            config = {
                "server": {"state_directory": str(folder / "state")},
                "default_deployment": "d",
                "nodes": {"n": {"url": "http://127.0.0.1:1", "engine": "vllm", "models": ["m"]}},
                "deployments": {"d": {"nodes": ["n"], "auth": "none"}},
            }
            with proxy_process(folder, config) as proxy:
                results = SUITES[name](folder, proxy.url)
        worse = [test for test, result in results.items() if result != "PASSED"]
        print(f"{name}: {len(results) - len(worse)} of {len(results)} passed")
        failed += worse
    print("\n".join(failed))
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
