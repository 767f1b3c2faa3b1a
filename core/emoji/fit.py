"""The training loop that every stage shares: seeded by step, averaged weights, checkpoints that survive a kill."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from core.emoji.muon import Muon
from core.errors import ConceptreeError
from core.files import write_atomically

LossOfStep = Callable[[torch.Generator, float], tuple[Tensor, dict[str, float]]]


@contextmanager
def half_precision() -> Iterator[None]:
    """Networks inside compute in bfloat16, weights and losses stay single; several times faster where processors can.

    Attention is computed plainly: at these lengths the fused kernel of a processor is the slower one.
    """
    with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
        yield


def learning_rate(step: int, steps: int, peak: float, warmup: int = 200, decay: float = 0.3) -> float:
    """A short rise, a plateau, then a straight line to (nearly) zero over the last ``decay`` of the steps."""
    rise = min(1.0, (step + 1) / warmup)
    fall = min(1.0, max(0.0, (steps - step) / max(1.0, steps * decay))) if decay else 1.0
    return peak * rise * max(fall, 0.01)


def _pack(model: nn.Module, average: dict[str, Tensor], optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    tensors = {f"model.{k}": v.detach().contiguous() for k, v in model.state_dict().items()}
    tensors |= {f"average.{k}": v.contiguous() for k, v in average.items()}
    for name, parameter in model.named_parameters():
        state = optimizer.state.get(parameter, {})
        if state:
            tensors[f"first.{name}"] = state["exp_avg"].contiguous()
        if "exp_avg_sq" in state:  # Muon's matrices have none
            tensors[f"second.{name}"] = state["exp_avg_sq"].contiguous()
    return {k: v.clone() for k, v in tensors.items()}


def _unpack(path: Path, model: nn.Module, average: dict[str, Tensor], optimizer: torch.optim.Optimizer) -> int:
    with safe_open(path, "pt") as stored:
        step = int(stored.metadata()["step"])
        keys = set(stored.keys())
        model.load_state_dict({k: stored.get_tensor(f"model.{k}") for k in model.state_dict()})
        for k in average:
            average[k].copy_(stored.get_tensor(f"average.{k}"))
        for name, parameter in model.named_parameters():
            if f"first.{name}" in keys:
                optimizer.state[parameter] = {
                    "step": torch.tensor(float(step)),
                    "exp_avg": stored.get_tensor(f"first.{name}"),
                }
            if f"second.{name}" in keys:
                optimizer.state[parameter]["exp_avg_sq"] = stored.get_tensor(f"second.{name}")
    return step


def load_average(folder: Path, name: str, model: nn.Module) -> None:
    """Puts the averaged weights of a stage's checkpoint, finished or not, into ``model``.

    Raises:
        ConceptreeError: the stage has left no checkpoint.
    """
    path = folder / f"{name}.safetensors"
    if not path.is_file():
        raise ConceptreeError(f"stage {name} has left no checkpoint in {folder}: run python -m core.emoji.train {name}")
    with safe_open(path, "pt") as stored:
        kinds = {k: "average" if v.is_floating_point() else "model" for k, v in model.state_dict().items()}
        model.load_state_dict({k: stored.get_tensor(f"{kind}.{k}") for k, kind in kinds.items()})
    model.eval()


def fit(
    name: str,
    model: nn.Module,
    loss_of_step: LossOfStep,
    folder: Path,
    *,
    steps: int,
    peak: float,
    seed: int = 0,
    average_over: float = 500,
    weight_decay: float = 0.01,
    every: int = 100,
    save_every: float = 60.0,
    muon: bool = True,
    decay: float = 0.3,
) -> nn.Module:
    """Trains ``model`` in place and leaves the running average of its weights in it.

    Every step draws its data from a generator seeded by (seed, step), so a run resumed from its checkpoint sees
    the batches that it would have seen. The checkpoint is safetensors; the losses go to ``<name>.jsonl``.

    Args:
        loss_of_step: called with the step's generator and the progress 0 … 1; returns a scalar and figures to log.
        average_over: steps over which the weights are averaged (exponentially).
        muon: Muon for the matrices (by far the faster learner on every stage that was compared), or AdamW alone.
        decay: the share of the steps over which the learning rate falls to nearly zero at the end.
    """
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint, log = folder / f"{name}.safetensors", folder / f"{name}.jsonl"
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer: torch.optim.Optimizer = (
        Muon(model, peak, weight_decay)
        if muon
        else torch.optim.AdamW(trained, lr=peak, betas=(0.9, 0.98), weight_decay=weight_decay)
    )
    average = {k: v.detach().clone() for k, v in model.state_dict().items() if v.is_floating_point()}
    start = _unpack(checkpoint, model, average, optimizer) if checkpoint.is_file() else 0
    began = saved = time.monotonic()
    sums: dict[str, float] = {}
    summed = 0
    model.train()
    for step in range(start, steps):
        generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps, peak, decay=decay)
        loss, figures = loss_of_step(generator, step / steps)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        keep = min(1 - 1 / average_over, step / (step + 10))
        with torch.no_grad():
            live = model.state_dict()
            torch._foreach_lerp_(list(average.values()), [live[k] for k in average], 1 - keep)
        for k, v in {"loss": float(loss.detach()), **figures}.items():
            sums[k] = sums.get(k, 0.0) + v
        summed += 1
        if (step + 1) % every == 0:
            spent = time.monotonic() - began
            left = spent / (step + 1 - start) * (steps - step - 1)
            means = {k: round(v / summed, 4) for k, v in sums.items()}
            sums, summed = {}, 0
            shown = " ".join(f"{k} {v:.4g}" for k, v in means.items())
            print(f"{name} {step + 1}/{steps} {shown}; {spent:.0f} s, {left / 60:.1f} min left", flush=True)
            with open(log, "a") as handle:
                handle.write(json.dumps({"step": step + 1, "seconds": round(spent, 1), **means}) + "\n")
        if time.monotonic() - saved > save_every or step + 1 == steps:
            saved = time.monotonic()
            packed = _pack(model, average, optimizer)
            write_atomically(checkpoint, save(packed, metadata={"step": str(step + 1)}))
    model.load_state_dict(average, strict=False)
    return model.eval()
