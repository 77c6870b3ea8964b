"""Every engine is described completely, and none is mistaken for another."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.engines.inquiries import Inquiry, NodeAnswer
from casedesk_proxy.engines.registry import (
    AUTO,
    ENGINES,
    FINGERPRINTS,
    context_remedy,
    usual_ports,
)
from casedesk_proxy.engines.spec import Detected, EngineSpec
from casedesk_proxy.terms import Dialect, ModelInfo
from tests.engines.answers import look_at
from tests.engines.known import known
from tests.fixtures.table import table

PACKAGE = Path(__file__).parents[2] / "casedesk_proxy"
ALL = pytest.mark.parametrize("engine", ENGINES.values(), ids=str)
RECOGNISED = [one for one in ENGINES.values() if one.fingerprint is not None]
HEARD = known("HEARD")


@ALL
def test_an_engine_is_described_whole(engine: EngineSpec) -> None:
    assert re.fullmatch("[a-z][a-z0-9-]*", engine.name)
    assert engine.title
    assert str(engine) == engine.name
    assert engine.name in repr(engine)
    assert engine.speaks
    assert len(set(engine.speaks)) == len(engine.speaks)
    assert all(0 < port < 65536 for port in engine.ports)
    assert engine.probe is None or engine.probe.startswith("/")
    assert all(end and "/" not in end for end in engine.url_ends)
    if Dialect.OPENAI in engine.speaks and engine.ports:
        assert engine.fingerprint is not None, "`init` looks for it"
    if Dialect.ANTHROPIC in engine.speaks and engine.name != "anthropic":
        assert engine.profile.messages.loses, "nobody but Anthropic keeps all of its requests"


def test_names_do_not_collide() -> None:
    names = [*ENGINES, *(other for one in ENGINES.values() for other in one.other_names)]
    assert len(names) == len(set(names))
    assert all(name == name.lower() for name in names)
    titles = [one.title for one in ENGINES.values()]
    assert len(titles) == len(set(titles))


def test_hints_do_not_collide() -> None:
    owners = [owner for one in FINGERPRINTS for owner in one.owners]
    servers = [server for one in FINGERPRINTS for server in one.servers]
    assert len(owners) == len(set(owners))
    assert len(servers) == len(set(servers))


def test_ports_name_all_who_listen_there() -> None:
    told = {port: {one.name for one in engines} for port, engines in usual_ports().items()}
    assert told == {
        port: {one.name for one in ENGINES.values() if port in one.ports} for port in told
    }
    assert {"llama-server", "tgi"} <= told[8080]


def test_each_is_heard() -> None:
    """Only the engine that accepts any list is not among them."""
    assert {one.name for one in RECOGNISED} - {one.name for one in HEARD} == {"openai"}


@table("engine", HEARD)
def test_none_is_taken_for_another(engine: EngineSpec) -> None:
    """A hint may change the order of the fingerprints. So those before an engine's and those after
    it must not match, except that of the engine that accepts any list."""
    replies, missing = HEARD[engine]
    found = {
        one.name for one in RECOGNISED
        if one.name != "openai" and look_at(one, replies, missing)[0] is not None
    }  # fmt: skip
    # SGLang imitates Ollama, and so has the earlier turn.
    assert found - ({"ollama"} if engine.name == "sglang" else set()) == {engine.name}


def test_who_takes_any_list_looks_last() -> None:
    last = ENGINES["openai"].fingerprint
    assert last is FINGERPRINTS[-1]
    assert all(one.turn < last.turn for one in FINGERPRINTS[:-1])


def test_the_unknown_is_not_looked_for() -> None:
    assert AUTO.fingerprint is None
    assert next(iter(ENGINES)) == AUTO.name


def test_who_is_asked_nothing_costs_something() -> None:
    assert {one.name for one in ENGINES.values() if one.is_metered} == {"gemini", "anthropic"}


def test_what_helps_against_cut_prompts() -> None:
    """For an engine that is not known to shorten prompts, the remedy is that of the engines that
    do."""
    ollama = context_remedy(ENGINES["ollama"], 131072)
    assert "OLLAMA_CONTEXT_LENGTH=32768" in ollama
    assert context_remedy(AUTO, 131072) == ollama
    assert "OLLAMA_CONTEXT_LENGTH=8192" in context_remedy(ENGINES["ollama"], 8192)


def test_no_module_elsewhere_names_an_engine() -> None:
    """All that makes an engine different is a field of its spec. A name that is also a protocol's
    means the protocol in other modules."""
    own = {one.name for one in ENGINES.values()} - {AUTO.name, *Dialect}
    found = [
        f"{path.relative_to(PACKAGE)}: {node.value}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.parent.name != "engines"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in own
    ]
    assert found == []


WORDS = (
    "models data name id capabilities details families status value context_length model_info"
    " version paths error message key model_path is_generation max_total_tokens total_slots type"
    " loaded_context_length max_context_length state loaded_instances config"
)
KEYS = st.sampled_from([*WORDS.split(), "general.architecture", "modified_at", "model_id", "a"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | KEYS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=15,
)
ANSWERS = st.builds(
    NodeAnswer,
    st.sampled_from([200, 200, 200, 0, 401, 500, 503]),
    st.sampled_from(["", "uvicorn", "llama.cpp"]),
    JSON,
)


@pytest.mark.parametrize("engine", RECOGNISED, ids=str)
@given(given_answers=st.lists(ANSWERS, min_size=1, max_size=5))
def test_any_answers_are_taken(engine: EngineSpec, given_answers: list[NodeAnswer]) -> None:
    """Hostile answers are accepted as well; all that is found has a name."""
    assert engine.fingerprint is not None
    found = _answered(engine.fingerprint.look(given_answers[0]), given_answers)
    if found is None:
        return
    assert found.engine is engine
    assert all(isinstance(one, ModelInfo) and one.name for one in found.models)
    for more in (engine.fingerprint.refresh, engine.fingerprint.complete):
        later = _answered(more(found), given_answers) if more is not None else None
        assert later is None or isinstance(later, Detected)


def _answered(asking: Any, answers: list[NodeAnswer]) -> Any:
    """Each inquiry gets the next of the answers; after the last one the first follows."""
    sent, turn = None, 0
    while True:
        try:
            inquiries = asking.send(sent)
        except StopIteration as done:
            return done.value
        assert all(isinstance(one, Inquiry) and one.path.startswith("/") for one in inquiries)
        sent = tuple(answers[(turn + at) % len(answers)] for at in range(len(inquiries)))
        turn += len(inquiries)
