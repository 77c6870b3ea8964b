"""The models that a deployment lists."""

from __future__ import annotations

from typing import Any

import pytest

from casedesk_proxy.catalog.lists import describe, offered, visible
from casedesk_proxy.catalog.names import ModelRules
from casedesk_proxy.errors import NotFound
from casedesk_proxy.terms import ModelInfo
from tests.fixtures.table import table

REPORTED = {
    "a": (ModelInfo("gemma2:9b", 8192, owned_by="library"), ModelInfo("llama3:latest", 4096)),
    "b": (ModelInfo("gemma2:9b", 2048), ModelInfo("embed", 512, embeds=True)),
}


def rules(**given: Any) -> ModelRules:
    base: dict[str, Any] = {
        "aliases": {},
        "patterns": (),
        "prefix": "",
        "models": None,
        "nodes": ("a", "b", "silent"),
    }
    return ModelRules(**{**base, **given})


def shown(**given: Any) -> list[str]:
    return [info.name for info in visible(rules(**given), REPORTED)]


@table(
    ("given", "wanted"),
    [
        ({}, ["embed", "gemma2:9b", "llama3:latest"]),
        ({"nodes": ("b",)}, ["embed", "gemma2:9b"]),
        ({"nodes": ("silent",)}, []),
        ({"models": ("gemma2:9b",)}, ["gemma2:9b"]),
        ({"models": ("llama3",)}, ["llama3:latest"]),
        ({"prefix": "d-"}, ["d-embed", "d-gemma2:9b", "d-llama3:latest"]),
        ({"aliases": {"fast": "gemma2:9b"}, "prefix": "d-", "models": ("gemma2:9b",)},
         ["d-gemma2:9b", "fast"]),
        ({"aliases": {"fast": "embed"}, "models": ("gemma2:9b",)}, ["gemma2:9b"]),
        ({"aliases": {"gone": "nowhere"}, "nodes": ("b",)}, ["embed", "gemma2:9b"]),
        ({"aliases": {"gone": "nowhere"}, "nodes": ("b", "silent")},
         ["embed", "gemma2:9b", "gone"]),
        ({"aliases": {"embed": "gemma2:9b"}, "nodes": ("b",)}, ["embed", "gemma2:9b"]),
        ({"aliases": {"embed": "gemma2:9b"}, "nodes": ("b",), "prefix": "d-"},
         ["d-gemma2:9b", "embed"]),
        ({"patterns": (("gemini-*", "embed"),), "nodes": ("b",)}, ["embed", "gemma2:9b"]),
    ],
)  # fmt: skip
def test_visible(given: dict[str, Any], wanted: list[str]) -> None:
    assert shown(**given) == wanted


def test_a_model_behind_an_alias_in_any_reading_is_not_shown() -> None:
    reported = {"a": (ModelInfo("models/m"),)}
    assert visible(rules(nodes=("a",), aliases={"m": "m"}), reported) == ()


def test_an_aliass_description() -> None:
    given = rules(
        aliases={"fast": "gemma2:9b"},
        patterns=(("g-*", "gemma2:9b"),),
        descriptions={"fast": "short", "g-*": "any"},
    )
    found = {info.name: info.description for info in visible(given, REPORTED)}
    assert found == {"embed": "", "fast": "short", "gemma2:9b": "", "llama3:latest": ""}
    assert describe("fast", given, REPORTED).description == "short"
    assert describe("g-1", given, REPORTED) == ModelInfo(
        "g-1", 8192, owned_by="library", description="any"
    )


def test_metadata() -> None:
    aliases = {"fast": "gemma2:9b", "short": "llama3", "later": "unheard", "embed": "gemma2:9b"}
    found = {info.name: info for info in visible(rules(aliases=aliases, prefix="d-"), REPORTED)}
    assert found["d-gemma2:9b"] == ModelInfo("d-gemma2:9b", 8192, owned_by="library")
    assert found["fast"] == ModelInfo("fast", 8192, owned_by="library")
    assert found["short"].context_length == 4096
    assert found["later"] == ModelInfo("later")
    assert not found["embed"].embeds
    first = {info.name: info for info in visible(rules(nodes=("b", "a")), REPORTED)}
    assert first["gemma2:9b"].context_length == 2048


@table(
    ("asked", "given", "wanted"),
    [
        ("gemma2:9b", {}, ModelInfo("gemma2:9b", 8192, owned_by="library")),
        ("d-embed", {"prefix": "d-"}, ModelInfo("d-embed", 512, embeds=True)),
        ("llama3", {}, ModelInfo("llama3", 4096)),
        ("gemini-x", {"patterns": (("gemini-*", "embed"),)},
         ModelInfo("gemini-x", 512, embeds=True)),
        ("unheard", {}, ModelInfo("unheard")),
    ],
)  # fmt: skip
def test_describe(asked: str, given: dict[str, Any], wanted: ModelInfo) -> None:
    assert describe(asked, rules(**given), REPORTED) == wanted


def test_describe_nothing() -> None:
    with pytest.raises(NotFound):
        describe("unheard", rules(nodes=("a", "b")), REPORTED)


@table(
    ("changes", "reported", "names"),
    [
        ({}, {"a": (ModelInfo("x"),)}, ("x",)),
        ({}, {"a": (ModelInfo("x"), ModelInfo("y"))}, ("x", "y")),
        ({}, {"a": (ModelInfo("x"),), "b": (ModelInfo("x"),)}, ("x",)),
        ({}, {"a": (ModelInfo("x"),), "b": (ModelInfo("x:latest"),)}, ("x:latest",)),
        ({"aliases": {"gpt": "x", "best": "x"}}, {"a": (ModelInfo("x"),)}, ("x",)),
        ({"prefix": "d-"}, {"a": (ModelInfo("x"),)}, ("d-x",)),
        ({"models": ("x",)}, {"a": (ModelInfo("x"), ModelInfo("y"))}, ("x",)),
        ({"models": ("x",)}, {}, ("x",)),
        ({"models": ("x", "y")}, {"a": (ModelInfo("x"),)}, ("x", "y")),
        ({"models": ("x", "y")}, {"a": (ModelInfo("x"),), "b": ()}, ("x",)),
        ({}, {"a": (ModelInfo("x"), ModelInfo("also", alias_of="x"))}, ("x",)),
        (
            {"models": ("also",)},
            {"a": (ModelInfo("x"), ModelInfo("also", alias_of="x"))},
            ("also",),
        ),
        ({}, {}, ()),
    ],
)
def test_what_is_offered_under_one_name_each(
    changes: dict[str, Any], reported: dict[str, tuple[ModelInfo, ...]], names: tuple[str, ...]
) -> None:
    rules = ModelRules(**{"aliases": {}, "patterns": (), "prefix": "", "models": None,
                          "nodes": ("a", "b"), **changes})  # fmt: skip
    assert offered(rules, reported) == names
