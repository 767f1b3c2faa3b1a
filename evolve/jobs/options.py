"""Options of `seed`, `breed` and `evolve`: the values that a person gives, with their limits, defaults and help.

The commands, the pages, the plans and Python read these declarations. This module imports almost nothing, so that
`conceptree --help` starts at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from core.errors import ConceptreeError

if TYPE_CHECKING:
    from pathlib import Path

    from evolve.store.photos import Photograph

N = TypeVar("N", int, float)
Ask = Literal["", "terminal", "page"]  # where a person decides about each new negative


@dataclass(frozen=True)
class Range(Generic[N]):
    """Numbers from `least` to `most`, both allowed: whole ones if these are."""

    least: N
    most: N
    help: str

    @property
    def bounds(self) -> tuple[N, N]:
        return self.least, self.most

    def check(self, value: Any, name: str, error: type[ConceptreeError]) -> None:
        """Raise `error` if a value is not such a number."""
        whole = isinstance(self.least, int)
        number = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
        if not (number and self.least <= value <= self.most):  # NaN is neither
            what = "a whole number" if whole else "a number"
            raise error(f"{name} = {value!r}: expected {what} from {self.least:g} to {self.most:g}")


@dataclass(frozen=True)
class Number(Range[N]):
    """A range with a default, which for the options of `Range` depends on the stack."""

    default: N


FOUNDERS = Number(1, 1000, "Number of founders.", 6)
OF = Range(
    1,
    1000,
    "Number of founders to learn. The best --founders of them are kept, the others are hidden. By default three times"
    " as many, at most 32, on a stack that learns fast; with --ask or --wave no more than are kept.",
)
WAVE = Range(
    1,
    1000,
    "Founders learned together. Later waves avoid earlier ones, which takes longer. By default all together, or one by"
    " one for styles, and if the stack lists no members of the category.",
)
TRAITS = "Traits such as blue,striped: each founder gets one of them, in turn. By default none."
TRAIT_WEIGHT = 0.3  # of the positive with the trait, beside 1 of the category
STEPS = Range(1, 10**6, "Optimizer steps for each concept; by default the stack's.")
SEGMENT = Range(1, 10**6, "Steps between two searches for negatives; by default the stack's.")
SEED = Number(0, 10**9, "Random seed.", 0)

CHILDREN = Number(1, 100, "Number of children.", 1)
# Drawing takes time, and the best four of 32 portraits are hardly better.
IMAGES, KEEP = Number(4, 1000, "Pictures drawn of each parent the first time; the best four are kept.", 8), 4
SPREAD = Number(0.0, 0.95, "How much children differ in weights and pictures; 0: only by random seed.", 0.25)
STRENGTH = Number(0.1, 1.0, "How far variations may move from their parent.", 0.5)

GENERATIONS = Number(1, 10_000, "Number of generations.", 5)
POPULATION = Number(2, 10_000, "Concepts that survive each generation.", 12)
BROOD = Number(1, 1000, "Children per generation; by default as many as the population.", 12)
PARENTS = Number(2, 16, "Parents per child.", 2)
MUTATION = Number(0.0, 1.0, "Probability that a child is a variation of one parent.", 0.2)

FIRST = Number(2, 1000, "Founders, if the run has no concepts yet.", 12)
BATCH = Number(1, 1000, "Children per generation.", 32)


@dataclass(frozen=True, kw_only=True)
class SeedOptions:
    """Founders of a category; None is the stack's default.

    count: kept. of: learned; by default the stack's surplus more, see `planning.plan_founders`.
    wave: by default all at once, or one by one where founders do not start far enough apart. negatives: as
    `choices.negatives_from` reads them. traits: words with commas between, see `population.founders`. kind: "object" or
    "style". lam: λ of Eq. 3. vlm, question: of the model that proposes negatives, see `namers.namer_of`; {} in the
    question stands for the category. templates: see `Request`; `prompts.read_templates` reads them from a file. ask,
    drafts: see `plans.Seed`.
    """

    category: str
    count: int = FOUNDERS.default
    of: int | None = None
    wave: int | None = None
    negatives: str = "adaptive"
    traits: str = ""
    kind: str = "object"
    seed: int = SEED.default
    preset: str = "default"
    steps: int | None = None
    segment: int | None = None
    lam: float | None = None
    vlm: str | None = None
    question: str | None = None
    templates: Sequence[str] = ()
    ask: Ask = ""
    drafts: bool = False


@dataclass(frozen=True, kw_only=True)
class BreedOptions:
    """Children of weighted parents.

    parents: names or ids, those of runs beside this one as "run/name", with their weights, below 0 to move away.
    takes: aspects, such as "colour", with the name or id of the concept that gives each, see `operators.mate`.
    photos: files, which are not needed afterwards, or photographs. cutout: remove the background of files.
    words: extra positives. inherit: see `operators.mate`; by default in the preset `default` without words.
    images, keep: portraits drawn of each parent, and kept. spread: of the weights, see `operators.spread_weights`; then
    each child sees one portrait of each parent. The first child has the weights as given, and sees all portraits.
    seed: by default a new one each time. steps: by default the stack's. drafts: see `plans.Breed`.
    """

    parents: Sequence[tuple[str, float]] = ()
    takes: Sequence[tuple[str, str]] = ()
    photos: Sequence[tuple[str | Path | Photograph, float]] = ()
    cutout: bool = False
    category: str | None = None
    words: Sequence[str] = ()
    inherit: bool | None = None
    children: int = CHILDREN.default
    images: int = IMAGES.default
    keep: int = KEEP
    spread: float = SPREAD.default
    seed: int | None = None
    steps: int | None = None
    preset: str = "default"
    drafts: bool = False
