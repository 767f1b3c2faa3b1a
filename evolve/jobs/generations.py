"""The generations of a job: what is written down of each, and who chooses the parents of the next.

jobs/<job>/generations/<number>.json  before anything of a generation is learned, and again once it is done
jobs/<job>/choice.json                the parents that a person chose
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from deap import tools

from core.concept import RequestError
from core.files import write_atomically
from evolve.fitness import OBJECTIVES, RATINGS
from evolve.jobs.job import Job
from evolve.jobs.plans import USER, EvolutionError, Evolve
from evolve.store.parts import RunError
from evolve.store.rows import Entry

GENERATIONS = "generations"
GOOD = 4  # a rating that makes a parent, where a person selects
_CHOICE = "choice.json"


class NobodyChosenError(EvolutionError):
    """A person selects, and nobody is selected."""

    def __init__(self, said: str = "") -> None:
        super().__init__(
            said or f"nobody is chosen to have children: name parents, mark favourites, or rate some with {GOOD} or 5"
        )


@dataclass(frozen=True)
class Generation:
    """One generation. All by id. population: who the parents were chosen from. requests: until it is done. record: by
    objective the mean and the best of those that stay; how alike they are; how many there are.
    """

    number: int
    population: tuple[str, ...]
    requests: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    survivors: tuple[str, ...] = ()
    front: tuple[str, ...] = ()
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        return bool(self.record)  # nobody may have stayed


def generations(job: Job) -> list[Generation]:
    """Those that are done, in their order.

    Raises:
        RunError: one is written down and cannot be read.
    """
    found: list[Generation] = []
    while (generation := begun(job, len(found) + 1)) and generation.done:
        found.append(generation)
    return found


def write_down(job: Job, generation: Generation) -> None:
    """Into the job's folder, in place of what stood there of that generation."""
    file = _file(job, generation.number)
    write_atomically(file, json.dumps(asdict(generation), ensure_ascii=False).encode())


def awaits_choice(job: Job, plan: Evolve) -> int:
    """The number of the generation whose parents a person is to choose, 0 if it does not wait for that."""
    number = len(generations(job)) + 1
    decided = plan.select != USER or begun(job, number) or chosen_for(job, number)
    return 0 if decided or not 1 < number <= plan.generations else number


def choose(job: Job, number: int, parents: Sequence[str]) -> None:
    """Who (ids) shall be the parents of a generation, where a person selects."""
    write_atomically(job.folder / _CHOICE, json.dumps({"number": number, "parents": list(parents)}).encode())


def logbook(done: Sequence[Generation]) -> tools.Logbook:
    """DEAP's table of the generations: mean and best of each objective, how alike they are."""
    book = tools.Logbook()
    for generation in done:
        book.record(generation=generation.number, **generation.record)
    objectives = [name for name in (*OBJECTIVES, RATINGS) if name in book.chapters]
    book.header = ["generation", "born", "stay", "likeness", *objectives]
    for name in objectives:
        book.chapters[name].header = ["mean", "best"]
    return book


def makes_parent(entry: Entry) -> bool:
    """Whether it is a parent where a person selects and names nobody."""
    note = entry.note
    return not note.hidden and (note.favourite or (note.rating or 0) >= GOOD)


def _file(job: Job, number: int) -> Path:
    return job.folder / GENERATIONS / f"{number:04d}.json"


def begun(job: Job, number: int) -> Generation | None:
    """A generation as it was written down, None if it was not."""
    file = _file(job, number)
    try:
        told: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in told.items()}
        return Generation(**values)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, AttributeError, RecursionError, RequestError) as error:
        raise RunError(f"the generation {str(file)!r} cannot be read ({error}): remove it to learn it anew") from error


def chosen_for(job: Job, number: int) -> list[str]:
    """Who was chosen for a generation, ids; empty for nobody."""
    try:
        told = json.loads((job.folder / _CHOICE).read_text(encoding="utf-8"))
        return [str(id_) for id_ in told["parents"]] if told["number"] == number else []
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []
