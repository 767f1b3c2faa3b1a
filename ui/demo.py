"""`conceptree demo`: six pets that do not exist, children and a grandchild of them, their sheet and tree, an export,
and what is measured of all."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from io import StringIO
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console, RenderableType

from core.exchange import read_embedding
from core.files import write_atomically
from core.stack.backbone import Backbone
from evolve import Individual, Portraits, Run, mate
from evolve.fitness import novelty
from evolve.jobs.batches import child_seed
from evolve.jobs.choices import chosen_settings
from evolve.jobs.options import SeedOptions
from evolve.jobs.planning import plan_founders, plan_requests
from evolve.jobs.stored import new_job
from ui.console import WIDTH_IN_FILES, duration, say, to_type
from ui.exporting import Target, export
from ui.family import draw_tree
from ui.learning import carry_out, show_founders
from ui.pictures import PROMPTS, Pictures
from ui.runs import forgotten_if_empty, new_run
from ui.stack import open_stack
from ui.tables import children_table, effort_table, judged, panel_rows, panel_table, pushed
from ui.telling import say_next
from ui.workers import conduct_asked

CATEGORY, FOUNDERS = "pet", 6
ANOTHER = "musical instrument"  # a category to try next
WEIGHTS = ((0.7, 0.3), (0.3, 0.7))
# Portraits of each parent, drawn and kept; fewer than in `breed`, to save time.
IMAGES, KEEP = 8, 3


def demo(*, runs: Path, model: str, steps: int | None, seed: int, out: Console) -> None:
    """Run the whole demo, each time in a new run."""
    began = time.monotonic()
    stack = open_stack(model, out)
    plan = plan_founders(stack, SeedOptions(category=CATEGORY, count=FOUNDERS, seed=seed, steps=steps))
    run = new_run(runs, None, "demo", lambda folder: Run.create(folder, CATEGORY, stack))
    say(out, f"{FOUNDERS} {CATEGORY}s that do not exist, by the stack {stack.version}, in the run {run.folder}")
    with forgotten_if_empty(run):
        pets = carry_out(new_job(run, plan, conduct_asked()), run, stack, out)

    parents = most_different(pets)
    say(out, f"\nThe two that differ most are {parents[0].name} and {parents[1].name}: children of theirs")
    mixing = chosen_settings(stack, category=CATEGORY, mixing=True, steps=steps)
    # Children of Eq. 5 alone lie between their parents, and less in the category than either.
    looks = Portraits(IMAGES, KEEP, stack.draws)
    how = {"settings": mixing, "portraits": looks, "category": CATEGORY, "inherit": True}
    children = breed(run, stack, [zip(parents, weights, strict=True) for weights in WEIGHTS], seed, how, out)
    other = most_unlike(children[0], [pet for pet in pets if pet not in parents] or parents)
    say(out, f"\nA grandchild, of {children[0].name} and the founder that is least like it, {other.name}")
    (grandchild,) = breed(run, stack, [((children[0], 0.5), (other, 0.5))], seed + len(WEIGHTS), how, out)

    pictures = show_founders(run, stack, out)
    say(out, "Their family tree:")
    draw_tree(run.folder.name, (), None, None, runs, out)
    take_away(run, grandchild, runs, model, out)
    report(run, stack, pets, parents, [*children, grandchild], pictures, out)
    say(out, f"\nAll that took {duration(time.monotonic() - began)}.")
    say_next(run, stack, out)
    if stack.knows(ANOTHER):
        call = to_type("seed", ANOTHER, "--founders", 4, *(["--model", model] if model != "emoji" else []), runs=runs)
        say(out, f"  {call}")


def breed(
    run: Run,
    stack: Backbone,
    families: Sequence[Iterable[tuple[Individual, float]]],
    seed: int,
    how: dict[str, Any],
    out: Console,
) -> list[Individual]:
    """A child of each group of weighted parents. how: options of `mate`."""
    requests = [
        mate(
            [(each.concept, weight) for each, weight in parents],
            stack,
            child_seed(seed, number),
            **how,
        )
        for number, parents in enumerate(families)
    ]
    return carry_out(new_job(run, plan_requests(requests, stack), conduct_asked()), run, stack, out)


def take_away(run: Run, each: Individual, runs: Path, model: str, out: Console) -> None:
    """Export a concept for other tools, and read the file back."""
    say(out, f"\nTaking {each.name} away as an embedding:")
    to = run.folder / "export"
    target = Target(to, "safetensors", force=True)
    export(run.folder.name, [each.name], target, runs=runs, model=model, out=out)
    again = read_embedding(next(to.glob("*.safetensors")))
    assert np.array_equal(again.vectors, each.concept.vectors), "an exported vector must equal the learned one"
    say(out, f"  read back: the token {again.token}, {again.vectors.size} numbers, the same bit for bit")


def most_different(individuals: Sequence[Individual]) -> tuple[Individual, Individual]:
    """The pair whose imagined embeddings are least similar."""
    units = [each.concept.image_embed / np.linalg.norm(each.concept.image_embed) for each in individuals]
    i, j = min(combinations(range(len(individuals)), 2), key=lambda pair: float(units[pair[0]] @ units[pair[1]]))
    return individuals[i], individuals[j]


def most_unlike(one: Individual, others: Sequence[Individual]) -> Individual:
    """The other concept whose imagined embedding is least similar."""
    return max(others, key=lambda other: novelty([one.concept], [other.concept])[0])


def report(
    run: Run,
    backbone: Backbone,
    pets: Sequence[Individual],
    parents: Sequence[Individual],
    children: Sequence[Individual],
    pictures: Pictures,
    out: Console,
) -> None:
    """Print the measurements, and write them to report.txt in the run."""
    rows = panel_rows(backbone, pets)
    concepts = [*pets, *children]
    parts: list[RenderableType] = [
        panel_table(rows),
        pushed(rows) + "\n",
        effort_table(concepts),
        children_table(backbone, parents, children, {each.id: each.name for each in concepts}),
        judged(backbone, concepts, pictures, PROMPTS) if pictures else "",
    ]
    kept = StringIO()
    for console in (out, Console(file=kept, width=WIDTH_IN_FILES, markup=False, emoji=False, highlight=False)):
        for part in parts:
            console.print(part)
    write_atomically(run.folder / "report.txt", kept.getvalue().encode())
    say(out, f"These tables: {run.folder / 'report.txt'}")
