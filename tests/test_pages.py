"""Generated pages describe the current code."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[1] / "docs"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pages", DOCS / "pages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGES = load().PAGES
from error_catalogue import CAUSES  # noqa: E402  (`load` made both importable)
from messages import find_error_messages, find_texts  # noqa: E402


@pytest.mark.timeout(240)  # The error codes: all modules are parsed, see test_assertions.
@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_page_is_what_it_would_be_now(name: str) -> None:
    assert (DOCS / name).read_text() == PAGES[name](), "run `make pages`"


def test_the_configuration_has_every_kind_of_key_and_readable_defaults() -> None:
    text = PAGES["configuration.md"]()
    for line in (
        "| `server.drain_timeout` | 10m | yes |",
        "| `server.max_body` | 32MiB | yes |",
        "| `server.listen` | `127.0.0.1:8080` | restart |",
        "| `nodes.NAME.tls.verify` | true | yes |",
        "| `deployments.NAME.aliases.NAME.model` | required | yes |",
        "| `keys[].name` | required | yes |",
    ):
        assert line in text


def test_the_metrics_have_their_labels() -> None:
    text = PAGES["metrics.md"]()
    assert "| `casedesk_node_in_flight` | gauge | `node` |" in text
    assert "| `casedesk_exchanges` | counter | `deployment`, `surface`, `status`, `end` |" in text


def test_every_error_of_the_catalogue_has_a_message() -> None:
    sections = PAGES["error-codes.md"]().split("\n## ")[1:]
    assert [one for one in sections if "*Messages:*" not in one] == []


def test_a_message_that_is_put_together_of_parts_has_those_of_the_code() -> None:
    parts = " ".join(f"{text.text} " for text in find_texts())
    written = [one for known in CAUSES.values() for one in known.get("messages", ())]
    assert written
    for message in written:
        found = [part.strip(" ;:,.()") for part in re.split("…|; |: ", message)]
        missing = [part for part in found if len(part.split()) >= 3 and part not in parts]
        assert missing == [], message


#: What makes a message say what to do: a request to the reader, or what is required or possible.
_REMEDY = re.compile(
    r"(?:^|[;:,(] |\b(?:and|or|then|to|else) )(?:add|ask|attach|call|check|choose|close|correct"
    r"|create|declare|delete|encode|flatten|join|leave|look|name|open|percent-encode|put|raise|remove|repeat|retry"
    r"|run|save|send|set|shorten|sign|start|try|turn|upload|use|wait|write)\b"
    r"|\bmust\b|\b(?:is|are) required\b|\b(?:allowed|available|known actions): |: one of"
    r"|the proxy's operator has to fix|clients find them at|the base URL is"
)
#: Messages in a vendor's own words, which programs know, or whose end is put together of parts.
_COMPOSED = {
    "Previous response with id '…' not found.",
    "Response with id '…' not found.",
    "`tool_use` ids were found without `tool_result` blocks immediately after",
    "alias … points to …, which no node serves",
    "model … is not served here",
    "the limit of … … (…) of the … '…' is reached: … used; …",
    "node … refused the request: …",
    "…: Unsupported MIME type: …",
}


def test_every_message_of_the_catalogue_says_what_to_do() -> None:
    silent = {
        message
        for found in find_error_messages().values()
        for message in found
        if _REMEDY.search(message) is None
    }
    assert silent == _COMPOSED


def test_a_node_is_named_once() -> None:
    """`AboutNode` adds the name, so the text must not begin with it."""
    texts = {message for found in find_error_messages().values() for message in found}
    twice = {one for one in texts if re.match(r"node …(?:'s \w+)? (?:the )?node\b", one)}
    assert twice == set()


def test_an_error_of_the_catalogue_says_what_each_api_calls_it() -> None:
    text = PAGES["error-codes.md"]()
    section = text[text.index("## `overloaded`") :].partition("\n## ")[0]
    assert "Gemini 429 `RESOURCE_EXHAUSTED`, Anthropic 529 `overloaded_error`" in section
    assert "- `all nodes of this deployment are busy; try again later`" in section
