"""A node's settings as values."""

from __future__ import annotations

from casedesk_proxy.config.nodes import Node
from casedesk_proxy.terms import Dialect
from tests.fixtures.table import table


def test_defaults() -> None:
    node = Node(url="http://127.0.0.1:1")
    assert (node.connect_timeout, node.first_byte_timeout, node.idle_timeout) == (5, 900, 900)
    assert (node.engine, node.weight, node.max_streams) == ("auto", 1, None)
    assert (node.parameters, node.tls) == (None, None)


def test_one_word_says_how_all_its_models_think() -> None:
    node = Node.model_validate({"url": "http://a", "thinking": "effort"})
    assert node.thinking == {"*": "effort"}


@table(
    ("engine", "dialects"),
    [
        ("auto", (Dialect.OPENAI,)),
        ("ollama", (Dialect.OPENAI, Dialect.OLLAMA)),
        ("vllm", (Dialect.OPENAI, Dialect.ANTHROPIC, Dialect.RESPONSES)),
        ("gemini", (Dialect.GEMINI,)),
    ],
)
def test_what_a_node_speaks(engine: str, dialects: tuple[Dialect, ...]) -> None:
    assert Node(url="http://a", engine=engine).dialects == dialects
    told = Node(url="http://a", engine=engine, speaks=(Dialect.ANTHROPIC,))
    assert told.dialects == (Dialect.ANTHROPIC,)
