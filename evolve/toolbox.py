"""DEAP's toolbox for concepts: variation gives Requests and costs nothing, `develop` turns them into concepts.

    box = toolbox(backbone, run)
    request = box.mate([(one, 0.7), (other, 0.3)], seed=1)
    child, variant = box.develop([request, box.mutate(one, seed=2)])
    values = box.evaluate([child, variant], archive=[one, other])

Learning is done by the batch, so there is no `evaluate` of one individual at a time to `map`; `map` goes over batches.
"""

from __future__ import annotations

from typing import Any

from deap import base

from evolve.develop import develop
from evolve.fitness import evaluate
from evolve.operators import mate, mutate
from evolve.run import Run


def toolbox(backbone: Any, run: Run | None = None, **how: Any) -> base.Toolbox:
    """`mate`, `mutate`, `develop`, `evaluate` and `map` on a stack, for a run. how: further arguments of `develop`.

    A selection is registered by whoever selects: `box.register("select", tools.selNSGA2)`.
    """
    box = base.Toolbox()
    box.register("mate", mate, backbone=backbone)
    box.register("mutate", mutate)
    box.register("develop", develop, backbone=backbone, run=run, **how)
    box.register("evaluate", evaluate, backbone=backbone)
    box.register("map", map)
    return box
