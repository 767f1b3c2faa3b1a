"""Plans: the tasks of jobs as frozen values, and their JSON in job.json.

`evolve.jobs.planning` makes plans from a person's input; `evolve.jobs.batches` makes requests from plans. This module
imports no torch, so that pages and lists can read jobs quickly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from math import ceil
from typing import Any, ClassVar

from core.errors import ConceptreeError
from core.settings import Settings
from evolve.fitness import OBJECTIVES
from evolve.jobs.options import (
    BROOD,
    GENERATIONS,
    IMAGES,
    KEEP,
    MUTATION,
    PARENTS,
    POPULATION,
    SEED,
    SPREAD,
    STRENGTH,
    TRAIT_WEIGHT,
    Ask,
    Range,
)
from evolve.maps.chart import Chart
from evolve.selection import METHODS, is_known
from evolve.store.parts import RunError

USER = "user"  # a person selects the parents
TASTE = "taste"  # a person is asked what they like, and what they seem to like has children; also an objective
ASKING = (USER, TASTE)  # with these a person is asked after each generation


_NUMBERS: dict[str, Range[Any]] = {
    "generations": GENERATIONS,
    "population": POPULATION,
    "children": BROOD,
    "parents": PARENTS,
    "mutation": MUTATION,
    "spread": SPREAD,
}


class EvolutionError(ConceptreeError):
    """An invalid evolution, or one that cannot continue."""


class UnreadablePlanError(RunError):
    """A stored plan that this version cannot read."""


@dataclass(frozen=True, kw_only=True)
class Seed:
    """Founders of a category.

    count: how many are learned. keep: how many of them stay, see `evolve.choosing`; 0 for all. wave: how many are
    learned side by side; later waves avoid the earlier ones. initializers, traits, trait_weight: see
    `population.founders`. ask: where a person decides about each new negative, "" for nowhere. drafts: draw the
    founders at each boundary. asked: arguments of `namers.namer_of`. dtype: of the stack. templates: see `Request`.
    """

    category: str
    count: int
    keep: int = 0
    wave: int
    seed: int
    initializers: tuple[str, ...] = ()
    traits: tuple[str, ...] = ()
    trait_weight: float = TRAIT_WEIGHT
    ask: Ask = ""
    drafts: bool = False
    asked: Mapping[str, str]
    dtype: str = "float32"
    settings: Settings
    kind: str
    schedule: str
    negatives: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()

    command: ClassVar[str] = "seed"

    @property
    def waves(self) -> int:
        return ceil(self.count / self.wave)

    @property
    def beginnings(self) -> dict[str, Any]:
        """Arguments of `population.founders` that set founders apart from each other."""
        return {"initializers": self.initializers, "traits": self.traits, "trait_weight": self.trait_weight}

    @property
    def request(self) -> dict[str, Any]:
        """Arguments of Request that all founders share."""
        words = {name: of for name in ("negatives", "templates") if (of := getattr(self, name))}
        return {"kind": self.kind, "schedule": self.schedule, **words, "settings": self.settings}

    def steps(self, at_once: int) -> int:
        """The steps of all waves, in batches of at most `at_once`."""
        whole, rest = divmod(self.count, self.wave)
        return self.settings.steps * (whole * ceil(self.wave / at_once) + ceil(rest / at_once))

    def to_json(self) -> dict[str, Any]:
        told = _plain(self)
        request = {name: told.pop(name) for name in ("kind", "schedule", "negatives", "templates")}
        told["ask"] = {"": False, "terminal": True}.get(self.ask, self.ask)  # as in the first versions
        if not self.keep:
            del told["keep"]
        if not self.traits:
            del told["traits"], told["trait_weight"]
        return {**told, "request": {name: value for name, value in request.items() if value != []}}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Seed:
        request = told["request"]
        return cls(
            category=_text(told["category"]),
            count=_whole(told["count"]),
            keep=_whole(told.get("keep", 0)),
            wave=_whole(told["wave"]),
            seed=_whole(told["seed"]),
            initializers=_texts(told.get("initializers", ())),
            traits=_texts(told.get("traits", ())),
            trait_weight=float(told.get("trait_weight", TRAIT_WEIGHT)),
            ask=_ask(told.get("ask", False)),
            drafts=bool(told.get("drafts", False)),
            asked={_text(name): _text(value) for name, value in told.get("asked", {}).items()},
            dtype=_text(told.get("dtype", "float32")),
            settings=Settings.from_dict(told["settings"]),
            kind=_text(request["kind"]),
            schedule=_text(request["schedule"]),
            negatives=_texts(request.get("negatives", ())),
            templates=_texts(request.get("templates", ())),
        )


@dataclass(frozen=True, kw_only=True)
class ParentTold:
    """A parent in a plan. run: the run beside this one where it lives, "" for this one."""

    id: str
    name: str
    run: str
    weight: float


@dataclass(frozen=True, kw_only=True)
class TakeTold:
    """An aspect that children take of a concept. id, name, run: as of a parent."""

    aspect: str
    id: str
    name: str
    run: str


@dataclass(frozen=True, kw_only=True)
class PhotoTold:
    """A photograph that is a parent. image_embeds: `[m][width]`. picture: a small PNG in base64."""

    id: str
    label: str
    weight: float
    image_embeds: tuple[tuple[float, ...], ...]
    picture: str


@dataclass(frozen=True, kw_only=True)
class Breed:
    """Children of weighted parents.

    takes: aspects of other concepts, see `operators.mate`. words: extra positives, of weight `word_weight` each.
    inherit: see `operators.mate`. images, keep: portraits of each parent, see `operators.parent_images`. spread: of the
    weights from the second child on. warm: start from the parents' vectors. drafts: draw the children while they are
    learned.
    """

    category: str
    kind: str
    parents: tuple[ParentTold, ...]
    photos: tuple[PhotoTold, ...] = ()
    takes: tuple[TakeTold, ...] = ()
    words: tuple[str, ...] = ()
    word_weight: float = 1.0
    inherit: bool = False
    children: int
    images: int
    keep: int
    spread: float
    seed: int
    dtype: str = "float32"
    warm: bool = False
    settings: Settings
    drafts: bool = False

    command: ClassVar[str] = "breed"

    def to_json(self) -> dict[str, Any]:
        told: dict[str, Any] = _plain(self)
        if not self.takes:
            del told["takes"]  # as in plans of earlier versions
        return told

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Breed:
        return cls(
            category=_text(told["category"]),
            kind=_text(told["kind"]),
            parents=_parents(told),
            photos=tuple(
                PhotoTold(
                    id=_text(each["id"]),
                    label=_text(each["label"]),
                    weight=float(each["weight"]),
                    image_embeds=tuple(tuple(map(float, row)) for row in each["image_embeds"]),
                    picture=_text(each["picture"]),
                )
                for each in told["photos"]
            ),
            takes=tuple(
                TakeTold(**{field.name: _text(each[field.name]) for field in fields(TakeTold)})
                for each in told.get("takes", ())
            ),
            words=_texts(told["words"]),
            word_weight=float(told.get("word_weight", 1.0)),
            inherit=bool(told.get("inherit", False)),
            children=_whole(told["children"]),
            images=_whole(told["images"]),
            keep=_whole(told["keep"]),
            spread=float(told["spread"]),
            seed=_whole(told["seed"]),
            dtype=_text(told.get("dtype", "float32")),
            warm=bool(told.get("warm", False)),
            settings=Settings.from_dict(told["settings"]),
            drafts=bool(told.get("drafts", False)),
        )


@dataclass(frozen=True, kw_only=True)
class Vary:
    """Variations of one parent. strength: see `operators.mutate`. words: extra positives."""

    parents: tuple[ParentTold, ...]
    words: tuple[str, ...] = ()
    children: int
    strength: float
    seed: int
    dtype: str = "float32"
    drafts: bool = False

    command: ClassVar[str] = "vary"

    def to_json(self) -> dict[str, Any]:
        return _plain(self)

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Vary:
        (_,) = parents = _parents(told)
        return cls(
            parents=parents,
            words=_texts(told["words"]),
            children=_whole(told["children"]),
            strength=float(told["strength"]),
            seed=_whole(told["seed"]),
            dtype=_text(told.get("dtype", "float32")),
            drafts=bool(told.get("drafts", False)),
        )


@dataclass(frozen=True, kw_only=True)
class Given:
    """Children from finished requests (as JSON), with their parents' images."""

    requests: tuple[str, ...]
    dtype: str = "float32"
    command: str = "breed"
    drafts: ClassVar[bool] = False

    @property
    def children(self) -> int:
        return len(self.requests)

    def to_json(self) -> dict[str, Any]:
        return {"requests": list(self.requests), "dtype": self.dtype}

    @classmethod
    def from_json(cls, told: Mapping[str, Any], command: str) -> Given:
        return cls(requests=_texts(told["requests"]), dtype=_text(told.get("dtype", "float32")), command=command)


@dataclass(frozen=True)
class Evolve:
    """Generations. The same plan on the same run gives the same result.

    population: how many stay. children: of each generation. parents: of each child that is mixed; weights: theirs, in
    the order of their choice, by default drawn. mutation: the probability that a child is a variation of one parent
    instead; strength: of variations, see `operators.mutate`. words: extra positives; every second variation gets
    one. inherit: mixed children are also of their category, and avoid their parents' negatives, see
    `operators.mate`. images, keep: portraits of a parent, see `operators.parent_images`; drawn: False for a stack that
    cannot draw. settings: of mixed children; variations take no more steps. chosen: ids of the first parents, where a
    person selects. dtype: of the stack. spread: how far the weights of further children of one couple may be from the
    first one's; children closer to each other than the closest founders do not survive together. 0 allows both. drafts:
    draw the children while they are learned. objectives: names of `fitness.OBJECTIVES`, or `TASTE` for the ratings that
    are given or expected; by default all.
    """

    generations: int = GENERATIONS.default
    population: int = POPULATION.default
    children: int = BROOD.default
    select: str = "tournament"
    parents: int = PARENTS.default
    weights: tuple[float, ...] = ()
    mutation: float = MUTATION.default
    strength: float = STRENGTH.default
    words: tuple[str, ...] = ()
    inherit: bool = True
    images: int = IMAGES.default
    keep: int = KEEP
    drawn: bool = True
    seed: int = SEED.default
    settings: Settings | None = None
    chosen: tuple[str, ...] = ()
    dtype: str = "float32"
    spread: float = SPREAD.default
    drafts: bool = False
    objectives: tuple[str, ...] = ()

    command: ClassVar[str] = "evolve"

    def __post_init__(self) -> None:
        for name, numbers in _NUMBERS.items():
            numbers.check(getattr(self, name), name, EvolutionError)
        if self.select not in ASKING and not is_known(self.select):
            raise EvolutionError(f"select = {self.select!r}: choose {', '.join((*METHODS, *ASKING))}")
        if not 0 < self.strength <= 1:
            raise EvolutionError(f"strength = {self.strength!r}: expected a number above 0, up to 1")
        for name in ("weights", "words", "chosen", "objectives"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        self._check_objectives()
        if self.weights and (len(self.weights) != self.parents or not all(0 < w < float("inf") for w in self.weights)):
            given = ", ".join(f"{weight:g}" for weight in self.weights)
            raise EvolutionError(f"weights = {given}: expected {self.parents} numbers above 0, one for each parent")

    def _check_objectives(self) -> None:
        there = (*OBJECTIVES, TASTE)
        for name in self.objectives:
            if name not in there:
                raise EvolutionError(f"objective = {name!r}: choose {', '.join(there)}")
        if self.select == "novelty" and self.objectives and not {"belongs", "novel"} <= set(self.objectives):
            raise EvolutionError("select = 'novelty' needs the objectives belongs and novel: add them")

    @property
    def steps_each(self) -> int:
        """The steps of one generation, as far as they are known beforehand."""
        return self.settings.steps if self.settings else 1

    def to_json(self) -> dict[str, Any]:
        told: dict[str, Any] = _plain(self)
        if not self.objectives:
            del told["objectives"]  # as in plans of earlier versions
        return told

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Evolve:
        settings = told.get("settings")
        since = {"inherit": False, "spread": 0.0}  # for jobs of versions without these fields
        return cls(**{**since, **told, "settings": Settings.from_dict(settings) if settings is not None else None})


@dataclass(frozen=True, kw_only=True)
class Map:
    """Generations that fill the cells of a chart (MAP-Elites). The same plan on the same run gives the same result.

    founders: how founders are made, see `Seed`; wave and count have no effect. first: founders in the first generation;
    0 if the run has concepts. children: of each other generation. emitters: share of a generation by name, see
    `evolve.maps.emitters`. aim: the cell (column, row) that all children are for; None for all cells. drawn: mix drawn
    portraits of the parents, as `Breed` does, instead of imagined ones. images, keep: of these. settings: of children.
    """

    chart: Chart
    founders: Seed
    first: int = 0
    generations: int
    children: int
    emitters: Mapping[str, float]
    aim: tuple[int, int] | None = None
    images: int = IMAGES.default
    keep: int = KEEP
    drawn: bool = False
    seed: int
    dtype: str = "float32"
    settings: Settings
    drafts: bool = False

    command: ClassVar[str] = "map"

    def __post_init__(self) -> None:
        for name in ("generations", "children"):
            _NUMBERS[name].check(getattr(self, name), name, EvolutionError)
        if not self.emitters or not all(0 < share < float("inf") for share in self.emitters.values()):
            raise EvolutionError(f"emitters = {dict(self.emitters)!r}: expected shares above 0 by name")
        if self.aim and not all(0 <= at < cells for at, cells in zip(self.aim, self.chart.cells, strict=True)):
            columns, rows = self.chart.cells
            raise EvolutionError(f"aim = {self.aim!r}: expected a column below {columns} and a row below {rows}")

    @property
    def steps_each(self) -> int:
        """The steps of one generation, as far as they are known beforehand."""
        return self.settings.steps

    def size(self, number: int) -> int:
        """The concepts of a generation, by its number from 1."""
        return self.first if number == 1 and self.first else self.children

    def to_json(self) -> dict[str, Any]:
        whole = {field.name: getattr(self, field.name) for field in fields(self)}
        parts = {"chart": self.chart.to_json(), "founders": self.founders.to_json()}
        return {name: parts.get(name, _plain(value)) for name, value in whole.items()}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Map:
        parts = {
            "chart": Chart.from_json(told["chart"]),
            "founders": Seed.from_json(told["founders"]),
            "emitters": {_text(name): float(share) for name, share in told["emitters"].items()},
            "aim": tuple(map(_whole, told["aim"])) if told["aim"] else None,
            "settings": Settings.from_dict(told["settings"]),
        }
        return cls(**{**told, **parts})


Plan = Seed | Breed | Vary | Given | Evolve | Map
COMMANDS: dict[str, Callable[[Mapping[str, Any]], Plan]] = {
    "seed": Seed.from_json,
    "breed": Breed.from_json,
    "vary": Vary.from_json,
    "evolve": Evolve.from_json,
    "map": Map.from_json,
}


def plan_from_json(command: str, told: Mapping[str, Any]) -> Plan:
    """The plan of a job of any version so far.

    Raises:
        UnreadablePlanError: the command is unknown, or the JSON is not a plan of it.
    """
    if command not in COMMANDS:
        raise UnreadablePlanError(f"unknown command {command!r}: this version reads {', '.join(COMMANDS)}")
    try:
        return Given.from_json(told, command) if "requests" in told else COMMANDS[command](told)
    except (LookupError, TypeError, ValueError, AttributeError, ConceptreeError) as error:
        raise UnreadablePlanError(
            f"the plan of a {command} job cannot be read: {type(error).__name__}: {error}"
        ) from error


def _plain(value: Any) -> Any:
    if isinstance(value, Settings):
        return value.to_dict()
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return dict(value) if isinstance(value, Mapping) else value


def _parents(told: Mapping[str, Any]) -> tuple[ParentTold, ...]:
    return tuple(
        ParentTold(id=_text(each["id"]), name=_text(each["name"]), run=_text(each["run"]), weight=float(each["weight"]))
        for each in told["parents"]
    )


def _ask(value: Any) -> Ask:
    """`ask` of a stored plan: true at the terminal, "page" on a page."""
    if value == "page":
        return "page"
    return "terminal" if value is True else ""


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    return value


def _texts(values: Any) -> tuple[str, ...]:
    return tuple(map(_text, values))


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise TypeError(f"{value!r} is not a whole number")
    return value
