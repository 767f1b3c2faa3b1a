"""DEAP's toolbox for concepts: variation gives Requests and costs nothing, `develop` turns them into concepts.

    box = toolbox(backbone, run)
    request = box.mate([(one, 0.7), (other, 0.3)], seed=1)
    child, variant = box.develop([request, box.mutate(one, seed=2)])
    values = box.evaluate([child, variant], archive=[one, other])

Learning is done by the batch, so there is no `evaluate` of one individual at a time to `map`; `map` goes over batches.
`evolve.jobs.evolution` is the loop over generations.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from deap import base

from core.streams import stream_seed
from evolve.fitness import evaluate
from evolve.jobs.develop import develop
from evolve.operators import mate, mutate
from evolve.selection import parents, survivors
from evolve.store.run import Run


def toolbox(backbone: Any, run: Run | None = None, method: str = "nsga2", **how: Any) -> base.Toolbox:
    """`mate`, `mutate`, `develop`, `evaluate`, `parents`, `select` and `map` on a stack, for a run.

    method: of `selection.METHODS`; another selection is registered by whoever selects. how: further arguments of
    `develop`.
    """
    box = base.Toolbox()
    box.register("mate", mate, backbone=backbone)
    box.register("mutate", mutate)
    box.register("develop", develop, backbone=backbone, run=run, **how)
    box.register("evaluate", evaluate, backbone=backbone)
    box.register("parents", parents, method)
    box.register("select", survivors, method)
    box.register("map", map)
    return box


@contextmanager
def seeded(seed: int, step: int, purpose: str) -> Iterator[None]:
    """DEAP draws from Python's global generator: inside it is seeded by (seed, step, purpose), and afterwards as it was
    before.
    """
    before = random.getstate()
    random.seed(stream_seed(seed, step, purpose))
    try:
        yield
    finally:
        random.setstate(before)
