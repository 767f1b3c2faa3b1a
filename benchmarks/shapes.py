"""Stacks of the published shapes with random weights: the cost of a step depends on the shape alone.

Models are built without memory and then filled from one table of random numbers: that takes seconds, while drawing each
weight takes minutes. The tokenizer has whole words; CLIP's also has one token for each of these words.
"""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path
from typing import Any

import torch
from diffusers import PriorTransformer, UnCLIPScheduler
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

from core.prompts import TEMPLATES
from core.stack.backbone import Backbone
from core.stack.eclipse import is_one_pass, without_time
from training.tokenizer import word_tokenizer

CATEGORY, NEGATIVES = "pet", ("dog", "cat", "rabbit", "hamster")
WORDS, POSITIONS = 49408, 77
# Of each family: width, layers and heads of the text tower, its activation.
TOWERS = {
    "kandinsky-2.1": (768, 12, 12, "quick_gelu"),
    "kandinsky-2.2": (1280, 32, 20, "gelu"),
    "kandinsky-2.2-eclipse": (1280, 32, 20, "gelu"),
}
_KANDINSKY = dict(num_layers=20, num_attention_heads=32, attention_head_dim=64, additional_embeddings=4)
_ECLIPSE = dict(num_layers=10, num_attention_heads=16, attention_head_dim=32, additional_embeddings=3)
PRIORS = {name: _ECLIPSE if name.endswith("eclipse") else _KANDINSKY for name in TOWERS}
_TABLE = 4_194_301  # a prime, so that no two rows of a matrix are alike


def random_stack(name: str, device: str = "cpu", dtype: torch.dtype = torch.float32, narrow: bool = False) -> Backbone:
    """A stack with the shape of the prior and the text tower of `name`, 1.1, 1.7 or 0.7 billion weights. narrow: as
    many layers, a few numbers wide.
    """
    width, layers, heads, act = TOWERS[name]
    width = 4 * heads if narrow else width
    words = [*" ".join([*TEMPLATES["object"], CATEGORY, *NEGATIVES]).replace("{}", "").split(), "!"]
    fillers = (f"w{number}" for number in range(WORDS))
    known = list(dict.fromkeys(words))
    tokenizer = word_tokenizer([*known, *(next(fillers) for _ in range(WORDS - 3 - len(known)))], POSITIONS)
    if name == "kandinsky-2.1":
        tokenizer.pad_token = "!"
    text = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=4 * width,
        projection_dim=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        hidden_act=act,
        eos_token_id=2,  # as published: the first end token is then found as the highest id
    )
    shape = PRIORS[name] | {"embedding_dim": width} | ({"attention_head_dim": 2} if narrow else {})
    with torch.device("meta"):
        prior = PriorTransformer(**shape, num_embeddings=POSITIONS)
        prior = without_time(prior) if is_one_pass(shape) else prior
        tower = CLIPTextModelWithProjection(text)
    with tempfile.TemporaryDirectory() as folder:
        # Only configs are written: the models below take the places that they would be loaded into.
        index = {"prior": ["diffusers", "PriorTransformer"], "text_encoder": ["transformers", type(tower).__name__]}
        (Path(folder) / "model_index.json").write_text(json.dumps(index))
        for part, config in {"text_encoder": text.to_dict(), "prior": shape}.items():
            (Path(folder) / part).mkdir()
            (Path(folder) / part / "config.json").write_text(json.dumps(config))
        backbone = Backbone.load(folder, device=device, dtype=dtype)
    for part, model in {"prior": prior, "text_encoder": tower}.items():
        for tensor in [*model.parameters(), *model.buffers()]:
            tensor.data = tensor.data.to(dtype) if tensor.is_floating_point() else tensor.data
        setattr(backbone, part, filled(model.to_empty(device=device)))
    backbone.tokenizer = tokenizer
    backbone.scheduler = UnCLIPScheduler(
        variance_type="fixed_small_log", prediction_type="sample", clip_sample_range=10.0
    )
    return backbone


@torch.no_grad()
def filled(model: Any, seed: int = 0) -> Any:
    """The model with random weights of a usual size, frozen, in evaluation mode; on the meta device without any."""
    table = torch.randn(_TABLE, generator=torch.Generator().manual_seed(seed))
    place = 0
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if name.endswith("position_ids"):
            tensor.copy_(torch.arange(tensor.shape[-1]))
        elif name.endswith("causal_attention_mask"):
            tensor.copy_(torch.full(tensor.shape[-2:], -10000.0).triu(1))
        elif name == "clip_std" or ("norm" in name and name.endswith("weight")):
            tensor.fill_(1)
        elif name == "clip_mean" or name.endswith("bias"):
            tensor.zero_()
        else:
            small = 0.02 if "embedding" in name else 1 / math.sqrt(tensor.shape[-1])
            scaled, flat = (table * small).to(tensor), tensor.view(-1)
            done = 0
            while done < len(flat):
                take = min(len(flat) - done, _TABLE - place)
                flat[done : done + take] = scaled[place : place + take]
                done, place = done + take, (place + take) % _TABLE
    return model.eval().requires_grad_(False)
