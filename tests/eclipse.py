"""The forward pass of an ECLIPSE prior as published, written plainly: all text tokens, masks that are added.

Facts: eclipse-t2i/eclipse-inference, src/priors/prior_transformer.py and src/pipelines/pipeline_kandinsky_prior.py.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def as_published(prior: Any, embeds: Tensor, hidden: Tensor, mask: Tensor, noise: Tensor) -> Tensor:
    """`[n, width]` image embeddings. embeds, noise: `[n, width]`. hidden: `[n, num_embeddings, width]`. mask: True at
    real tokens.
    """
    embeds = embeds if prior.embedding_proj_norm is None else prior.embedding_proj_norm(embeds)
    tokens = [
        prior.encoder_hidden_states_proj(hidden),
        prior.embedding_proj(embeds)[:, None],
        prior.proj_in(noise)[:, None],
        prior.prd_embedding.expand(len(noise), -1, -1),
    ]
    inner = torch.cat(tokens, dim=1) + prior.positional_embedding
    count = inner.shape[1]
    causal = torch.full((count, count), -10000.0, dtype=inner.dtype, device=inner.device).triu_(1)
    padding = F.pad((1 - mask.to(inner.dtype)) * -10000.0, (0, 3))
    added = (padding[:, None] + causal).repeat_interleave(prior.config.num_attention_heads, dim=0)
    inner = inner if prior.norm_in is None else prior.norm_in(inner)
    for block in prior.transformer_blocks:
        inner = block(inner, attention_mask=added)
    return prior.proj_to_clip_embeddings(prior.norm_out(inner)[:, -1])
