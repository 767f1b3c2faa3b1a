"""How long a run takes to open, to say who descends from whom, and to take a batch: `python -m benchmarks.store`.

The runs are made up: batches of eight concepts as wide as the embedded stack's, each with two parents of earlier
batches and four images of each in its request. Every figure is taken with a Run that knows nothing yet, except where
it says so.

    open, list      open the run and read what lists need of every concept
    ancestors       open it, build the graph, and name all ancestors of the last concept
    of a graph      the same, of a graph that is there
    append          open it, and store a batch
    append again    store one more batch by the same Run, which remembers the parts

The files were written a moment before, so the slowness of a disk that reads them first is not in it.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

import numpy as np

from core.concept import Concept, Measurement, Parent, Request, concept_id
from core.settings import Settings
from evolve.lineage import ancestors, lineage
from evolve.run import Run

BATCH, WIDTH, IMAGES = 8, 192, 4
STACK = SimpleNamespace(where="emoji", version="made up", fingerprint="made up")
WORDS = ("pet", "dog", "cat", "rabbit", "hamster")


def concept(seed: int, parents: Sequence[str]) -> Concept:
    """A concept as large as a real one, that nothing has learned."""
    numbers = np.random.default_rng(seed)
    request = Request(
        "pet",
        parents=tuple(Parent(id_, 0.5, numbers.normal(size=(IMAGES, WIDTH))) for id_ in parents),
        seed=seed,
        settings=Settings(),
    )
    return Concept(
        concept_id(request, STACK.fingerprint),
        request,
        vectors=numbers.normal(size=(1, WIDTH)),
        image_embed=numbers.normal(size=WIDTH),
        history=tuple(Measurement(step, word, 0.5) for step in range(0, 600, 100) for word in WORDS),
        scores=dict.fromkeys(("score", "belongs", "nearest", "consistency"), 0.5),
        fingerprint=STACK.fingerprint,
        version=STACK.version,
    )


def made_up(folder: Path, size: int) -> Run:
    """A run of `size` concepts, in parts of eight: the rows of one batch, with other ids and parents."""
    model = Run.create(folder / "model", "pet", STACK)
    model.add([concept(number, ["first", "second"]) for number in range(BATCH)])
    (part,) = model.rooms["concepts"].parts()
    rows = model.rooms["concepts"].read(part)
    run = Run.create(folder / "run", "pet", STACK)
    draw = random.Random(0)
    generations: dict[str, int] = {}
    for first in range(0, size, BATCH):
        known = list(generations)[-1000:]  # as somebody breeds who goes on with what is new
        for number, row in zip(range(first, min(first + BATCH, size)), rows, strict=False):
            id_ = f"{number:016x}"
            parents = draw.sample(known, 2) if known else []
            generations[id_] = 1 + max(generations[parent] for parent in parents) if parents else 0
            row |= {"id": id_, "name": f"n{number}", "generation": generations[id_]}
            row["parents"] = [{"id": parent, "run": "", "weight": 0.5, "kind": "mix"} for parent in parents]
        run.rooms["concepts"].append(rows[: size - first])
    run.listing.keep()  # as whoever adds a batch does
    return run


def seconds(call: Callable[[], Any], repeats: int) -> float:
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return median(taken)


def measure(size: int, repeats: int) -> None:
    """Print one line of the table, in milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        run = made_up(Path(folder), size)
        last = run.entries()[-1].id
        seeds = count(1000)

        def fresh() -> Run:
            return Run.open(run.folder)

        def batch() -> list[Concept]:
            return [concept(next(seeds), [last]) for _ in range(BATCH)]

        graph = lineage(run)
        opened = seconds(lambda: fresh().entries(), repeats)
        asked = seconds(lambda: ancestors(lineage(fresh()), [last]), repeats)
        again = seconds(lambda: ancestors(graph, [last]), repeats)
        batches = [batch() for _ in range(2 * repeats)]
        first = seconds(lambda: fresh().add(batches.pop()), repeats)
        following = seconds(lambda: run.add(batches.pop()), repeats)
        taken = (1000 * each for each in (opened, asked, again, first, following))
        print(f"{size:>8} {' '.join(f'{each:>13.1f}' for each in taken)}", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.store", description=__doc__)
    parser.add_argument("--sizes", default="100,1000,10000", help="concepts in a run")
    parser.add_argument("--repeats", type=int, default=3, help="how often each is done; the median counts")
    options = parser.parse_args(arguments)
    print(f"milliseconds, for runs in parts of {BATCH} concepts")
    print(
        f"{'concepts':>8} {'open, list':>12} {'ancestors':>12} {'of a graph':>12} {'append':>12} {'append again':>13}"
    )
    for size in options.sizes.split(","):
        measure(int(size), options.repeats)


if __name__ == "__main__":
    main()
