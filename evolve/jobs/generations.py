"""The generations of a job as files, and the choice of the next parents by a person.

jobs/<job>/generations/<number>.json  written before a generation is learned, and again when it is done
jobs/<job>/choice.json                the parents that a person chose, or the round of their taste that they answered
jobs/<job>/round.json                 the concepts of the round that waits for an answer
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from deap import tools

from core.concept import RequestError
from core.files import write_atomically
from evolve.fitness import OBJECTIVES, RATINGS
from evolve.jobs.job import Job
from evolve.jobs.plans import ASKING, TASTE, EvolutionError, Evolve
from evolve.store.likes import Round, add_round
from evolve.store.parts import RunError
from evolve.store.rows import Entry
from evolve.store.run import Run

GENERATIONS = "generations"
GOOD = 4  # a rating that makes a parent, where a person selects
_CHOICE, _ROUND = "choice.json", "round.json"


class NoParentChosenError(EvolutionError):
    """A person is to choose the parents, and has chosen none."""

    def __init__(self, said: str = "") -> None:
        super().__init__(said or f"no parent is chosen: name parents, mark favourites, or rate some with {GOOD} or 5")


@dataclass(frozen=True)
class Generation:
    """One generation; concepts are ids.

    population: the candidates for parents. requests: empty once it is done. record: mean and best of the survivors by
    objective, their likeness, and counts.
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
        return bool(self.record)  # survivors may be empty


def generations(job: Job) -> list[Generation]:
    """The finished generations, in order.

    Raises:
        RunError: a file of a generation cannot be read.
    """
    found: list[Generation] = []
    while (generation := begun(job, len(found) + 1)) and generation.done:
        found.append(generation)
    return found


def write_down(job: Job, generation: Generation) -> None:
    """Write a generation's file in the job's folder, replacing an earlier one."""
    file = _file(job, generation.number)
    job.check_there()
    write_atomically(file, json.dumps(asdict(generation), ensure_ascii=False).encode(), within=job.folder)


def awaits_choice(job: Job, plan: Evolve) -> int:
    """The number of the generation that waits for a person: for a choice of parents, or for a round of their taste. 0
    for none.
    """
    number = len(generations(job)) + 1
    if plan.select not in ASKING or not 1 <= number <= plan.generations or begun(job, number):
        return 0
    decided = is_answered(job, number) if plan.select == TASTE else number == 1 or chosen_for(job, number)
    return 0 if decided else number


def is_answered(job: Job, number: int) -> bool:
    """Whether the round before a generation is answered, where taste selects."""
    return _choice(job).get("number") == number


def shown_in(job: Job, number: int) -> list[str]:
    """Ids of the concepts of the round before a generation; empty until `show_in`."""
    told = _read(job.folder / _ROUND)
    shown = told.get("shown")
    return [str(id_) for id_ in shown] if told.get("number") == number and isinstance(shown, list) else []


def show_in(job: Job, number: int, shown: Sequence[str]) -> None:
    """Store the concepts (ids) of the round before a generation, so that the same ones are shown again."""
    told = json.dumps({"number": number, "shown": list(shown)}).encode()
    write_atomically(job.folder / _ROUND, told, within=job.folder)


def answer_round(job: Job, run: Run, number: int, shown: Sequence[str], liked: Collection[str]) -> Round | None:
    """Store what a person likes of the concepts shown (ids), and let the generation begin.

    With no concept to show, the generation follows the answers so far.
    """
    made = add_round(run, shown, liked) if shown else None
    told = json.dumps({"number": number, "parents": [], "round": made.id if made else ""}).encode()
    write_atomically(job.folder / _CHOICE, told, within=job.folder)
    return made


def choose(job: Job, number: int, parents: Sequence[str]) -> None:
    """Store the parents (ids) that a person chose for a generation."""
    told = json.dumps({"number": number, "parents": list(parents)}).encode()
    write_atomically(job.folder / _CHOICE, told, within=job.folder)


def logbook(done: Sequence[Generation]) -> tools.Logbook:
    """DEAP's table of the generations: mean and best of each objective, and likeness."""
    book = tools.Logbook()
    for generation in done:
        book.record(generation=generation.number, **generation.record)
    objectives = [name for name in (*OBJECTIVES, RATINGS) if name in book.chapters]
    book.header = ["generation", "born", "stay", "likeness", *objectives]
    for name in objectives:
        book.chapters[name].header = ["mean", "best"]
    return book


def makes_parent(entry: Entry) -> bool:
    """Whether the concept is a default parent under `--select user`."""
    note = entry.note
    return not note.hidden and (note.favourite or (note.rating or 0) >= GOOD)


def _file(job: Job, number: int) -> Path:
    return job.folder / GENERATIONS / f"{number:04d}.json"


def begun(job: Job, number: int) -> Generation | None:
    """A generation from its file; None without a file."""
    file = _file(job, number)
    try:
        told: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in told.items()}
        return Generation(**values)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, AttributeError, RecursionError, RequestError) as error:
        raise RunError(f"the generation {str(file)!r} cannot be read ({error}): remove it to learn it again") from error


def chosen_for(job: Job, number: int) -> list[str]:
    """Ids of the parents chosen for a generation; empty for none."""
    told = _choice(job)
    parents = told.get("parents")
    return [str(id_) for id_ in parents] if told.get("number") == number and isinstance(parents, list) else []


def _choice(job: Job) -> Mapping[str, Any]:
    return _read(job.folder / _CHOICE)


def _read(file: Path) -> Mapping[str, Any]:
    """A small JSON object; {} for a file that is missing or damaged, since a person can be asked again."""
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
