"""The stages' common ground: drawings, words, device, checkpoints, committed weights, and how long to train."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from core.emoji.judge import whole
from core.emoji.networks import SIDE
from core.stack.backbone import EMOJI
from training.captions import MAX_LENGTH, vocabulary
from training.fit import LossOfStep, fit, load_average, on_device
from training.inherit import Rows, inherit
from training.pictures import PictureSource, Supply, Variation
from training.questions import answers
from training.render import Drawings, render
from training.teacher import Words
from training.tokenizer import word_tokenizer

BEFORE = "before"  # in a stage's log: steps and minutes of the weights that it continues
Made = TypeVar("Made")
Net = TypeVar("Net", bound=nn.Module)

# Folder of each stage's result in the stack.
PARTS = {
    "autoencoder": "decoder/movq",
    "tower": "prior/image_encoder",
    "text": "prior/text_encoder",
    "prior": "prior/prior",
    "decoder": "decoder/unet",
    "vqa": "vqa",
    "judge": "judge",
}
# Shares of a limited time, in order; the rest is for loading and assembling.
SHARES = {
    "autoencoder": 0.12,
    "teacher": 0.10,
    "tower": 0.12,
    "bank": 0.02,
    "text": 0.03,
    "prior": 0.08,
    "decoder": 0.28,
    "polish": 0.09,
    "vqa": 0.08,
    "judge": 0.05,
}
BANKED = frozenset({"text", "prior", "decoder"})  # stages that learn from the bank


@dataclass
class Workshop:
    """State that the stages share."""

    cache: Path
    effort: float = 1.0  # scales every stage's steps
    seed: int = 0
    from_scratch: bool = False
    weights: Path = EMOJI
    only: frozenset[str] = frozenset()  # the stages that were named; empty for all
    mean: bool = False  # store the mean of the committed weights and the new ones, of stages that were named
    device: str = "cpu"
    minutes: float = 0.0  # for all stages together, in place of steps
    began: float = field(default_factory=time.monotonic)
    _made: dict[Callable[..., Any], Any] = field(default_factory=dict, repr=False)

    def once(self, make: Callable[[Workshop], Made]) -> Made:
        """The result of `make(self)`, called the first time only: stages share what others have trained."""
        if make not in self._made:
            self._made[make] = make(self)
        return self._made[make]  # type: ignore[no-any-return]

    @cached_property
    def drawings(self) -> Drawings:
        return render(self.cache)

    @cached_property
    def words(self) -> Words:
        return Words.of(self.drawings)

    @cached_property
    def source(self) -> PictureSource:
        """The drawings that stages may learn from, at full size."""
        return PictureSource(self.drawings, self.drawings.split(held_out=False), device=self.device)

    @cached_property
    def small_source(self) -> PictureSource:
        """The same drawings at the size that teacher, tower and question answerer see."""
        return PictureSource(self.drawings, self.drawings.split(held_out=False), SIDE, self.device)

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerFast:
        return word_tokenizer(vocabulary(self.words), MAX_LENGTH)

    @property
    def checkpoints(self) -> Path:
        return self.cache / "checkpoints"

    def place(self, model: Net) -> Net:
        return on_device(model, torch.device(self.device))

    def batch(self, on_processor: int, on_gpu: int) -> int:
        """A stage's batch. On a GPU starting an operation takes longer than a small batch, so batches are large."""
        return on_processor if self.device == "cpu" else on_gpu

    def supply(self, source: PictureSource, count: int, variation: Variation) -> Supply:
        """Batches of ``count`` pictures of a source."""
        return Supply(source, count, variation, together=1 if self.device == "cpu" else 8)

    def fit(
        self, name: str, model: nn.Module, loss_of_step: LossOfStep, *, steps: int, seed: int, **settings: Any
    ) -> None:
        """`fit` with the steps, or the stage's share of the minutes; ``seed`` tells the stages apart.

        A stage that was not named, but that a named one builds on, keeps the weights of its checkpoint.
        """
        if self.kept(name, model):
            return
        seconds, steps = self.seconds(name), self.steps(steps)
        seed += 100 * self.seed
        fit(name, model, loss_of_step, self.checkpoints, steps=steps, seconds=seconds, seed=seed, **settings)
        if seconds:
            print(
                f"{name} is done after {(time.monotonic() - self.began) / 60:.1f} of {self.minutes:g} min", flush=True
            )

    def kept(self, name: str, model: nn.Module) -> bool:
        """Load the checkpoint of a stage that was not named. False if it was named, or has none."""
        if not self.only or name in self.only or not (self.checkpoints / f"{name}.safetensors").is_file():
            return False
        load_average(self.checkpoints, name, model)
        return True

    def seconds(self, name: str) -> float:
        """A stage's share of what is left of the minutes, 0 without a limit. Only the stages that were named count."""
        if not self.minutes:
            return 0.0
        only = self.only | {name, "bank"} if self.only & BANKED else self.only | {name}
        shares = {k: v for k, v in SHARES.items() if not self.only or k in only}
        total = 60 * self.minutes * sum(SHARES.values())
        left = total - (time.monotonic() - self.began)
        coming = sum(list(shares.values())[list(shares).index(name) :])
        return max(0.1, shares[name] * left / coming)

    def steps(self, count: int) -> int:
        return max(2, round(count * self.effort))

    def tokens(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        """Token ids and their mask, ``[n, longest]`` each, on the device."""
        coded = self.tokenizer(
            captions, padding="max_length", truncation=True, max_length=MAX_LENGTH, return_tensors="pt"
        )
        length = int(coded.attention_mask.sum(1).max())
        return coded.input_ids[:, :length].to(self.device), coded.attention_mask[:, :length].to(self.device)

    def begin(self, name: str, model: nn.Module) -> float:
        """Copy the committed weights into a stage's model as far as they fit, unless it has a checkpoint.

        Returns the share that fits, 0 … 1.
        """
        if self.from_scratch or (self.checkpoints / f"{name}.safetensors").is_file():
            return 0.0
        committed = self.committed(name)
        if not committed.is_file():
            return 0.0
        share = inherit(model, whole(load_file(committed)), self._rows(name))
        print(f"{name}: {share:.0%} of it begins with the committed weights", flush=True)
        return share

    def committed(self, name: str) -> Path:
        """The file of a part's committed weights, as transformers or diffusers name it."""
        folder = self.weights / PARTS[name]
        file = folder / "model.safetensors"
        return file if file.is_file() else folder / "diffusion_pytorch_model.safetensors"

    def stands(self, name: str, model: nn.Module) -> bool:
        """Begin with the committed weights. True if they stay, since other stages were named."""
        share = self.begin(name, inner(name, model))
        stands = share == 1 and bool(self.only) and name not in self.only
        if share > 0.9 and not stands:
            self.log_before(name)
        model.eval()
        return stands

    def _rows(self, name: str) -> Rows:
        """The tables with a row for each word: (words of the committed table, words now)."""
        folder = self.weights / ("vqa" if name == "vqa" else "prior/tokenizer")
        if name not in ("text", "vqa") or not (folder / "tokenizer.json").is_file():
            return {}
        earlier = PreTrainedTokenizerFast.from_pretrained(folder)
        before = [earlier.convert_ids_to_tokens(i) for i in range(len(earlier))]
        now = [self.tokenizer.convert_ids_to_tokens(i) for i in range(len(self.tokenizer))]
        if name == "text":
            return {"text_model.embeddings.token_embedding.weight": (before, now)}
        labels = json.loads((folder / "config.json").read_text(encoding="utf-8"))["id2label"]
        said = [labels[str(i)] for i in range(len(labels))]
        rows: dict[str, tuple[Any, Any]] = {"vilt.embeddings.text_embeddings.word_embeddings.weight": (before, now)}
        rows |= {f"classifier.3.{kind}": (said, answers(self.words)) for kind in ("weight", "bias")}
        return rows

    def log_before(self, name: str) -> None:
        """Begin the stage's log with steps and minutes of the weights that it continues."""
        stored = self.weights / "training.json"
        about = json.loads(stored.read_text(encoding="utf-8")).get(name) if stored.is_file() else None
        if about:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            with open(self.checkpoints / f"{name}.jsonl", "a", encoding="utf-8") as log:
                log.write(json.dumps({BEFORE: {what: about[what] for what in ("steps", "minutes")}}) + "\n")


def inner(name: str, model: Any) -> Any:
    """The part of a stage's model that the stack stores."""
    inner = {"autoencoder": "model", "text": "tower", "vqa": "model"}.get(name)
    return getattr(model, inner) if inner else model
