"""Limitations (§6): negatives that are too specific to push, and concepts that lose their category in long runs.

For each seed there is a concept of each category, once with the namer's answers ranked as in the preset `default`, once
with the first answer as in the paper, for several times the usual number of segments. One learning serves both ways of
keeping a checkpoint. After each segment the table has the checkpoint that would be kept if it were the last one: the
`last` as in the paper, or the `best` so far by `metrics.scores` against the negatives of that moment.

Each first answer is rated by what the prior imagines at that moment. It `pushes` if the imagined similarity is above
the floor, below which the clamp leaves no gradient, and is `too specific` otherwise. Or it is a `repeat`, the
`category` itself, `unknown` to the stack, or `nothing`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from core.concept import Request
from core.errors import ConceptreeError
from core.metrics import scores
from core.negatives import same_thing, says_again, says_nothing, strip_article
from core.segments import Event
from core.settings import Settings
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
    known_members,
    learn_watched,
    resemblance,
)
from experiments.sheets import contact_sheet, curve
from experiments.statistics import between, markdown, signed, there, unit_means

ANSWERS = {"ranked": "ranked answers, as default", "first": "the first answer, as the paper"}
KEEPS = ("best", "last")
WORTH = ("pushes", "too specific", "repeat", "category", "unknown", "nothing")
SCHEMA = pa.schema(
    [
        ("category", pa.string()),
        ("seed", pa.int32()),
        ("answers", pa.string()),
        ("segment", pa.int32()),  # the number of segments learned
        ("usual", pa.int32()),  # the usual number
        ("keep", pa.string()),
        ("kept", pa.int32()),  # the segment after which the kept checkpoint was
        ("eyes", pa.string()),
        ("belongs", pa.float64()),  # similarity to the category's word
        ("nearest", pa.float64()),  # to the nearest of its known members
        ("margin", pa.float64()),
        ("answer", pa.string()),  # of the namer after this segment, its first; "" where it was not asked
        ("worth", pa.string()),
        ("added", pa.string()),  # the negative that was added, "" where none was
        ("pushes", pa.bool_()),  # whether the added one does
        ("replaced", pa.bool_()),  # whether it is a word of the vocabulary in place of an answer that does not
        ("drawing", pa.binary()),  # of the checkpoint kept, in the stack's rows
    ]
)


@dataclass(frozen=True)
class Protocol(ByCases):
    """longer: the factor on the usual number of segments."""

    choosing = ("seeds",)

    categories: tuple[str, ...] = ("pet", "fruit", "aircraft", "sea animal")
    seeds: int = 5
    longer: int = 4


def cases(protocol: Protocol, bench: Bench) -> list[Case]:
    """One for each seed and way of choosing an answer.

    Raises:
        ConceptreeError: as `check_categories`; or the factor is below 2.
    """
    if protocol.longer < 2:
        raise ConceptreeError(f"longer = {protocol.longer}: expected a whole number of at least 2")
    check_categories(bench, protocol.categories)
    eyes = Eyes(bench)
    return [Case(protocol, bench, eyes, seed, answers) for seed in range(protocol.seeds) for answers in ANSWERS]


@dataclass(frozen=True)
class Case(Telling):
    """A seed and a way of choosing an answer, with all categories."""

    protocol: Protocol
    bench: Bench
    eyes: Eyes
    seed: int
    answers: str

    @property
    def name(self) -> str:
        return f"{self.answers}-{self.seed}"

    def requests(self) -> list[Request]:
        return [
            Request(category, seed=self.seed, settings=replace(usual, steps=self.protocol.longer * usual.steps))
            for category, usual in zip(self.protocol.categories, self._usual(), strict=True)
        ]

    def _usual(self) -> list[Settings]:
        protocol, backbone = self.protocol, self.bench.backbone
        return [protocol.settings_for(backbone, each, answers=self.answers) for each in protocol.categories]

    def work(self) -> Work:
        return of_learning(self.requests(), self.bench.namer, draw=True)

    def rows(self) -> list[dict[str, Any]]:
        events, course = learn_watched(self.requests(), self.bench, self._usual()[0].segment, self._tell)
        self._tell("measuring")
        return [row for place, of in enumerate(events) for row in self._course(of, course, place)]

    def _course(self, events: Sequence[Event], course: Mapping[int, torch.Tensor], place: int) -> list[dict[str, Any]]:
        """The rows of the concept at this place of the batch, from its events and the batch's vectors by step."""
        request = events[0].request
        panels = self.eyes.panels(torch.stack([course[event.step][place] for event in events]))
        known = [request.category, *known_members(self.bench, request.category)]
        images = [event.images[0] for event in events]
        seen = {IMAGINED: self.eyes.imagined(panels, known)}
        seen |= {eyes: found.unsqueeze(1) for eyes, found in self.eyes.drawn(images, known).items()}
        usual = request.chosen.steps // self.protocol.longer // request.chosen.segment
        about = {"category": request.category, "seed": self.seed, "answers": self.answers, "usual": usual}
        rows = []
        for segment, event in enumerate(events):
            answered = self._answered(event, panels[segment], [each.word for each in _before(event)])
            kept = {"best": self._best(request, panels[: segment + 1], _words(event)), "last": segment}
            for keep in KEEPS:
                for eyes in EYES:
                    row = {**about, **answered, "segment": segment, "keep": keep, "kept": kept[keep], "eyes": eyes}
                    shown = drawing_bytes([images[kept[keep]]]) if eyes == STACK else None
                    rows.append({**row, **resemblance(seen[eyes][kept[keep]]), "drawing": shown})
        return rows

    def _best(self, request: Request, panels: torch.Tensor, negatives: Sequence[str]) -> int:
        """The checkpoint so far that `keep="best"` would keep, by ConceptLab's rule."""
        words = [request.category, *negatives]
        found = [dict(zip(words, each.mean(0).tolist(), strict=True)) for each in self.eyes.imagined(panels, words)]
        worth = [scores(request, each, negatives)["score"] for each in found]
        last = len(worth) - 1
        return max(range(min(1, last), last + 1), key=lambda i: (worth[i], i))

    def _answered(self, event: Event, panel: torch.Tensor, taken: Sequence[str]) -> dict[str, Any]:
        """The first answer and its rating, and the word that was added."""
        added = event.negatives[0].word if event.negatives else ""
        asked = self.bench.namer is not None and event.answers
        answer = strip_article(event.answers[0][0]) if asked else ""
        if not asked:
            worth = ""
        elif says_nothing(answer):
            worth = "nothing"
        elif says_again(answer, event.request.category):
            worth = "category"
        elif any(same_thing(answer, word) for word in taken):
            worth = "repeat"
        elif not self.bench.backbone.knows(answer):
            worth = "unknown"
        else:
            worth = "pushes" if self._pushes(event.request, panel, answer) else "too specific"
        return {
            "answer": answer,
            "worth": worth,
            "added": added,
            "pushes": self._pushes(event.request, panel, added) if added else None,
            "replaced": bool(event.negatives and event.negatives[0].by == "vocabulary" and self.bench.namer),
        }

    def _pushes(self, request: Request, panel: torch.Tensor, word: str) -> bool:
        return float(self.eyes.imagined(panel[None], [word]).mean()) > request.chosen.min_cosine


def _words(event: Event) -> list[str]:
    """The negatives that rate a concept which ends here: the last boundary adds none."""
    return [each.word for each in _before(event)]


def _before(event: Event) -> list[Any]:
    return [each for each in event.all_negatives if each not in event.negatives]


def summary(table: pa.Table) -> str:
    """In Markdown: similarities after the usual number of segments and after the last, for both ways to keep a
    checkpoint; and the ratings of answers.
    """
    rows = table.drop_columns(["drawing"]).to_pylist()
    usual, last = rows[0]["usual"], max(row["segment"] for row in rows)
    keys = ("answers", "keep", "eyes", "segment")
    found = {measure: unit_means(rows, keys, measure) for measure in ("belongs", "margin")}
    units = len({(row["category"], row["seed"]) for row in rows})
    guards = {
        how: found["belongs"][how, "best", IMAGINED, last] - found["belongs"][how, "last", IMAGINED, last]
        for how in ANSWERS
    }
    lines = [
        f"After {last} segments instead of {usual}, what the best checkpoint gains over the last one in imagined"
        f" similarity to the category: {signed(guards['ranked'])} with ranked answers, {signed(guards['first'])} with"
        f" first answers. After {_others(rows)} segments the best was another than the last.",
        "",
        f"Means over {units} pairs of category and seed, with 95 % bootstrap intervals; differences"
        " are paired."
        " belongs: similarity to the category's word; margin: that minus the similarity to the nearest known member.",
        "",
    ]
    header = ["answers", "kept", "eyes", f"belongs after {usual} segments", f"after {last}", "difference"]
    header += [f"margin after {usual}", f"after {last}", "difference"]
    table_rows = []
    for how in ANSWERS:
        for keep in KEEPS:
            for eyes in EYES:
                cells = []
                for measure in found.values():
                    early, late = measure[how, keep, eyes, usual], measure[how, keep, eyes, last]
                    cells += [between(early), between(late), signed(there(late - early))]
                table_rows.append([how, keep, eyes, *cells])
    return "\n".join([*lines, *markdown(header, table_rows), "", *_of_answers(rows), ""])


def _others(rows: Sequence[Mapping[str, Any]]) -> str:
    """`3 of 80`: how often the best checkpoint was not the last one, over all segments."""
    after = [row for row in rows if row["keep"] == "best" and row["eyes"] == IMAGINED and row["segment"]]
    return f"{sum(row['kept'] != row['segment'] for row in after)} of {len(after)}"


def _of_answers(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Counts of first answers by rating, for each category and way of choosing."""
    asked = _asked(rows)
    if not asked:
        return ["Nobody was asked: this stack has no question answerer, and negatives were words of its vocabulary."]
    header = ["answers", "category", "asked", *WORTH, "negatives added", "of these push", "replaced"]
    table_rows = []
    categories = list(dict.fromkeys(row["category"] for row in asked))
    for how in ANSWERS:
        for category in [*categories, "all"]:
            of = [row for row in asked if row["answers"] == how and category in (row["category"], "all")]
            worth = Counter(row["worth"] for row in of)
            added = [row for row in of if row["added"]]
            counts = [len(of), *(worth[each] for each in WORTH), len(added)]
            counts += [sum(row["pushes"] for row in added), sum(row["replaced"] for row in added)]
            table_rows.append([how, category, *map(str, counts)])
    title = "What the question answerer's first answers were worth, and what was added:"
    return [title, "", *markdown(header, table_rows)]


def _asked(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """One row for each question."""
    return [row for row in rows if row["worth"] and row["eyes"] == IMAGINED and row["keep"] == "last"]


def figures(table: pa.Table) -> dict[str, Any]:
    """`segments`: similarity to the category over segments by each of the eyes, and ratings of first answers.
    `drawings`: each category's first seed over segments, its last and its best checkpoint.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    rows = table.drop_columns(["drawing"]).to_pylist()
    found = unit_means(rows, ("answers", "keep", "eyes", "segment"), "belongs")
    figure = Figure(figsize=(12.0, 6.6), layout="constrained")
    grid = figure.add_gridspec(2, 3, height_ratios=(3, 2))
    colours = {"ranked": "#1f6f5c", "first": "#b5651d"}
    for column, eyes in enumerate(EYES):
        axis = figure.add_subplot(grid[0, column])
        for how in ANSWERS:
            for keep, style in zip(KEEPS, ("-", "--"), strict=True):
                segments = sorted(segment for a, k, e, segment in found if (a, k, e) == (how, keep, eyes))
                of = [there(found[how, keep, eyes, segment]) for segment in segments]
                label = f"{how} answers, {keep} kept"
                curve(axis, segments, of, colours[how], 0.08, linestyle=style, label=label)
        axis.axvline(rows[0]["usual"], color="grey", lw=0.8)
        axis.set(title=eyes, xlabel="segments", ylabel="similarity to the category")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.axes[0].legend(frameon=False, fontsize=8)
    asked = _asked(rows)
    axis = figure.add_subplot(grid[1, :])
    labels = [(how, category) for how in ANSWERS for category in dict.fromkeys(row["category"] for row in rows)]
    left = np.zeros(len(labels))
    for worth in WORTH:
        counts = [sum((r["answers"], r["category"], r["worth"]) == (*of, worth) for r in asked) for of in labels]
        axis.barh(range(len(labels)), counts, left=left, label=worth)
        left += counts
    axis.set_yticks(range(len(labels)), [f"{category}, {how}" for how, category in labels], fontsize=8)
    axis.set(title="what first answers were worth", xlabel="questions")
    axis.invert_yaxis()
    axis.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return {"segments": figure, **({"drawings": _drawings(table)} if has_pictures(table) else {})}


def _drawings(table: pa.Table) -> Any:
    """Rows: each category with each way of taking answers, the last and the best checkpoint; columns: segments."""
    rows = [row for row in table.to_pylist() if row["drawing"]]
    first, last = min(row["seed"] for row in rows), max(row["segment"] for row in rows)
    segments = sorted({round(place) for place in np.linspace(0, last, 9)})
    keys = ("category", "answers", "keep", "segment")
    shown = {tuple(row[key] for key in keys): row["drawing"] for row in rows if row["seed"] == first}
    lines = list(dict.fromkeys((category, how, keep) for category, how, keep, _ in shown))
    return contact_sheet(
        [[drawing_of(shown[*line, segment]) for segment in segments] for line in lines],
        [f"{category}, {how} answers, {keep} kept" for category, how, keep in lines],
        [f"{segment} segments" for segment in segments],
        "One concept of each category, if it ended after so many segments",
    )
