"""An engine only needs its own file: the configuration and its schema, the detection of engines,
and the documents find it there. The engine of docs/adding-an-engine.md is added here."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "adding-an-engine.md"
CODE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)

#: In a process of its own: engines are found when the registry is imported.
LOOK = """
import sys
import casedesk_proxy.engines
casedesk_proxy.engines.__path__.append(sys.argv[1])

from casedesk_proxy.config.json_schema import config_schema
from casedesk_proxy.config.load import load_config
from casedesk_proxy.engines.registry import ENGINES, FINGERPRINTS, usual_ports
from casedesk_proxy.snapshot import compile_snapshot
from casedesk_proxy.terms import Dialect
from tests.engines.table import page

spec = ENGINES["example"]
config = load_config('''
nodes: {n: {url: "http://127.0.0.1:9876", engine: example, models: [m]}}
deployments: {d: {nodes: [n], auth: none}}
''', "t").config
node = compile_snapshot(config, {}).nodes["n"]
assert node.engine is spec and node.speaks == (Dialect.OPENAI,)
assert spec in usual_ports()[9876], "init looks there"
assert spec.fingerprint in FINGERPRINTS, "nodes of unknown engines are looked at"
assert '"example"' in str(config_schema()).replace("'", '"'), "editors offer it"
assert "Example" in page(), "docs/engines.md shows it"
"""


def test_one_file_makes_an_engine_known_everywhere(tmp_path: Path) -> None:
    (tmp_path / "example.py").write_text(CODE.findall(PAGE.read_text())[0])
    done = subprocess.run(
        [sys.executable, "-c", LOOK, str(tmp_path)], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
