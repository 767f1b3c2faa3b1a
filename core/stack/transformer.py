"""The transformer of a prior (diffusers' PriorTransformer), run for some of its tokens.

Its attention is causal, so keys and values of the tokens before them can be kept. `core.stack.prior` and
`core.stack.eclipse` sample with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from core.errors import StackError
from core.stack.text import KeysValues, Past, TextFeatures

if TYPE_CHECKING:
    from diffusers import PriorTransformer
    from diffusers.models.attention import BasicTransformerBlock


def check_tokens(prior: PriorTransformer, additional: int) -> None:
    """Raise StackError unless a prior reads text tokens and then `additional` others, the last of them a query."""
    if (
        prior.prd_embedding is None
        or prior.encoder_hidden_states_proj is None
        or prior.additional_embeddings != additional
    ):
        raise StackError("the prior lacks the text tokens or the query token: choose one of a Kandinsky stack")


def text_tokens(prior: PriorTransformer, features: TextFeatures, past: Past | None) -> Tensor:
    """`[n, length, inner]` the text tokens, which follow those of `past`."""
    table = prior.positional_embedding[0, : -prior.additional_embeddings]
    positions = torch.arange(features.mask.shape[1], device=features.mask.device)
    if past is not None:
        positions = past.mask.sum(1)[:, None] + positions
    # Only padding lies beyond the last position.
    positions = positions.clamp(max=len(table) - 1)
    return prior.encoder_hidden_states_proj(features.hidden) + table[positions]


def embed_token(prior: PriorTransformer, features: TextFeatures) -> Tensor:
    """`[n, inner]` the token of the text embedding."""
    embeds = features.embeds if prior.embedding_proj_norm is None else prior.embedding_proj_norm(features.embeds)
    return prior.embedding_proj(embeds) + prior.positional_embedding[0, -prior.additional_embeddings]


def run(
    prior: PriorTransformer, tokens: Tensor, past: KeysValues, mask: Tensor, needed: int
) -> tuple[Tensor, KeysValues]:
    """Run all layers; returns the last `needed` tokens `[n, needed, inner]` and the keys and values so far.

    tokens: `[n, length, inner]`. past: of the tokens before them, [] for none. mask: `[n, 1, length, keys]`, which
    attention adds.
    """
    hidden = tokens if prior.norm_in is None else prior.norm_in(tokens)
    blocks = prior.transformer_blocks
    keys_values = []
    for index, block in enumerate(blocks):
        normed = block.norm1(hidden)
        key, value = _heads(block.attn1.to_k(normed), block), _heads(block.attn1.to_v(normed), block)
        key, value = joined(past[index : index + 1], (key, value))
        keys_values.append((key, value))
        if index == len(blocks) - 1:
            start = hidden.shape[1] - needed
            # Contiguous, or the projection falls back to one small matrix product for each row.
            hidden, normed, mask = hidden[:, start:], normed[:, start:].contiguous(), mask[:, :, start:]
        if hidden.shape[1]:
            query = _heads(block.attn1.to_q(normed), block)
            mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
            hidden = hidden + block.attn1.to_out[0](mixed.transpose(1, 2).flatten(2))
            hidden = hidden + block.ff(block.norm3(hidden))
    return hidden, keys_values


def predicted(prior: PriorTransformer, hidden: Tensor) -> Tensor:
    """`[n, tokens, width]` the image embeddings that the queries `hidden` tell, in float32 at least."""
    embeds = prior.proj_to_clip_embeddings(prior.norm_out(hidden))
    return embeds.to(torch.promote_types(embeds.dtype, torch.float32))


def joined(past: KeysValues, new: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """A layer's keys and values after those of `past`, if there are any."""
    for key, value in past:
        return torch.cat([key, new[0]], dim=2), torch.cat([value, new[1]], dim=2)
    return new


def _heads(tokens: Tensor, block: BasicTransformerBlock) -> Tensor:
    """`[n, tokens, inner]` → `[n, heads, tokens, head width]`"""
    return tokens.unflatten(-1, (block.attn1.heads, -1)).transpose(1, 2)
