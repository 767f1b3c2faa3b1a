"""Prompt templates with the tokens before the concept cached.

Text tower and prior are causal: the tokens before a concept's vectors do not depend on them. They are read once for
each template; a step runs the vectors and the tokens after them (docs/design.md, shortcut 8). All templates of a
batch's kinds are read together, so that a resumed batch has the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from core.prompts import NAME
from core.stack.eclipse import CausalPrior
from core.stack.protocols import HasPrior
from core.stack.text import Past, TextFeatures, Tokens, embed, pooled, run_tower, tokenize
from core.stack.transfer import sent


def ends_of(stack: HasPrior, templates: Sequence[str], k: int) -> list[int]:
    """The position of each template's end token, with k vectors in place of `{}`."""
    return _tokens(stack, templates, k).ends.tolist()


class Frames:
    """Templates with one `{}`, which k vectors replace. prior: None for text embeddings only. without: the row of the
    prior's `unconditional` for each template, by default the first.
    """

    def __init__(
        self,
        stack: HasPrior,
        templates: Sequence[str],
        k: int,
        prior: CausalPrior | None = None,
        without: Sequence[int] | None = None,
    ) -> None:
        self.stack, self.k, self.prior = stack, k, prior
        tokens = _tokens(stack, templates, k)
        starts = tokens.positions.view(len(templates), k)[:, 0]
        self._starts, self._lengths = starts.tolist(), (tokens.mask.sum(1) - starts).tolist()
        first, longest = max(self._starts), max(self._lengths)
        after = torch.arange(longest)
        places = (starts[:, None] + after).clamp(max=tokens.ids.shape[1] - 1)
        encoder = stack.text_encoder
        device = encoder.device
        self._ids = tokens.ids.gather(1, places)[:, k:].to(device)
        self._mask = (after < torch.tensor(self._lengths)[:, None]).to(device)
        self._ends = (tokens.ends - starts).to(device)
        self._without = None if without is None else torch.tensor(without, device=device)
        before = (torch.arange(first) < starts[:, None]).to(device)
        with torch.no_grad():
            hidden, found = run_tower(encoder, embed(encoder, tokens.ids[:, :first].to(device)))
            self._tower_past = Past.of(found, before)
            self._prior_past = prior.read(TextFeatures(hidden[:, 0], hidden, before)) if prior else None

    def embeds(self, which: Sequence[int], vectors: Tensor, noise: Tensor | None) -> Tensor:
        """`[n, width]` image embeddings with row i of `vectors` `[n, k, d]` in template `which[i]`, from the prior's
        `noise`; without a prior, text embeddings.
        """
        encoder = self.stack.text_encoder  # at each step: where models take turns, this brings it to the device
        first, length = (max(of[i] for i in which) for of in (self._starts, self._lengths))
        rows = sent(torch.tensor(which), vectors.device)
        rest = embed(encoder, self._ids[rows, : length - self.k])
        tokens = torch.cat([vectors.to(encoder.dtype), rest], dim=1)
        hidden, _ = run_tower(encoder, tokens, self._tower_past.rows(rows, first))
        text = pooled(encoder, hidden, self._ends[rows])
        if self.prior is None or self._prior_past is None or noise is None:
            return text
        features = TextFeatures(text, hidden, self._mask[rows, :length])
        without = None if self._without is None else self._without[rows]
        return self.prior.sample(features, noise, self._prior_past.rows(rows, first), without)


def _tokens(stack: HasPrior, templates: Sequence[str], k: int) -> Tokens:
    return tokenize(stack.tokenizer, [template.format(NAME) for template in templates], {NAME: k})
