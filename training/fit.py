"""The training loop that every stage shares: seeded by step, averaged weights, checkpoints that survive a kill."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from core.errors import ConceptreeError
from core.files import write_atomically
from training.muon import Muon

LEAST = 3  # steps, however short the time

Net = TypeVar("Net", bound=nn.Module)
LossOfStep = Callable[[torch.Generator, float], tuple[Tensor, dict[str, Tensor]]]


@contextmanager
def half_precision(device: str | torch.device = "cpu") -> Iterator[None]:
    """Networks compute in bfloat16; weights and losses stay single. Several times faster on hardware that supports it.

    On processors attention uses the plain kernel, which is faster at these lengths than the fused one.
    """
    kind = torch.device(device).type
    with torch.autocast(kind, torch.bfloat16):
        if kind == "cpu":
            with sdpa_kernel(SDPBackend.MATH):
                yield
        else:
            yield


def on_device(model: Net, device: torch.device) -> Net:
    """The model on the device, with convolutions in the channels-last layout, which is faster on both kinds."""
    model.to(device)
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def learning_rate(step: int, progress: float, peak: float, warmup: int = 200, decay: float = 0.3) -> float:
    """A short rise, a plateau, then a straight line to (nearly) zero over the last ``decay`` of the progress 0 … 1."""
    rise = min(1.0, (step + 1) / warmup)
    fall = min(1.0, max(0.0, (1 - progress) / decay)) if decay else 1.0
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


def _unpack(
    path: Path, model: nn.Module, average: dict[str, Tensor], optimizer: torch.optim.Optimizer
) -> tuple[int, float]:
    device = str(next(model.parameters()).device)
    with safe_open(path, "pt", device=device) as stored:
        step, spent = int(stored.metadata()["step"]), float(stored.metadata().get("seconds", 0))
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
    return step, spent


def load_average(folder: Path, name: str, model: nn.Module) -> None:
    """Load the averaged weights of a stage's checkpoint, finished or not, into ``model``.

    Raises:
        ConceptreeError: the stage has left no checkpoint.
    """
    path = folder / f"{name}.safetensors"
    if not path.is_file():
        raise ConceptreeError(f"stage {name} has left no checkpoint in {folder}: run python -m training.train {name}")
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
    seconds: float = 0.0,
    after_save: Callable[[nn.Module], None] | None = None,
) -> nn.Module:
    """Train ``model`` in place, and leave the running average of its weights in it.

    Each step draws its data from a generator seeded by (seed, step), so a resumed stage gets the same batches on a
    processor; on a GPU some batches are made together (`pictures.Supply`). The
    checkpoint is safetensors; losses go to ``<name>.jsonl``.

    Args:
        loss_of_step: called with the step's generator, on the model's device, and the progress 0 … 1; returns a
            scalar and figures to log, as tensors so that the loop does not wait for a GPU.
        average_over: steps over which the weights are averaged (exponentially).
        muon: Muon for the matrices (much faster on every stage that was compared), or AdamW alone.
        decay: the share of the steps over which the learning rate falls to nearly zero at the end.
        seconds: time to train instead of ``steps``, at least `LEAST` steps; 0 for ``steps``. A resumed stage counts
            its earlier time.
        after_save: called after each checkpoint with the averaged model, in a copy.
    """
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint, log = folder / f"{name}.safetensors", folder / f"{name}.jsonl"
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer: torch.optim.Optimizer = (
        Muon(model, peak, weight_decay)
        if muon
        else torch.optim.AdamW(trained, lr=peak, betas=(0.9, 0.98), weight_decay=weight_decay)
    )
    device = next(model.parameters()).device
    average = {k: v.detach().clone() for k, v in model.state_dict().items() if v.is_floating_point()}
    start, before = _unpack(checkpoint, model, average, optimizer) if checkpoint.is_file() else (0, 0.0)
    began = saved = time.monotonic()
    sums: dict[str, Tensor] = {}
    summed = 0
    step = start

    def report(progress: float) -> None:
        """Log the means since the last report."""
        nonlocal sums, summed
        spent = before + time.monotonic() - began
        left = spent * (1 / max(progress, 1e-6) - 1)
        means = {k: round(float(v) / summed, 4) for k, v in sums.items()}
        sums, summed = {}, 0
        shown = " ".join(f"{k} {v:.4g}" for k, v in means.items())
        of = "" if seconds else f"/{steps}"
        print(f"{name} {step}{of} {shown}; {spent:.0f} s, {left / 60:.1f} min left", flush=True)
        with open(log, "a") as handle:
            handle.write(json.dumps({"step": step, "seconds": round(spent, 1), **means}) + "\n")

    model.train()
    state = model.state_dict()  # the tensors themselves, so it stays up to date
    live = [state[k] for k in average]
    while True:
        spent = before + time.monotonic() - began
        progress = min(1.0, spent / seconds if seconds else step / steps)
        if progress >= 1 and (not seconds or step >= LEAST):
            break
        generator = torch.Generator(device).manual_seed(seed * 1_000_003 + step)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, progress, peak, decay=decay)
        loss, figures = loss_of_step(generator, progress)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        keep = min(1 - 1 / average_over, step / (step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(list(average.values()), live, 1 - keep)
            for k, v in {"loss": loss.detach(), **figures}.items():
                sums[k] = sums.get(k, torch.zeros((), device=device)) + v
        summed += 1
        step += 1
        if step % every == 0:
            report(progress)
        if time.monotonic() - saved > save_every:
            _save(checkpoint, model, average, optimizer, step, before + time.monotonic() - began)
            if after_save is not None:
                after_save(_averaged(model, average))
            saved = time.monotonic()
    if summed and seconds:
        report(1.0)
    if step > start:
        _save(checkpoint, model, average, optimizer, step, before + time.monotonic() - began)
    model.load_state_dict(average, strict=False)
    return model.eval()


def _save(
    path: Path,
    model: nn.Module,
    average: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
    step: int,
    seconds: float,
) -> None:
    packed = _pack(model, average, optimizer)
    write_atomically(path, save(packed, metadata={"step": str(step), "seconds": f"{seconds:.3f}"}))


def _averaged(model: nn.Module, average: dict[str, Tensor]) -> nn.Module:
    twin = copy.deepcopy(model)
    twin.load_state_dict(average, strict=False)
    return twin.eval()
