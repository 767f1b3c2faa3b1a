"""The stages of the embedded model's training. Each reads what earlier ones left, and can be run again."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from training.stages.answering import train_vqa
from training.stages.imagining import train_decoder, train_prior, train_text
from training.stages.pixels import train_autoencoder
from training.stages.polishing import train_polish
from training.stages.seeing import train_judge, train_teacher, train_tower
from training.workshop import Workshop

# In their order, as `train.STAGES`.
TRAIN: dict[str, Callable[[Workshop], nn.Module]] = {
    "autoencoder": train_autoencoder,
    "teacher": train_teacher,
    "tower": train_tower,
    "text": train_text,
    "prior": train_prior,
    "decoder": train_decoder,
    "polish": train_polish,
    "vqa": train_vqa,
    "judge": train_judge,
}
