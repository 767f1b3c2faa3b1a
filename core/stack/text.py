"""Prompts → CLIP text features, with a concept's vectors in place of its name.

Vectors replace ordinary token embeddings by position. No token id is added, so a text encoder behaves as published
whatever its `eos_token_id` says (Kandinsky's say 2, but their end token is 49407). Pooling is at the first end token of
each row. CLIP's text tower is causal, so rows are trimmed to the longest prompt, which changes nothing
(docs/design.md, shortcut 3), and the tokens before the vectors do not depend on them: `Past` holds those
(core/frames.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from core.errors import PromptError, VectorError

if TYPE_CHECKING:
    from transformers import CLIPTextModelWithProjection, PreTrainedTokenizerBase

# How many tokens CLIP reads, as published.
POSITIONS = 77
# The token under a vector. Its embedding is replaced, so any id of the table will do.
_PLACEHOLDER_ID = 0

KeysValues = list[tuple[Tensor, Tensor]]
"""For each layer, keys and values, each `[n, heads, tokens, head width]`."""


@dataclass(frozen=True)
class TextFeatures:
    """The condition of the diffusion prior."""

    embeds: Tensor
    """`[n, width]` the projected embedding, pooled at the first end token of each row."""
    hidden: Tensor
    """`[n, length, width]` last hidden states after the final layer norm."""
    mask: Tensor
    """`[n, length]` True at the tokens of the prompt, False at the padding behind them."""

    def rows(self, index: Tensor) -> TextFeatures:
        """The features of some rows, in the order of `index`, trimmed to the longest of them."""
        mask = self.mask[index]
        length = int(mask.sum(dim=1).max())
        return TextFeatures(self.embeds[index], self.hidden[index, :length], mask[:, :length])


@dataclass(frozen=True)
class Past:
    """Keys and values of tokens that a causal tower has already read: constants."""

    keys_values: Tensor
    """`[n, layers, 2, heads, length, head width]` keys and values."""
    mask: Tensor
    """`[n, length]` False at the padding behind them."""

    @classmethod
    def of(cls, found: KeysValues, mask: Tensor) -> Past:
        return cls(torch.stack([torch.stack(pair, dim=1) for pair in found], dim=1), mask)

    def layer(self, number: int) -> tuple[Tensor, Tensor]:
        """Keys and values of one layer, each `[n, heads, length, head width]`."""
        key, value = self.keys_values[:, number].unbind(1)
        return key, value

    def rows(self, index: Tensor, length: int) -> Past:
        """Some rows, in the order of `index`, trimmed to `length` tokens."""
        return Past(self.keys_values[index, ..., :length, :], self.mask[index, :length])


@dataclass(frozen=True)
class Tokens:
    """Tokenized prompts, trimmed to the longest, with the places of vectors."""

    ids: Tensor
    """`[n, length]` token ids."""
    mask: Tensor
    """`[n, length]` True at the tokens of the prompt."""
    ends: Tensor
    """`[n]` position of the first end token of each row."""
    rows: Tensor
    """`[m]` row of each place that takes a vector."""
    positions: Tensor
    """`[m]` its position in the row."""
    slots: Tensor
    """`[m]` which of the name's k vectors stands there."""
    names: tuple[str, ...]
    """The name that stands at each of the m places."""

    def __len__(self) -> int:
        return len(self.ids)

    def to(self, device: torch.device | str) -> Tokens:
        tensors = ("ids", "mask", "ends", "rows", "positions", "slots")
        return replace(self, **{name: getattr(self, name).to(device) for name in tensors})


def tokenize(
    tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str], sizes: Mapping[str, int] | None = None
) -> Tokens:
    """Tokenize prompts in which each name of `sizes` takes that many vectors.

    A name is a whole word of the prompt, in any spelling: "a photo of a <pet-1>", "a photo of a moku".

    Raises:
        PromptError: a name is in no prompt, or a prompt is too long.
    """
    sizes = dict(sizes or {})
    # The longest name first, so that "pet" does not take the place of "pet-1".
    order = tuple(sorted(sizes.items(), key=lambda item: -len(item[0])))
    encoded = [_tokenize_one(tokenizer, prompt, order) for prompt in prompts]
    places = [(row, *place) for row, (_, _, found) in enumerate(encoded) for place in found]
    for name in sizes:
        if not any(name == place[3] for place in places):
            raise PromptError(f"the name {name!r} is not in {_quote(prompts)}: write it there as a word of its own")
    length = max((len(ids) for ids, _, _ in encoded), default=0)
    shape = len(encoded), length
    rows, positions, slots = (torch.tensor([place[i] for place in places], dtype=torch.long) for i in range(3))
    return Tokens(
        ids=torch.tensor([ids + (_PLACEHOLDER_ID,) * (length - len(ids)) for ids, _, _ in encoded]).long().view(shape),
        mask=torch.tensor([[i < len(ids) for i in range(length)] for ids, _, _ in encoded]).bool().view(shape),
        ends=torch.tensor([end for _, end, _ in encoded]).long(),
        rows=rows,
        positions=positions,
        slots=slots,
        names=tuple(place[3] for place in places),
    )


def encode(
    text_encoder: CLIPTextModelWithProjection,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    vectors: Mapping[str, Tensor] | None = None,
    at_name: bool = False,
) -> TextFeatures:
    """The features of `prompts`, with `vectors[name]` (`[d]` or `[k, d]`) in place of the name.

    Equal to transformers' CLIPTextModelWithProjection on the same words; differentiable in the vectors. at_name: pool
    at the first vector of a row instead of its end token. The authors' code does when it draws, since a new token id is
    the highest.
    """
    stacked = {name: as_rows(text_encoder, vector, name) for name, vector in (vectors or {}).items()}
    tokens = tokenize(tokenizer, prompts, {name: len(vector) for name, vector in stacked.items()})
    tokens = tokens.to(text_encoder.device)
    embeds = embed(text_encoder, tokens.ids)
    if tokens.names:
        values = torch.stack(
            [stacked[name][slot] for name, slot in zip(tokens.names, tokens.slots.tolist(), strict=True)]
        )
        embeds = embeds.index_put((tokens.rows, tokens.positions), values)
        if at_name:
            firsts = tokens.ends.scatter_reduce(0, tokens.rows, tokens.positions, "amin", include_self=False)
            tokens = replace(tokens, ends=firsts)
    return _features(text_encoder, tokens, embeds)


def encode_empty(
    text_encoder: CLIPTextModelWithProjection, tokenizer: PreTrainedTokenizerBase, ends: Sequence[int]
) -> TextFeatures:
    """The features of the empty prompt, a row for each of `ends`: the position at which it is pooled.

    Beyond its end token lies padding of token 0. The authors' code pools there while it learns, where the end token of
    the concept's prompt is.
    """
    ids, end, _ = _tokenize_one(tokenizer, "", ())
    padded = [*ids[: end + 1], *[0] * (max(ends) - end)]
    hidden, _ = run_tower(text_encoder, embed(text_encoder, torch.tensor([padded], device=text_encoder.device)))
    rows = hidden.expand(len(ends), -1, -1)
    mask = torch.ones(len(ends), end + 1, dtype=torch.bool, device=hidden.device)
    return TextFeatures(pooled(text_encoder, rows, torch.tensor(ends, device=hidden.device)), rows[:, : end + 1], mask)


def word_embedding(
    text_encoder: CLIPTextModelWithProjection, tokenizer: PreTrainedTokenizerBase, word: str, first: bool = False
) -> Tensor:
    """`[d]` where a concept starts: the mean of a word's token embeddings. first: the first, as the authors do."""
    ids, _, _ = _tokenize_one(tokenizer, word, ())
    if len(ids) == 2:
        raise PromptError(f"the word {word!r} has no tokens: give a word to start from")
    own = ids[1:2] if first else ids[1:-1]
    return embed(text_encoder, torch.tensor(own, device=text_encoder.device)).mean(dim=0)


def has_unknown_words(tokenizer: PreTrainedTokenizerBase, text: str) -> bool:
    """Whether the tokenizer has only its unknown token for a word of `text`."""
    unknown = tokenizer.unk_token_id
    return unknown != tokenizer.eos_token_id and unknown in _tokenize_one(tokenizer, text, ())[0]


def embedding_width(text_encoder: CLIPTextModelWithProjection) -> int:
    """The width d of the token embeddings, and so of a concept's vectors."""
    return text_encoder.config.hidden_size


def embed(text_encoder: CLIPTextModelWithProjection, ids: Tensor) -> Tensor:
    """`[..., d]` the token embeddings of `ids` `[...]`, constants."""
    return text_encoder.get_input_embeddings().weight.detach()[ids]


def as_rows(text_encoder: CLIPTextModelWithProjection, vector: Tensor, name: str) -> Tensor:
    """A concept's vectors as `[k, d]` on the encoder's device, in its dtype; VectorError if their shape is wrong."""
    width = embedding_width(text_encoder)
    rows = vector[None] if vector.ndim == 1 else vector
    if rows.ndim != 2 or rows.shape[-1] != width or not len(rows):
        raise VectorError(
            f"expected vectors of shape [width] or [vectors, width] with width {width} for {name!r},"
            f" got {list(vector.shape)}: use the stack it was learned on"
        )
    return rows.to(text_encoder.device, text_encoder.dtype)


@lru_cache(maxsize=65536)
def _tokenize_one(
    tokenizer: PreTrainedTokenizerBase, prompt: str, sizes: tuple[tuple[str, int], ...]
) -> tuple[tuple[int, ...], int, tuple[tuple[int, int, str], ...]]:
    """Token ids, position of the first end token, and `(position, slot, name)` of each place for a vector."""
    begin, *end = tokenizer("").input_ids
    ids, places = [begin], []
    for piece, name in _pieces(prompt, [name for name, _ in sizes]):
        if piece.strip():
            ids += tokenizer(piece, add_special_tokens=False, verbose=False).input_ids
        if name:
            size = dict(sizes)[name]
            places += [(len(ids) + slot, slot, name) for slot in range(size)]
            ids += [_PLACEHOLDER_ID] * size
    taken = {position for position, _, _ in places}
    first = next((i for i, token in enumerate(ids) if token == end[0] and i not in taken), len(ids))
    ids += end
    limit = tokenizer.model_max_length
    if len(ids) > limit:
        cut = next((name for position, _, name in places if position >= limit - len(end)), None)
        beyond = f" and {cut!r} lies beyond the cut" if cut else ""
        raise PromptError(f"{prompt[:200]!r} has {len(ids)} tokens, but only {limit} fit{beyond}: shorten it")
    return tuple(ids), first, tuple(places)


def _pieces(prompt: str, names: Sequence[str]) -> list[tuple[str, str]]:
    """The prompt cut at its names: `(text before, name)`; the last has no name."""
    if not names:
        return [(prompt, "")]
    # Only a word character next to the name would make it part of another word.
    parts = re.split(rf"(?<!\w)({'|'.join(map(re.escape, names))})(?!\w)", prompt)
    return list(zip(parts[::2], [*parts[1::2], ""], strict=True))


def _features(text_encoder: CLIPTextModelWithProjection, tokens: Tokens, embeds: Tensor) -> TextFeatures:
    """Run the tower on token embeddings `[n, length, d]`."""
    hidden, _ = run_tower(text_encoder, embeds)
    return TextFeatures(pooled(text_encoder, hidden, tokens.ends), hidden, tokens.mask)


def pooled(text_encoder: CLIPTextModelWithProjection, hidden: Tensor, ends: Tensor) -> Tensor:
    """`[n, width]` the projected embedding of `hidden` `[n, length, d]` at the positions `ends` `[n]`."""
    return text_encoder.text_projection(hidden[torch.arange(len(hidden), device=hidden.device), ends])


def run_tower(
    text_encoder: CLIPTextModelWithProjection, embeds: Tensor, past: Past | None = None
) -> tuple[Tensor, KeysValues]:
    """(last hidden states `[n, length, d]` of token embeddings `[n, length, d]` that follow those of `past`, keys and
    values of these tokens alone)
    """
    model, (n, length, _) = text_encoder.text_model, embeds.shape
    positions, mask = torch.arange(length, device=embeds.device), None
    if past is not None:
        own = (positions[:, None] >= positions).expand(n, -1, -1)
        seen = torch.cat([past.mask[:, None].expand(-1, length, -1), own], dim=2)
        mask = additive(~seen[:, None], embeds.dtype)
        positions = past.mask.sum(1)[:, None] + positions
    table = model.embeddings.position_embedding.weight
    hidden = embeds + table[positions.clamp(max=len(table) - 1)]  # only padding lies beyond the last position
    found: KeysValues = []
    for number, layer in enumerate(model.encoder.layers):
        attention, normed = layer.self_attn, layer.layer_norm1(hidden)
        query, key, value = (
            project(normed).unflatten(-1, (attention.num_heads, -1)).transpose(1, 2)
            for project in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        found.append((key, value))
        if past is not None:
            before = past.layer(number)
            key, value = torch.cat([before[0], key], dim=2), torch.cat([before[1], value], dim=2)
        # Without a past, causal is enough: only real tokens precede a real one, so padding needs no mask.
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=mask is None)
        hidden = hidden + attention.out_proj(mixed.transpose(1, 2).flatten(2))
        hidden = hidden + layer.mlp(layer.layer_norm2(hidden))
    return model.final_layer_norm(hidden), found


def additive(blocked: Tensor, dtype: torch.dtype) -> Tensor:
    """The mask that attention adds: −∞ where a token does not see another (`blocked`), else 0.

    diffusers adds −10,000 instead, which leaves a weight of exactly 0 as well.
    """
    return torch.zeros(blocked.shape, dtype=dtype, device=blocked.device).masked_fill_(blocked, float("-inf"))


def _quote(prompts: Sequence[str]) -> str:
    return repr(prompts[0]) if len(prompts) == 1 else f"any of the {len(prompts)} prompts"
