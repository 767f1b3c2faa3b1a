"""Adaptive negatives (§4.2): how many members they name, and how far from all members their concepts end.

For each category and seed there are arms of equally many founders, learned with the same settings:

    none             the category's word alone
    list             random known members from the start, as many as adaptive negatives can name
    adaptive         named during learning by the bench's namer or the stack's vocabulary; all start at the category's
                     word, as in the paper
    sides            the same, but each starts between two members of the category (`population.starts`)
    waves            as adaptive; each wave keeps away from the imagined embeddings of earlier ones
                     (`population.founders`)
    waves and sides  both

Drawings ("a photo of a …") are measured by the stack's own image encoder and by a judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from core.concept import Concept, Request
from core.errors import ConceptreeError
from core.negatives import same_thing, says_again
from core.prompts import PORTRAIT
from core.streams import stream, stream_seed
from core.wording import counted
from evolve.population import starts
from evolve.store.run import Run
from experiments.categories import TEN
from experiments.conduct import Bench, ByCases, SeededCase, categories_by_seed
from experiments.cost import Work, of_learning, of_waves
from experiments.drawing import check_draws, draw_concepts
from experiments.judging import Judge, StackEyes, diversity
from experiments.learning import founders_of, learn, learn_in_waves, run_of
from experiments.statistics import BY_CATEGORY, between, cell, markdown, over_categories, student, unit_means

NONE, LIST, ADAPTIVE, SIDES, WAVES, BOTH = ARMS = ("none", "list", "adaptive", "sides", "waves", "waves and sides")
ALONE = (NONE, LIST, ADAPTIVE, SIDES)  # the arms of independent founders
_COUNTS = ("named", "named_by_all", "known")
_LOOKS = ("belongs", "from_own", "from_found", "differs", "diversity")
SCHEMA = pa.schema(
    [
        ("category", pa.string()),
        ("seed", pa.int32()),
        ("arm", pa.string()),
        ("founder", pa.int32()),
        ("concept", pa.string()),
        ("eyes", pa.string()),  # the stack or the judge
        ("negatives", pa.list_(pa.string())),
        ("named", pa.int32()),  # number of members of the category among them
        ("named_by_all", pa.int32()),  # and among the negatives of all founders of the arm
        ("known", pa.int32()),  # number of members that these eyes know
        ("belongs", pa.float64()),  # similarity of the drawings to the category's word
        ("nearest_own", pa.float64()),  # to the nearest of its own negatives; NaN without any
        ("nearest_found", pa.float64()),  # to the negatives of the founder with this seed in the arm `adaptive`
        ("nearest_known", pa.float64()),  # to all members that these eyes know
        ("nearest_word", pa.string()),  # which one that is
        ("diversity", pa.float64()),  # of the arm's founders
    ]
)


@dataclass(frozen=True)
class Protocol(ByCases):
    """founders: of each arm. wave: founders that learn together, in the arms with waves. pictures: of each concept."""

    categories: tuple[str, ...] = TEN
    seeds: int = 1
    founders: int = 6
    wave: int = 3
    pictures: int = 4


def cases(protocol: Protocol, bench: Bench) -> list[Case]:
    """One for each category and seed.

    Raises:
        ConceptreeError: the stack cannot draw, a category's members are unknown, or there are too few founders.
    """
    check_draws(bench.backbone)
    if protocol.founders < 2 or not 1 <= protocol.wave < protocol.founders:
        raise ConceptreeError(
            f"{protocol.founders} founders in waves of {protocol.wave}: give at least 2, in waves of fewer"
        )
    for category in protocol.categories:
        if category not in bench.judge.categories:
            raise ConceptreeError(f"the judge does not know the category {category!r}: choose others with --category")
        if not bench.backbone.vocabulary.lists(category) or not _known(StackEyes(bench.backbone), category):
            raise ConceptreeError(f"the stack lists no members of {category!r}: choose others with --category")
    return [Case(protocol, bench, category, seed) for category, seed in categories_by_seed(protocol)]


@dataclass(frozen=True)
class Case(SeededCase):
    """All arms for one category and seed, since they are compared with the negatives of one."""

    protocol: Protocol

    def work(self) -> Work:
        """The first waves are among the independent founders."""
        size, namer = self.protocol.founders, self.bench.namer
        alone = [request for arm in ALONE for request in self._independent(arm)]
        waves = of_waves(self.category, size - self.protocol.wave, [self._of_waves()] * 2, namer)
        return Work(drawings=len(ARMS) * size * self.protocol.pictures) + of_learning(alone, namer) + waves

    def rows(self) -> list[dict[str, Any]]:
        return self.seen(self.learned())

    def learned(self) -> dict[str, list[Concept]]:
        """The founders of each arm."""
        run, size = run_of(self.bench, self.name, self.category), self.protocol.founders
        alone = {arm: self._independent(arm) for arm in ALONE}
        requests = [request for of in alone.values() for request in of]
        concepts = learn(run, requests, self.bench, "independent founders", self._tell, self.bench.namer)
        found = {arm: concepts[number * size : (number + 1) * size] for number, arm in enumerate(alone)}
        return found | self._in_waves(run)

    def _independent(self, arm: str) -> list[Request]:
        backbone, settings = self.bench.backbone, self._settings()
        how: dict[str, Any] = {"schedule": "none" if arm == NONE else "adaptive", "sides": arm == SIDES}
        requests = founders_of(backbone, self.category, self.protocol.founders, settings, self.seed, **how)
        return [self._listed(each) for each in requests] if arm == LIST else requests

    def _listed(self, request: Request) -> Request:
        """The request with random members as negatives, as many as adaptive negatives can name."""
        words = _known(StackEyes(self.bench.backbone), self.category)
        most = ceil(request.chosen.steps / request.chosen.segment)
        order = stream(request.seed, 0, "list").permutation(len(words))[:most]
        return Request(
            self.category, negatives=tuple(words[i] for i in order), seed=request.seed, settings=request.settings
        )

    def _of_waves(self) -> dict[str, Any]:
        return {"wave": self.protocol.wave, "seed": self.seed, "settings": self._settings(), "schedule": "adaptive"}

    def _in_waves(self, run: Run) -> dict[str, list[Concept]]:
        protocol, bench = self.protocol, self.bench
        how = self._of_waves()
        sides = starts(bench.backbone, self.category, seed=self.seed)
        arms = {WAVES: how, BOTH: {**how, "initializers": sides}}
        return learn_in_waves(run, self.category, protocol.founders, arms, bench, self._tell, bench.namer)

    @torch.no_grad()
    def seen(self, arms: dict[str, list[Concept]]) -> list[dict[str, Any]]:
        """A row of `SCHEMA` for each concept and each of the eyes."""
        concepts = [concept for of in arms.values() for concept in of]
        count = self.protocol.pictures
        self._tell(f"drawing {count} pictures of each of {len(concepts)} concepts")
        seeds = [[stream_seed(each.request.seed, number, "judged") for number in range(count)] for each in concepts]
        drawn = draw_concepts(self.bench.backbone, concepts, [PORTRAIT] * count, seeds)
        eyes = self.bench.eyes
        known_to_any = [word for sees in eyes.values() for word in _known(sees, self.category)]
        rows = []
        for name, sees in eyes.items():
            seen = _Seen(sees, self.category, [image for images in drawn for image in images], _named(concepts))
            place = 0
            for arm, of in arms.items():
                mine = range(place, place + len(of))
                place += len(of)
                spread = diversity([seen.mean(i, count) for i in mine])
                by_all = len(distinct_members(_named(of), known_to_any))
                for number, (i, concept) in enumerate(zip(mine, of, strict=True)):
                    own = [negative.word for negative in concept.negatives]
                    found = [negative.word for negative in arms[ADAPTIVE][number].negatives]
                    rows.append(
                        {
                            "category": self.category,
                            "seed": self.seed,
                            "arm": arm,
                            "founder": number,
                            "concept": concept.id,
                            "eyes": name,
                            "negatives": own,
                            "named": len(distinct_members(own, known_to_any)),
                            "named_by_all": by_all,
                            "known": len(seen.known),
                            "belongs": seen.belongs(i, count),
                            "nearest_own": seen.nearest(i, count, own),
                            "nearest_found": seen.nearest(i, count, found),
                            "nearest_known": seen.nearest(i, count, seen.known),
                            "nearest_word": seen.nearest_word(i, count),
                            "diversity": spread,
                        }
                    )
        return rows


class _Seen:
    """Similarities to all words and embeddings, by one of the eyes, of equally many pictures of each concept."""

    def __init__(self, eyes: Judge, category: str, pictures: Sequence[Any], named: Sequence[str]) -> None:
        self.known = _known(eyes, category)
        words = [category, *self.known, *(word for word in named if _measures(eyes, word))]
        self.words = list(dict.fromkeys(words))
        self.similarity = eyes.similarity(pictures, self.words).numpy()
        self.embeds = eyes.embed(pictures).numpy()

    def mean(self, concept: int, count: int) -> Any:
        """The mean unit embedding [width] of a concept, by its number."""
        mean = self.embeds[concept * count : (concept + 1) * count].mean(0)
        return mean / np.linalg.norm(mean)

    def _of(self, concept: int, count: int, words: Sequence[str]) -> Any:
        """Similarities [pictures, words] of a concept, by its number, to the words that these eyes know."""
        places = [self.words.index(word) for word in words if word in self.words]
        return self.similarity[concept * count : (concept + 1) * count, places]

    def belongs(self, concept: int, count: int) -> float:
        return float(self._of(concept, count, self.words[:1]).mean())

    def nearest_word(self, concept: int, count: int) -> str:
        """The known member with the highest mean similarity."""
        return self.known[int(self._of(concept, count, self.known).mean(0).argmax())]

    def nearest(self, concept: int, count: int, words: Sequence[str]) -> float:
        """Mean over the pictures of the similarity to the nearest word; NaN if these eyes know none of the words."""
        found = self._of(concept, count, words)
        return float(found.max(1).mean()) if found.size else float("nan")


def distinct_members(words: Sequence[str], known: Sequence[str]) -> list[str]:
    """The members among some words, each once; plural and case do not count."""
    found: list[str] = []
    for word in words:
        is_member = any(same_thing(word, member) for member in known)
        if is_member and not any(same_thing(word, other) for other in found):
            found.append(word)
    return found


def _known(eyes: Judge, category: str) -> list[str]:
    """The members of a category that these eyes know."""
    return [word for word in eyes.categories.get(category, ()) if not says_again(word, category)]


def _named(concepts: Sequence[Concept]) -> list[str]:
    return list(dict.fromkeys(negative.word for concept in concepts for negative in concept.negatives))


def _measures(eyes: Judge, word: str) -> bool:
    """Whether these eyes know a word: the stack knows all, a judge the listed ones."""
    return isinstance(eyes, StackEyes) or any(word in of for of in eyes.categories.values())


def summary(table: pa.Table) -> str:
    """In Markdown: the findings, then a table for each of the eyes."""
    rows = _with_margins(table)
    judge = [row for row in rows if row["eyes"] == "judge"]
    found = {name: unit_means(judge, ["arm"], name, BY_CATEGORY) for name in (*_COUNTS, *_LOOKS)}
    named, all_named, known = (found[name] for name in _COUNTS)
    belongs, differs, spread = (found[name] for name in ("belongs", "differs", "diversity"))
    lines = [
        f"An adaptive founder names {cell(named[ADAPTIVE,], 1)} members of its category, all founders of a population"
        f" together {cell(all_named[ADAPTIVE,], 1)}, of {cell(known[ADAPTIVE,], 0)} that the judge knows.",
        "By the judge, its distance to all known members, minus that without negatives:"
        f" {over_categories(differs[ADAPTIVE,] - differs[NONE,])}; minus that with a list by chance:"
        f" {over_categories(differs[ADAPTIVE,] - differs[LIST,])}.",
        *(
            f"{how}, minus adaptive negatives alone: diversity"
            f" {over_categories(spread[arm,] - spread[ADAPTIVE,])}, belongs"
            f" {over_categories(belongs[arm,] - belongs[ADAPTIVE,])}."
            for arm, how in ((WAVES, "Waves"), (SIDES, "Starts between members"), (BOTH, "Both"))
        ),
        "",
        f"Means over {counted(len(differs[NONE,]), 'category', 'categories')}, of drawings, with Student's 95 %"
        " intervals; of a difference, in how many categories it has the mean's sign. belongs: similarity to the"
        " category's word. The others are that, minus the similarity to the nearest of the concept's own negatives, of"
        " those that the adaptive founder of the same seed found, and of all known members.",
    ]
    header = ["arm", "named", "by all", "belongs", "− own negatives", "− adaptive's", "− all known", "diversity"]
    for eyes in dict.fromkeys(row["eyes"] for row in rows):
        of = [row for row in rows if row["eyes"] == eyes]
        columns = [unit_means(of, ["arm"], name, BY_CATEGORY) for name in _LOOKS]
        cells_of = []
        for arm in ARMS:
            cells = [
                cell(named[arm,], 1),
                cell(all_named[arm,], 1),
                *(between(each[arm,], student) for each in columns),
            ]
            cells_of.append([arm, *cells])
        lines += ["", f"By the {eyes}:", "", *markdown(header, cells_of)]
    return "\n".join([*lines, ""])


def figures(table: pa.Table) -> dict[str, Any]:
    """`arms`: belonging against distance from all members, and against diversity, by both eyes."""
    from matplotlib.figure import Figure

    rows = _with_margins(table)
    figure = Figure(figsize=(11.0, 8.0), layout="constrained")
    axes = figure.subplots(2, 2, squeeze=False)
    labels = {
        "differs": "belongs − similarity to the nearest known member",
        "diversity": "1 − mean pairwise similarity",
    }
    colours = dict(zip(ARMS, ("#8a8a8a", "#b5651d", "#1f6f5c", "#4878a8", "#8b3a62", "#d0a020"), strict=True))
    for line, eyes in zip(axes, ("stack", "judge"), strict=True):
        of = [row for row in rows if row["eyes"] == eyes]
        across = unit_means(of, ["arm"], "belongs", BY_CATEGORY)
        for axis, measure in zip(line, labels, strict=True):
            up = unit_means(of, ["arm"], measure, BY_CATEGORY)
            for arm in ARMS:
                (x, *x_ends), (y, *y_ends) = student(across[arm,]), student(up[arm,])
                axis.plot(x_ends, [y, y], color=colours[arm], linewidth=1)
                axis.plot([x, x], y_ends, color=colours[arm], linewidth=1)
                axis.plot([x], [y], "o", color=colours[arm], label=arm)
            axis.set_title(f"seen by the {eyes}")
            axis.set_xlabel("belongs: similarity to the category's word")
            axis.set_ylabel(labels[measure])
    axes[0][0].legend(frameon=False)
    return {"arms": figure}


def _with_margins(table: pa.Table) -> list[dict[str, Any]]:
    """The rows with margins: belonging minus the similarity to the nearest of some words."""
    margins = {"from_own": "nearest_own", "from_found": "nearest_found", "differs": "nearest_known"}
    rows = table.to_pylist()
    return [{**row, **{name: row["belongs"] - row[of] for name, of in margins.items()}} for row in rows]
