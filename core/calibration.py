"""Caps and floors for a stack, measured on what its prior imagines; stored with the stack as
calibration.json.

Every pair of stack and constraint encoder has its own scale of similarity (the authors' 0.28 and 0.20 are
those of Kandinsky 2.1 with its multilingual encoder). For the stack's own words, each in the prompt it was
imagined for:

    cap          median similarity of the members to the category's word: every second member reaches it
    floor        halfway between how much a member resembles its own name and the names of other members
    avoid_floor  halfway between how much an image of a member resembles its own mean image and another member's

The cap is where members are, so a concept that belongs as much as a member is pulled no further. The word is more
similar to itself than any member is to it: with that as the cap the positive never stops pulling, and every concept
ends at one average of the category. The members' upper quartile pulls less far, but still makes founders alike.

    python -m core.calibration [emoji | kandinsky-2.1 | FOLDER | …] [--constraints multilingual]

Kandinsky 2.1 has a second encoder, in which the authors held their constraints, as the preset `published` does: a pair
with figures of its own.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.constraints import normalise
from core.errors import ConceptreeError
from core.files import write_atomically
from core.metrics import PANEL_GUIDANCE, PANEL_STEPS
from core.prompts import TEMPLATES, fill
from core.settings import PUBLISHED_STYLE_MIN_COSINE, Settings
from core.stack.backbone import Backbone
from core.stack.wordbank import EncodeText

MEMBERS, PROMPTS, SEEDS = 12, 8, 2
# Learning rate and steps are not measured: this served on the embedded stack. Others have the published ones. With the
# cap at the members, more steps change little: a concept is at it, and below the floors of its negatives, before.
LEARNS = {"learning_rate": 5e-3, "steps": 100, "segment": 25, "mix_steps": 180}
CONSTRAINTS = ("own", "multilingual")
STYLES = ("style", "styles", "art style")


class CalibrationError(ConceptreeError):
    """A stack does not have what calibration needs."""


def calibrate(
    backbone: Any,
    categories: Mapping[str, Sequence[str]] | None = None,
    *,
    members: int = MEMBERS,
    prompts: int = PROMPTS,
    seeds: int = SEEDS,
    learns: Mapping[str, Any] | None = None,
    constraints: str = "own",
) -> dict[str, Any]:
    """What calibration.json holds: {"object": {max_cosine, min_cosine, avoid_floor, learning_rate, …}, "style": …,
    "categories": {"pet": {max_cosine, min_cosine, avoid_floor}, …}, "measured": …}. Those of "object" are medians over
    the categories, for what was not measured.

    categories: name → members; by default those of the stack's vocabulary. Of each at most `members` are
    imagined, evenly spread over the list, in `prompts` prompts with `seeds` seeds. learns: learning rate,
    steps and segment to store beside what is measured; by default `LEARNS` for the embedded stack, and what is stored
    there already for others. A category of
    styles ("style") calibrates styles. constraints: which encoder reads the words, the prior's "own" or the
    "multilingual" one; the latter's figures are those of `published`.
    """
    if constraints not in CONSTRAINTS:
        raise CalibrationError(f"constraints = {constraints!r}: choose {' or '.join(CONSTRAINTS)}")
    if constraints == "multilingual" and not backbone.multilingual:
        raise CalibrationError(
            f"the stack {backbone.version} has no multilingual text encoder: its constraints are in its own"
        )
    encode = backbone.encode_text if constraints == "own" else backbone.encode_multilingual
    categories = categories or backbone.vocabulary.categories
    usable = {name: _spread(words, members) for name, words in categories.items() if len(words) >= 3}
    if not usable:
        raise CalibrationError(f"the stack {backbone.version} has no categories with 3 members or more: give some")
    result: dict[str, Any] = {"schema": 1, "version": backbone.version, "fingerprint": backbone.fingerprint}
    if constraints == "multilingual":
        result["encoder"] = backbone.multilingual_fingerprint
    measured: dict[str, Any] = {}
    for kind in ("object", "style"):
        of_kind = {name: words for name, words in usable.items() if (name in STYLES) == (kind == "style")}
        figures = {
            name: _measure(backbone, encode, kind, name, words, prompts, seeds) for name, words in of_kind.items()
        }
        if figures:
            measured |= figures
            result[kind] = _constants(list(figures.values())) | (
                _learns(backbone, kind) if learns is None else dict(learns)
            )
    own = {name: _constants([figures]) for name, figures in measured.items() if name not in STYLES}
    return {**result, "categories": own, "measured": measured}


def store(backbone: Any, calibration: Mapping[str, Any], folder: Path | None = None) -> Path:
    """Write calibration.json beside the stack, as a whole or not at all. The figures of its other encoder stay in it.

    folder: by default where the stack itself looks for it.
    """
    path = (folder or backbone.beside) / "calibration.json"
    stored = backbone.calibration or {}
    if "encoder" in calibration:
        calibration = {**stored, "multilingual": dict(calibration)}
    elif "multilingual" in stored:
        calibration = {**calibration, "multilingual": stored["multilingual"]}
    text = json.dumps(calibration, indent=2, ensure_ascii=False)
    write_atomically(path, f"{text}\n".encode())
    backbone.calibration = dict(calibration)
    return path


def reservation(backbone: Any) -> str | None:
    """What a person should know of the caps and floors that `Settings.for_stack` takes for a stack, in one line.

    None where they were measured on these very weights. Others are taken all the same: they are nearer than the
    published ones, which a stack without any has.
    """
    where = shlex.quote(str(backbone.where))
    how = f"python -m core.calibration {where}"
    if not backbone.vocabulary.categories:
        how = "core.calibration.calibrate, with categories of yours, since it lists none"
    calibration = backbone.calibration or {}
    if not {"object", "style"} & set(calibration):
        published = Settings()
        return (
            f"the stack {backbone.version} is not calibrated: the published cap {published.max_cosine:g} and floors"
            f" {published.min_cosine:g}, {PUBLISHED_STYLE_MIN_COSINE:g} for styles and {published.avoid_floor:g}"
            f" between waves are used, which fit Kandinsky 2.1; measure its own with {how}"
        )
    measured_on = calibration.get("fingerprint")
    if measured_on != backbone.fingerprint:
        return (
            f"the caps and floors of the stack {backbone.version} ({backbone.fingerprint}) were measured on other"
            f" weights ({measured_on or 'it is not said which'}): measure them anew with {how}"
        )
    return None


@torch.no_grad()
def _measure(
    backbone: Any, encode: EncodeText, kind: str, category: str, words: Sequence[str], prompts: int, seeds: int
) -> dict[str, float]:
    """Medians for one category; each similarity is between what a member is in one prompt and a word in the
    same.
    """
    templates = _spread(TEMPLATES[kind], prompts)
    every = ["" if kind == "style" else category, *words]
    texts = torch.stack([normalise(encode([fill(t, w) for t in templates])) for w in every])
    images = torch.stack(
        [_imagined(backbone, templates, w, seeds) for w in every]
    )  # [1 + words, prompts, seeds, width]
    to_words = torch.einsum("wpsd,vpd->wvps", images, texts).mean((-1, -2))  # [1 + words, 1 + words]
    members = to_words[1:]
    looks = images[1:].flatten(1, 2)  # [words, looks, width]
    to_means = torch.einsum("wld,vd->wvl", looks, normalise(looks.mean(1))).mean(-1)
    other = ~torch.eye(len(words), dtype=torch.bool, device=looks.device)
    return {
        "itself": float(to_words[0, 0]),
        "category": median(members[:, 0].tolist()),
        "own": median(members[:, 1:].diagonal().tolist()),
        "others": median(members[:, 1:][other].tolist()),
        "image_to_own": median(to_means.diagonal().tolist()),
        "image_to_others": median(to_means[other].tolist()),
    }


def _imagined(backbone: Any, templates: Sequence[str], word: str, seeds: int) -> Tensor:
    prompts = [fill(template, word) for template in templates for _ in range(seeds)]
    numbers = list(range(seeds)) * len(templates)
    imagined = backbone.imagine(prompts, seeds=numbers, steps=PANEL_STEPS, guidance_scale=PANEL_GUIDANCE)
    return normalise(imagined).view(len(templates), seeds, -1)


def _constants(figures: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Medians over the categories, rounded: the third digit is noise."""

    def middle(name: str) -> float:
        return median(each[name] for each in figures)

    return {
        "max_cosine": round(middle("category"), 2),
        "min_cosine": round((middle("own") + middle("others")) / 2, 2),
        "avoid_floor": round((middle("image_to_own") + middle("image_to_others")) / 2, 2),
    }


def _learns(backbone: Any, kind: str) -> dict[str, Any]:
    if backbone.where == "emoji":
        return dict(LEARNS)
    stored = (backbone.calibration or {}).get(kind, {})
    return {name: stored[name] for name in LEARNS if name in stored}


def _spread(items: Sequence[str], most: int) -> list[str]:
    """At most `most` items, evenly from the first to the last."""
    places = np.unique(np.linspace(0, len(items) - 1, min(most, len(items))).round().astype(int))
    return [items[place] for place in places]


def main(arguments: Sequence[str] | None = None) -> int:
    """Calibrate a stack and store that beside it."""
    parser = argparse.ArgumentParser("python -m core.calibration", description="Measure a stack's caps and floors.")
    parser.add_argument("model", nargs="?", default="emoji", help="what names the stack, as for --model; emoji")
    parser.add_argument("--constraints", choices=CONSTRAINTS, default="own", help="which encoder reads the words")
    parser.add_argument("--revision", help="of a hub's repositories")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--dtype", default="float32", help="float32, bfloat16 or float16")
    given = parser.parse_args(arguments)
    try:
        backbone = Backbone.load(given.model, given.device, given.dtype, revision=given.revision)
        calibration = calibrate(backbone, constraints=given.constraints)
        path = store(backbone, calibration)
    except ConceptreeError as error:
        print(error, file=sys.stderr)
        return 2
    for name, figures in calibration["measured"].items():
        print(f"{name:20}", "  ".join(f"{key} {value:.2f}" for key, value in figures.items()))
    for kind in ("object", "style"):
        if kind in calibration:
            print(kind, calibration[kind])
    print(f"written to {path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
