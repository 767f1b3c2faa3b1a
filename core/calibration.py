"""Caps and floors for a stack, measured on imagined embeddings; stored with the stack as calibration.json.

Every pair of stack and constraint encoder has its own scale of similarity. The authors' 0.28 and 0.20 fit Kandinsky 2.1
with its multilingual encoder. Each word of the stack is compared in the prompt that it was imagined for:

    cap          median similarity of the members to the category's word: every second member reaches it
    floor        halfway between a member's similarity to its own name and to the names of other members
    avoid_floor  halfway between an image's similarity to its member's mean image and to another member's

The cap stops the pull at the similarity of a typical member. The category's word is more similar to itself than any
member is: with that cap the positive never stops pulling, and all concepts end at one average of the category. The
members' upper quartile pulls less far, but still makes founders alike.

    python -m core.calibration [emoji | kandinsky-2.1 | FOLDER | …] [--constraints multilingual]

Kandinsky 2.1 has a second, multilingual encoder. The authors held their constraints in it, as the preset `published`
does; it has figures of its own.
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
# Learning rate and steps are not measured. These fit the embedded stack; others have the published ones. From the
# category's word, objects keep whole shapes and faces for 50 steps; at 100 the judge believes fewer of them (0.54 →
# 0.48). Founders that start between two members are whole already: 26 steps make them other than both, and 50 make them
# alike. A concept takes two seconds, so three times as many are learned as are kept.
_RATES = {"learning_rate": 5e-3, "segment": 25, "mix_steps": 180}
LEARNS = {
    "object": {**_RATES, "steps": 50, "between_steps": 26, "between_segment": 13, "surplus": 3},
    "style": {**_RATES, "steps": 100},
}
CONSTRAINTS = ("own", "multilingual")
STYLES = ("style", "styles", "art style")


class CalibrationError(ConceptreeError):
    """A stack that cannot be calibrated as asked."""


def calibrate(
    stack: Backbone,
    categories: Mapping[str, Sequence[str]] | None = None,
    *,
    members: int = MEMBERS,
    prompts: int = PROMPTS,
    seeds: int = SEEDS,
    learns: Mapping[str, Any] | None = None,
    constraints: str = "own",
) -> dict[str, Any]:
    """The content of calibration.json: {"object": {max_cosine, min_cosine, avoid_floor, learning_rate, …}, "style": …,
    "categories": {"pet": {max_cosine, min_cosine, avoid_floor}, …}, "measured": …}. Those of "object" are medians over
    the categories, for categories that were not measured.

    categories: name → members; by default those of the stack's vocabulary. At most `members` of each, evenly spread
    over the list, are imagined in `prompts` prompts with `seeds` seeds. A category named "style" calibrates styles.
    learns: learning rate, steps and segment to store as well; by default `LEARNS` for the embedded stack, and the
    stored ones for others. constraints: the encoder of the words, the prior's "own" or the "multilingual" one, whose
    figures the preset `published` uses.
    """
    if constraints not in CONSTRAINTS:
        raise CalibrationError(f"constraints = {constraints!r}: choose {' or '.join(CONSTRAINTS)}")
    if constraints == "multilingual" and not stack.multilingual:
        raise CalibrationError(f"the stack {stack.version} has no multilingual text encoder: choose constraints 'own'")
    encode = stack.encode_text if constraints == "own" else stack.encode_multilingual
    categories = categories or stack.vocabulary.categories
    usable = {name: _spread(words, members) for name, words in categories.items() if len(words) >= 3}
    if not usable:
        raise CalibrationError(f"the stack {stack.version} has no categories with 3 members or more: give some")
    result: dict[str, Any] = {"schema": 1, "version": stack.version, "fingerprint": stack.fingerprint}
    if constraints == "multilingual":
        result["encoder"] = stack.multilingual_fingerprint
    measured: dict[str, Any] = {}
    for kind in ("object", "style"):
        of_kind = {name: words for name, words in usable.items() if (name in STYLES) == (kind == "style")}
        figures = {name: _measure(stack, encode, kind, name, words, prompts, seeds) for name, words in of_kind.items()}
        if figures:
            measured |= figures
            result[kind] = _constants(list(figures.values())) | (
                _learns(stack, kind) if learns is None else dict(learns)
            )
    own = {name: _constants([figures]) for name, figures in measured.items() if name not in STYLES}
    return {**result, "categories": own, "measured": measured}


def store(stack: Backbone, calibration: Mapping[str, Any], folder: str | Path | None = None) -> Path:
    """Write calibration.json atomically; figures of the stack's other encoder stay in it.

    folder: by default the folder where the stack looks for it.
    """
    path = Path(folder or stack.beside) / "calibration.json"
    stored = stack.calibration or {}
    if "encoder" in calibration:
        calibration = {**stored, "multilingual": dict(calibration)}
    elif "multilingual" in stored:
        calibration = {**calibration, "multilingual": stored["multilingual"]}
    text = json.dumps(calibration, indent=2, ensure_ascii=False)
    write_atomically(path, f"{text}\n".encode())
    stack.calibration = dict(calibration)
    return path


def reservation(stack: Backbone) -> str | None:
    """One line of warning about a stack's caps and floors; None if they were measured on these weights.

    Figures of other weights are used all the same: they are nearer than the published ones.
    """
    where = shlex.quote(str(stack.where))
    how = f"python -m core.calibration {where}"
    if not stack.vocabulary.categories:
        how = "core.calibration.calibrate, with your own categories, since it lists none"
    calibration = stack.calibration or {}
    if not {"object", "style"} & set(calibration):
        published = Settings()
        return (
            f"the stack {stack.version} is not calibrated: the published cap {published.max_cosine:g} and floors"
            f" {published.min_cosine:g}, {PUBLISHED_STYLE_MIN_COSINE:g} for styles and {published.avoid_floor:g}"
            f" between waves are used, which fit Kandinsky 2.1; measure its own with {how}"
        )
    measured_on = calibration.get("fingerprint")
    if measured_on != stack.fingerprint:
        return (
            f"the caps and floors of the stack {stack.version} ({stack.fingerprint}) were measured on other"
            f" weights ({measured_on or 'unknown'}): measure them again with {how}"
        )
    return None


@torch.no_grad()
def _measure(
    stack: Backbone, encode: EncodeText, kind: str, category: str, words: Sequence[str], prompts: int, seeds: int
) -> dict[str, float]:
    """Medians for one category; each similarity compares a member and a word in the same prompt."""
    templates = _spread(TEMPLATES[kind], prompts)
    every = ["" if kind == "style" else category, *words]
    texts = torch.stack([normalise(encode([fill(t, w) for t in templates])) for w in every])
    images = torch.stack([_imagined(stack, templates, w, seeds) for w in every])  # [1 + words, prompts, seeds, width]
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


def _imagined(stack: Backbone, templates: Sequence[str], word: str, seeds: int) -> Tensor:
    prompts = [fill(template, word) for template in templates for _ in range(seeds)]
    numbers = list(range(seeds)) * len(templates)
    imagined = stack.imagine(prompts, seeds=numbers, steps=PANEL_STEPS, guidance_scale=PANEL_GUIDANCE)
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


def _learns(stack: Backbone, kind: str) -> dict[str, Any]:
    if stack.where == "emoji":
        return dict(LEARNS[kind])
    stored = (stack.calibration or {}).get(kind, {})
    return {name: stored[name] for name in LEARNS[kind] if name in stored}


def _spread(items: Sequence[str], most: int) -> list[str]:
    """At most `most` items, evenly from the first to the last."""
    places = np.unique(np.linspace(0, len(items) - 1, min(most, len(items))).round().astype(int))
    return [items[place] for place in places]


def main(arguments: Sequence[str] | None = None) -> int:
    """Calibrate a stack and store that beside it."""
    parser = argparse.ArgumentParser("python -m core.calibration", description="Measure a stack's caps and floors.")
    parser.add_argument("model", nargs="?", default="emoji", help="the stack, as for --model; by default emoji")
    parser.add_argument("--constraints", choices=CONSTRAINTS, default="own", help="which encoder reads the words")
    parser.add_argument("--revision", help="of a hub's repositories")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--dtype", default="float32", help="float32, bfloat16 or float16")
    given = parser.parse_args(arguments)
    try:
        stack = Backbone.load(given.model, given.device, given.dtype, revision=given.revision)
        calibration = calibrate(stack, constraints=given.constraints)
        path = store(stack, calibration)
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
