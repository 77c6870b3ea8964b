"""Writes a chat model of 3 MB whose answers are known, for real llama.cpp nodes.

The weights are not random: attention and feed-forward add nothing, so the next token only depends
on the last one, by a table of successors in the embedding and output matrices. The node's answers
(their beginnings are in the chat template):

* REPLY, to anything; the emoji is spelt with four tokens of one byte each;
* a call of get_weather(city="Paris"), if tools are offered and no tool has answered last;
* THOUGHT before REPLY, if the model was made to think and ``enable_thinking`` is not false;
* RING without end, if the last message says ``endless``: a lost or doubled word shows.

Grammars (JSON schema) get short values: a string, list or number closes as soon as it may.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tests.fixtures.sdks import gguf
from tests.fixtures.sdks import numpy as np

REPLY = "Hello, this is a tiny test model. It says café 😀 and stops here."
THOUGHT = "The user wants some reply."
RING = tuple(f"w{number}" for number in range(130))

#: More than tokens: a token's vector has one place for itself and one that all share.
WIDTH = 512
HEADS, HEAD_SIZE, FEED_FORWARD, CONTEXT, EPSILON = 2, 64, 64, 32768, 1e-5

END, BEGIN, PAD = "<|end|>", "<|begin|>", "<|pad|>"
# llama.cpp takes some names for ends of generation, <|calls|> among them: a grammar that meets such
# a token where it allows no end aborts the whole server (measured).
ANSWERS, THINKS, CALLS, RINGS = "<|answers|>", "<|thinks|>", "<|uses|>", "<|rings|>"
ROLES = ("<|system|>", "<|user|>", "<|tool|>")
CONTROL = (PAD, BEGIN, END, *ROLES, ANSWERS, THINKS, CALLS, RINGS)
MARKUP = ("<think>", "</think>", "<tool_call>", "</tool_call>")

_REPLY = [
    *("Hello", ",", " this", " is", " a", " tiny", " test", " model", ".", " It", " says"),
    *(" café", " ", *(bytes([byte]) for byte in "😀".encode()), " and", " stops", " here."),
]
_THOUGHT = ["<think>", "\nThe", " user", " wants", " some", " reply", ".\n", "</think>", "\n\n"]
_RING = [f" {word}" for word in RING]
#: Pieces, of which each follows the one before, with the logit by which it does.
Chain = tuple[Sequence[str | bytes], float]


def make_chains(tool: str, city: str) -> tuple[Chain, ...]:
    call = ["<tool_call>", '\n{"name": "', tool, '", "arguments": {"city": "', city]
    call += ['"}}\n', "</tool_call>"]
    return (
        ([ANSWERS, *_REPLY, END], 20.0),
        ([THINKS, *_THOUGHT, "Hello"], 20.0),
        ([CALLS, *call, END], 20.0),
        ([RINGS, *_RING, _RING[0]], 20.0),
    )


#: What comes where no chain leads: what closes JSON first, printable ASCII after it.
CLOSERS = {'"': 3.0, "}": 1.5, "]": 1.5, ",": 0.5, "0": -1.0, END: -1.5, "-": -4.0, "<": -20.0}

TEMPLATE = """\
{%- if tools %}<|system|>Tools:
{%- for tool in tools %}
{{ tool | tojson }}
{%- endfor %}
Call one as <tool_call>
{"name": ..., "arguments": ...}
</tool_call><|end|>
{% endif %}
{%- for message in messages %}
{%- if message.role == 'assistant' %}<|answers|>
{%- if message.reasoning_content %}<think>
{{ message.reasoning_content }}
</think>

{% endif %}
{{- message.content or '' }}
{%- for call in message.tool_calls or [] %}
{%- set made = call.function or call %}<tool_call>
{"name": "{{ made.name }}", "arguments": {{
  made.arguments if made.arguments is string else made.arguments | tojson }}}
</tool_call>
{%- endfor %}
{%- elif message.role == 'tool' %}<|tool|><tool_response>{{ message.content }}</tool_response>
{%- elif message.role == 'system' %}<|system|>{{ message.content }}
{%- else %}<|user|>{{ message.content }}
{%- endif %}<|end|>
{% endfor %}
{%- if add_generation_prompt %}
{%- if 'endless' in (messages[-1].content | string) %}<|rings|>
{%- elif tools and messages[-1].role != 'tool' %}<|uses|>
{#-thinking-#}
{%- else %}<|answers|>
{%- endif %}
{%- endif %}"""
THINKING = "{%- elif enable_thinking is not defined or enable_thinking %}<|thinks|>"


def _byte_letters() -> dict[int, str]:
    """GPT-2's spelling of bytes: the character itself if Latin-1 can print it, otherwise one from
    256 on."""
    plain = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    odd = iter(range(256, 512))
    return {byte: chr(byte if byte in plain else next(odd)) for byte in range(256)}


LETTERS = _byte_letters()


def spell(piece: str | bytes) -> str:
    """A piece of text in the vocabulary's spelling."""
    if piece in CONTROL or piece in MARKUP:
        return str(piece)
    data = piece if isinstance(piece, bytes) else piece.encode()
    return "".join(LETTERS[byte] for byte in data)


@dataclass(frozen=True)
class Vocabulary:
    """Single bytes, then whole pieces of the recited text, then control tokens and markup."""

    tokens: tuple[str, ...]
    merges: tuple[str, ...]

    @classmethod
    def build(cls, chains: Sequence[Chain]) -> Vocabulary:
        merges = (spell(" ")[0] + " t", "h e", "i n")  # a tokenizer without any does not load
        recited = [spell(piece) for pieces, _ in chains for piece in pieces]
        words = [*LETTERS.values(), *(merge.replace(" ", "") for merge in merges), *recited]
        special = {*CONTROL, *MARKUP}
        ordinary = [word for word in dict.fromkeys(words) if word not in special]
        return cls((*ordinary, *CONTROL, *MARKUP), merges)

    @property
    def types(self) -> list[gguf.TokenType]:
        ordinary = len(self.tokens) - len(CONTROL) - len(MARKUP)
        return [
            *[gguf.TokenType.NORMAL] * ordinary,
            *[gguf.TokenType.CONTROL] * len(CONTROL),
            *[gguf.TokenType.USER_DEFINED] * len(MARKUP),
        ]

    def index(self, piece: str | bytes) -> int:
        return self.tokens.index(spell(piece))


def _bias(vocabulary: Vocabulary) -> np.ndarray:
    """The logit of each token if no chain applies."""
    bias = np.full(len(vocabulary.tokens), -6.0, np.float32)
    for byte, letter in LETTERS.items():
        # Control bytes and halves of characters only stand in recitals.
        bias[vocabulary.tokens.index(letter)] = -2.0 if 0x20 <= byte < 0x7F else -30.0
    bias[vocabulary.index(" ")] = -4.0
    for piece in (*CONTROL, *MARKUP):
        bias[vocabulary.index(piece)] = -40.0
    for piece, logit in CLOSERS.items():
        bias[vocabulary.index(piece)] = logit
    return bias


def _matrices(vocabulary: Vocabulary, chains: Sequence[Chain]) -> tuple[np.ndarray, np.ndarray]:
    """The embedding and the output. A token's vector is 1 at the shared place and 1 at its own; the
    RMS norm before the output scales both by the same gain."""
    count = len(vocabulary.tokens)
    assert count < WIDTH, "a token needs a place of its own"
    embedding = np.zeros((count, WIDTH), np.float32)
    embedding[:, 0] = 1.0
    embedding[np.arange(count), np.arange(count) + 1] = 1.0
    gain = math.sqrt(WIDTH / 2)
    bias = _bias(vocabulary)
    output = np.zeros((count, WIDTH), np.float32)
    output[:, 0] = bias / gain
    for pieces, logit in chains:
        for here, there in pairwise(vocabulary.index(piece) for piece in pieces):
            output[there, here + 1] = (logit - bias[there]) / gain
    return embedding, output


def _layer() -> dict[str, np.ndarray]:
    """One ordinary layer; its addition to a token's vector is multiplied by zero."""
    chance = np.random.default_rng(1)

    def some(rows: int, columns: int) -> np.ndarray:
        return (chance.standard_normal((rows, columns)) * 0.02).astype(np.float32)

    wide = HEADS * HEAD_SIZE
    return {
        "attn_norm": np.ones(WIDTH, np.float32),
        "attn_q": some(wide, WIDTH),
        "attn_k": some(HEAD_SIZE, WIDTH),
        "attn_v": some(HEAD_SIZE, WIDTH),
        "attn_output": np.zeros((WIDTH, wide), np.float32),
        "ffn_norm": np.ones(WIDTH, np.float32),
        "ffn_gate": some(FEED_FORWARD, WIDTH),
        "ffn_up": some(FEED_FORWARD, WIDTH),
        "ffn_down": np.zeros((WIDTH, FEED_FORWARD), np.float32),
    }


def write_model(
    path: Path,
    *,
    thinks: bool = False,
    tool: str = "get_weather",
    city: str = "Paris",
    context: int = CONTEXT,
) -> None:
    """``thinks``: recite THOUGHT first, unless a request turns it off. ``tool`` is called, with
    ``city``."""
    chains = make_chains(tool, city)
    vocabulary = Vocabulary.build(chains)
    embedding, output = _matrices(vocabulary, chains)
    file = gguf.GGUFWriter(path, "llama")
    _describe(file, context)
    _write_vocabulary(file, vocabulary)
    file.add_chat_template(TEMPLATE.replace("{#-thinking-#}", THINKING if thinks else ""))
    file.add_tensor("token_embd.weight", embedding)
    file.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    file.add_tensor("output.weight", output)
    for name, tensor in _layer().items():
        file.add_tensor(f"blk.0.{name}.weight", tensor)
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()


def _describe(file: gguf.GGUFWriter, context: int) -> None:
    file.add_name("tiny")
    file.add_file_type(gguf.LlamaFileType.ALL_F32)
    file.add_block_count(1)
    file.add_context_length(context)
    file.add_embedding_length(WIDTH)
    file.add_feed_forward_length(FEED_FORWARD)
    file.add_head_count(HEADS)
    file.add_head_count_kv(1)
    file.add_key_length(HEAD_SIZE)
    file.add_value_length(HEAD_SIZE)
    file.add_rope_dimension_count(HEAD_SIZE)
    file.add_rope_freq_base(10000.0)
    file.add_layer_norm_rms_eps(EPSILON)


def _write_vocabulary(file: gguf.GGUFWriter, vocabulary: Vocabulary) -> None:
    file.add_vocab_size(len(vocabulary.tokens))
    file.add_tokenizer_model("gpt2")
    file.add_tokenizer_pre("gpt-2")
    file.add_token_list(list(vocabulary.tokens))
    file.add_token_types(vocabulary.types)
    file.add_token_merges(list(vocabulary.merges))
    file.add_bos_token_id(vocabulary.index(BEGIN))
    file.add_eos_token_id(vocabulary.index(END))
    file.add_pad_token_id(vocabulary.index(PAD))
    file.add_add_bos_token(False)
