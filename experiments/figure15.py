"""Figure 15 of arXiv 2308.02669: describing a concept in words, and drawing it from the description.

For each category and seed there are two kinds of subjects:

    concept   founders with adaptive negatives, in waves and from different starts, as in `conceptree seed`
    member    known members of the category, drawn by their names, for comparison

Each is drawn as "a photo of a …". Its drawings, by the stack's own image encoder, are described (`describing.py`, in
place of the CLIP Interrogator), and the same stack draws the descriptions:

    nearest word           "a photo of a …" of the most similar word
    description            the best prompt by its text embedding, as in the paper
    imagined description   of the best few prompts, the one whose imagined embedding is the most similar

Drawings with the same seed share their noise, so they are never compared with each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from core.concept import Concept
from core.constraints import normalise
from core.errors import ConceptreeError
from core.prompts import PORTRAIT
from core.streams import stream
from core.wording import counted
from evolve.population import starts
from experiments.conduct import Bench, ByCases, SeededCase, categories_by_seed, has_pictures
from experiments.cost import Work, of_waves
from experiments.describing import Describer
from experiments.drawing import draw_many, imagine_one
from experiments.judging import StackEyes
from experiments.learning import learn_in_waves, run_of
from experiments.looking import check_categories, drawing_bytes, drawing_of, known_members
from experiments.sheets import contact_sheet, small
from experiments.statistics import cell, markdown, signed, unit_means

CONCEPT, MEMBER = SUBJECTS = ("concept", "member")
WORD, READ, IMAGINED = WAYS = ("nearest word", "description", "imagined description")
MEASURES = ("itself", "described", "across", "others")
SCHEMA = pa.schema(
    [
        ("category", pa.string()),
        ("seed", pa.int32()),
        ("subject", pa.string()),  # a concept, or a known member
        ("number", pa.int32()),  # of the subject among those of its kind
        ("name", pa.string()),  # the concept's id, or the member's word
        ("nearest", pa.string()),  # the words most like it, nearest first
        ("way", pa.string()),
        ("prompt", pa.string()),  # what describes it
        ("fit", pa.float64()),  # cosine of the prompt's text embedding with the drawings' mean image embedding
        ("eyes", pa.string()),  # who sees: the stack or the judge
        ("itself", pa.float64()),  # mean cosine of the subject's drawings with each other
        ("described", pa.float64()),  # of the description's drawings with each other
        ("across", pa.float64()),  # of the description's drawings with the subject's
        ("others", pa.float64()),  # of the subject's drawings with those of other subjects of its kind
        ("own_pictures", pa.binary()),  # WebP, the subject's first drawings in a row, of seed 0
        ("pictures", pa.binary()),  # the description's
    ]
)
SHOWN = 3
_IMAGINED_SEEDS = (1, 2)


@dataclass(frozen=True)
class Protocol(ByCases):
    """subjects: of each kind. wave: concepts that learn together. pictures: of each subject and description.

    candidates: the prompts that are imagined, the best by their text embeddings.
    """

    categories: tuple[str, ...] = ("pet", "fruit", "musical instrument")
    seeds: int = 3
    subjects: int = 4
    wave: int = 2
    pictures: int = 6
    candidates: int = 24


def cases(protocol: Protocol, bench: Bench) -> list[Case]:
    """One for each category and seed.

    Raises:
        ConceptreeError: the stack cannot draw or lists no words, a category is unknown, or a number is too small.
    """
    check_categories(bench, protocol.categories)
    for name, least in (("pictures", 2), ("candidates", 1)):
        if getattr(protocol, name) < least:
            raise ConceptreeError(f"{name} = {getattr(protocol, name)}: give at least {least}")
    for category in protocol.categories:
        most = len(known_members(bench, category))
        if not 2 <= protocol.subjects <= most:
            raise ConceptreeError(f"subjects = {protocol.subjects}: give from 2 to {most}, as many as {category!r} has")
    describer = Describer(bench.backbone)
    return [Case(protocol, bench, category, seed, describer) for category, seed in categories_by_seed(protocol)]


@dataclass(frozen=True)
class Case(SeededCase):
    """All subjects of one category and seed, and their descriptions."""

    protocol: Protocol
    describer: Describer

    def work(self) -> Work:
        """Every subject has as many different descriptions as ways, at most."""
        subjects = self.protocol.subjects
        drawings = len(SUBJECTS) * subjects * (1 + len(WAYS)) * self.protocol.pictures
        return Work(drawings=drawings) + of_waves(self.category, subjects, [self._how()])

    def rows(self) -> list[dict[str, Any]]:
        concepts = self.learned()
        return [row for kind, of in ((CONCEPT, concepts), (MEMBER, self.members())) for row in self.seen(kind, of)]

    def _how(self) -> dict[str, Any]:
        return {"wave": self.protocol.wave, "seed": self.seed, "settings": self._settings(), "schedule": "adaptive"}

    def learned(self) -> list[Concept]:
        backbone, protocol = self.bench.backbone, self.protocol
        how = {**self._how(), "initializers": starts(backbone, self.category, seed=self.seed)}
        run = run_of(self.bench, self.name, self.category)
        found = learn_in_waves(run, self.category, protocol.subjects, {CONCEPT: how}, self.bench, self._tell)
        return found[CONCEPT]

    def members(self) -> list[str]:
        words = known_members(self.bench, self.category)
        order = stream(self.seed, 0, "members").permutation(len(words))
        return [words[place] for place in order[: self.protocol.subjects]]

    @property
    def seeds(self) -> list[int]:
        return self._seeds(self.protocol.pictures, "figure 15")

    @torch.no_grad()
    def seen(self, kind: str, subjects: Sequence[Concept | str]) -> list[dict[str, Any]]:
        """A row for each subject of a kind, way to describe it and pair of eyes, as in `SCHEMA`."""
        self._tell(f"drawing and describing, {kind}")
        own = self._drawn([self._imagined(each, [PORTRAIT] * len(self.seeds), self.seeds) for each in subjects])
        said = [self.described(pictures) for pictures in own]
        prompts = [prompt for _, ways in said for prompt in ways.values()]
        of_prompts = dict.fromkeys(prompts)
        drawn = self._drawn([self._imagined("", [prompt] * len(self.seeds), self.seeds) for prompt in of_prompts])
        theirs = dict(zip(of_prompts, drawn, strict=True))
        rows = []
        for name, sees in self.bench.eyes.items():
            units = [sees.embed(pictures) for pictures in own]
            for number, (subject, (nearest, ways)) in enumerate(zip(subjects, said, strict=True)):
                others = [apart(units[number], unit) for place, unit in enumerate(units) if place != number]
                for way, prompt in ways.items():
                    unit = sees.embed(theirs[prompt])
                    shown = name == "stack" and self.seed == 0
                    rows.append(
                        {
                            "category": self.category,
                            "seed": self.seed,
                            "subject": kind,
                            "number": number,
                            "name": subject if isinstance(subject, str) else subject.id,
                            "nearest": ", ".join(nearest),
                            "way": way,
                            "prompt": prompt,
                            "fit": float(self.describer.similarity([prompt], self._target(own[number]))[0]),
                            "eyes": name,
                            "itself": apart(units[number], units[number]),
                            "described": apart(unit, unit),
                            "across": apart(unit, units[number]),
                            "others": float(np.mean(others)),
                            "own_pictures": drawing_bytes(own[number][:SHOWN]) if shown else None,
                            "pictures": drawing_bytes(theirs[prompt][:SHOWN]) if shown else None,
                        }
                    )
        return rows

    def described(self, pictures: Sequence[Any]) -> tuple[list[str], dict[str, str]]:
        """(the words nearest to some pictures, nearest first; a prompt by each of `WAYS`)"""
        target = self._target(pictures)
        nearest = [word for word, _ in self.describer.nearest(target, 5)]
        found = list(self.describer.describe(target))[: self.protocol.candidates]
        seeds = list(_IMAGINED_SEEDS) * len(found)
        imagined = self._imagined("", [prompt for prompt in found for _ in _IMAGINED_SEEDS], seeds)
        likeness = normalise(imagined.float().cpu()) @ target
        best = int(likeness.view(len(found), -1).mean(1).argmax())
        return nearest, {WORD: PORTRAIT.format(nearest[0]), READ: found[0], IMAGINED: found[best]}

    def _target(self, pictures: Sequence[Any]) -> Tensor:
        return normalise(StackEyes(self.bench.backbone).embed(pictures).mean(0))

    def _imagined(self, one: Concept | str, prompts: Sequence[str], seeds: Sequence[int]) -> Tensor:
        """See `imagine_one`; prompts without a place for `one` stay as they are."""
        return imagine_one(self.bench.backbone, one, prompts, seeds, self._settings())

    def _drawn(self, imagined: Sequence[Tensor]) -> list[list[Any]]:
        """Pictures of each batch of image embeddings [pictures, width], with the same seeds for each batch."""
        size = len(self.seeds)
        pictures = draw_many(self.bench.backbone, torch.cat(list(imagined)), self.seeds * len(imagined))
        return [pictures[start : start + size] for start in range(0, len(pictures), size)]


def apart(first: Tensor, second: Tensor) -> float:
    """Mean cosine of unit embeddings [n, width] with others [n, width], without pairs of the same seed."""
    n = len(first)
    found = first @ second.T
    return float(found.sum() - found.diagonal().sum()) / (n * (n - 1))


def summary(table: pa.Table) -> str:
    """In Markdown: the finding, a table for each of the eyes, and the descriptions of the concepts of seed 0."""
    rows = [
        {**row, "lost": row["itself"] - row["across"]}
        for row in table.drop_columns(["own_pictures", "pictures"]).to_pylist()
    ]
    keys = ["eyes", "subject", "way"]
    found = {name: unit_means(rows, keys, name) for name in (*MEASURES, "lost", "fit")}
    lost = {kind: found["lost"]["judge", kind, IMAGINED] for kind in SUBJECTS}
    lines = [
        "By the judge, what a concept's imagined description draws is less like it than its drawings are like each"
        f" other by {signed(lost[CONCEPT])}; for known members, described in the same way, by {signed(lost[MEMBER])}.",
        "",
        f"Means over {counted(len(lost[CONCEPT]), 'pair')} of category and seed, 95 % bootstrap intervals where there"
        " are several. itself: likeness of a subject's drawings; described: of those of its description; across: of the"
        " one with the other; others: of a subject's drawings with those of other subjects; lost: itself − across."
        " fit: of text and drawings, to the stack.",
    ]
    header = ["subject", "way", "fit", *MEASURES, "lost"]
    for eyes in dict.fromkeys(row["eyes"] for row in rows):
        rows_of = []
        for kind in SUBJECTS:
            for way in WAYS:
                cells = [cell(found[name][eyes, kind, way]) for name in ("fit", *MEASURES)]
                rows_of.append([kind, way, *cells, signed(found["lost"][eyes, kind, way])])
        lines += ["", f"By the {eyes}:", "", *markdown(header, rows_of)]
    first = [row for row in rows if (row["seed"], row["subject"], row["eyes"]) == (0, CONCEPT, "stack")]
    pairs = zip(*([row for row in first if row["way"] == way] for way in (READ, IMAGINED)), strict=True)
    told = [[read["category"], read["nearest"], read["prompt"], imagined["prompt"]] for read, imagined in pairs]
    header = ["category", "nearest words", "description", "imagined description"]
    return "\n".join([*lines, "", "Concepts of seed 0 in words:", "", *markdown(header, told), ""])


def figures(table: pa.Table) -> dict[str, Any]:
    """`concepts`: concepts of seed 0, their descriptions, and drawings of these. `members`: the same for known
    members.
    """
    if not has_pictures(table):
        return {}
    rows = [row for row in table.to_pylist() if row["pictures"]]
    titles = {
        CONCEPT: "Concepts, the words that are most like them, and what these words draw",
        MEMBER: "Known members, the words that are most like their drawings, and what these words draw",
    }
    return {f"{kind}s": _sheet([row for row in rows if row["subject"] == kind], titles[kind]) for kind in SUBJECTS}


def _sheet(rows: Sequence[Mapping[str, Any]], title: str) -> Any:
    first = rows[0]["category"]
    subjects: dict[tuple[str, int], dict[str, Mapping[str, Any]]] = {}
    for row in rows:
        subjects.setdefault((row["category"], row["number"]), {})[row["way"]] = row
    chosen = [ways for (category, number), ways in subjects.items() if number < (4 if category == first else 2)]
    pictures, labels = [], []
    for ways in chosen:
        strips = [ways[WORD]["own_pictures"], *(ways[way]["pictures"] for way in WAYS)]
        pictures.append([picture for strip in strips for picture in _cut(strip)])
        labels.append(
            " / ".join([ways[WORD]["nearest"].partition(",")[0], ways[READ]["prompt"], ways[IMAGINED]["prompt"]])
        )
    each = len(pictures[0]) // (1 + len(WAYS))
    columns = [name for name in ("itself", *WAYS) for _ in range(each)]
    return contact_sheet(pictures, labels, columns, title)


def _cut(strip: bytes) -> list[Any]:
    """The square pictures of a row."""
    row = drawing_of(strip)
    side = row.height
    return [small(row.crop((left, 0, left + side, side))) for left in range(0, row.width, side)]
