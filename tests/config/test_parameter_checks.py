"""Every mistake in an alias's rules, and its message."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from casedesk_proxy.config.complaints import ConfigError
from casedesk_proxy.config.load import load_config
from casedesk_proxy.config.parameter_checks import check_parameters
from casedesk_proxy.config.settings import spell
from tests.fixtures.table import table

START = 'nodes: {a: {url: "http://127.0.0.1:1"}}\ndeployments: {d: {auth: none, nodes: [a], '


def told(alias: str) -> list[str]:
    """The complaints about an alias of this text; without complaints, its warnings."""
    try:
        found = load_config(f"{START}aliases: {{x: {alias}}}}}}}", "f").warnings
    except ConfigError as error:
        found = list(error.complaints)
    start = "deployments.d.aliases.x"
    return [
        f"{one.path.removeprefix(start)}: {one.message}" + f"; {one.remedy}" * bool(one.remedy)
        for one in found
    ]


@table(
    ("alias", "wanted"),
    [
        ("m", []),
        ("{model: m}", []),
        ("{model: m, description: d, set: {temperature: 0, seed: 3, stop: [a]}}", []),
        ("{model: m, cap: {max_tokens: 5}, remove: [top_k], default: {effort: none}}", []),
        ('{model: m, map: {effort: {high: low, none: null, "*": {top_k: 1}}}}', []),
        ('{model: m, map: {thinking_budget: {"..9": {effort: low}, "10..": {effort: max}}}}', []),
        ("{model: m, openai: {set: {chat_template_kwargs.enable_thinking: false}}}", []),
        ("{model: m, openai: {cap: {repeat_penalty: 1.1}, remove: [stop]}}", []),
        ("{model: m, gemini: {default: {generationConfig.topK: 5}}}", []),
        # names
        ("{model: m, set: {temprature: 1}}", [
            ".set.temprature: is not one of the field names that all APIs share; did you mean"
            " temperature?",
        ]),
        ("{model: m, set: {repeat_penalty: 1}}", [
            ".set.repeat_penalty: is not one of the field names that all APIs share; put it"
            " below openai",
        ]),
        ("{model: m, remove: [thinking]}", [
            ".remove[0]: is not one of the field names that all APIs share; put it below"
            " anthropic or openai",
        ]),
        ("{model: m, set: {zzz: 1}}", [
            ".set.zzz: is not one of the field names that all APIs share; shared names:"
            " max_tokens, temperature, top_p, top_k, min_p, stop, seed, presence_penalty,"
            " frequency_penalty, effort, thinking_budget; put other fields below gemini,"
            " anthropic, openai, responses, ollama",
        ]),
        ("{model: m, gemini: {set: {topK: 1}}}", [
            ".gemini.set.topK: is not one of Gemini's known fields; it is used all the"
            " same; did you mean generationConfig.topK?",
        ]),
        ("{model: m, anthropic: {set: {zzz: 1}}}", [
            ".anthropic.set.zzz: is not one of Anthropic's known fields; it is used all"
            " the same",
        ]),
        ("{model: m, openai: {temperature: 1}}", [
            ".openai.temperature: unknown setting; write it as set: {temperature: …}, or below"
            " default",
        ]),
        ("{model: m, openai: {sett: {}}}", [".openai.sett: unknown setting; did you mean set?"]),
        ("{model: m, openai: {zzz: {}}}", [
            ".openai.zzz: unknown setting; known settings here: remove, default, map, cap, set",
        ]),
        ("{model: m, transcriptions: {set: {langage: de}}}", [
            ".transcriptions.set.langage: is not one of a transcription's known fields; it is used"
            " all the same; did you mean language?",
        ]),
        ("{model: m, images: {cap: {n: 0}, set: {prompt: x}}}", [
            ".images.cap.n: must be a whole number, at least 1",
            ".images.set.prompt: cannot be changed by parameters",
        ]),
        ("{model: m, images: {map: {size: {small: {n: 1}}}}}", [
            ".images.map.size.small: cannot put in other fields here; write another value, or null",
        ]),
        ("{model: m, sett: {}}", [".sett: unknown setting; did you mean set?"]),
        ("{model: m, set: {model: n}}", [
            ".set.model: cannot be changed by parameters; write the alias's model",
        ]),
        ("{model: m, openai: {remove: [messages.x]}}", [
            ".openai.remove[0]: cannot be changed by parameters",
        ]),
        ("{model: m, openai: {set: {a..b: 1}}}", [
            ".openai.set['a..b']: is not the name of a field; write it as outer.inner",
        ]),
        # values
        ("{model: m, set: {temperature: hot}}", [
            ".set.temperature: must be a number from 0 to 2",
        ]),
        ("{model: m, default: {max_tokens: 0}}", [
            ".default.max_tokens: must be a whole number, at least 1",
        ]),
        ("{model: m, set: {stop: x}}", [".set.stop: must be a list of texts"]),
        ("{model: m, set: {effort: much}}", [
            ".set.effort: must be one of none, minimal, low, medium, high, xhigh, max",
        ]),
        ("{model: m, set: {seed: null}}", [
            ".set.seed: is empty; to leave the field out, list it below remove",
        ]),
        ("{model: m, cap: {effort: high}}", [
            ".cap.effort: cannot have a maximum, as it is not a number; use map",
        ]),
        ("{model: m, cap: {max_tokens: many}}", [
            ".cap.max_tokens: must be a whole number, at least 1",
        ]),
        ("{model: m, cap: {temperature: 3}}", [".cap.temperature: must be a number from 0 to 2"]),
        ("{model: m, openai: {cap: {options.x: y}}}", [
            ".openai.cap['options.x']: must be a number",
        ]),
        ("{model: m, map: {effort: {high: much}}}", [
            ".map.effort.high: must be one of none, minimal, low, medium, high, xhigh, max, or a"
            " mapping of other fields",
        ]),
        ("{model: m, map: {effort: {high: {top_p: 3}}}}", [
            ".map.effort.high.top_p: must be a number from 0 to 1",
        ]),
        ("{model: m, map: {thinking_budget: {low: 3}}}", [
            ".map.thinking_budget.low: is not a number or range; write 1024, ..1024, 1025.. or *",
        ]),
        ("{model: m, openai: {map: {stop: 3}}}", [
            ".openai.map.stop: is not a mapping; write {value: other value}",
        ]),
        ("{model: m, openai: {set: 3}}", [".openai.set: is not a mapping; write {field: value}"]),
        ("{model: m, openai: {remove: 3}}", [".openai.remove: is not a list; write [field, …]"]),
        ("{model: m, openai: {set: }}", [".openai.set: is not a mapping; write {field: value}"]),
        ("{model: m, openai: {remove: }}", [".openai.remove: is not a list; write [field, …]"]),
        ("{model: m, openai: {remove: [3]}}", [
            ".openai.remove[0]: is not the name of a field",
        ]),
        ("{model: m, set: 3}", [
            ".set: is a number, but must be a mapping (key: value lines)",
        ]),
        ("{model: m, remove: 3}", [".remove: is a number, but must be a list"]),
        ("{model: m, map: {effort: 3}}", [
            ".map.effort: is a number, but must be a mapping (key: value lines)",
        ]),
        # what excludes what
        ("{model: m, set: {top_p: 1}, cap: {top_p: 1}}", [
            ".cap.top_p: has no effect, as set gives top_p a value in every request; keep one of"
            " the two",
        ]),
        # the section itself
        ("{model: m, remove: [3]}", [
            ".remove[0]: is a number, but must be text; put it in quotes: \"3\"",
        ]),
        ("{set: {top_p: 1}, cap: {seed: 1}}", [
            ".model: is missing; add it: The model, as its nodes name it",
        ]),
        ("3", [': is a number, but must be text; put it in quotes: "3"']),
        ("{gemma2: 9b}", [
            ": is a mapping, but must be text; no space may follow the colon of a name:"
            ' "gemma2:9b"',
        ]),
        ("' '", [": is not a model name; write it as the node lists it, without spaces"]),
    ],
)  # fmt: skip
def test_words(alias: str, wanted: list[str]) -> None:
    assert told(alias) == wanted


@table(
    "data",
    [
        {},
        {"deployments": 3},
        {"deployments": {"d": 3}},
        {"deployments": {"d": {"aliases": 3}}},
        {"deployments": {"d": {"aliases": {"x": 3}}}},
        {"deployments": {"d": {"aliases": {"x": {"openai": 3, "set": 3, "map": []}}}}},
    ],
    ids=json.dumps,
)
def test_wrong_types_are_left_to_the_schema(data: dict[str, Any]) -> None:
    assert list(check_parameters(data)) == []


@table(
    ("text", "wanted"),
    [
        (
            "keys: [{name: k, sha256: %s, deployments: [d], limits: {parameters: RULES}}]"
            % ("a" * 64),
            "keys[0].limits.parameters",
        ),
        ("users: [{name: k, limits: {parameters: RULES}}]", "users[0].limits.parameters"),
        ("limits: {keys: {parameters: RULES}}", "limits.keys.parameters"),
    ],
)
def test_those_of_keys_are_checked_in_the_same_way(text: str, wanted: str) -> None:
    data = yaml.safe_load(text.replace("RULES", "{cap: {max_tokens: 0}, set: {model: m}}"))
    assert [(spell(one.path), one.message, one.remedy) for one in check_parameters(data)] == [
        (f"{wanted}.cap.max_tokens", "must be a whole number, at least 1", ""),
        (f"{wanted}.set.model", "cannot be changed by parameters", ""),
    ]


def test_what_is_no_section_is_passed_over() -> None:
    for text in ("keys: 5", "keys: [5]", "keys: [{limits: 5}]", "limits: 5", "limits: {keys: 5}"):
        assert not list(check_parameters(yaml.safe_load(text)))


def test_those_of_a_node() -> None:
    text = START.replace(':1"', ':1", parameters: %s') + "}}"
    wrong = "{cap: {max_tokens: x}, set: {model: m}, images: {set: {n: 1}}, transcriptions: {}}"
    with pytest.raises(ConfigError) as caught:
        load_config(text % wrong, "f")
    found = [(one.path, one.message, one.remedy) for one in caught.value.complaints]
    assert found == [
        ("nodes.a.parameters.cap.max_tokens", "must be a whole number, at least 1", ""),
        ("nodes.a.parameters.set.model", "cannot be changed by parameters", ""),
        ("nodes.a.parameters.images", "cannot be changed for a node",
         "write it at an alias, or at a key"),
    ]  # fmt: skip
    assert not load_config(text % "{cap: {max_tokens: 5}}", "f").warnings
