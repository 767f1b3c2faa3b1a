"""A batch of concepts as tensors, and AdamW for each row by itself.

Axes: n concepts, k vectors each, d wide; constraints are padded to the longest row and masked. Everything a
step needs to know about the models' texts and images is already in the State as embeddings; `step` in
core/step.py is a pure function of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from core.concept import Parent, Positive, Request
from core.constraints import normalise
from core.settings import Settings
from core.stack.wordbank import WordBank


@dataclass(frozen=True)
class Constraints:
    """What each row is pulled to and pushed from; unit vectors, zeros at padding. T: templates of the row's request."""

    positives: Tensor  # [n, p, T, width]
    positive_weights: Tensor  # [n, p], 0 at padding
    negatives: Tensor  # [n, m, T, width]
    negative_mask: Tensor  # [n, m]
    avoid: Tensor  # [n, a, width]
    avoid_mask: Tensor  # [n, a]
    parents: Tensor  # [n, q, images, width]
    parent_weights: Tensor  # [n, q], 0 at padding, below 0 to move away
    further: tuple[tuple[str, Tensor, Tensor], ...] = ()  # (name, words [n, m, T, width], mask [n, m]) of each kind

    def rows(self, index: Tensor) -> Constraints:
        tensors = {f.name: getattr(self, f.name)[index] for f in fields(self) if f.name != "further"}
        further = tuple((name, words[index], mask[index]) for name, words, mask in self.further)
        return Constraints(**tensors, further=further)


@dataclass(frozen=True)
class Numbers:
    """The settings that each row may have to itself, [n] each."""

    learning_rate: Tensor
    weight_decay: Tensor
    lam: Tensor
    max_cosine: Tensor
    min_cosine: Tensor
    avoid_floor: Tensor

    def rows(self, index: Tensor) -> Numbers:
        return Numbers(**{f.name: getattr(self, f.name)[index] for f in fields(self)})


@dataclass(frozen=True)
class State:
    """A batch between two steps. `step[i]` of `steps[i]` are done; a row with none left is frozen. There are as many
    as its request asks for, or fewer where a concept is done early.
    """

    requests: tuple[Request, ...]
    vectors: Tensor  # [n, k, d]
    exp_avg: Tensor  # [n, k, d] AdamW's first moment
    exp_avg_sq: Tensor  # [n, k, d] and second
    step: tuple[int, ...]
    steps: tuple[int, ...]
    constraints: Constraints
    numbers: Numbers

    @property
    def active(self) -> list[int]:
        """The rows that still learn."""
        return [i for i, (done, of) in enumerate(zip(self.step, self.steps, strict=True)) if done < of]

    def ended(self, row: int) -> State:
        """With one row frozen as it is."""
        return replace(self, steps=(*self.steps[:row], self.step[row], *self.steps[row + 1 :]))

    def with_row(self, row: int, vectors: Tensor, exp_avg: Tensor, exp_avg_sq: Tensor, step: int) -> State:
        """The state with one row restored to an earlier step."""
        tensors = {}
        for name, value in (("vectors", vectors), ("exp_avg", exp_avg), ("exp_avg_sq", exp_avg_sq)):
            tensors[name] = getattr(self, name).clone()
            tensors[name][row] = value
        return replace(self, step=(*self.step[:row], step, *self.step[row + 1 :]), **tensors)


def initial_state(
    requests: Sequence[Request], vectors: Tensor, negatives: Sequence[Sequence[str]], bank: WordBank
) -> State:
    """A batch at step 0. vectors [n, k, d] are where the concepts start; negatives: the words of each row so
    far.
    """
    return State(
        requests=tuple(requests),
        vectors=vectors,
        exp_avg=torch.zeros_like(vectors),
        exp_avg_sq=torch.zeros_like(vectors),
        step=(0,) * len(requests),
        steps=tuple(r.chosen.steps for r in requests),
        constraints=make_constraints(requests, negatives, bank, vectors),
        numbers=Numbers(
            **{f.name: _tensor([getattr(r.chosen, f.name) for r in requests], vectors) for f in fields(Numbers)}
        ),
    )


def make_constraints(
    requests: Sequence[Request], negatives: Sequence[Sequence[str]], bank: WordBank, like: Tensor
) -> Constraints:
    """The constraints of a batch, padded. `like`: a tensor whose device and dtype (float32 at least) they
    take.
    """
    width = bank.width
    longest = max(len(r.prompts) for r in requests)

    def words(request: Request, of: Sequence[str]) -> Tensor:
        each = [bank.templates(request.prompts, word) for word in of]
        table = [F.pad(embeds, (0, 0, 0, longest - len(embeds))) for embeds in each]
        return torch.stack(table) if table else _empty(like, longest, width)

    def images(request: Request) -> Tensor:
        most = max((len(p.image_embeds) for r in requests for p in r.mixed), default=0)
        sets = [normalise(_tensor(p.image_embeds, like)) for p in request.mixed]
        return torch.stack([F.pad(s, (0, 0, 0, most - len(s))) for s in sets]) if sets else _empty(like, most, width)

    def avoided(request: Request) -> Tensor:
        embeds = [normalise(_tensor(a.image_embed, like)) for a in request.avoid]
        return torch.stack(embeds) if embeds else _empty(like, width)

    further = []
    for name in sorted({name for request in requests for name, _ in request.constraints}):
        of_each = [dict(request.constraints).get(name, ()) for request in requests]
        table = _pad([words(request, of) for request, of in zip(requests, of_each, strict=True)])
        further.append((name, table, _mask([len(of) for of in of_each], like)))
    return Constraints(
        further=tuple(further),
        positives=_pad([words(r, [p.word for p in r.positives]) for r in requests]),
        positive_weights=_pad([_tensor(weights_of(r.positives, r), like) for r in requests]),
        negatives=_pad([words(r, of) for r, of in zip(requests, negatives, strict=True)]),
        negative_mask=_mask([len(of) for of in negatives], like),
        avoid=_pad([avoided(r) for r in requests]),
        avoid_mask=_mask([len(r.avoid) for r in requests], like),
        parents=_pad([images(r) for r in requests]),
        parent_weights=_pad([_tensor(weights_of(r.mixed, r), like) for r in requests]),
    )


def weights_of(items: Sequence[Positive] | Sequence[Parent], request: Request) -> list[float]:
    """The weights of positives or parents: those above 0 sum to 1 (Eq. 3's mean, Eq. 5), or are as given in
    `published`.
    """
    total = sum(item.weight for item in items if item.weight > 0) if request.chosen.normalise_weights else 1.0
    return [item.weight / total for item in items]


def adamw(
    vectors: Tensor,
    grad: Tensor,
    exp_avg: Tensor,
    exp_avg_sq: Tensor,
    step: Tensor,
    numbers: Numbers,
    settings: Settings,
) -> tuple[Tensor, Tensor, Tensor]:
    """torch.optim.AdamW on each row as if alone, with its own count of steps `step` [n] (this one included).

    New (vectors, exp_avg, exp_avg_sq), [n, k, d] each.
    """
    beta1, beta2 = settings.betas
    rate, decay, count = (x[:, None, None] for x in (numbers.learning_rate, numbers.weight_decay, step.to(vectors)))
    vectors = vectors * (1 - rate * decay)
    exp_avg = torch.lerp(exp_avg, grad, 1 - beta1)
    exp_avg_sq = exp_avg_sq * beta2 + (1 - beta2) * grad * grad
    # The corrections in float64: float32 powers of 0.999 drift within hundreds of steps.
    correction1 = (1 - beta1 ** count.double()).to(vectors)
    correction2 = (1 - beta2 ** count.double()).sqrt().to(vectors)
    denominator = exp_avg_sq.sqrt() / correction2 + settings.eps
    return vectors - (rate / correction1) * exp_avg / denominator, exp_avg, exp_avg_sq


def _tensor(values: Any, like: Tensor) -> Tensor:
    """In float32 at least: norms, cosines and losses are not for half precision."""
    dtype = torch.float64 if like.dtype == torch.float64 else torch.float32
    return torch.as_tensor(np.array(values), dtype=dtype, device=like.device)


def _empty(like: Tensor, *shape: int) -> Tensor:
    return _tensor([], like).view(0, *shape)


def _pad(rows: Sequence[Tensor]) -> Tensor:
    return pad_sequence(list(rows), batch_first=True)


def _mask(counts: Sequence[int], like: Tensor) -> Tensor:
    count = torch.tensor(counts, device=like.device)
    return torch.arange(max(counts), device=like.device) < count[:, None]
