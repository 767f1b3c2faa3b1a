"""The loss of the embedded prior is Eq. 2 of arXiv 2308.02669."""

from __future__ import annotations

import pytest
import torch

from training.learning import prior_loss
from training.models import prior_scheduler


def test_the_priors_loss_is_eq_2_written_plainly(monkeypatch) -> None:
    seen = {}

    def predict(prior, noisy, timestep, *features):
        seen.update(noisy=noisy, timestep=timestep, features=features)
        return noisy / 2

    monkeypatch.setattr("training.learning.predict_embeds", predict)
    scheduler, wanted = prior_scheduler(), torch.randn(6, 8, generator=torch.Generator().manual_seed(1))
    loss = prior_loss(None, scheduler, wanted, ("y",), torch.Generator().manual_seed(0))

    chance = torch.Generator().manual_seed(0)
    noise, t = torch.randn(6, 8, generator=chance), torch.randint(1000, (6,), generator=chance)
    kept = scheduler.alphas_cumprod[t, None]
    noisy = kept.sqrt() * wanted + (1 - kept).sqrt() * noise
    assert torch.equal(seen["timestep"], t) and seen["features"] == ("y",)
    torch.testing.assert_close(seen["noisy"], noisy)
    assert float(loss) == pytest.approx(float(((noisy / 2 - wanted) ** 2).mean()))
