"""Taking one aspect of another concept, and weights below 0: the two ways to breed that are not the paper's.

    taking           eight things take the colour of five givers and the shape of two, without learning
                     (`experiments.taking`)
    weights below 0  children of a founder move away from another one (`experiments.repelling`)

Drawings are measured: their pixels (`experiments.pixels`), and by the judge, which knows no colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from core.aspects import ASPECTS, words_of
from core.errors import ConceptreeError
from core.wording import counted
from experiments.conduct import Bench, ByCases, categories_by_seed, has_pictures
from experiments.conduct import Case as AnyCase
from experiments.drawing import check_draws
from experiments.looking import EYES, JUDGE, check_categories, drawing_of
from experiments.repelling import APART, CLOSE, PAIRS, A, B, Repelling
from experiments.sheets import contact_sheet
from experiments.statistics import between, cell, markdown, signed, there, unit_means
from experiments.taking import (
    ALL,
    BEFORE,
    CHANGED,
    COLOUR,
    GIVER,
    OURS,
    SAME_RANK,
    SHAPE,
    SUBSPACES,
    TALL,
    WIDE,
    Taking,
)

SCHEMA = pa.schema(
    [
        # Of taking:
        ("aspect", pa.string()),  # null: the row is of a weight
        ("thing", pa.string()),
        ("giver", pa.string()),
        ("way", pa.string()),  # one of `SUBSPACES`, or a thing or giver itself
        ("rank", pa.int32()),  # of the subspace
        ("number", pa.int32()),  # of the drawing
        ("taken", pa.float64()),  # 1: the drawing has the giver's aspect; 0: it has not
        ("factor", pa.float64()),  # of a shape: times as tall for its width, or as wide for its height, as before
        ("named", pa.float64()),  # 1: the judge names it as before; 0: otherwise
        ("to_thing", pa.float64()),  # likeness to the thing's drawings, by the judge
        ("to_giver", pa.float64()),
        # Of weights below 0:
        ("category", pa.string()),
        ("seed", pa.int32()),
        ("pair", pa.string()),  # close or apart
        ("parents", pa.string()),  # ids of A and B
        ("of", pa.string()),  # the weight of B, or A or B itself
        ("weight", pa.float64()),
        ("steps", pa.int32()),  # of the children's settings
        ("founder_steps", pa.int32()),
        ("floor", pa.float64()),  # the settings' `avoid_floor`
        ("eyes", pa.string()),  # imagined, the stack or the judge
        ("to_a", pa.float64()),  # mean cosine with A
        ("to_b", pa.float64()),
        ("belongs", pa.float64()),  # similarity to the category's word
        ("picture", pa.binary()),  # WebP, small: of the first drawing
    ]
)
MEASURES = ("taken", "named", "to_thing", "to_giver")
TAKING, REPELLING = ("thing",), ("category", "seed")  # the units of both parts


@dataclass(frozen=True)
class Protocol(ByCases):
    """colours, shapes: givers; each begins with the word of its aspect. pictures: of each thing and giver, each way of
    taking, each child. founders: of each category and seed; pairs are chosen from them. weights: of B; the first
    is 0. images, keep: a parent's images for Eq. 5, see `operators.parent_images`.
    """

    categories: tuple[str, ...] = ("pet", "fruit", "musical instrument")
    seeds: int = 2
    things: tuple[str, ...] = ("cat", "car", "pear", "owl", "house", "guitar", "rabbit", "mushroom")
    colours: tuple[str, ...] = ("blue bird", "green frog", "purple cup", "pink pig", "red apple")
    shapes: tuple[str, ...] = ("tall bird", "wide lemon")
    pictures: int = 3
    founders: int = 6
    weights: tuple[float, ...] = (0.0, -0.5, -1.0, -2.0)
    images: int = 16
    keep: int = 4


def cases(protocol: Protocol, bench: Bench) -> list[AnyCase]:
    """One for each aspect, then one for each category and seed.

    Raises:
        ConceptreeError: the stack cannot draw, it does not know a word, or a number is out of range.
    """
    check_draws(bench.backbone)
    check_categories(bench, protocol.categories)
    first, *others = protocol.weights
    if first != 0 or not others or max(others) >= 0 or len(set(others)) < len(others):
        raise ConceptreeError(f"weights = {list(protocol.weights)}: give 0, then different ones below 0")
    if protocol.founders < 3:
        raise ConceptreeError(f"founders = {protocol.founders}: give at least 3, for two pairs")
    found: list[AnyCase] = []
    for aspect, givers, words in (
        (COLOUR, protocol.colours, ASPECTS[COLOUR]),
        (SHAPE, protocol.shapes, (TALL, WIDE)),
    ):
        if not givers:
            continue
        words_of(aspect, bench.backbone)
        for each in (*protocol.things, *givers):
            if not bench.backbone.knows(each):
                raise ConceptreeError(f"the stack {bench.backbone.version} does not know {each!r}: choose another")
        for giver in givers:
            if giver.split(" ")[0] not in words:
                raise ConceptreeError(f"the giver {giver!r} of a {aspect}: begin with one of {', '.join(words)}")
        found.append(Taking(bench, aspect, protocol.things, givers, protocol.pictures))
    return [*found, *(Repelling(protocol, bench, *each) for each in categories_by_seed(protocol))]


def summary(table: pa.Table) -> str:
    """In Markdown: for each aspect the ways to take it, then the children by the weight of B."""
    rows = table.drop_columns(["picture"]).to_pylist()
    lines: list[str] = []
    for aspect in dict.fromkeys(row["aspect"] for row in rows if row["aspect"]):
        lines += [*_of_aspect(aspect, [row for row in rows if row["aspect"] == aspect]), ""]
    return "\n".join([*lines, *_of_weights([row for row in rows if not row["aspect"]])]) + "\n"


def _of_aspect(aspect: str, rows: Sequence[dict[str, Any]]) -> list[str]:
    """What is taken, and what else changes, over things."""
    own = [row for row in rows if row["way"] == GIVER]
    rows = [row for row in rows if row["way"] != GIVER]
    means = {name: unit_means(rows, ["way"], name, TAKING) for name in MEASURES}
    things = len(means["taken"][OURS,])
    header = ["subspace", "rank", "taken", "named as before", "likeness to the thing", "to the giver"]
    cells = []
    for way in (BEFORE, *SUBSPACES):
        rank = next(row["rank"] for row in rows if row["way"] == way)
        cells.append([way, str(rank or "–"), *(between(means[name][way,]) for name in MEASURES)])
    for other in (ALL, SAME_RANK):
        differences = [signed(there(means[name][OURS,] - means[name][other,])) for name in MEASURES]
        cells.append([f"{OURS} − {other}", "", *differences])
    if aspect == COLOUR:
        taken = (
            "the most frequent of the eleven colours among the thing's pixels is the giver's, as in"
            f" {np.mean([row['taken'] for row in own]):.2f} of the givers' own drawings"
        )
    else:
        stretched = [row["factor"] for row in rows if row["way"] == OURS]
        taken = (
            f"the thing is at least {CHANGED} times as tall for its width, or as wide for its height, as before; with"
            f" ours {np.nanmedian(stretched):.2f} times, the median"
        )
    return [
        f"Taking the {aspect}, means over {counted(things, 'thing')} with 95 % bootstrap intervals over them, before"
        f" any learning. taken: {taken}. named as before, likeness: by the judge.",
        "",
        *markdown(header, cells),
    ]


def _of_weights(rows: Sequence[dict[str, Any]]) -> list[str]:
    """How near children are to A and B by the weight of B."""
    measures = ("to_a", "to_b", "belongs")
    means = {name: unit_means(rows, ["pair", "of", "eyes"], name, REPELLING) for name in measures}
    labels = list(dict.fromkeys(row["of"] for row in rows))
    founders, children, floor = (_range(rows, name) for name in ("founder_steps", "steps", "floor"))
    units = len(next(iter(means["to_a"].values())))
    lines = [
        f"Weights below 0, means over {counted(units, 'pair')} of category and seed. Children of A at weight 1 and of B"
        f" at the given weight, one each, and A and B themselves: similarity to A and to B. Founders learned {founders}"
        f" steps, children at most {children}. The floor of the term is {floor}.",
    ]
    header = ["weight of B", *(f"to {of}, {_by(eyes)}" for eyes in EYES for of in (A, B)), "belongs, by the judge"]
    for pair in PAIRS:
        told = {CLOSE: "most", APART: "least"}[pair]
        cells = []
        for label in labels:
            of = [cell(means[name][pair, label, eyes]) for eyes in EYES for name in ("to_a", "to_b")]
            cells.append([label, *of, cell(means["belongs"][pair, label, JUDGE])])
        lines += ["", f"The two founders that are {told} alike:", "", *markdown(header, cells), ""]
        first, last = labels[0], next(row["of"] for row in reversed(rows) if row["weight"] is not None)
        changes = {name: means[name][pair, last, JUDGE] - means[name][pair, first, JUDGE] for name in measures}
        lines.append(
            f"By the judge, from weight {first} to {last}: to A {signed(changes['to_a'])}, to B"
            f" {signed(changes['to_b'])}, belongs {signed(changes['belongs'])}."
        )
    return lines


def _range(rows: Sequence[dict[str, Any]], name: str) -> str:
    """`0.72 to 0.77`, or the only value."""
    values = [row[name] for row in rows]
    return " to ".join(f"{value:g}" for value in dict.fromkeys((min(values), max(values))))


def _by(eyes: str) -> str:
    return eyes if eyes == EYES[0] else f"by the {eyes}"


def figures(table: pa.Table) -> dict[str, Any]:
    """A sheet of drawings for each aspect, and `weights`: children of the first seed's pairs."""
    if not has_pictures(table):
        return {}
    rows = [row for row in table.to_pylist() if row["picture"]]
    aspects = dict.fromkeys(row["aspect"] for row in rows if row["aspect"])
    sheets = {aspect: _taken_sheet(aspect, [row for row in rows if row["aspect"] == aspect]) for aspect in aspects}
    return {**sheets, "weights": _weights_sheet([row for row in rows if not row["aspect"] and row["seed"] == 0])}


def _taken_sheet(aspect: str, rows: Sequence[dict[str, Any]]) -> Any:
    """Things, then each with the aspect of every giver: by our subspace, then by that of all phrases."""
    of = {(row["thing"], row["giver"], row["way"]): drawing_of(row["picture"]) for row in rows}
    givers = list(dict.fromkeys(row["giver"] for row in rows))
    things = list(dict.fromkeys(row["thing"] for row in rows if row["way"] != GIVER))
    columns = [(giver, way) for way in (OURS, ALL) for giver in givers]
    pictures = [[None, *(of[giver, giver, GIVER] for giver, _ in columns)]]
    pictures += [[of[each, givers[0], BEFORE], *(of[each, *column] for column in columns)] for each in things]
    titles = [BEFORE, *(f"{giver}: {'ours' if way == OURS else way}" for giver, way in columns)]
    return contact_sheet(pictures, [GIVER, *things], titles, f"Things with the {aspect} of others, before any learning")


def _weights_sheet(rows: Sequence[dict[str, Any]]) -> Any:
    """A, its children as the weight of B goes down, and B."""
    of = {(row["category"], row["pair"], row["of"]): drawing_of(row["picture"]) for row in rows}
    weights = [label for label in dict.fromkeys(row["of"] for row in rows) if label not in (A, B)]
    lines = list(dict.fromkeys((row["category"], row["pair"]) for row in rows))
    pictures = [[of[*line, label] for label in (A, *weights, B)] for line in lines]
    labels = [f"{category}: {pair}" for category, pair in lines]
    return contact_sheet(pictures, labels, [A, *weights, B], "Children of A that move away from B, by its weight")
