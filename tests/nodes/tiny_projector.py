"""Writes a vision projector of 200 kB for the tiny model, so that a real node accepts images.

It is a CLIP tower of one layer with LLaVA's projector. All its weights are zero: each image becomes
four tokens without meaning, so the model's answers do not change. The node still does all its work
on an image before that, above all decoding.
"""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from tests.fixtures.sdks import gguf
from tests.fixtures.sdks import numpy as np
from tests.nodes.tiny_model import WIDTH

#: Tokens that an image takes.
IMAGE_TOKENS = 4
_PIXELS, _PATCH, _INNER = 28, 14, 32


def make_image() -> bytes:
    """A PNG of one colour."""
    target = io.BytesIO()
    Image.new("RGB", (40, 30), (200, 10, 10)).save(target, "PNG")
    return target.getvalue()


def write_projector(path: Path) -> None:
    file = gguf.GGUFWriter(path, "clip")
    file.add_name("tiny projector")
    file.add_bool("clip.has_vision_encoder", True)
    file.add_string("clip.projector_type", "mlp")
    file.add_bool("clip.use_gelu", True)
    sizes = {
        "image_size": _PIXELS, "patch_size": _PATCH, "embedding_length": _INNER,
        "feed_forward_length": _INNER, "projection_dim": WIDTH, "block_count": 1,
        "attention.head_count": 1,
    }  # fmt: skip
    for name, size in sizes.items():
        file.add_uint32(f"clip.vision.{name}", size)
    file.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
    for name in ("image_mean", "image_std"):
        file.add_array(f"clip.vision.{name}", [0.5, 0.5, 0.5])
    for name, shape in _shapes().items():
        is_norm = ".ln" in name and name.endswith("weight")
        tensor = np.ones(shape, np.float32) if is_norm else np.zeros(shape, np.float32)
        file.add_tensor(name, tensor)
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()


def _shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        "v.patch_embd.weight": (_INNER, 3, _PATCH, _PATCH),
        "v.position_embd.weight": (IMAGE_TOKENS, _INNER),
        "v.post_ln.weight": (_INNER,),
        "v.post_ln.bias": (_INNER,),
        "mm.0.weight": (_INNER, _INNER),
        "mm.0.bias": (_INNER,),
        "mm.2.weight": (WIDTH, _INNER),
        "mm.2.bias": (WIDTH,),
    }
    for name in ("ln1", "ln2"):
        shapes[f"v.blk.0.{name}.weight"] = shapes[f"v.blk.0.{name}.bias"] = (_INNER,)
    for name in ("attn_q", "attn_k", "attn_v", "attn_out", "ffn_up", "ffn_down"):
        shapes[f"v.blk.0.{name}.weight"] = (_INNER, _INNER)
        shapes[f"v.blk.0.{name}.bias"] = (_INNER,)
    return shapes
