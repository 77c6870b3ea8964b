from __future__ import annotations

from typing import Any

from casedesk_proxy.config.alias_targets import find_wrong_targets
from tests.fixtures.table import table


def found(**deployment: Any) -> list[tuple[Any, str, str]]:
    findings = list(find_wrong_targets("d", deployment))
    assert all(one.warns and one.path[:3] == ("deployments", "d", "aliases") for one in findings)
    return [(one.path[-1], one.message.partition(",")[0], one.remedy) for one in findings]


def test_models_that_the_deployment_leaves_out() -> None:
    aliases = {"a": "gemma2:9", "b*": "qwen", "c": "llama3", "d": "gemma2:9b"}
    message = "points to a model that is not among the deployment's models"
    assert found(models=["gemma2:9b", "llama3:latest"], aliases=aliases) == [
        ("a", message, "did you mean gemma2:9b?"),
        ("b*", message, "add qwen to models"),
    ]
    assert found(models=None, aliases=aliases) == []
    assert found(models=["gemma2:9b"], aliases=None) == []


@table(
    ("aliases", "further"),
    [
        ({"a": "b", "b": "real"}, ["a"]),
        ({"a": "b", "b": "a"}, ["a", "b"]),
        ({"a": {"model": "b"}, "b": {"model": "c", "set": {"seed": 1}}, "c": "real"}, ["a", "b"]),
        ({"a": "b", "b": {"model": "b", "set": {"seed": 1}}}, []),
        ({"a": "a", "b": None, "c": 5, "d": ["a"]}, []),
    ],
)
def test_an_alias_of_an_alias(aliases: dict[str, Any], further: list[str]) -> None:
    for models in (None, ["real"]):
        told = [one for one in found(models=models, aliases=aliases) if "another alias" in one[1]]
        assert told == [
            (name, "points to another alias", "name the model itself") for name in further
        ]
