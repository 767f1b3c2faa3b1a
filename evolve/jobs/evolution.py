"""Generations: a population chooses parents, has children, is measured, and some of all stay (Deb's μ + λ).

    population ← the run's concepts, the fittest `population` of them
    repeat `generations` times:
        families ← parents(population)                     by the method, see `evolve.selection`
        requests ← mate (Eq. 5, weights drawn or given), or mutate by chance, each family
        children ← develop(requests)                       as one batch, stored
        population ← select(population + children)         favourites and locked ones stay, hidden ones are retired

A generation is written down in generations/<number>.json of its job before anything is learned, and again when it is
done: a killed evolution goes on with the same requests, to the same concepts, whatever was rated meanwhile.

Where a person selects (`USER`), the parents are those that were chosen, and it ends after each generation.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from deap import tools

from core.concept import Request, RequestError
from core.errors import ConceptreeError
from core.files import write_atomically
from core.metrics import mean_pairwise_similarity
from core.optimizer import DEFAULT, Learner, Report
from core.options import Options
from core.settings import Settings
from core.streams import stream, stream_seed
from evolve.fitness import OBJECTIVES, RATINGS, of_run
from evolve.jobs.develop import Stored, by_id, learner_of
from evolve.jobs.job import Job
from evolve.jobs.learning import learning
from evolve.members import Member, front, members
from evolve.selection import METHODS, is_known
from evolve.store.parts import RunError
from evolve.store.rows import Entry
from evolve.store.run import Run
from evolve.toolbox import JITTER, Toolbox, draw_weights, seeded

USER = "user"
GENERATIONS = "generations"
GOOD = 4  # a rating that makes a parent, where a person selects
_CHOICE = "choice.json"
_MOST = {"generations": 10_000, "population": 10_000, "children": 1_000, "parents": 16}


class EvolutionError(ConceptreeError):
    """An evolution that cannot be, or that cannot go on as it is."""


class NobodyChosenError(EvolutionError):
    """A person selects, and nobody is selected."""

    def __init__(self, said: str = "") -> None:
        super().__init__(
            said or f"nobody is chosen to have children: name parents, mark favourites, or rate some with {GOOD} or 5"
        )


@dataclass(frozen=True)
class Evolution:
    """What is asked for. The same on the same run gives the same.

    population: how many stay. children: of each generation. parents: of each child that is mixed; weights: theirs, in
    the order of their choice, drawn where none are given. mutation: the probability that a child is a variation of one
    parent instead; strength: of those, see `mutate`. words: what variations shall be besides, one of them for every
    second one. inherit: mixed children shall be of their category, and none of what their parents shall not be, see
    `mate`. images, keep: portraits of a parent, see `parent_images`; drawn: False for a stack that cannot draw.
    settings: of those that are mixed; variations take no more steps than they do. chosen: ids of the first parents,
    where a person selects. dtype: of the stack.
    """

    generations: int = 5
    population: int = 12
    children: int = 12
    select: str = "tournament"
    parents: int = 2
    weights: tuple[float, ...] = ()
    mutation: float = 0.2
    strength: float = 0.5
    words: tuple[str, ...] = ()
    inherit: bool = True
    images: int = 8
    keep: int = 4
    drawn: bool = True
    seed: int = 0
    settings: Settings | None = None
    chosen: tuple[str, ...] = ()
    dtype: str = "float32"

    def __post_init__(self) -> None:
        for name, most in _MOST.items():
            value, least = getattr(self, name), 2 if name in ("population", "parents") else 1
            if type(value) is not int or not least <= value <= most:
                raise EvolutionError(f"{name} = {value!r}: expected a whole number from {least} to {most}")
        if self.select != USER and not is_known(self.select):
            raise EvolutionError(f"select = {self.select!r}: choose {', '.join((*METHODS, USER))}")
        if not 0 <= self.mutation <= 1:  # NaN is neither
            raise EvolutionError(f"mutation = {self.mutation!r}: expected a probability from 0 to 1")
        if not 0 < self.strength <= 1:
            raise EvolutionError(f"strength = {self.strength!r}: expected a number above 0, up to 1")
        for name in ("weights", "words", "chosen"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.weights and (len(self.weights) != self.parents or not all(0 < w < float("inf") for w in self.weights)):
            given = ", ".join(f"{weight:g}" for weight in self.weights)
            raise EvolutionError(f"weights = {given}: expected {self.parents} numbers above 0, one for each parent")

    def to_json(self) -> dict[str, Any]:
        """As a job remembers it."""
        plain = {each.name: getattr(self, each.name) for each in fields(self)}
        return {**plain, "settings": self.settings and self.settings.to_dict()}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Evolution:
        settings = told.get("settings")
        since = {"inherit": False}  # what was asked for before there was this
        return cls(**{**since, **told, "settings": Settings.from_dict(settings) if settings is not None else None})


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


def evolve(
    asked: Evolution,
    run: Run,
    learner: Learner,
    job: Job,
    *,
    toolbox: Toolbox | None = None,
    options: Options = DEFAULT,
    on_report: Callable[[int, Report], None] | None = None,
) -> Iterator[Generation]:
    """The generations that are not done yet, each when it is done.

    toolbox: operators of your own, by default those of `Toolbox(learner, run, asked.select)`. A registered `select`
    takes (individuals, k); a registered `mate` or `mutate` takes individuals and those it wants of the arguments that
    are offered: seed, and weights, settings, images, keep, drawn, inherit, or strength, jitter, words. What they draw
    from `random` depends on the seed, the generation and the child alone. To resume, pass the same toolbox again.
    on_report: called with the number of the generation and each report. Where a person selects there is one generation
    at a time: the parents are those of `choose`, or else the favourites and those rated `GOOD` or better.

    Raises:
        EvolutionError: there are no parents, or nobody is chosen.
    """
    learner, number = learner_of(learner), len(generations(job)) + 1
    with closing(evolving(asked, run, learner, job, options, toolbox)) as course:
        for happened in course:
            if isinstance(happened, Generation):
                number = happened.number + 1
                yield happened
            elif on_report and isinstance(happened, Report):
                on_report(number, happened)


def evolving(
    asked: Evolution,
    run: Run,
    learner: Learner,
    job: Job,
    options: Options = DEFAULT,
    toolbox: Toolbox | None = None,
) -> Generator[Report | Stored | Generation, None, None]:
    """`evolve` with all that happens within each generation."""
    done = generations(job)
    box = toolbox or Toolbox(learner, run, asked.select if asked.select != USER else "nsga2")
    for number in range(len(done) + 1, asked.generations + 1):
        generation = _begun(job, number)
        if generation is None:
            job.does("choosing the parents")
            generation = _beginning(asked, run, box, job, done)
            write_down(job, generation)
        requests = [Request.from_json(text) for text in generation.requests]
        children: dict[str, str] = {}
        first = sum(len(each.children) for each in done)
        with closing(learning(job, requests, run, learner, options, first=first)) as course:
            for happened in course:
                if isinstance(happened, Stored):
                    children |= {id_: box.individual(each).id for id_, each in happened.concepts.items()}
                yield happened
        ids = [children[id_] for id_ in by_id(requests, learner, options)]
        generation = _selected(asked, run, box, generation, ids)
        write_down(job, generation)
        done.append(generation)
        yield generation
        job.obey()
        if asked.select == USER:
            return


def generations(job: Job) -> list[Generation]:
    """Those that are done, in their order.

    Raises:
        RunError: one is written down and cannot be read.
    """
    found: list[Generation] = []
    while (generation := _begun(job, len(found) + 1)) and generation.done:
        found.append(generation)
    return found


def write_down(job: Job, generation: Generation) -> None:
    """Into the job's folder, in place of what stood there of that generation."""
    file = _file(job, generation.number)
    write_atomically(file, json.dumps(asdict(generation), ensure_ascii=False).encode())


def asked_of(job: Job) -> Evolution:
    """What a job was asked.

    Raises:
        RunError: that cannot be read.
    """
    try:
        return Evolution.from_json(job.plan)
    except (LookupError, TypeError, ValueError, AttributeError, ConceptreeError) as error:
        raise RunError(f"the job {str(job.folder)!r} cannot be read: remove that folder to go on without it") from error


def awaits_choice(job: Job, asked: Evolution) -> int:
    """The number of the generation whose parents a person is to choose, 0 if it does not wait for that."""
    number = len(generations(job)) + 1
    chosen = asked.select != USER or _begun(job, number) or _chosen(job, number)
    return 0 if chosen or not 1 < number <= asked.generations else number


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


def _beginning(asked: Evolution, run: Run, box: Toolbox, job: Job, done: Sequence[Generation]) -> Generation:
    """A generation's population, and the requests for its children."""
    number = len(done) + 1
    entries = {each.id: each for each in run.entries() if not each.note.hidden}
    if asked.select == USER:
        population = _by_person(asked, job, number, list(entries.values()))
        families = [_turned(population, place)[: asked.parents] for place in range(asked.children)]
    else:
        kept = _kept(entries)  # somebody may have marked one that had not stayed: it comes back
        there = dict.fromkeys([*done[-1].survivors, *kept] if done else entries)
        candidates = _members(run, box, _alike(run, [entries[id_] for id_ in there if id_ in entries]))
        with seeded(asked.seed, number, "parents"):
            members = candidates if done else box.survivors(candidates, asked.population, kept)
            chosen = box.parents(members, asked.children, asked.parents)
        population = [each.id for each in members]
        families = [[each.id for each in family] for family in chosen]
    if not population:
        raise EvolutionError(f"nobody in {run.folder.name!r} can be a parent: unhide some concepts, or seed more")
    requests = _varied(asked, run, box, number, families)
    return Generation(number, tuple(population), tuple(request.to_json() for request in requests))


def _by_person(asked: Evolution, job: Job, number: int, there: Sequence[Entry]) -> list[str]:
    """The ids of the parents: those that were named, or else those that are marked."""
    named = _chosen(job, number) or (list(asked.chosen) if number == 1 else [])
    if named:
        return named
    marked = [each.id for each in there if makes_parent(each)]
    if not marked:
        raise NobodyChosenError()
    return marked


def makes_parent(entry: Entry) -> bool:
    """Whether it is a parent where a person selects and names nobody."""
    note = entry.note
    return not note.hidden and (note.favourite or (note.rating or 0) >= GOOD)


def _turned(ids: list[str], by: int) -> list[str]:
    by %= len(ids)
    return ids[by:] + ids[:by]


def _alike(run: Run, entries: Sequence[Entry]) -> list[str]:
    """Those that can have children with each other: of one kind, with as many vectors as most have."""
    kind = run.about["kind"]
    vectors = {each.id: len(run.find(each.id).concept.vectors) for each in entries if each.kind == kind}
    counts = list(vectors.values())
    usual = max(counts, key=counts.count, default=0)
    return [id_ for id_, count in vectors.items() if count == usual]


def _members(run: Run, box: Toolbox, ids: Sequence[str]) -> list[Member]:
    """Measured, with what people say of them; what was not measured when it was learned is measured now."""
    ratings = {each.id: each.note.rating for each in run.entries()}
    values: dict[str, Mapping[str, Any]] = {}
    for id_, found in of_run(run, ids).items():
        missing = any(value is None for value in found.values())
        values[id_] = box.measured(run.find(id_).concept, found) if missing else found
    return members({id_: values[id_] for id_ in ids if id_ in values}, ratings)


def _varied(asked: Evolution, run: Run, box: Toolbox, number: int, families: Sequence[Sequence[str]]) -> list[Request]:
    """A request for a child of each family (ids): mixed, or a variation of its first."""
    members = {id_: box.individual(run.find(id_).concept) for family in families for id_ in family}
    chance = stream(asked.seed, number, "variation")
    requests = []
    for place, family in enumerate(families):
        seed = stream_seed(asked.seed, number, f"child {place}") % 10**9
        varied, weights = chance.random() < asked.mutation, _weights(asked, len(family), chance)
        word = (asked.words[chance.integers(len(asked.words))],) if asked.words and chance.random() < 0.5 else ()
        parents = [members[id_] for id_ in family]
        with seeded(asked.seed, number, f"child {place}"):
            if varied or len(family) == 1:
                child, *_ = box.offer(
                    "mutate",
                    parents[0],
                    seed=seed,
                    strength=asked.strength,
                    jitter=JITTER * asked.strength,
                    words=word,
                )
            else:
                child, *_ = box.offer(
                    "mate",
                    *parents,
                    seed=seed,
                    weights=weights,
                    settings=asked.settings,
                    images=asked.images,
                    keep=asked.keep,
                    drawn=asked.drawn,
                    inherit=asked.inherit,
                )
        assert child.request is not None
        requests.append(_no_longer(child.request, asked.settings))
    return requests


def _no_longer(request: Request, settings: Settings | None) -> Request:
    """The request with no more steps than the settings have: a generation waits for its slowest."""
    own = request.chosen
    if settings is None or own.steps <= settings.steps:
        return request
    return replace(request, settings=replace(own, steps=settings.steps))


def _weights(asked: Evolution, size: int, chance: np.random.Generator) -> list[float]:
    """Those given, or drawn; in any case as many numbers are taken from the generator."""
    drawn = draw_weights(size, chance)
    return list(asked.weights[:size]) or drawn


def _selected(asked: Evolution, run: Run, box: Toolbox, generation: Generation, children: Sequence[str]) -> Generation:
    """The generation when its children are there: who stays, and how those are."""
    entries = {each.id: each for each in run.entries()}
    born = [id_ for id_ in dict.fromkeys(children) if id_ not in generation.population]
    candidates = _members(
        run, box, [id_ for id_ in (*generation.population, *born) if id_ in entries and not entries[id_].note.hidden]
    )
    if asked.select == USER:
        stay = candidates
    else:
        with seeded(asked.seed, generation.number, "survivors"):
            stay = box.survivors(candidates, asked.population, _kept(entries))
    ids = [each.id for each in stay]
    return replace(
        generation,
        requests=(),
        children=tuple(children),
        survivors=tuple(ids),
        front=tuple(each.id for each in front(candidates)),
        record={
            "born": len(born),
            "stay": len(set(ids) & set(born)),
            "likeness": _likeness(run, ids),
            **_statistics(stay),
        },
    )


def _statistics(stay: Sequence[Member]) -> dict[str, dict[str, float]]:
    names = list(stay[0].values) if stay else []

    def of(name: str) -> tools.Statistics:
        return tools.Statistics(lambda member: member.values[name])

    statistics = tools.MultiStatistics({name: of(name) for name in names})
    statistics.register("mean", lambda values: round(float(np.mean(values)), 4))
    statistics.register("best", lambda values: round(float(np.max(values)), 4))
    return statistics.compile(stay) if stay else {}


def _likeness(run: Run, ids: Sequence[str]) -> float | None:
    """Mean pairwise similarity of what is imagined; None for fewer than two."""
    embeds = run.image_embeds()
    found = [embeds[id_] for id_ in ids if id_ in embeds]
    if len(found) < 2:
        return None
    return round(mean_pairwise_similarity(torch.from_numpy(np.stack(found))), 4)


def _kept(entries: Mapping[str, Entry]) -> list[str]:
    return [id_ for id_, each in entries.items() if each.note.favourite or each.note.locked]


def _file(job: Job, number: int) -> Path:
    return job.folder / GENERATIONS / f"{number:04d}.json"


def _begun(job: Job, number: int) -> Generation | None:
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


def _chosen(job: Job, number: int) -> list[str]:
    """Who was chosen for a generation, ids; empty for nobody."""
    try:
        told = json.loads((job.folder / _CHOICE).read_text(encoding="utf-8"))
        return [str(id_) for id_ in told["parents"]] if told["number"] == number else []
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []
