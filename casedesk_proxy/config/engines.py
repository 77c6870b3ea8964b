"""What each engine is known to speak, where its node's ``speaks`` does not say."""

from __future__ import annotations

from casedesk_proxy.terms import Dialect, Engine

__all__ = ["SENDS_AT_ONCE", "SPEAKS"]

#: Measured (vLLM 0.32, llama-server b11549, SGLang 0.5.23, Ollama 0.9.3, transformers serve
#: 5.17 to 5.24) or, for the rest, by their documentation. Ollama has ``/v1/messages`` from 0.14
#: on, so an older one must not be assumed to; ``casedesk-proxy init`` writes ``speaks`` where it
#: finds a newer one.
SPEAKS: dict[Engine, tuple[Dialect, ...]] = {
    Engine.AUTO: (Dialect.OPENAI,),
    Engine.OLLAMA: (Dialect.OPENAI,),
    Engine.VLLM: (Dialect.OPENAI, Dialect.ANTHROPIC),
    Engine.LLAMA_SERVER: (Dialect.OPENAI, Dialect.ANTHROPIC),
    Engine.SGLANG: (Dialect.OPENAI, Dialect.ANTHROPIC),
    Engine.TGI: (Dialect.OPENAI,),
    Engine.TRANSFORMERS: (Dialect.OPENAI,),
    Engine.GEMINI: (Dialect.GEMINI,),
    Engine.ANTHROPIC: (Dialect.ANTHROPIC,),
    Engine.OPENAI: (Dialect.OPENAI,),
}

#: Engines that switch Nagle's algorithm off (TCP_NODELAY): llama-server by system call trace,
#: the Python servers because asyncio and uvloop do, Ollama because Go does. A sender that waits
#: for acknowledgements would be slowed by a receiver that delays them; these are not.
SENDS_AT_ONCE = frozenset(
    {Engine.LLAMA_SERVER, Engine.VLLM, Engine.SGLANG, Engine.OLLAMA, Engine.TRANSFORMERS}
)
