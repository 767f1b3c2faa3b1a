"""The ECLIPSE prior (arXiv 2312.04655): an image embedding in one pass, without time steps and without guidance.

It is a PriorTransformer that reads `[text tokens, text embedding, noise, query]` with causal attention: the time token
is left out, and what the query tells is the image embedding itself, which no `post_process_latents` scales. The
published one for Kandinsky 2.2 has 10 layers of 16 x 32 and 34 million weights. Shapes and forward pass:
github.com/eclipse-t2i/eclipse-inference, src/priors/prior_transformer.py.

As published, all 77 text tokens run. Padding is left out here, and the tokens before a concept's vectors are read once
for all steps of learning, as in `core.stack.prior`; neither changes the result.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from core.errors import ConceptreeError
from core.stack.prior import CachedPrior
from core.stack.text import Past, TextFeatures, additive
from core.stack.transfer import sent
from core.stack.transformer import check_tokens, embed_token, predicted, run, text_tokens

if TYPE_CHECKING:
    from diffusers import PriorTransformer

ADDITIONAL = 3  # tokens after the text: text embedding, noise, query
TIME_PARTS = ("time_proj", "time_embedding")  # of a PriorTransformer, which this one lacks


def is_one_pass(config: Mapping[str, Any]) -> bool:
    """Whether a prior's config.json is that of an ECLIPSE prior."""
    return bool(config.get("additional_embeddings") == ADDITIONAL)


class EclipsePrior:
    """The prior's sampler; equal to the published pipeline. Steps, guidance and an empty prompt play no part."""

    def __init__(self, prior: PriorTransformer) -> None:
        check_tokens(prior, ADDITIONAL)
        self.prior = prior
        with torch.no_grad():
            _, self._noise_position, query = prior.positional_embedding[0, -ADDITIONAL:]
            self._query = prior.prd_embedding[0] + query

    @torch.no_grad()
    def read(self, features: TextFeatures) -> Past:
        """The tokens of prompts, as the `past` of `sample`."""
        mask = _visible(features.mask, features.mask.shape[1], features.hidden.dtype)
        return Past.of(run(self.prior, text_tokens(self.prior, features, None), [], mask, needed=0)[1], features.mask)

    def sample(
        self, features: TextFeatures, noise: Tensor, past: Past | None = None, without: Tensor | None = None
    ) -> Tensor:
        """Image embeddings `[n, width]` as the published pipeline returns them, differentiable in `features`.

        `noise` is `[steps, n, width]`, from `draw_noise`; the first of each row is used. past: the tokens before those
        of `features`, from `read`. without: of priors with guidance. The result is in float32 at least.
        """
        n, width = len(features.mask), self.prior.config.embedding_dim
        if noise.ndim != 3 or not len(noise) or list(noise.shape[1:]) != [n, width]:
            raise ConceptreeError(
                f"expected noise of shape [steps, n, width] = [steps, {n}, {width}], got {list(noise.shape)}"
            )
        prior, dtype = self.prior, features.embeds.dtype
        noisy = prior.proj_in(sent(noise[0], features.embeds.device).to(dtype)) + self._noise_position
        query = self._query.expand(n, -1, -1)
        ends = [embed_token(prior, features)[:, None], noisy[:, None], query]
        tokens = torch.cat([text_tokens(prior, features, past), *ends], dim=1)
        real = F.pad(features.mask, (0, ADDITIONAL), value=True)
        known = []
        if past is not None:
            real = torch.cat([past.mask, real], dim=1)
            known = [past.layer(i) for i in range(len(prior.transformer_blocks))]
        hidden, _ = run(prior, tokens, known, _visible(real, tokens.shape[1], dtype), needed=1)
        return predicted(prior, hidden)[:, 0]


CausalPrior: TypeAlias = CachedPrior | EclipsePrior
"""The priors that can read the tokens before a concept's vectors in advance."""


def without_time(prior: PriorTransformer) -> PriorTransformer:
    """The model without a time embedding: an ECLIPSE prior has no weights for one."""
    for part in TIME_PARTS:
        setattr(prior, part, None)
    return prior


def _visible(real: Tensor, queries: int, dtype: torch.dtype) -> Tensor:
    """`[n, 1, queries, keys]` the mask that attention adds, for the last `queries` of the tokens `real` `[n, keys]`."""
    keys = real.shape[1]
    later = torch.ones(queries, keys, dtype=torch.bool, device=real.device).triu(keys - queries + 1)
    return additive(later | ~real[:, None, None], dtype)
