"""Each module of the package can be imported first: none needs that another was imported before.

The layers are those of test_layering.py: no layer imports the ones above, so the ones below may be
imported already.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.test_layering import LAYERS, MODULES, PACKAGE, place

#: A process that knows the libraries and the layers below makes one child for each module.
SCRIPT = """
import gc, json, os, sys, traceback
import aiohttp, click, orjson, prometheus_client, pydantic, rich, uvloop, yaml

assert not [name for name in sys.modules if name.startswith("casedesk_proxy")]
gc.disable()  # What children inherit, they would copy in search of garbage.
for names in json.load(sys.stdin):
    for name in names:
        child = os.fork()
        if child == 0:
            try:
                __import__(name)
            except BaseException:
                print(f"{name}: {traceback.format_exc()}", flush=True)
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status:
            print(f"{name} cannot be imported first", flush=True)
    for name in names:
        __import__(name)
"""


def layers() -> list[list[str]]:
    """The names of the modules, the lowest layer first."""
    found: dict[int, list[str]] = {}
    for path in MODULES:
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        if parts[-1] != "__main__" and place(path) != "__init__":
            name = ".".join(part for part in parts if part != "__init__")
            found.setdefault(LAYERS[place(path)], []).append(name)
    return [found[layer] for layer in sorted(found)]


@pytest.mark.timeout(300)
def test_each_module_can_be_the_first() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], input=json.dumps(layers()), cwd=PACKAGE.parent,
        capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
