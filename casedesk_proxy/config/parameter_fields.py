"""The fields of requests that an alias may change: the names that all protocols share, and each
protocol's own.

A shared name is written as OpenAI writes it and means the same field everywhere; `SHARED` says
where it is in each protocol. Own fields are dotted paths: ``generationConfig.topK``. They are
listed so that a misspelt name, or a value of the wrong type, is noticed; unknown fields are passed
on nevertheless, as engines have many of their own. Sources: OpenAI's, Anthropic's and Google's
references; for further fields of chats vLLM 0.32, SGLang 0.5.23 and llama-server b11549.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = [
    "EFFORTS",
    "OPEN_OBJECTS",
    "OWN",
    "PROTECTED",
    "SHARED",
    "Kind",
    "kind_of",
]


@dataclass(frozen=True, slots=True)
class Kind:
    """``wanted`` reads on from "must be"."""

    wanted: str
    fits: Callable[[Any], bool]
    number: bool = False


def _number(least: float, most: float) -> Kind:
    return Kind(
        f"a number from {least:g} to {most:g}",
        lambda value: type(value) in (int, float) and least <= value <= most,
        number=True,
    )


def _integer(least: int) -> Kind:
    return Kind(
        f"a whole number, at least {least}",
        lambda value: type(value) is int and value >= least,
        number=True,
    )


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


#: Efforts of thinking, from none to the highest of any protocol.
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")

_SEED = Kind("a whole number", lambda value: type(value) is int, number=True)
_COUNT, _TOKENS = _integer(0), _integer(1)
_FLAG = Kind("true or false", lambda value: isinstance(value, bool))
_TEXT = Kind("text", lambda value: isinstance(value, str))
_TEXTS = Kind("a list of texts", _texts)
_STOP = Kind("a text or a list of texts", lambda value: isinstance(value, str) or _texts(value))
_OBJECT = Kind("a mapping", lambda value: isinstance(value, dict))
_LIST = Kind("a list", lambda value: isinstance(value, list))
_ANY = Kind("anything", lambda value: True)
_ANY_NUMBER = Kind("a number", lambda value: type(value) in (int, float), number=True)
_EFFORT = Kind("one of " + ", ".join(EFFORTS), lambda value: value in EFFORTS)
_WARMTH, _SHARE, _PENALTY = _number(0, 2), _number(0, 1), _number(-2, 2)

_SHARED_KINDS = {
    "max_tokens": _TOKENS,
    "temperature": _WARMTH,
    "top_p": _SHARE,
    "top_k": _COUNT,
    "min_p": _SHARE,
    "stop": _TEXTS,
    "seed": _SEED,
    "presence_penalty": _PENALTY,
    "frequency_penalty": _PENALTY,
    "effort": _EFFORT,
    "thinking_budget": _COUNT,
}

_CONFIG, _THINKING = "generationConfig", "generationConfig.thinkingConfig"
_CHAT = {name: name for name in _SHARED_KINDS if name not in ("effort", "thinking_budget")}
#: For each protocol, the field of each shared name; missing if it has none.
SHARED: Mapping[str, Mapping[str, str]] = {
    "gemini": {
        "max_tokens": f"{_CONFIG}.maxOutputTokens",
        "temperature": f"{_CONFIG}.temperature",
        "top_p": f"{_CONFIG}.topP",
        "top_k": f"{_CONFIG}.topK",
        "stop": f"{_CONFIG}.stopSequences",
        "seed": f"{_CONFIG}.seed",
        "presence_penalty": f"{_CONFIG}.presencePenalty",
        "frequency_penalty": f"{_CONFIG}.frequencyPenalty",
        "effort": f"{_THINKING}.thinkingLevel",
        "thinking_budget": f"{_THINKING}.thinkingBudget",
    },
    "anthropic": {
        **{name: name for name in ("max_tokens", "temperature", "top_p", "top_k")},
        "stop": "stop_sequences",
        "effort": "output_config.effort",
        "thinking_budget": "thinking.budget_tokens",
    },
    "openai": {**_CHAT, "effort": "reasoning_effort"},
    "responses": {
        "max_tokens": "max_output_tokens",
        **{name: name for name in ("temperature", "top_p", "top_k", "seed")},
        **{name: name for name in ("presence_penalty", "frequency_penalty")},
        "effort": "reasoning.effort",
    },
    "ollama": {
        "max_tokens": "options.num_predict",
        **{name: f"options.{name}" for name in _CHAT if name != "max_tokens"},
        "effort": "think",
    },
}

#: Fields that an alias must not change, since the request or its reply would become another one.
PROTECTED: Mapping[str, frozenset[str]] = {
    "gemini": frozenset({"model", "contents", "requests", "generateContentRequest"}),
    "anthropic": frozenset({"model", "messages", "stream"}),
    "openai": frozenset({"model", "messages", "prompt", "input", "stream"}),
    "responses": frozenset({"model", "input", "stream", "previous_response_id", "background"}),
    "ollama": frozenset({"model", "messages", "prompt", "stream"}),
    "transcriptions": frozenset({"model", "file", "stream"}),
    "images": frozenset({"model", "image", "image[]", "mask", "prompt", "stream"}),
}

#: Objects in which any field is allowed.
OPEN_OBJECTS: Mapping[str, tuple[str, ...]] = {
    "gemini": ("labels", f"{_CONFIG}.imageConfig"),
    "anthropic": ("metadata",),
    "openai": (
        *("chat_template_kwargs", "mm_processor_kwargs", "structured_outputs", "extra_body"),
        *("metadata", "logit_bias", "vllm_xargs", "options", "provider", "custom_params"),
    ),
    "responses": ("metadata", "chat_template_kwargs"),
    "ollama": ("options",),
}

_GEMINI: Mapping[str, Kind] = {
    **dict.fromkeys(("tools", "safetySettings"), _LIST),
    **dict.fromkeys(("systemInstruction", "toolConfig", "labels", _THINKING), _OBJECT),
    **dict.fromkeys(("cachedContent", "serviceTier"), _TEXT),
    "store": _FLAG,
    f"{_CONFIG}.candidateCount": _TOKENS,
    f"{_CONFIG}.responseLogprobs": _FLAG,
    f"{_CONFIG}.logprobs": _COUNT,
    f"{_CONFIG}.responseMimeType": _TEXT,
    f"{_CONFIG}.responseSchema": _OBJECT,
    f"{_CONFIG}.responseJsonSchema": _ANY,
    f"{_CONFIG}.responseModalities": _TEXTS,
    f"{_CONFIG}.mediaResolution": _TEXT,
    f"{_CONFIG}.speechConfig": _OBJECT,
    f"{_CONFIG}.imageConfig": _OBJECT,
    f"{_THINKING}.includeThoughts": _FLAG,
    f"{_THINKING}.thinkingLevel": _TEXT,
    # -1 leaves it to the model.
    f"{_THINKING}.thinkingBudget": _integer(-1),
}
_ANTHROPIC: Mapping[str, Kind] = {
    "system": Kind("a text or a list", lambda value: isinstance(value, str | list)),
    **dict.fromkeys(("tools", "mcp_servers"), _LIST),
    **dict.fromkeys(("tool_choice", "thinking", "metadata", "output_config"), _OBJECT),
    **dict.fromkeys(("context_management", "container", "output_config.format"), _OBJECT),
    **dict.fromkeys(("service_tier", "thinking.type", "thinking.display"), _TEXT),
    **dict.fromkeys(("inference_geo", "speed", "tool_choice.type"), _TEXT),
    "tool_choice.disable_parallel_tool_use": _FLAG,
    "output_config.effort": Kind("one of low to max", lambda value: value in EFFORTS[2:]),
}
_OPENAI: Mapping[str, Kind] = {
    **dict.fromkeys(("max_completion_tokens", "n", "best_of"), _TOKENS),
    **dict.fromkeys(("logprobs", "parallel_tool_calls", "store", "echo"), _FLAG),
    **dict.fromkeys(("response_format", "stream_options", "logit_bias", "metadata"), _OBJECT),
    **dict.fromkeys(("audio", "prediction", "web_search_options", "json_schema"), _OBJECT),
    **dict.fromkeys(("tools", "modalities", "functions", "samplers", "stop_token_ids"), _LIST),
    **dict.fromkeys(("tool_choice", "function_call", "thinking", "think", "grammar"), _ANY),
    **dict.fromkeys(("user", "service_tier", "suffix", "verbosity", "ebnf", "regex"), _TEXT),
    **dict.fromkeys(("safety_identifier", "prompt_cache_key", "reasoning_format"), _TEXT),
    **dict.fromkeys(("prompt_cache_retention", "chat_template", "guided_regex"), _TEXT),
    "stream_options.include_usage": _FLAG,
    "reasoning_effort": _TEXT,
    "top_logprobs": _COUNT,
    "max_tokens": _TOKENS,
    "stop": _STOP,
    # Fields of engines: vLLM, SGLang, then llama-server.
    **dict.fromkeys(("repetition_penalty", "length_penalty", "priority"), _ANY_NUMBER),
    **dict.fromkeys(("ignore_eos", "skip_special_tokens", "include_stop_str_in_output"), _FLAG),
    **dict.fromkeys(("add_generation_prompt", "continue_final_message", "use_beam_search"), _FLAG),
    **dict.fromkeys(("spaces_between_special_tokens", "separate_reasoning"), _FLAG),
    **dict.fromkeys(("stream_reasoning", "include_reasoning", "no_stop_trim"), _FLAG),
    **dict.fromkeys(("min_tokens", "truncate_prompt_tokens", "prompt_logprobs"), _COUNT),
    **dict.fromkeys(("guided_json", "guided_choice", "guided_grammar", "lora_path"), _ANY),
    **dict.fromkeys(("chat_template_kwargs", "mm_processor_kwargs"), _OBJECT),
    **dict.fromkeys(("structured_outputs", "vllm_xargs", "custom_params"), _OBJECT),
    "thinking_token_budget": _COUNT,
    "thinking_budget_tokens": _integer(-1),
    **dict.fromkeys(("dynatemp_range", "dynatemp_exponent", "typical_p"), _ANY_NUMBER),
    **dict.fromkeys(("top_n_sigma", "xtc_probability", "xtc_threshold"), _ANY_NUMBER),
    **dict.fromkeys(("repeat_penalty", "repeat_last_n", "mirostat"), _ANY_NUMBER),
    **dict.fromkeys(("mirostat_tau", "mirostat_eta", "dry_multiplier"), _ANY_NUMBER),
    **dict.fromkeys(("dry_base", "dry_allowed_length", "dry_penalty_last_n"), _ANY_NUMBER),
    **dict.fromkeys(("n_predict", "n_keep", "n_probs", "min_keep", "id_slot"), _ANY_NUMBER),
    **dict.fromkeys(("n_indent", "t_max_predict_ms", "adaptive_target"), _ANY_NUMBER),
    **dict.fromkeys(("cache_prompt", "timings_per_token", "post_sampling_probs"), _FLAG),
    **dict.fromkeys(("return_progress", "return_tokens", "parse_tool_calls"), _FLAG),
    **dict.fromkeys(("dry_sequence_breakers", "lora"), _LIST),
    # Ollama's.
    "options": _OBJECT,
    "keep_alive": _ANY,
}
_RESPONSES: Mapping[str, Kind] = {
    **dict.fromkeys(("instructions", "truncation", "user", "service_tier"), _TEXT),
    **dict.fromkeys(("prompt_cache_key", "safety_identifier", "text.verbosity"), _TEXT),
    **dict.fromkeys(("reasoning.summary", "reasoning.effort", "prompt_cache_retention"), _TEXT),
    **dict.fromkeys(("parallel_tool_calls", "store", "stream_options.include_obfuscation"), _FLAG),
    **dict.fromkeys(("tools", "include"), _LIST),
    **dict.fromkeys(("top_logprobs", "max_tool_calls"), _COUNT),
    **dict.fromkeys(("text", "reasoning", "metadata", "prompt", "text.format"), _OBJECT),
    "tool_choice": _ANY,
}
_OLLAMA: Mapping[str, Kind] = {
    **dict.fromkeys(("think", "keep_alive", "format"), _ANY),
    **dict.fromkeys(("system", "template", "suffix"), _TEXT),
    **dict.fromkeys(("raw", "logprobs", "truncate", "shift"), _FLAG),
    "tools": _LIST,
    "top_logprobs": _COUNT,
    "options": _OBJECT,
    # -1: without a limit.
    "options.num_predict": _integer(-2),
    "options.num_ctx": _TOKENS,
    "options.stop": _STOP,
}
_TRANSCRIPTIONS: Mapping[str, Kind] = {
    **dict.fromkeys(("language", "to_language", "prompt", "response_format", "hotwords"), _TEXT),
    **dict.fromkeys(("include[]", "timestamp_granularities[]"), _TEXTS),
    **dict.fromkeys(("known_speaker_names[]", "known_speaker_references[]"), _TEXTS),
    "chunking_strategy": _ANY,
    "temperature": _WARMTH,
    # vLLM's.
    **{name: _SHARED_KINDS[name] for name in ("seed", "top_p", "top_k", "min_p")},
    **dict.fromkeys(("presence_penalty", "frequency_penalty"), _PENALTY),
    "repetition_penalty": _ANY_NUMBER,
    "max_completion_tokens": _TOKENS,
}
_IMAGES: Mapping[str, Kind] = {
    **dict.fromkeys(("size", "quality", "background", "moderation", "style", "user"), _TEXT),
    **dict.fromkeys(("output_format", "response_format", "input_fidelity"), _TEXT),
    **dict.fromkeys(("output_compression", "partial_images"), _COUNT),
    "n": _TOKENS,
    # Fields of engines that make images.
    **dict.fromkeys(("negative_prompt", "scheduler"), _TEXT),
    **dict.fromkeys(("num_inference_steps", "steps"), _TOKENS),
    **dict.fromkeys(("guidance_scale", "strength"), _ANY_NUMBER),
    "seed": _SEED,
}


def _with_shared(protocol: str, own: Mapping[str, Kind]) -> Mapping[str, Kind]:
    return {**{path: _SHARED_KINDS[name] for name, path in SHARED[protocol].items()}, **own}


#: The known fields of each protocol, "" for the shared names.
OWN: Mapping[str, Mapping[str, Kind]] = {
    "": _SHARED_KINDS,
    "gemini": _with_shared("gemini", _GEMINI),
    "anthropic": _with_shared("anthropic", _ANTHROPIC),
    "openai": _with_shared("openai", _OPENAI),
    "responses": _with_shared("responses", _RESPONSES),
    "ollama": _with_shared("ollama", _OLLAMA),
    "transcriptions": _TRANSCRIPTIONS,
    "images": _IMAGES,
}


def kind_of(section: str, name: str) -> Kind | None:
    """The type of the field, which may be inside an open object; None: unknown."""
    found = OWN[section].get(name)
    inside = any(name.startswith(f"{one}.") for one in OPEN_OBJECTS.get(section, ()))
    return found or (_ANY if inside else None)
