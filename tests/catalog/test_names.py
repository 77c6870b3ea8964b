"""From the client's name of a model to the nodes' name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.catalog.lists import visible
from casedesk_proxy.catalog.names import ModelRules, resolve
from casedesk_proxy.errors import NotFound
from casedesk_proxy.terms import ModelInfo, ResolvedModel
from tests.fixtures.table import table


def rules(**given: Any) -> ModelRules:
    base: dict[str, Any] = {
        "aliases": {},
        "patterns": (),
        "prefix": "",
        "models": None,
        "nodes": ("a", "b"),
    }
    return ModelRules(**{**base, **given})


def reports(**lists: list[str]) -> dict[str, tuple[ModelInfo, ...]]:
    return {node: tuple(ModelInfo(name) for name in names) for node, names in lists.items()}


BOTH = reports(a=["gemma2:9b", "llama3:latest"], b=["gemma2:9b", "qwen"])
ALIASED = {
    "aliases": {"fast": "gemma2:9b", "chain": "fast", "qwen": "gemma2:9b", "gone": "nowhere"},
    "patterns": (("gemini-2*", "llama3"), ("gemini-*", "qwen"), ("q*", "gemma2:9b")),
}


@table(
    ("asked", "given", "model", "nodes"),
    [
        ("gemma2:9b", {}, "gemma2:9b", "ab"),
        ("qwen", {}, "qwen", "b"),
        ("models/qwen", {}, "qwen", "b"),
        # Ollama's tag
        ("llama3", {}, "llama3:latest", "a"),
        ("llama3:latest", {}, "llama3:latest", "a"),
        ("qwen:latest", {}, "qwen", "b"),
        # exact alias before a real name, a real name before patterns, patterns in order
        ("fast", ALIASED, "gemma2:9b", "ab"),
        ("qwen", ALIASED, "gemma2:9b", "ab"),
        ("gemma2:9b", ALIASED, "gemma2:9b", "ab"),
        ("gemini-2.5-flash", ALIASED, "llama3:latest", "a"),
        ("gemini-1.0", ALIASED, "qwen", "b"),
        ("quick", ALIASED, "gemma2:9b", "ab"),
        ("Gemini-2", {"patterns": (("Gemini-*", "qwen"), ("gemini-*", "llama3"))}, "qwen", "b"),
        # prefix
        ("desk-qwen", {"prefix": "desk-"}, "qwen", "b"),
        ("qwen", {"prefix": "desk-"}, "qwen", "b"),
        ("models/desk-qwen", {"prefix": "desk-"}, "qwen", "b"),
        ("desk-fast", {"prefix": "desk-", **ALIASED}, "gemma2:9b", "ab"),
        ("fast", {"prefix": "desk-", **ALIASED}, "gemma2:9b", "ab"),
        ("desk-gemini-1", {"prefix": "desk-", **ALIASED}, "qwen", "b"),
        ("gemma2:9b", {"prefix": "gemma2:"}, "gemma2:9b", "ab"),
        ("desk-x", {"prefix": "desk-", "aliases": {"desk-x": "qwen"}}, "qwen", "b"),
        # allow list, by the nodes' names
        ("gemma2:9b", {"models": ("gemma2:9b",)}, "gemma2:9b", "ab"),
        ("llama3", {"models": ("llama3",)}, "llama3:latest", "a"),
        ("fast", {"models": ("gemma2:9b",), **ALIASED}, "gemma2:9b", "ab"),
        # order and choice of nodes
        ("gemma2:9b", {"nodes": ("b", "a")}, "gemma2:9b", "ba"),
        ("gemma2:9b", {"nodes": ("b",)}, "gemma2:9b", "b"),
        # a node that has told nothing yet
        ("gemma2:9b", {"nodes": ("c", "a")}, "gemma2:9b", "a"),
        ("unheard", {"nodes": ("c", "a", "d")}, "unheard", "cd"),
        ("models/unheard", {"nodes": ("c",), "prefix": "un"}, "heard", "c"),
        ("gemini-9", {"nodes": ("c", "b"), **ALIASED}, "qwen", "b"),
        ("gone", {"nodes": ("c", "b"), **ALIASED}, "nowhere", "c"),
        ("unheard", {"nodes": ("c",), "models": ("unheard",)}, "unheard", "c"),
    ],
)
def test_resolve(asked: str, given: dict[str, Any], model: str, nodes: str) -> None:
    assert resolve(asked, rules(**given), BOTH) == ResolvedModel(asked, model, tuple(nodes))


def test_an_exact_spelling_is_taken_before_its_twin() -> None:
    reported = reports(a=["m:latest"], b=["m"])
    assert resolve("m", rules(), reported).nodes == ("b",)
    assert resolve("m:latest", rules(), reported).nodes == ("a",)


def test_a_name_that_a_node_reports_with_models_before_it() -> None:
    reported = reports(a=["models/x"])
    assert resolve("models/x", rules(), reported).model == "models/x"


@table(
    ("asked", "given"),
    [
        ("nowhere", {}),
        ("gone", ALIASED),
        ("chain", ALIASED),
        ("", {}),
        ("desk-", {"prefix": "desk-"}),
        ("qwen", {"models": ("gemma2:9b",)}),
        ("alias", {"aliases": {"alias": "qwen"}, "models": ("gemma2:9b",)}),
        ("other", {"nodes": ("c",), "models": ("gemma2:9b",)}),
        ("qwen", {"nodes": ("a",)}),
        ("qwen", {"nodes": ()}),
        ("QWEN", {}),
        ("gemma2", {}),
        ("x" * 100_000, {"nodes": ("c",)}),
    ],
)
def test_not_found(asked: str, given: dict[str, Any]) -> None:
    with pytest.raises(NotFound) as caught:
        resolve(asked, rules(**given), BOTH)
    assert (caught.value.status, caught.value.code) == (404, "model_not_found")
    assert asked[:80] in caught.value.message
    assert len(caught.value.message) < 300


def test_near_names_are_those_that_are_shown() -> None:
    shown = rules(prefix="d-", models=("gemma2:9b",), aliases={"gemma-fast": "gemma2:9b"})
    with pytest.raises(NotFound) as caught:
        resolve("gema2:9b", shown, reports(a=["gemma2:9b", "gemma2:27b"]))
    assert "d-gemma2:9b" in caught.value.message
    assert "gemma2:27b" not in caught.value.message
    with pytest.raises(NotFound) as caught:
        resolve("m", rules(nodes=("a",)), reports(a=["m1", "m2", "m3", "m4", "m5"]))
    assert caught.value.message.count(", ") == 2


def test_without_a_near_name_some_of_all_are_told() -> None:
    with pytest.raises(NotFound) as caught:
        resolve("gpt-4o", rules(), BOTH)
    assert caught.value.message.endswith("; available: gemma2:9b, llama3:latest, qwen")
    many = reports(a=[f"model-{number}" for number in range(9)])
    with pytest.raises(NotFound) as caught:
        resolve("gpt-4o", rules(nodes=("a",)), many)
    assert caught.value.message.endswith(", model-4 and others")
    with pytest.raises(NotFound) as caught:
        resolve("gpt-4o", rules(), reports(a=[], b=[]))
    assert caught.value.message.endswith("is not served here; check that its node runs")


@table("given", [{"aliases": {"flash": "gemma2:9"}}, {"patterns": (("fl*", "gemma2:9"),)}])
def test_an_alias_that_leads_nowhere_names_what_it_leads_to(given: dict[str, Any]) -> None:
    with pytest.raises(NotFound) as caught:
        resolve("flash", rules(**given), BOTH)
    told = "alias 'flash' points to 'gemma2:9', which no node serves; similar names: gemma2:9b"
    assert caught.value.message == told


def test_a_configured_model_may_begin_like_a_resource_while_its_node_is_silent() -> None:
    given = rules(models=("models/m",))
    assert [info.name for info in visible(given, {})] == ["models/m"]
    assert resolve("models/m", given, {}).model == "models/m"
    with pytest.raises(NotFound):
        resolve("m", given, {})


names = st.sampled_from(
    ["m", "n", "m:latest", "n:latest", "m:1", "p-m", "p-p-m", "p-n:latest", "models/m", "q/m", "p-"]
)
reported_lists = st.dictionaries(
    st.sampled_from("abc"), st.lists(names, max_size=4).map(
        lambda found: tuple(ModelInfo(name) for name in found)), max_size=3,
)  # fmt: skip
some_rules = st.builds(
    ModelRules,
    aliases=st.dictionaries(names, names, max_size=3),
    patterns=st.lists(st.tuples(st.sampled_from(["*", "m*", "p-?"]), names), max_size=2).map(tuple),
    prefix=st.sampled_from(["", "p-", "models/"]),
    models=st.none() | st.lists(names, max_size=3).map(tuple),
    nodes=st.permutations("abc").flatmap(
        lambda order: st.integers(0, 3).map(lambda count: tuple(order[:count]))
    ),
)


@given(st.one_of(names, st.text(max_size=9)), some_rules, reported_lists)
def test_a_target_is_a_node_that_may_have_it(
    asked: str, given: ModelRules, reported: dict[str, tuple[ModelInfo, ...]]
) -> None:
    try:
        target = resolve(asked, given, reported)
    except NotFound:
        return
    assert target.asked == asked
    assert target.nodes == tuple(node for node in given.nodes if node in target.nodes)
    assert target.nodes
    holders = [
        node for node in given.nodes if target.model in {one.name for one in reported.get(node, ())}
    ]
    unknown = [node for node in given.nodes if node not in reported]
    assert list(target.nodes) == (holders or unknown)
    if given.models is not None:
        plain = {name.removesuffix(":latest") for name in given.models}
        assert target.model.removesuffix(":latest") in plain


@given(some_rules, reported_lists)
def test_what_is_shown_can_be_asked_for(
    given: ModelRules, reported: dict[str, tuple[ModelInfo, ...]]
) -> None:
    shown = visible(given, reported)
    assert [info.name for info in shown] == sorted({info.name for info in shown})
    for info in shown:
        resolve(info.name, given, reported)


def test_configured_models_are_shown_while_their_nodes_have_told_nothing() -> None:
    """As soon as every node has reported that it lacks the model, it is no longer listed."""
    named = rules(models=("m", "n"), prefix="p-", aliases={"fast": "m"})

    def names(reported: dict[str, tuple[ModelInfo, ...]]) -> list[str]:
        return [info.name for info in visible(named, reported)]

    assert names({}) == ["fast", "p-m", "p-n"]
    assert names(reports(a=["m"])) == ["fast", "p-m", "p-n"]
    assert names(reports(a=["m", "x"], b=[])) == ["fast", "p-m"]
    assert names(reports(a=["m:latest"], b=["n"])) == ["fast", "p-m:latest", "p-n"]


def test_a_target_knows_by_which_alias_it_was_found() -> None:
    given = rules(**ALIASED)
    assert resolve("fast", rules(aliases={"fast": "qwen"}), BOTH).alias == "fast"
    assert resolve("gemini-9", given, BOTH).alias == "gemini-*"
    assert resolve("qwen", rules(), BOTH).alias == ""


@table(
    ("only", "asked", "model"),
    [
        (("fast",), "fast", "gemma2:9b"),
        # By the node's name, by a pattern, without Ollama's tag.
        (("gemma2:9b",), "fast", "gemma2:9b"),
        (("gemini-*",), "gemini-2.5-flash", "llama3:latest"),
        (("llama3",), "llama3:latest", "llama3:latest"),
    ],
)
def test_a_key_that_is_limited_to_models_gets_these(
    only: tuple[str, ...], asked: str, model: str
) -> None:
    assert resolve(asked, rules(**ALIASED, only=only), BOTH).model == model


def test_any_other_model_is_not_there_for_it() -> None:
    with pytest.raises(NotFound, match="is not served here, or not to your key") as caught:
        resolve("qwen2", rules(only=("gemma*",)), reports(a=["gemma2:9b", "qwen2"]))
    assert "qwen2" not in caught.value.message.partition("your key")[2]
