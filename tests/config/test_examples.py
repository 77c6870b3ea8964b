"""The files in config/ can be loaded and contain every key."""

from __future__ import annotations

import re
from pathlib import Path

from casedesk_proxy.config.load import load_config
from casedesk_proxy.config.schema import Config
from casedesk_proxy.config.settings import all_patterns, takes_reload
from casedesk_proxy.config.tree import read_tree
from tests.fixtures.table import table

FOLDER = Path(__file__).parents[2] / "config"
DOCUMENTED = (FOLDER / "casedesk-proxy.yaml").read_text()
LINES = DOCUMENTED.splitlines()
TREE = read_tree(DOCUMENTED, "casedesk-proxy.yaml")
#: A key that must not stand in any file, and is explained beside its siblings.
UNRECOMMENDED = ("nodes", "*", "api_key", "inline")
#: Of these sections the comment names all keys.
CHOICES = (("ledger", "url"), ("files", "s3"))
PATTERNS = [
    pattern
    for pattern in all_patterns()
    if pattern != UNRECOMMENDED
    and (pattern[:2] not in CHOICES or pattern in CHOICES)
    and "parameters" not in pattern[:-1]  # Each is explained with aliases.
]


def lines_of(pattern: tuple[str, ...]) -> list[int]:
    found = []
    for path, mark in TREE.keys.items():
        if len(path) == len(pattern) and all(
            wanted in ("*", part) for wanted, part in zip(pattern, path, strict=True)
        ):
            found.append(mark.line)
    return found


def comment_above(line: int) -> str:
    """The comment block before a line (counted from 1)."""
    taken = []
    for text in reversed(LINES[: line - 1]):
        if not text.strip().startswith("#"):
            break
        taken.append(text.strip().lstrip("# "))
    return " ".join(reversed(taken))


@table("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.name)
def test_it_loads_without_a_warning(path: Path) -> None:
    loaded = load_config(path.read_text(), path.name)
    assert [str(one) for one in loaded.warnings] == []
    assert loaded.unopened == {}


@table("pattern", PATTERNS, ids=".".join)
def test_every_key_stands_in_the_documented_file(pattern: tuple[str, ...]) -> None:
    assert lines_of(pattern)


@table("section", CHOICES, ids=".".join)
def test_a_comment_names_all_keys_of_a_section(section: tuple[str, ...]) -> None:
    (line,) = lines_of(section)
    for pattern in all_patterns():
        if pattern[:2] == section and len(pattern) == 3 and pattern[-1] != "inline":
            assert re.search(rf"\b{pattern[-1]}:", comment_above(line)), pattern


@table(
    "pattern",
    [one for one in PATTERNS if one[0] not in ("keys", "users") and one != ("server",)],
    ids=".".join,
)
def test_every_key_says_its_default_and_whether_a_reload_takes_it(
    pattern: tuple[str, ...],
) -> None:
    told = [comment_above(line) for line in lines_of(pattern)]
    text = max(told, key=len)
    if pattern in (("nodes",), ("deployments",)):
        assert "At least one" in text
        return
    taken = re.search(r"Reload: (yes|no)", text)
    assert taken, text
    assert (taken[1] == "yes") is takes_reload(pattern)
    if pattern[2:3] != ("api_key",) or len(pattern) == 3:
        assert re.search(r"Default: |Required", text), text


def test_written_defaults_are_the_real_ones() -> None:
    default = Config().server
    written = load_config(DOCUMENTED, "").config.server
    for name in type(default).model_fields:
        if name != "tls":
            assert getattr(written, name) == getattr(default, name), name
    assert load_config(DOCUMENTED, "").config.ledger == Config().ledger
