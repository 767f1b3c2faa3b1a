"""Starts and stops of children by Eq. 5: `python -m benchmarks.mating`.

Children start at the category's word or at the weighted mean of their parents' vectors, and learn to the last step or
until they stop early; founders with given negatives likewise. The parents are all couples of the example run's
founders, and of up to four new founders of each of two other categories. The mixing loss is 1 − `resembles` on the
fixed panel. The judge (core/emoji/judge.py), a model apart from the stack, names the drawings and compares them with
the parents' drawings. Differences are paired by request, with 95 % bootstrap intervals over founders and over couples;
couples that share a parent count as independent.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, pairwise
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from rich.console import Console
from rich.table import Table

from benchmarks import raw
from core import Backbone, Concept, ConceptLab, Request, Settings
from core.depict import draw_concept
from core.emoji.judge import Judge
from evolve import Portraits, Run, mate
from experiments.statistics import Array, signed

EXAMPLE = Path(__file__).parent.parent / "runs" / "example"
NEGATIVES = {
    "pet": ("dog", "cat", "rabbit"),
    "fruit": ("apple", "banana", "pear"),
    "musical instrument": ("guitar", "violin", "trumpet"),
}
SHARES = (0.5, 0.7)
LOOK = 10  # steps between two points of a curve
WITHIN = 0.01  # of the final mixing loss
PROMPTS = ("a photo of a {}", "a pencil sketch of a {}")
SEED = 1  # of the drawings
SECONDS = "seconds each"


@dataclass
class Group:
    """Concepts that were learned in one way. parents: of each, with their weights."""

    name: str
    concepts: list[Concept]
    seconds: float
    parents: list[list[tuple[Concept, float]]] = field(default_factory=list)


def learned(name: str, backbone: Backbone, requests: Sequence[Request], **more: Any) -> Group:
    began = time.perf_counter()
    concepts = ConceptLab(backbone).run(requests)
    return Group(name, concepts, time.perf_counter() - began, **more)


def founders(backbone: Backbone, category: str, seeds: int, early: bool) -> list[Request]:
    """Founders beside a word of their own each, with given negatives."""
    settings = Settings.for_stack(backbone, category=category)
    settings = settings if early else replace(settings, patience=0)
    beside = [word for word in backbone.vocabulary.categories[category] if word not in NEGATIVES[category]]
    return [
        Request(
            category,
            negatives=NEGATIVES[category],
            seed=seed,
            initializer=f"{category} {beside[seed % len(beside)]}",
            settings=settings,
        )
        for seed in range(1, seeds + 1)
    ]


def children(
    name: str, backbone: Backbone, pairs: Sequence[tuple[Concept, Concept]], known: Any, seeds: int, **how: Any
) -> Group:
    """Children of each pair, by each of `SHARES` and seed. how: warm, and the settings that are not the stack's own."""
    warm, settings = how.pop("warm"), Settings.for_stack(backbone, mixing=True, **how)
    families = [
        ([(one, share), (other, 1 - share)], seed)
        for one, other in pairs
        for share in SHARES
        for seed in range(1, seeds + 1)
    ]
    looks = Portraits(8, 4, known=known)
    requests = [mate(parents, backbone, seed, settings=settings, portraits=looks) for parents, seed in families]
    if not warm:
        requests = [replace(each, start=None) for each in requests]
    return learned(name, backbone, requests, parents=[parents for parents, _ in families])


def curve(concept: Concept) -> dict[int, float]:
    """The mixing loss by step."""
    weights = {f"parent:{parent.id}": parent.weight for parent in concept.request.mixed}
    losses: dict[int, float] = {}
    for each in concept.history:
        if each.constraint in weights:
            losses[each.step] = losses.get(each.step, 1.0) - weights[each.constraint] * each.similarity
    return losses


def settled(losses: dict[int, float], final: float) -> int:
    """The first step at which a loss is within 1 % of the final one; the last where it never is."""
    return next((step for step, loss in losses.items() if loss <= (1 + WITHIN) * final), max(losses))


def likeness(concept: Concept, place: int) -> float:
    """Similarity of the kept checkpoint to a parent, on the panel."""
    name = f"parent:{concept.request.mixed[place].id}"
    return next(m.similarity for m in concept.history if m.step == concept.kept_step and m.constraint == name)


class Opinions:
    """What the judge says of drawings, each concept's made once."""

    def __init__(self, backbone: Backbone) -> None:
        self.backbone = backbone
        self.judge = Judge.load()
        self.drawn: dict[str, list[Any]] = {}

    def of(self, concept: Concept) -> list[Any]:
        if concept.id not in self.drawn:
            self.drawn[concept.id] = draw_concept(self.backbone, concept, PROMPTS, [SEED] * len(PROMPTS))
        return self.drawn[concept.id]

    def belongs(self, concepts: Sequence[Concept]) -> Array:
        """How likely the drawings of each show a member of the category."""
        return np.array([fmean(self.judge.category(self.of(each), each.request.category)) for each in concepts])

    def new(self, concepts: Sequence[Concept]) -> Array:
        """1 − the probability of the most probable name, for each."""
        return np.array([1 - fmean(names[0][1] for names in self.judge.name(self.of(each), k=1)) for each in concepts])

    def mistaken(self, concepts: Sequence[Concept]) -> Array:
        """How likely it thinks each concept's negatives, taken together."""
        found = []
        for each in concepts:
            places = [self.judge.things.index(n.word) for n in each.negatives if n.word in self.judge.things]
            found.append(float(self.judge.probabilities(self.of(each))[:, places].sum(1).mean()))
        return np.array(found)

    def like(self, group: Group, place: int) -> Array:
        """Mean cosine, in its own space, between each concept's drawings and a parent's in the same prompts."""
        found = []
        for concept, parents in zip(group.concepts, group.parents, strict=True):
            own, theirs = (self.judge.embed(self.of(each)) for each in (concept, parents[place][0]))
            found.append(float(F.cosine_similarity(own, theirs).mean()))
        return np.array(found)


def compared(
    out: Console, title: str, groups: Sequence[Group], measures: dict[str, tuple[int, Callable[[Group], Array]]]
) -> list[dict[str, Any]]:
    """A row for each group, of means, and for each after the first its paired differences to the one before it.

    Returns a row of figures for each concept.
    """
    table = Table(title=title, box=None)
    for head in ("learned", *measures):
        table.add_column(head, justify="left" if head == "learned" else "right")
    found = [[of(group) for _, of in measures.values()] for group in groups]
    for group, values in zip(groups, found, strict=True):
        cells = zip(values, measures.values(), strict=True)
        table.add_row(group.name, *(f"{value.mean():.{digits}f}" for value, (digits, _) in cells))
    out.print(table)
    for (one, before), (other, after) in pairwise(zip(groups, found, strict=True)):
        out.print(f"{other.name} − {one.name}:")
        for name, a, b in zip(measures, before, after, strict=True):
            if name != SECONDS:  # which a group has together
                out.print(f"  {name:16}{signed(_by_unit(b - a, other))}")
    rows = []
    for group, values in zip(groups, found, strict=True):
        for place, concept in enumerate(group.concepts):
            parents = group.parents[place] if group.parents else []
            about = {"learned": group.name, "category": concept.request.category, "seed": concept.request.seed}
            about |= {"parents": " ".join(parent.id for parent, _ in parents)}
            about |= {"weights": " ".join(f"{weight:g}" for _, weight in parents)}
            rows.append(about | {name: float(of[place]) for name, of in zip(measures, values, strict=True)})
    return rows


def _by_unit(values: Array, group: Group) -> Array:
    """The mean over the children of each couple; without parents, the values."""
    if not group.parents:
        return values
    couples = [tuple(parent.id for parent, _ in of) for of in group.parents]
    return np.array(
        [np.mean([v for v, of in zip(values, couples, strict=True) if of == each]) for each in dict.fromkeys(couples)]
    )


def mixing(out: Console, curves: Sequence[Group], groups: Sequence[Group], opinions: Opinions) -> list[dict[str, Any]]:
    """The tables of children; returns a row of figures for each."""
    steps = sorted(curve(curves[0].concepts[0]))
    shown = [step for step in (0, 20, 50, 100, 150, 200) if step in steps] + steps[-1:]
    table = Table(title=f"Mixing loss of {len(curves[0].concepts)} children, looked at every {LOOK} steps", box=None)
    heads = ("start", *(f"{step}" for step in shown), "within 1 % of its own end", "of the cold one's end")
    for head in heads:
        table.add_column(head, justify="left" if head == "start" else "right")
    ends = [curve(each)[steps[-1]] for each in curves[0].concepts]
    for group in curves:
        losses = [curve(each) for each in group.concepts]
        own = [settled(each, each[steps[-1]]) for each in losses]
        common = [settled(each, end) for each, end in zip(losses, ends, strict=True)]
        row = [f"{fmean(each[step] for each in losses):.4f}" for step in shown]
        table.add_row(group.name, *row, f"step {median(own):.0f}", f"step {median(common):.0f}")
    out.print(table)
    lower = fmean(
        curve(b)[steps[-1]] < curve(a)[steps[-1]] for a, b in zip(curves[0].concepts, curves[1].concepts, strict=True)
    )
    out.print(f"The warm start ends lower for {lower:.0%} of them.\n")
    judged: dict[str, tuple[int, Callable[[Group], Array]]] = {
        **_effort(),
        "resembles": (3, lambda group: np.array([each.scores["resembles"] for each in group.concepts])),
        "first parent": (3, lambda group: np.array([likeness(each, 0) for each in group.concepts])),
        "second": (3, lambda group: np.array([likeness(each, 1) for each in group.concepts])),
        "a member?": (2, lambda group: opinions.belongs(group.concepts)),
        "new": (2, lambda group: opinions.new(group.concepts)),
        "like the first": (2, lambda group: opinions.like(group, 0)),
        "like the second": (2, lambda group: opinions.like(group, 1)),
    }
    return compared(out, "Children (kept checkpoints)", groups, judged)


def clamped(out: Console, groups: Sequence[Group], opinions: Opinions) -> list[dict[str, Any]]:
    """The table of founders; returns a row of figures for each."""

    def score(name: str) -> Callable[[Group], Array]:
        return lambda group: np.array([each.scores[name] for each in group.concepts])

    judged: dict[str, tuple[int, Callable[[Group], Array]]] = {
        **_effort(),
        **{name: (3, score(name)) for name in ("belongs", "nearest", "differs")},
        "a member?": (2, lambda group: opinions.belongs(group.concepts)),
        "a negative?": (2, lambda group: opinions.mistaken(group.concepts)),
        "new": (2, lambda group: opinions.new(group.concepts)),
    }
    return compared(out, f"{len(groups[0].concepts)} founders with given negatives", groups, judged)


def _effort() -> dict[str, tuple[int, Callable[[Group], Array]]]:
    return {
        "steps": (0, lambda group: np.array([each.steps for each in group.concepts])),
        SECONDS: (2, lambda group: np.full(len(group.concepts), group.seconds / len(group.concepts))),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mating", description=__doc__)
    parser.add_argument("--founders", type=int, default=8, help="of each category (8)")
    parser.add_argument("--seeds", type=int, default=1, help="children of each pair and weight (1)")
    raw.option(parser)
    options = parser.parse_args(arguments)
    if options.founders < 2:
        parser.error("--founders: at least 2 of each category, which then have children")
    out, backbone = Console(width=150, highlight=False), Backbone.load("emoji")
    ConceptLab(backbone).run([Request("pet", settings=Settings(steps=1))])  # loads the models
    run, seeds = Run.open(EXAMPLE), options.seeds
    old = [run.find(entry.id).concept for entry in run.entries() if not entry.generation]
    asked = [
        [r for word in NEGATIVES for r in founders(backbone, word, options.founders, early)] for early in (False, True)
    ]
    full, short = (
        learned(n, backbone, r) for n, r in zip(("to the end", "until inside the clamps"), asked, strict=True)
    )
    opinions = Opinions(backbone)
    rows = clamped(out, (full, short), opinions)
    out.print()
    pairs = list(combinations(old, 2))
    for word in ("fruit", "musical instrument"):
        pairs += combinations([each for each in full.concepts if each.request.category == word][:4], 2)
    known: dict[str, Any] = {}
    how = {"pairs": pairs, "known": known, "seeds": seeds, "backbone": backbone}
    fine = {"patience": 0, "segment": LOOK}
    cold = children("category's word", **how, warm=False, **fine)
    warm = children("parents' mean", **how, warm=True, **fine)
    early = children("parents' mean, until nothing is gained", **how, warm=True)
    rows += mixing(out, (cold, warm), (cold, warm, early), opinions)
    raw.write(options.to, rows)
    out.print(f"\n{torch.get_num_threads()} threads; seconds include looking every {LOOK} steps in the first two rows.")


if __name__ == "__main__":
    main()
