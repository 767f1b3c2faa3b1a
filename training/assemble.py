"""Assemble the trained parts as a stack: the folders that the Kandinsky 2.2 pipelines save and load."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from diffusers import KandinskyV22Pipeline, KandinskyV22PriorPipeline
from safetensors.torch import load_file
from torch import nn
from transformers import ViltImageProcessorPil, ViltProcessor

from core.emoji.judge import Judge, whole
from core.errors import ConceptreeError
from training import models
from training.fit import load_average
from training.inherit import inherit
from training.pictures import LOOKS
from training.questions import answers
from training.render import SIZE
from training.sources import SETS
from training.stages.answering import Answerer
from training.stages.imagining import TextAndScale
from training.stages.pixels import train_autoencoder
from training.stages.seeing import JUDGE_CHANNELS, new_judge
from training.teacher import Words
from training.workshop import BEFORE, Workshop, inner

VERSION = "emoji-3"
DRAWING = {"steps": 16, "guidance_scale": 3.5, "size": SIZE}


def _edit_json(path: Path, **changes: Any) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, **changes}, indent=2) + "\n", encoding="utf-8")


def vocabulary_of(words: Words) -> dict[str, Any]:
    """Names of things, and the members of each category; the looks and sets are the members of "style"."""
    members = {
        category: [name for name, row in zip(words.things, words.belongs.tolist(), strict=True) if row[column]]
        for column, category in enumerate(words.categories)
    }
    members["style"] = [*LOOKS[1:], *(art.style for art in SETS)]
    return {"words": list(words.things), "categories": members}


def training_of(checkpoints: Path, before: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Steps, minutes and last figures of each stage from its log, with those of the weights that it continued.

    before: the same of the committed weights, for stages without a log.
    """
    told = dict(before)
    for log in sorted(checkpoints.glob("*.jsonl"), key=lambda path: path.stat().st_mtime):
        lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        begun = max((place for place, line in enumerate(lines) if BEFORE in line), default=None)
        went_on = lines[begun][BEFORE] if begun is not None else {"steps": 0, "minutes": 0}
        lines = lines[0 if begun is None else begun + 1 :]  # the weights that it continued count the lines above
        if not lines:
            continue
        seconds = lines[-1]["seconds"]  # a resumed stage counts on
        figures = {k: v for k, v in lines[-1].items() if k not in ("step", "seconds")}
        shown = ", ".join(f"{k} {v:g}" for k, v in figures.items())
        steps, minutes = went_on["steps"] + lines[-1]["step"], went_on["minutes"] + seconds / 60
        told[log.stem] = {"steps": steps, "minutes": round(minutes, 1), "figures": shown}
    return told


def trained_parts(shop: Workshop) -> dict[str, Any]:
    """The parts of the stack as their last checkpoints have them, whether their stages are finished or not.

    A part without a checkpoint is the committed one.

    Raises:
        ConceptreeError: a part has neither a checkpoint nor committed weights of its shape.
    """
    tokenizer, words = shop.tokenizer, shop.words
    parts: dict[str, nn.Module] = {
        "tower": models.image_tower(),
        "text": TextAndScale(models.text_tower(tokenizer)),
        "prior": models.prior_transformer(),
        "decoder": models.unet(),
        "vqa": Answerer(models.question_answerer(tokenizer, answers(words))),
        "judge": new_judge(shop),
    }
    for name, model in parts.items():
        if (shop.checkpoints / f"{name}.safetensors").is_file():
            load_average(shop.checkpoints, name, model)
            if shop.mean and name in shop.only:
                mean_with_committed(shop, name, inner(name, model))
        elif shop.begin(name, inner(name, model)) < 1:
            raise ConceptreeError(f"stage {name} has neither a checkpoint nor weights that fit: train it first")
    # Not from its checkpoint alone: the stage ends with `standardise`.
    parts["autoencoder"] = shop.once(train_autoencoder)
    if (shop.checkpoints / "polish.safetensors").is_file():
        load_average(shop.checkpoints, "polish", parts["autoencoder"])
    return {name: inner(name, model) for name, model in parts.items()}


def mean_with_committed(shop: Workshop, name: str, model: nn.Module) -> None:
    """Replace a model's weights by the mean of these and the committed ones (Wortsman et al., arXiv 2109.01903).

    Raises:
        ConceptreeError: there are no committed weights of its shapes.
    """
    own = {key: value.clone() for key, value in model.state_dict().items()}
    file = shop.committed(name)
    if not file.is_file() or inherit(model, whole(load_file(file))) < 1:
        raise ConceptreeError(f"--mean: stage {name} has no committed weights of its shapes")
    committed = model.state_dict()
    model.load_state_dict(
        {key: (value + committed[key]) / 2 if value.is_floating_point() else value for key, value in own.items()}
    )


def assemble(shop: Workshop, target: Path) -> None:
    """Write the whole stack beside ``target``, then replace that; keep the calibration. Weights in half precision."""
    trained = trained_parts(shop)
    fresh = target.with_name(target.name + ".partial")
    shutil.rmtree(fresh, ignore_errors=True)
    prior = KandinskyV22PriorPipeline(
        prior=trained["prior"].half(),
        image_encoder=trained["tower"].half(),
        text_encoder=trained["text"].half(),
        tokenizer=shop.tokenizer,
        scheduler=models.prior_scheduler(),
        image_processor=models.image_processor(),
    )
    prior.save_pretrained(fresh / "prior")
    # Their saved names would depend on torchvision and on transformers' version.
    _edit_json(
        fresh / "prior" / "model_index.json",
        image_processor=["transformers", "CLIPImageProcessor"],
        tokenizer=["transformers", "PreTrainedTokenizerFast"],
    )
    for part in ("text_encoder", "image_encoder"):
        # In half precision beside a prior in single they would not run as one pipeline.
        _edit_json(fresh / "prior" / part / "config.json", dtype="float32")
    decoder = KandinskyV22Pipeline(
        unet=trained["decoder"].half(), movq=trained["autoencoder"].half(), scheduler=models.decoder_scheduler()
    )
    decoder.save_pretrained(fresh / "decoder")
    vqa = trained["vqa"].half()
    vqa.save_pretrained(fresh / "vqa")
    _edit_json(fresh / "vqa" / "config.json", dtype="float32")
    size = {"shortest_edge": models.SEEN_SIZE}
    ViltProcessor(ViltImageProcessorPil(size=size, size_divisor=8), shop.tokenizer).save_pretrained(fresh / "vqa")
    for tokenizer in (fresh / "prior" / "tokenizer", fresh / "vqa"):
        _edit_json(tokenizer / "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")
    words = shop.words
    vocabulary = vocabulary_of(words)
    judged = {c: m for c, m in vocabulary["categories"].items() if c != "style"}
    Judge(trained["judge"], words.things, judged).save(fresh / "judge", JUDGE_CHANNELS)
    (fresh / "vocabulary.json").write_text(json.dumps(vocabulary, indent=1) + "\n", encoding="utf-8")
    about = {"version": VERSION, "drawing": DRAWING}
    (fresh / "stack.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    stored = target / "training.json"
    before = json.loads(stored.read_text(encoding="utf-8")) if stored.is_file() else {}
    training = training_of(shop.checkpoints, before)
    (fresh / "training.json").write_text(json.dumps(training, indent=1) + "\n", encoding="utf-8")
    if (target / "calibration.json").is_file():
        shutil.copy2(target / "calibration.json", fresh)
    previous = target.with_name(target.name + ".previous")
    shutil.rmtree(previous, ignore_errors=True)
    if target.exists():
        target.rename(previous)
    fresh.rename(target)
    shutil.rmtree(previous, ignore_errors=True)
