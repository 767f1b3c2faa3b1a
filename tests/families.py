"""Made-up concepts and a small family on disk, for tests that need relatives and no model."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import numpy as np
from PIL import Image

from core.concept import Avoid, Concept, Measurement, Negative, Parent, Positive, Request, concept_id
from core.settings import Settings
from core.stack.backbone import Backbone
from evolve.store.run import Individual, Run

STACK = SimpleNamespace(where="emoji", version="tiny-1", fingerprint="f")


def concept(
    seed: int = 0,
    parents: Sequence[Concept] | Mapping[str, float] = (),
    birth: str = "mix",
    run: str = "",
    kind: str = "object",
    width: int = 4,
    images: int = 2,
    words: Sequence[str] = (),
) -> Concept:
    """A concept that nothing has learned. parents: concepts, in equal shares, or ids with their weights. words:
    positives beside the category.
    """
    rng = np.random.default_rng(seed)
    weights = parents if isinstance(parents, Mapping) else {parent.id: 0.5 for parent in parents}
    request = Request(
        "pet",
        kind,
        positives=(Positive("pet", 2.0), *map(Positive, words)),
        negatives=("cat",),
        schedule="adaptive",
        parents=tuple(
            Parent(id_, weight, rng.normal(size=(images, width)), birth, run) for id_, weight in weights.items()
        ),
        avoid=(Avoid("early", rng.normal(size=width)),),
        seed=seed,
        tokens=2,
        settings=Settings(steps=5),
    )
    return Concept(
        concept_id(request, "f"),
        request,
        vectors=rng.normal(size=(2, width)),
        image_embed=rng.normal(size=width),
        negatives=(Negative("cat", 0, "request"), Negative("dog", 5, "vqa", "'boeing' does not push")),
        history=(Measurement(0, "pet", 0.25), Measurement(5, "pet", 0.5)),
        kept_step=5,
        scores={"score": 0.5, "belongs": 0.25},
        fingerprint="f",
        version="tiny-1",
        steps=5,
        seconds=1.5,
    )


def learned(seed: int, backbone: Backbone) -> Concept:
    """A concept of a stack, that nothing has learned either, but that the stack can imagine and draw."""
    rng, made = np.random.default_rng(seed), concept(seed)
    return replace(
        made,
        request=replace(made.request, tokens=1, avoid=(), fingerprint=backbone.fingerprint),
        vectors=rng.normal(size=(1, backbone.width)).astype(np.float32),
        image_embed=rng.normal(size=backbone.width).astype(np.float32),
        fingerprint=backbone.fingerprint,
        version=backbone.version,
    )


def three_founders(folder: Path, backbone: Backbone) -> Run:
    """A new run of pets with three founders that were learned on a tiny stack, and a drawing of each."""
    run = Run.create(folder, "pet", backbone)
    run.add([learned(seed, backbone) for seed in range(3)])
    run.add_drawings([(each.id, "a photo of a {}", 1, picture(n)) for n, each in enumerate(run.entries())])
    return run


def picture(seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8))


def new_run(folder: Path, stack: Any = STACK) -> Run:
    return Run.create(folder, "pet", stack)


def made_family(folder: Path) -> Run:
    """Nine concepts in three generations, five parts, drawn but for the last.

    a   b   c   d          founders, in parts of two
    3 a + 1 b = e          b + c = f        g mutated from d, without children
    e + f = h              i from pictures of e (1) and of a guest (3), who lives in another run
    """
    run = new_run(folder)
    a, b, c, d = (concept(seed) for seed in range(4))
    e, f = concept(4, {a.id: 3.0, b.id: 1.0}), concept(5, [b, c])
    g = concept(6, [d], birth="mutate")
    h, i = concept(7, [e, f]), concept(8, {e.id: 1.0, "0123456789abcdef": 3.0}, birth="image", run="others")
    for batch in ([a, b], [c, d], [e, f], [g], [h, i]):
        run.add(batch)
        drawn = [each for each in batch if each is not i]
        run.add_drawings([(each.id, "a photo of a {}", 1, picture(each.request.seed)) for each in drawn])
    return run


@cache
def _once(name: str) -> TemporaryDirectory[str]:
    """A folder with the family as a run of that name, which its pictures tell; made once in a process."""
    folder = TemporaryDirectory(prefix="family-")
    made_family(Path(folder.name) / name)
    return folder


def family(folder: Path) -> Run:
    """A copy of the family, in a twentieth of the time. A test that changes how runs are written makes its own."""
    run = new_run(folder)
    made = Path(_once(folder.name).name) / folder.name
    shutil.copytree(made, folder, ignore=shutil.ignore_patterns("run.json"), dirs_exist_ok=True)
    return run


def by_letter(run: Run) -> dict[str, Individual]:
    """The family's concepts by the letters that they have in its picture above."""
    return dict(zip("abcdefghi", run.individuals(), strict=True))
