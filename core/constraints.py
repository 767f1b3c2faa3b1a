"""Eq. 3, 4 and 5 as functions of similarities.

Shapes: `similarities` [n, m] are cosines of n concepts with up to m constraints each; `mask` [n, m] is False where a
concept has fewer; results are [n]. A row without constraints gives 0.

Gradients at ties: `clamp` passes the gradient of a similarity that equals its bound; `amax` shares it evenly among
equal maxima. Neither depends on the order or the padding of the constraints. (The authors' `torch.min` and `torch.max`
of two tensors would halve it at a bound; `max(dim)` would pick one.)

A further kind of constraint is one function of similarities, registered under a name that requests use:

    @constraint("one of")
    def one_of(similarities, mask):
        return 1 - max_similarity(similarities, mask)  # be like the nearest of the words, whichever that is

    Request("pet", constraints={"one of": ("fur", "feathers")})

Its words stand in the prompt of each step, like positives and negatives; its value is added to the loss. Learning, the
choice of the best checkpoint and the history of the concept use it; resuming needs the same registration.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from core.errors import ConceptreeError
from core.settings import Settings

NegativeTerm = Callable[[Tensor, Tensor], Tensor]
Bound = Callable[[Tensor, Tensor], Tensor]


Penalty = Callable[[Tensor, Tensor], Tensor]  # (similarities [n, m], mask [n, m]) -> [n], added to the loss
_penalties: dict[str, Penalty] = {}


class ConstraintError(ConceptreeError):
    """A kind of constraint that is not registered, or twice."""


def constraint(name: str) -> Callable[[Penalty], Penalty]:
    """Register a kind of constraint under a name; a decorator. The same function may be registered again."""

    def register(penalty: Penalty) -> Penalty:
        known = _penalties.get(name)
        if known is not None and (known.__module__, known.__qualname__) != (penalty.__module__, penalty.__qualname__):
            raise ConstraintError(f"the constraint {name!r} is registered already: choose another name")
        _penalties[name] = penalty
        return penalty

    return register


def penalty_of(name: str) -> Penalty:
    """The function registered under a name.

    Raises:
        ConstraintError: there is none.
    """
    if name not in _penalties:
        known = ", ".join(_penalties) or "none"
        raise ConstraintError(
            f"unknown constraint {name!r}: import the module that registers it with core.constraints.constraint;"
            f" registered: {known}"
        )
    return _penalties[name]


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """⟨a, b⟩ over the last axis, both L2-normalised, in float32 at least."""
    return (normalise(a) * normalise(b)).sum(-1)


def normalise(x: Tensor) -> Tensor:
    """Unit length along the last axis, in float32 (float64 stays float64)."""
    x = x if x.dtype == torch.float64 else x.float()
    return x / x.norm(dim=-1, keepdim=True)


def cap(similarities: Tensor, most: Tensor) -> Tensor:
    """Similarities capped at most [n]: a positive that is similar enough stops pulling (§4.1 "Regularizations")."""
    return similarities.clamp(max=most[:, None])


def floor(similarities: Tensor, least: Tensor) -> Tensor:
    """Similarities floored at least [n]: a negative that is dissimilar enough stops pushing."""
    return similarities.clamp(min=least[:, None])


def unbounded(similarities: Tensor, bound: Tensor) -> Tensor:
    """The similarities as they are, instead of `cap` and `floor`: the ablation without clamps."""
    return similarities


def mean_similarity(similarities: Tensor, mask: Tensor) -> Tensor:
    """S of Eq. 3: the mean over a concept's constraints."""
    count = mask.sum(-1).clamp(min=1)
    return similarities.masked_fill(~mask, 0).sum(-1) / count


def max_similarity(similarities: Tensor, mask: Tensor) -> Tensor:
    """S_max of Eq. 4: the nearest constraint."""
    if similarities.shape[-1] == 0:
        return similarities.sum(-1)
    nearest = similarities.masked_fill(~mask, -torch.inf).amax(-1)
    return torch.where(mask.any(-1), nearest, torch.zeros_like(nearest))


def mean_and_max(similarities: Tensor, mask: Tensor) -> Tensor:
    """½ (S + S_max): Eq. 4 in Eq. 3 (§4.1)."""
    return (mean_similarity(similarities, mask) + max_similarity(similarities, mask)) / 2


def weighted_similarity(similarities: Tensor, weights: Tensor) -> Tensor:
    """Σ w c; weights [n, m] are 0 at padding. With normalised weights, S of several positives."""
    return (weights * similarities).sum(-1)


def contrast_loss(negative: Tensor, positive: Tensor, weight_sum: Tensor, lam: Tensor) -> Tensor:
    """Eq. 3: negative + λ Σ w (1 − c), with `positive` = Σ w c and `weight_sum` = Σ w (1 in the paper)."""
    return negative + lam * (weight_sum - positive)


def mix_loss(similarities: Tensor, weights: Tensor) -> Tensor:
    """Eq. 5: 1 − Σ w c over the parents' images with w > 0; 0 for a concept without parents."""
    return torch.where((weights > 0).any(-1), 1 - weighted_similarity(similarities, weights.clamp(min=0)), 0)


def away_loss(similarities: Tensor, weights: Tensor) -> Tensor:
    """Σ |w| c over the parents' images with w < 0, like the negatives of Eq. 3; ours, not the paper's."""
    return weighted_similarity(similarities, weights.neg().clamp(min=0))


def bounds(settings: Settings) -> tuple[Bound, Bound]:
    """(cap, floor), or twice `unbounded` in the ablation without clamps."""
    return (cap, floor) if settings.clamp else (unbounded, unbounded)


def negative_term(settings: Settings) -> NegativeTerm:
    """The negative term of Eq. 3, with or without Eq. 4."""
    return mean_and_max if settings.s_max else mean_similarity
