"""What is too long, and by how much, from the messages of many engines and releases."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.dialects.node_errors.limits import Excess, Excessive, read_excess
from casedesk_proxy.dialects.node_errors.words import excess_fault
from casedesk_proxy.terms import Dialect
from tests.fixtures.table import table

PROMPT, TOGETHER, REPLY = Excessive
VLLM = "This model's maximum context length is 8192 tokens."


@table(
    ("text", "wanted"),
    [
        # The prompt would fit, but not with the reply.
        (f"{VLLM} However, you requested 9010 tokens (10 in the messages, 9000 in the completion). "
         "Please reduce the length of the messages or completion.",
         Excess(TOGETHER, 10, 9000, 8192)),
        (f"{VLLM} However, you requested 9000 output tokens and your prompt contains at least 10 "
         "input tokens, for a total of at least 9010 tokens. (parameter=input_tokens, value=10)",
         Excess(TOGETHER, 10, 9000, 8192)),
        (f"'max_tokens' or 'max_completion_tokens' is too large: 9000. {VLLM[:-1]} and your "
         "request has 10 input tokens (9000 > 8192 - 10).", Excess(TOGETHER, 10, 9000, 8192)),
        ("Requested token count exceeds the model's maximum context length of 262144 tokens. You "
         "requested a total of 262462 tokens: 230462 tokens from the input messages and 32000 "
         "tokens for the completion. Please reduce the number of tokens in the input messages or "
         "the completion to fit within the limit.", Excess(TOGETHER, 230462, 32000, 262144)),
        ("Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048. Given: 1500 "
         "`inputs` tokens and 1000 `max_new_tokens`", Excess(TOGETHER, 1500, 1000, 2048)),
        ("This model's maximum context length is 4097 tokens, however you requested 5000 tokens "
         "(3000 in your prompt; 2000 for the completion).", Excess(TOGETHER, 3000, 2000, 4097)),
        ("input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease "
         "input length or `max_tokens` and try again", Excess(TOGETHER, 190000, 20000, 200000)),
        # With so long a prompt a smaller reply would not help.
        (f"{VLLM} However, you requested 10010 tokens (9010 in the messages, 1000 in the "
         "completion).", Excess(PROMPT, 9010, 1000, 8192)),
        # The prompt alone.
        (f"{VLLM} However, your request has 9010 input tokens.", Excess(PROMPT, 9010, None, 8192)),
        (f"{VLLM} However, your prompt contains at least 8193 input tokens, which exceeds this "
         "limit", Excess(PROMPT, 8193, None, 8192)),
        (f"{VLLM} However, you requested 9000 tokens in the messages, Please reduce the length of "
         "the messages.", Excess(PROMPT, 9000, None, 8192)),
        ("The decoder prompt (length 9010) is longer than the maximum model length of 8192. Make "
         "sure that `max_model_len` is no smaller than the number of text tokens.",
         Excess(PROMPT, 9010, None, 8192)),
        ("The input (9010 tokens) is longer than the model's context length (8192 tokens).",
         Excess(PROMPT, 9010, None, 8192)),
        ("Input length (9010 tokens) exceeds the maximum allowed length (8192 tokens). Use a "
         "shorter input or enable --allow-auto-truncate.", Excess(PROMPT, 9010, None, 8192)),
        ("Input validation error: `inputs` must have less than 1024 tokens. Given: 1500",
         Excess(PROMPT, 1500, None, 1024)),
        ("request (9010 tokens) exceeds the available context size (8192 tokens), try increasing "
         "it", Excess(PROMPT, 9010, None, 8192)),
        ("prompt is too long: 9010 tokens > 8192 maximum", Excess(PROMPT, 9010, None, 8192)),
        ("The input token count (9010) exceeds the maximum number of tokens allowed (8192).",
         Excess(PROMPT, 9010, None, 8192)),
        ("Trying to keep the first 9010 tokens when context the overflows. However, the model is "
         "loaded with context length of only 4096 tokens", Excess(PROMPT, 9010, None, 4096)),
        ("the input length exceeds the context length", Excess(PROMPT)),
        ("the context window is full", Excess(PROMPT)),
        # The limit asked for, whatever the prompt.
        ("max_tokens=9000 cannot be greater than max_model_len=4096. Please request fewer output "
         "tokens. (parameter=max_tokens, value=9000)", Excess(REPLY, None, 9000, 4096)),
        ("max_tokens is too large: 9000. This model supports at most 4096 completion tokens, "
         "whereas you provided 9000.", Excess(REPLY, None, 9000, 4096)),
        ("max_tokens: 128000 > 64000, which is the maximum allowed number of output tokens for m",
         Excess(REPLY, None, 128000, 64000)),
        # Something else.
        ("max_tokens must be at least 1, got 0", None),
        ("max_tokens must fit the context window", None),
        ("the request queue is full", None),
        ("temperature must be between 0 and 2", None),
        ("", None),
    ],
)  # fmt: skip
def test_what_is_too_long(text: str, wanted: Excess | None) -> None:
    assert read_excess({}, text.lower()) == wanted


def test_numbers_that_llama_server_tells_apart() -> None:
    told = {"n_prompt_tokens": 9004, "n_ctx": 4096, "type": "exceed_context_size_error"}
    assert read_excess({"error": told}, "") == Excess(PROMPT, 9004, None, 4096)
    assert read_excess(told, "") == Excess(PROMPT, 9004, None, 4096)


@table("surface", list(Dialect))
def test_a_limit_of_the_reply_is_no_long_prompt(surface: Dialect) -> None:
    told = excess_fault(surface, Excess(TOGETHER, 10, 9000, 8192))
    assert told is not None
    assert told.status == 400
    assert "9010)" not in told.message
    assert "prompt is too long" not in told.message
    assert excess_fault(surface, Excess(REPLY, None, 9000, 4096)) is None


@given(st.text(max_size=300), st.sampled_from(["context length ", "max_tokens ", "9" * 5000]))
def test_any_text_is_read(text: str, sign: str) -> None:
    found = read_excess({"error": text}, f"{sign}{text}".lower())
    assert found is None or isinstance(found, Excess)
