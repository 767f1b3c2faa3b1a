"""Figure 14: similarity of a concept to its category and its negatives during learning, as negatives arrive.

For each seed, one concept of each category learns in a batch. After each segment the question answerer, or the stack's
vocabulary if there is none, names a negative. What the prior imagines is measured every few steps, also against words
that become negatives later. After each segment, the stack's CLIP and the judge measure the drawing that the question is
about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from core.concept import Request
from core.errors import ConceptreeError
from core.segments import Event
from experiments.conduct import Bench, ByCases, Telling, has_pictures
from experiments.cost import Work, of_learning
from experiments.judging import STACK
from experiments.looking import (
    EYES,
    IMAGINED,
    Eyes,
    check_categories,
    drawing_bytes,
    drawing_of,
    learn_watched,
)
from experiments.sheets import curve
from experiments.statistics import between, markdown, signed, there

NEVER = -1
SCHEMA = pa.schema(
    [
        ("category", pa.string()),
        ("seed", pa.int32()),
        ("step", pa.int32()),
        ("segment", pa.int32()),  # how many steps one has
        ("word", pa.string()),  # the category, or a negative of its end
        ("arrived", pa.int32()),  # the step since which it is a negative; -1: the category
        ("eyes", pa.string()),
        ("similarity", pa.float64()),
        ("drawing", pa.binary()),  # at each segment, in the stack's row of the category
    ]
)


@dataclass(frozen=True)
class Protocol(ByCases):
    """every: steps between two measurements; the end of a segment is always measured."""

    choosing = ("seeds",)

    categories: tuple[str, ...] = ("pet", "plant", "fruit", "furniture", "musical instrument")
    seeds: int = 5
    every: int = 10


def cases(protocol: Protocol, bench: Bench) -> list[Case]:
    """One for each seed.

    Raises:
        ConceptreeError: as `check_categories`; or fewer than one step between measurements.
    """
    if protocol.every < 1:
        raise ConceptreeError(f"every = {protocol.every}: expected a whole number of at least 1")
    check_categories(bench, protocol.categories)
    eyes = Eyes(bench)
    return [Case(protocol, bench, eyes, seed) for seed in range(protocol.seeds)]


@dataclass(frozen=True)
class Case(Telling):
    """A seed, with all categories."""

    protocol: Protocol
    bench: Bench
    eyes: Eyes
    seed: int

    @property
    def name(self) -> str:
        return f"seed-{self.seed}"

    def requests(self) -> list[Request]:
        settings_for = self.protocol.settings_for
        return [
            Request(each, seed=self.seed, settings=settings_for(self.bench.backbone, each))
            for each in self.protocol.categories
        ]

    def work(self) -> Work:
        return of_learning(self.requests(), self.bench.namer, draw=True)

    def rows(self) -> list[dict[str, Any]]:
        events, course = learn_watched(self.requests(), self.bench, self.protocol.every, self._tell)
        self._tell("measuring")
        return [row for place, of in enumerate(events) for row in self._course(of, course, place)]

    def _course(self, events: Sequence[Event], course: Mapping[int, torch.Tensor], place: int) -> list[dict[str, Any]]:
        """The rows of the concept at this place of the batch, from its events and the batch's vectors by step."""
        request, steps = events[0].request, sorted(course)
        arrived = {request.category: NEVER, **{each.word: each.step for each in events[-1].all_negatives}}
        words = list(arrived)
        about = {"category": request.category, "seed": self.seed, "segment": request.chosen.segment}
        panels = self.eyes.panels(torch.stack([course[step][place] for step in steps]))
        found = {
            (step, IMAGINED): seen.mean(0) for step, seen in zip(steps, self.eyes.imagined(panels, words), strict=True)
        }
        drawings = {event.step: event.images[0] for event in events}
        seen = self.eyes.drawn(list(drawings.values()), words)
        found |= {(step, eyes): seen[eyes][row] for eyes in seen for row, step in enumerate(drawings)}
        rows = []
        for (step, eyes), similarities in found.items():
            for word, similarity in zip(words, similarities.tolist(), strict=True):
                row = {**about, "step": step, "word": word, "arrived": arrived[word], "eyes": eyes}
                shown = drawing_bytes([drawings[step]]) if eyes == STACK and word == words[0] else None
                rows.append({**row, "similarity": similarity, "drawing": shown})
        return rows


def summary(table: pa.Table) -> str:
    """In Markdown: the category's similarity over time, and a negative's before and after it arrives."""
    courses, segment = _courses(table), _segment(table)
    around = {eyes: _around(courses, eyes, segment) for eyes in EYES}
    own = {eyes: _of_category(courses, eyes) for eyes in EYES}
    start, end, least = (np.mean(own[IMAGINED][name]) for name in ("start", "end", "least"))
    fell = [each["after"] < 0 for each in around[IMAGINED]]
    lines = [
        f"As the prior imagines it, the similarity to the category goes from {start:.3f} at the start to {end:.3f} at"
        f" the end, and is {least:.3f} where it is least; {sum(fell)} of {len(fell)} new negatives are less similar"
        f" {segment} steps after they arrived.",
        "",
        f"Means over {len(own[IMAGINED]['end'])} pairs of category and seed, with 95 % bootstrap"
        f" intervals; a segment has {segment} steps.",
        "",
    ]
    header = ["eyes", "the category at the start", "at the end", "end − start", "a new negative when it arrives"]
    header += ["change in the segment before", "in the segment after", "until the end"]
    rows = []
    for eyes in EYES:
        means = {name: _by_concept(around[eyes], name) for name in ("at", "before", "after", "until")}
        cells = [between(own[eyes]["start"]), between(own[eyes]["end"]), signed(own[eyes]["end"] - own[eyes]["start"])]
        cells += [between(means["at"])]
        cells += [signed(means[name]) if len(means[name]) else "–" for name in ("before", "after", "until")]
        rows.append([eyes, *cells])
    return "\n".join([*lines, *markdown(header, rows), ""])


Course = dict[int, float]  # similarity by step
Concept = tuple[str, int]  # category and seed
Courses = dict[tuple[Concept, str], dict[tuple[str, int], Course]]


def _courses(table: pa.Table) -> Courses:
    """By (concept, eyes) the course of each (word, step of its arrival)."""
    found: Courses = {}
    for row in table.drop_columns(["drawing"]).to_pylist():
        words = found.setdefault(((row["category"], row["seed"]), row["eyes"]), {})
        words.setdefault((row["word"], row["arrived"]), {})[row["step"]] = row["similarity"]
    return found


def _segment(table: pa.Table) -> int:
    return int(table.column("segment")[0].as_py())


def _of_category(courses: Courses, eyes: str) -> dict[str, Any]:
    """The category's similarity [concepts] at the start and the end, and its minimum."""
    found = [words for (_, of), words in courses.items() if of == eyes]
    own = [course for words in found for (_, at), course in words.items() if at == NEVER]
    return {
        "start": np.array([course[min(course)] for course in own]),
        "end": np.array([course[max(course)] for course in own]),
        "least": np.array([min(course.values()) for course in own]),
    }


def _around(courses: Courses, eyes: str, segment: int) -> list[dict[str, Any]]:
    """Each negative's similarity at its arrival, and its change in the segment before (NaN at the start), in the
    segment after, and until the end.
    """
    found = []
    for (concept, of), words in courses.items():
        for (_, at), course in words.items():
            if of != eyes or at == NEVER or at + segment not in course:
                continue
            before = course[at] - course[at - segment] if at - segment in course else float("nan")
            changes = {"before": before, "after": course[at + segment] - course[at]}
            found.append({"concept": concept, "at": course[at], **changes, "until": course[max(course)] - course[at]})
    return found


def _by_concept(around: Sequence[Mapping[str, Any]], name: str) -> Any:
    """Means [concepts] over each one's negatives, without NaNs."""
    concepts = list(dict.fromkeys(each["concept"] for each in around))
    means = [there(np.array([each[name] for each in around if each["concept"] == one])) for one in concepts]
    return np.array([values.mean() for values in means if len(values)])


def figures(table: pa.Table) -> dict[str, Any]:
    """For each category the course of its first seed, with drawings. `arrivals`: mean similarity to a new negative
    around its arrival.
    """
    courses = _courses(table)
    first = min(seed for (_, seed), _ in courses)
    shown = [row for row in table.to_pylist() if row["drawing"]]
    found = {"arrivals": _arrivals(courses, _segment(table))}
    if not has_pictures(table):
        return found
    for category in dict.fromkeys(category for (category, _), _ in courses):
        of = [row for row in shown if (row["category"], row["seed"]) == (category, first)]
        drawings = {row["step"]: drawing_of(row["drawing"]) for row in of}
        found[category.replace(" ", "-")] = _one(category, courses[(category, first), IMAGINED], drawings)
    return found


def _one(category: str, words: Mapping[tuple[str, int], Course], drawings: Mapping[int, Any]) -> Any:
    """The paper's figure: curves over steps, dotted until a word is a negative, with drawings below."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.5, 6.0), layout="constrained")
    grid = figure.add_gridspec(2, len(drawings), height_ratios=(3, 1))
    axis = figure.add_subplot(grid[0, :])
    colours = (colormaps["tab10"](number % 10) for number in count())
    for (word, arrived), course in words.items():
        colour = "black" if arrived == NEVER else next(colours)
        since = [step for step in sorted(course) if step >= arrived]
        before = [step for step in sorted(course) if step <= arrived]
        label = word if arrived == NEVER else f"{word}, from {arrived}"
        axis.plot(since, [course[step] for step in since], color=colour, label=label, lw=2 if arrived == NEVER else 1.4)
        axis.plot(before, [course[step] for step in before], ":", color=colour, lw=0.8, alpha=0.7)
        if arrived > 0:
            axis.axvline(arrived, color=colour, lw=0.6, alpha=0.5)
    axis.set(title=f"{category}: similarity of what is imagined", xlabel="step", ylabel="similarity")
    axis.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    for place, step in enumerate(sorted(drawings)):
        below = figure.add_subplot(grid[1, place])
        below.imshow(drawings[step])
        below.set(xticks=[], yticks=[], xlabel=f"{step}")
    return figure


def _arrivals(courses: Courses, segment: int) -> Any:
    """Mean imagined similarity to a new negative and to the category, by steps since the negative's arrival."""
    from matplotlib.figure import Figure

    negatives: dict[int, dict[Any, list[float]]] = {}
    own: dict[int, dict[Any, list[float]]] = {}
    for (concept, eyes), words in courses.items():
        if eyes != IMAGINED:
            continue
        (category,) = (course for (_, at), course in words.items() if at == NEVER)
        for (_, at), course in words.items():
            for step in course:
                if at != NEVER and -segment <= step - at <= 3 * segment:
                    negatives.setdefault(step - at, {}).setdefault(concept, []).append(course[step])
                    own.setdefault(step - at, {}).setdefault(concept, []).append(category[step])
    figure = Figure(figsize=(6.5, 3.8), layout="constrained")
    axis = figure.subplots()
    for of, name, colour in ((own, "the category", "black"), (negatives, "the new negative", "#b5651d")):
        steps = sorted(of)
        means = [np.array([np.mean(values) for values in of[step].values()]) for step in steps]
        curve(axis, steps, means, colour, label=name)
    axis.axvline(0, color="grey", lw=0.6)
    axis.set(xlabel="steps since a negative arrived", ylabel="similarity of what is imagined")
    axis.legend(frameon=False)
    return figure
