"""`conceptree demo`: six pets that do not exist, two children of them, a sheet, and what is measured of all."""

from __future__ import annotations

import time
from collections.abc import Sequence
from io import StringIO
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console, RenderableType

from core.backbone import Backbone
from core.files import write_atomically
from evolve import Individual, Run
from ui.breed import child, child_seed, learn_children
from ui.console import WIDTH_IN_FILES, duration, own_command, say
from ui.pictures import PROMPTS, Pictures
from ui.runs import new_run
from ui.seed import grow, plan_founders, say_next, show_founders
from ui.stack import chosen_settings, open_stack
from ui.tables import children_table, effort_table, judged, panel_rows, panel_table, pushed

CATEGORY, FOUNDERS, WAVE = "pet", 6, 2
WEIGHTS = ((0.7, 0.3), (0.3, 0.7))
# Of each parent; 32 and 4 are what `breed` takes, and these do when minutes count.
IMAGES, KEEP = 8, 3


def demo(*, runs: Path, model: str, steps: int | None, seed: int, out: Console) -> None:
    """The whole of it, in a new run of its own each time."""
    began = time.monotonic()
    backbone = open_stack(model)
    plan = plan_founders(
        backbone, CATEGORY, FOUNDERS, WAVE, "adaptive", "object", seed, chosen_settings(backbone, steps=steps)
    )
    run = new_run(runs, None, "demo", lambda folder: Run.create(folder, CATEGORY, backbone))
    say(out, f"{FOUNDERS} {CATEGORY}s that do not exist, by the stack {backbone.version}, in the run {run.folder}")
    pets = grow(run, backbone, plan, out)

    parents = most_different(pets)
    say(out, f"\nThe two that differ most are {parents[0].name} and {parents[1].name}: children of theirs")
    children = breed_two(run, backbone, parents, steps, seed, out)
    pictures = show_founders(run, backbone, out)
    report(run, backbone, pets, parents, children, pictures, out)
    say(out, f"\nAll that took {duration(time.monotonic() - began)}.")
    say_next(run, runs, out)
    say(out, f'  {own_command()} seed "musical instrument" --founders 4')


def breed_two(
    run: Run, backbone: Backbone, parents: Sequence[Individual], steps: int | None, seed: int, out: Console
) -> list[Individual]:
    """A child that is mostly the one parent, and one that is mostly the other."""
    settings = chosen_settings(backbone, mixing=True, steps=steps)
    known: dict[str, Any] = {}
    requests = [
        child(
            list(zip(parents, weights, strict=True)),
            backbone,
            child_seed(seed, number),
            settings,
            images=IMAGES,
            keep=KEEP,
            known=known,
            category=CATEGORY,
        )
        for number, weights in enumerate(WEIGHTS)
    ]
    return learn_children(run, backbone, requests, out)


def most_different(individuals: Sequence[Individual]) -> tuple[Individual, Individual]:
    """The pair whose imagined embeddings are least similar."""
    units = [each.concept.image_embed / np.linalg.norm(each.concept.image_embed) for each in individuals]
    i, j = min(combinations(range(len(individuals)), 2), key=lambda pair: float(units[pair[0]] @ units[pair[1]]))
    return individuals[i], individuals[j]


def report(
    run: Run,
    backbone: Backbone,
    pets: Sequence[Individual],
    parents: Sequence[Individual],
    children: Sequence[Individual],
    pictures: Pictures,
    out: Console,
) -> None:
    """Print what is measured, and keep it as report.txt in the run."""
    rows = panel_rows(backbone, pets)
    everybody = [*pets, *children]
    parts: list[RenderableType] = [
        panel_table(rows),
        pushed(rows) + "\n",
        effort_table(everybody),
        children_table(backbone, parents, children),
        judged(backbone, everybody, pictures, PROMPTS) if pictures else "",
    ]
    kept = StringIO()
    for console in (out, Console(file=kept, width=WIDTH_IN_FILES, markup=False, emoji=False, highlight=False)):
        for part in parts:
            console.print(part)
    write_atomically(run.folder / "report.txt", kept.getvalue().encode())
    say(out, f"These tables: {run.folder / 'report.txt'}")
