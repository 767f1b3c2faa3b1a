"""Made-up runs of any size, for tests and benchmarks: as large on disk as real ones, but not learned.

Generations of `BATCH`, a part each, with parents from the few before, of any number and weight; now and then one of
another run. Everything follows from the seed.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from core.concept import Concept
from evolve.store.rows import row_of
from evolve.store.run import Individual, Run
from tests.families import concept, new_run

BATCH = 24
WIDTH, IMAGES = 192, 4  # of the embedded stack's vectors; what is kept of a parent's pictures
NEAR = 5  # batches from which parents are drawn
PICTURES = 400  # different drawings: more than are ever shown at once
PROMPT = "a photo of a {}"
WORDS = ("pet", "dog", "cat", "rabbit", "hamster")
SCORES = ("score", "category", "differs", "belongs", "nearest", "margin", "consistency")
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def grown(seed: int, *parents: str) -> Concept:
    """A concept as large as one that the embedded stack has learned."""
    return concept(seed, dict.fromkeys(parents, 1.0), width=WIDTH, images=IMAGES)


def population(folder: Path, size: int, seed: int = 0, batch: int = BATCH) -> Run:
    """A run of `size` concepts, stored batch by batch as any other; their ids count from 0, in hex."""
    run = new_run(folder)
    for rows in batches(size, seed, batch):
        run.rooms["concepts"].append(rows)
    return run


def batches(size: int, seed: int = 0, batch: int = BATCH) -> Iterator[list[dict[str, Any]]]:
    """Rows of concepts/, a batch at a time: always the same requests, with ids, parents and numbers of their own."""
    draw, numbers = random.Random(seed), np.random.default_rng(seed)
    rows = [row_of(Individual(grown(n, "first", "second"), "", 0, _BEGAN)) for n in range(batch)]
    history = [{"step": step, "constraint": word, "similarity": 0.5} for step in range(0, 600, 100) for word in WORDS]
    elders: deque[dict[str, int]] = deque(maxlen=NEAR)  # generations by id
    for first in range(0, size, batch):
        born: dict[str, int] = {}
        generations = {id_: generation for each in elders for id_, generation in each.items()}
        at = _BEGAN + timedelta(minutes=first // batch)
        embeds = numbers.standard_normal((batch, WIDTH), np.float32).tolist()
        for number, row, embed in zip(range(first, min(first + batch, size)), rows, embeds, strict=False):
            parents = draw.sample(sorted(generations), draw.choice((1, 2, 2, 2, 3))) if generations else []
            descent = [{"id": each, "run": "", "weight": draw.uniform(0.1, 1), "kind": "mix"} for each in parents]
            if descent and draw.random() < 0.03:
                descent[0] |= {"id": f"{draw.getrandbits(64) | 1 << 63:016x}", "run": "others"}
            id_ = f"{number:016x}"
            born[id_] = 1 + max(generations.get(each["id"], 0) for each in descent) if descent else 0
            row |= {"id": id_, "name": f"n{number}", "generation": born[id_], "parents": descent, "created_at": at}
            row |= {"image_embed": embed, "history": history}
            row["scores"] = [{"name": name, "value": draw.random()} for name in SCORES]
        elders.append(born)
        yield rows[: len(born)]


def drawn(run: Run, batch: int = BATCH) -> None:
    """Give every concept of such a run a drawing: a few hundred different ones, as large as the stack's."""
    coarse = np.random.default_rng(0).integers(60, 255, (PICTURES, 6, 6, 3), dtype=np.uint8)
    pictures = [Image.fromarray(each).resize((64, 64), Image.Resampling.BICUBIC) for each in coarse]
    ids = [each.id for each in run.entries()]
    files = []
    for first in range(0, len(ids), batch):
        some = ids[first : first + batch]
        if first < PICTURES:
            new = [(id_, PROMPT, 1, pictures[n % PICTURES]) for n, id_ in enumerate(some, first)]
            files += [each.file.name for each in run.add_drawings(new)]
            continue
        shown = [(id_, files[n % len(files)]) for n, id_ in enumerate(some, first)]
        run.rooms["drawings"].append([{"concept": id_, "prompt": PROMPT, "seed": 1, "file": f} for id_, f in shown])
