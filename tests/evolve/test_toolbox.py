"""DEAP's own tools work on concepts: vary, develop, evaluate, select."""

from __future__ import annotations

from deap import tools

from core import Request, Settings
from evolve import Run, develop
from evolve.fitness import OBJECTIVES, Fitness
from evolve.toolbox import toolbox

QUICK = Settings(steps=2, segment=1, learning_rate=1e-2, max_cosine=0.5, min_cosine=0.2)


class Member:
    """What DEAP selects among: anything with a fitness."""

    def __init__(self, concept, values):
        self.concept, self.fitness = concept, Fitness(values)


def test_one_generation(backbone, tmp_path):
    run = Run.create(tmp_path / "run", "pet", backbone)
    founders = develop([Request("pet", negatives=("cat",), seed=s, settings=QUICK) for s in (1, 2)], backbone, run)
    box = toolbox(backbone, run)
    box.register("select", tools.selNSGA2, k=2)
    requests = [
        box.mate([(founders[0], 0.7), (founders[1], 0.3)], seed=3, settings=QUICK, images=2, keep=1),
        box.mutate(founders[1], seed=4),
    ]
    assert all(isinstance(request, Request) for request in requests)
    children = [concept for batch in box.map(box.develop, [requests[:1], requests[1:]]) for concept in batch]
    assert [each.generation for each in run.individuals()] == [0, 0, 1, 1]
    everybody = [*founders, *children]
    members = [Member(*pair) for pair in zip(everybody, box.evaluate(everybody), strict=True)]
    assert all(len(member.fitness.values) == len(OBJECTIVES) for member in members)
    chosen = box.select(members)
    assert len(chosen) == 2 and not any(
        other.fitness.dominates(member.fitness) for member in chosen for other in members if other not in chosen
    )
