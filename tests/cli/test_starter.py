from __future__ import annotations

from casedesk_proxy.cli.starter import Found, model_names, name_nodes, starter_config
from casedesk_proxy.config.load import load_config
from casedesk_proxy.engines.llama_server import SPEC as LLAMA_SERVER
from casedesk_proxy.engines.ollama import SPEC as OLLAMA
from casedesk_proxy.engines.spec import Detected, EngineSpec
from casedesk_proxy.engines.tgi import SPEC as TGI
from casedesk_proxy.engines.vllm import SPEC as VLLM
from casedesk_proxy.keystore.credential import mint
from casedesk_proxy.terms import Dialect, ModelInfo
from tests.fixtures.table import table

BOTH = (Dialect.OPENAI, Dialect.ANTHROPIC)
VLLM_SPEAKS = (*BOTH, Dialect.RESPONSES)


def node(engine: EngineSpec, *models: str, **facts: object) -> Detected:
    infos = tuple(ModelInfo(name, embeds="embed" in name) for name in models)
    dialects = facts.pop("dialects", None) or Detected(engine).dialects
    return Detected(engine, infos, dialects, **facts)  # type: ignore[arg-type]


FOUND = [
    Found(
        "ollama",
        "http://127.0.0.1:11434",
        node(OLLAMA, "embed:1", "gemma2:9b", "no", version="0.14.0", dialects=BOTH),
    ),
    Found("vllm", "http://127.0.0.1:8000", node(VLLM, needs_key=True, dialects=VLLM_SPEAKS)),
    Found(
        "llama-server",
        "http://127.0.0.1:8080",
        node(LLAMA_SERVER, "gemma2:9b", slots=2, dialects=BOTH),
    ),
]


def test_it_loads_without_a_warning() -> None:
    credential = mint()
    loaded = load_config(starter_config(FOUND, "127.0.0.1:8082", "127.0.0.1:9180", credential), "f")
    assert loaded.warnings == []
    config = loaded.config
    assert config.server.listen == "127.0.0.1:8082"
    assert config.default_deployment == "desk"
    assert [(name, one.engine) for name, one in config.nodes.items()] == [
        ("ollama", "ollama"),
        ("vllm", "vllm"),
        ("llama-server", "llama-server"),
    ]
    assert config.nodes["ollama"].speaks == BOTH
    assert config.nodes["vllm"].speaks is None
    assert config.nodes["llama-server"].max_streams is None
    desk = config.deployments["desk"]
    assert (desk.auth, desk.nodes) == ("keys", ("ollama", "vllm", "llama-server"))
    assert desk.models == ("embed:1", "gemma2:9b", "no")
    (key,) = config.keys
    assert (key.sha256, key.deployments) == (credential.sha256, ("desk",))


def test_it_never_holds_the_key() -> None:
    credential = mint()
    assert credential.key not in starter_config(FOUND, "a:1", "a:2", credential)


def test_the_suggestions_load_too() -> None:
    text = starter_config(FOUND, "127.0.0.1:1", "127.0.0.1:2", mint())
    for line in (
        "api_key: {env: VLLM_KEY}",
        "max_streams: 2",
    ):
        assert f"# {line}" in text
        text = text.replace(f"# {line}", line)
    config = load_config(text, "f").config
    assert config.nodes["vllm"].api_key is not None
    assert config.nodes["llama-server"].max_streams == 2


def test_agents_find_the_first_chat_model() -> None:
    text = starter_config(FOUND, "127.0.0.1:1", "127.0.0.1:2", mint())
    aliases = load_config(text, "f").config.deployments["desk"].aliases
    found = {asked: alias.model for asked, alias in aliases.items()}
    assert found == dict.fromkeys(("claude-*", "gemini-*", "gpt-*"), "gemma2:9b")


def test_without_models_the_nodes_are_asked() -> None:
    found = [Found("vllm", "http://127.0.0.1:1", node(VLLM))]
    text = starter_config(found, "127.0.0.1:1", "127.0.0.1:2", mint())
    desk = load_config(text, "f").config.deployments["desk"]
    assert desk.models is None
    assert not desk.aliases
    for line in ("aliases:", *(f'  "{name}": a-model' for name in ("claude-*", "gpt-*"))):
        assert f"    # {line}" in text


def test_names_tell_nodes_of_one_engine_apart() -> None:
    found = [("http://a", node(VLLM)), ("http://b", node(TGI))]
    found += [("http://c", node(VLLM)), ("http://d", node(VLLM))]
    assert [one.name for one in name_nodes(found)] == ["vllm", "tgi", "vllm-2", "vllm-3"]


@table("name", ["", " a", "a\n", "a\x1b[2J", "x" * 600])
def test_what_no_configuration_may_hold_is_left_out(name: str) -> None:
    assert model_names([node(VLLM, name, "good", "good")]) == ["good"]
