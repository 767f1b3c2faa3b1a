"""A killed stage resumes to the same weights, with either optimizer, and a limited time is kept."""

from __future__ import annotations

import json
from itertools import count
from types import SimpleNamespace

import pytest
import torch
from safetensors import safe_open
from torch import nn

from core.errors import ConceptreeError
from tests.training.tiny import plain_loss
from training.fit import LEAST, fit, load_average
from training.muon import Muon, orthogonalised


def test_a_killed_stage_resumes_to_the_same_weights(tmp_path) -> None:
    def loss_with(model: nn.Module, stop_at: int | None):
        def loss_of_step(g: torch.Generator, progress: float):
            if stop_at is not None and progress * 12 >= stop_at:
                raise KeyboardInterrupt
            x = torch.randn(8, 4, generator=g)
            return (model(x) - x.sum(1, keepdim=True)).square().mean(), {}

        return loss_of_step

    def fresh() -> nn.Module:
        torch.manual_seed(0)
        return nn.Linear(4, 1)

    whole, killed = fresh(), fresh()
    fit("stage", whole, loss_with(whole, None), tmp_path / "a", steps=12, peak=1e-2, save_every=0)
    with pytest.raises(KeyboardInterrupt):
        fit("stage", killed, loss_with(killed, 7), tmp_path / "b", steps=12, peak=1e-2, save_every=0)
    resumed = fresh()
    fit("stage", resumed, loss_with(resumed, None), tmp_path / "b", steps=12, peak=1e-2, save_every=0)
    assert torch.equal(whole.weight, resumed.weight)
    loaded = fresh()
    load_average(tmp_path / "b", "stage", loaded)
    assert torch.equal(loaded.weight, whole.weight)
    with pytest.raises(ConceptreeError, match="no checkpoint"):
        load_average(tmp_path, "other", loaded)


def test_muon_equalises_singular_values_and_lowers_a_loss() -> None:
    torch.manual_seed(0)
    matrix = torch.randn(32, 96) @ torch.diag(torch.linspace(0.1, 5, 96))
    values = torch.linalg.svdvals(orthogonalised(matrix))
    assert values.min() > 0.5 and values.max() < 1.4
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    assert (
        torch.nn.functional.cosine_similarity(orthogonalised(matrix).flatten(), (left @ right).flatten(), dim=0) > 0.95
    )
    model = nn.Sequential(nn.Conv2d(3, 40, 3), nn.Flatten(), nn.Linear(640, 2))
    x, y = torch.randn(16, 3, 6, 6), torch.randn(16, 2)
    optimizer = Muon(model, lr=1e-2)
    losses = []
    for _ in range(30):
        loss = (model(x) - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]


@pytest.mark.parametrize("muon", [False, True])
def test_either_optimizer_resumes(tmp_path, muon: bool) -> None:
    def run(folder, stop: int | None) -> nn.Module:
        torch.manual_seed(0)
        model = nn.Linear(40, 40)

        def loss_of_step(g: torch.Generator, progress: float):
            if stop is not None and progress * 6 >= stop:
                raise KeyboardInterrupt
            return (model(torch.randn(8, 40, generator=g)) - 1).square().mean(), {}

        fit("stage", model, loss_of_step, folder, steps=6, peak=1e-2, save_every=0, muon=muon)
        return model

    whole = run(tmp_path / "a", None)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "b", 3)
    assert torch.equal(whole.weight, run(tmp_path / "b", None).weight)


def test_a_stage_with_a_limited_time_ends_in_time_and_goes_on_counting_it(tmp_path, monkeypatch) -> None:
    """By a clock that goes on by 1/64 s whenever it is read."""
    monkeypatch.setattr("training.fit.time", SimpleNamespace(monotonic=count(0, 1 / 64).__next__))
    model, calls = nn.Linear(2, 2), []
    fit("stage", model, plain_loss(model, calls), tmp_path, steps=10**9, seconds=0.25, peak=1e-3)
    assert len(calls) >= LEAST and calls == sorted(calls) and 0.8 < calls[-1] < 1
    with safe_open(tmp_path / "stage.safetensors", "pt") as stored:
        assert 0.25 <= float(stored.metadata()["seconds"]) < 0.35 and int(stored.metadata()["step"]) == len(calls)
    again: list[float] = []
    resumed = nn.Linear(2, 2)
    fit("stage", resumed, plain_loss(resumed, again), tmp_path, steps=10**9, seconds=0.25, peak=1e-3)
    assert not again and torch.equal(resumed.weight, model.weight)
    fit("stage", resumed, plain_loss(resumed, again), tmp_path, steps=10**9, seconds=0.5, peak=1e-3)
    assert again and again[0] >= 0.5


def test_a_stage_takes_some_steps_however_short_the_time(tmp_path) -> None:
    model, calls = nn.Linear(2, 2), []
    fit("stage", model, plain_loss(model, calls), tmp_path, steps=10**9, seconds=1e-6, peak=1e-3)
    assert len(calls) == LEAST
    logged = json.loads((tmp_path / "stage.jsonl").read_text())
    assert logged["step"] == LEAST
