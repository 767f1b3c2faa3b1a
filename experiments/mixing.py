"""Evolutionary mixing (Eq. 5, §4.3): similarity of children to their parents by the parents' weights.

The children come from `experiments.mixtures`: five families of parents, several methods, several weights.

A child's drawings ("a photo of a …") are compared with drawings of each parent that it did not learn from, by the
stack's image encoder and by a judge. A photograph is compared as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from core.errors import ConceptreeError
from core.wording import counted
from experiments.conduct import Bench, categories_by_seed, has_pictures
from experiments.cost import Work
from experiments.drawing import check_draws, draw_many
from experiments.looking import drawing_bytes, drawing_of, known_members
from experiments.mixtures import (
    EMBEDDINGS,
    EQ5,
    FAMILIES,
    INHERITING,
    PAIR,
    PAPER,
    PUBLISHED,
    VECTORS,
    WORDS,
    Mixer,
    Mixture,
    Parents,
    Protocol,
)
from experiments.sheets import contact_sheet, curve, small
from experiments.statistics import BY_CATEGORY, between, cell, markdown, over_categories, student, there, unit_means

PARENT = "a parent"  # as a method: similarity of the parents to each other, and of each to its own other drawings
SCHEMA = pa.schema(
    [
        ("category", pa.string()),
        ("seed", pa.int32()),
        ("family", pa.string()),
        ("method", pa.string()),
        ("share", pa.float64()),  # the weight of the first parent, or child; NaN for a parent
        ("parent", pa.int32()),  # number of the parent that the child is compared with
        ("of", pa.string()),  # that parent: a concept's id, or a word
        ("weight", pa.float64()),  # its weight in the child
        ("eyes", pa.string()),  # the stack or the judge
        ("similarity", pa.float64()),  # mean cosine of the child's and the parent's pictures
        ("belongs", pa.float64()),  # similarity of the child's pictures to the category's word
        ("picture", pa.binary()),  # WebP, small: of the child's first drawing for seed 0, once
    ]
)


def cases(protocol: Protocol, bench: Bench) -> list[Case]:
    """One for each category and seed.

    Raises:
        ConceptreeError: the stack cannot draw, a category has fewer than two known members, or shares are not weights.
    """
    check_draws(bench.backbone)
    shares = protocol.shares
    if len(shares) < 2 or list(shares) != sorted(set(shares)) or not 0 < shares[0] <= shares[-1] < 1:
        raise ConceptreeError(f"shares = {list(shares)}: give at least 2, from small to large, above 0 and below 1")
    for category in protocol.categories:
        if len(known_members(bench, category)) < 2:
            raise ConceptreeError(f"only one member of {category!r} is known: choose others with --category")
    return [Case(protocol, bench, category, seed) for category, seed in categories_by_seed(protocol)]


@dataclass(frozen=True)
class Case(Mixer):
    """The mixtures of a category and seed, drawn and measured."""

    def work(self) -> Work:
        """For each share ten learned children, and means of vectors in four families and of embeddings in all five."""
        mixtures = 19 * len(self.protocol.shares) + len(self._composed(self._words()))
        return super().work() + Work(drawings=mixtures * self.protocol.pictures)

    def rows(self) -> list[dict[str, Any]]:
        parents = self.parents()
        return self.seen(self.mixtures(parents), parents)

    @torch.no_grad()
    def seen(self, mixtures: Sequence[Mixture], parents: Parents) -> list[dict[str, Any]]:
        """A row of `SCHEMA` for each child, parent and each of the eyes, and rows of the parents themselves."""
        count = self.protocol.pictures
        seeds = self._seeds(count, "mixture")
        self._tell(f"drawing {count} pictures of each of {len(mixtures)} mixtures")
        drawn = draw_many(self.bench.backbone, torch.cat([each.embeds for each in mixtures]), seeds * len(mixtures))
        rows = []
        for name, sees in self.bench.eyes.items():
            unit = sees.embed(drawn).reshape(len(mixtures), count, -1)
            belongs = sees.similarity(drawn, [self.category]).reshape(len(mixtures), count).mean(1).tolist()
            of_parents = {key: sees.embed(pictures) for key, pictures in parents.pictures.items()}
            own = {key: float(sees.similarity(of, [self.category]).mean()) for key, of in parents.pictures.items()}
            for place, each in enumerate(mixtures):
                for number, (key, weight) in enumerate(zip(each.parents, each.weights, strict=True)):
                    similarity = float((unit[place] @ of_parents[key].T).mean())
                    row = self._row(each.family, each.method, name, number, key, weight, similarity, belongs[place])
                    shown = name == "stack" and number == self.seed == 0
                    rows.append({**row, "share": each.share, "picture": _kept(drawn[place * count], shown)})
            for family, keys in {each.family: each.parents for each in mixtures}.items():
                for (i, key), (number, other) in product(enumerate(keys), enumerate(keys)):
                    similarity = alike(of_parents[key], of_parents[other], same=i == number)
                    row = self._row(family, PARENT, name, number, other, float(i == number), similarity, own[key])
                    shown = name == "stack" and i == number and self.seed == 0
                    rows.append({**row, "picture": _kept(parents.pictures[key][0], shown)})
        return rows

    def _row(
        self, family: str, method: str, eyes: str, number: int, of: str, weight: float, similarity: float, own: float
    ) -> dict[str, Any]:
        return {
            "category": self.category,
            "seed": self.seed,
            "family": family,
            "method": method,
            "share": float("nan"),
            "parent": number,
            "of": of,
            "weight": weight,
            "eyes": eyes,
            "similarity": similarity,
            "belongs": own,
            "picture": None,
        }


def alike(these: Tensor, those: Tensor, same: bool = False) -> float:
    """Mean cosine of unit embeddings [n, width] and [m, width].

    same: both are the same pictures; the mean is over pairs of different ones, NaN for a single picture.
    """
    cosines = these @ those.T
    if not same:
        return float(cosines.mean())
    n = len(these)
    return float((cosines.sum() - n) / (n * (n - 1))) if n > 1 else float("nan")


def _kept(picture: Any, shown: bool) -> bytes | None:
    return drawing_bytes([small(picture)]) if shown else None


def summary(table: pa.Table) -> str:
    """In Markdown: the findings, then for each family how similarities follow the weights."""
    rows = table.drop_columns(["picture"]).to_pylist()
    eyes = list(dict.fromkeys(row["eyes"] for row in rows))
    follows, least = follow(rows), least_alike(rows)
    pair = {method: (PAIR, method, "judge") for method in (EQ5, INHERITING, VECTORS, EMBEDDINGS, PAPER, PUBLISHED)}
    lines = [
        "Of two founders, by the judge: weight and similarity to a parent have a rank correlation of"
        f" {_listed(pair, follows, 2)}; at equal weights the similarity to the parent that the child resembles less is"
        f" {_listed(pair, least)}.",
        "",
        f"Means over {counted(len(follows[pair[EQ5]]), 'category', 'categories')}, of drawings, with Student's 95 %"
        " intervals. follows: rank"
        " correlation (Spearman) of a parent's weight and the child's similarity to"
        " it, the mean over the parents. least: similarity to the parent that the child resembles least, at equal"
        " weights; of a parent, to the other that it resembles least, and itself: of its own pictures to each other.",
    ]
    header = ["method", *(f"{name}, by the {each}" for each in eyes for name in ("follows", "least", "belongs"))]
    belongs = unit_means(rows, ["family", "method", "eyes"], "belongs", BY_CATEGORY)
    own = unit_means([row for row in rows if row["weight"] == 1], ["family", "eyes"], "similarity", BY_CATEGORY)
    for family in dict.fromkeys(row["family"] for row in rows):
        cells_of = []
        for method in dict.fromkeys(row["method"] for row in rows if row["family"] == family):
            keys = [(family, method, each) for each in eyes]
            cells = [
                c
                for key in keys
                for c in (between(follows[key], student), between(least[key], student), cell(belongs[key]))
            ]
            cells_of.append([method, *cells])
        lines += ["", f"{family[0].upper()}{family[1:]}:", "", *markdown(header, cells_of)]
        themselves = ", ".join(f"{cell(own[family, each])} by the {each}" for each in eyes)
        lines += ["", f"A parent itself: {themselves}."]
    lines += ["", "Differences by the judge, and in how many categories they have the mean's sign:", ""]
    return "\n".join([*lines, *_differences(follows, least), ""])


def _differences(follows: Mapping[tuple[Any, ...], Any], least: Mapping[tuple[Any, ...], Any]) -> list[str]:
    """By the judge: each method against Eq. 5 in its family, and against the parents themselves."""
    rows_of = []
    for family, method, eyes in least:
        if eyes == "judge" and method != PARENT:
            own, parents, eq5 = ((family, each, eyes) for each in (method, PARENT, EQ5))
            told = [least[own] - least[parents], least[own] - least[eq5], follows[own] - follows[eq5]]
            cells = [over_categories(each) for each in told]
            rows_of.append([family, method, cells[0], *(["", ""] if method == EQ5 else cells[1:])])
    return markdown(["family", "method", "least − the parents'", "least − Eq. 5's", "follows − Eq. 5's"], rows_of)


def follow(rows: Sequence[dict[str, Any]]) -> dict[tuple[Any, ...], Any]:
    """By (family, method, eyes) Spearman's rank correlation [units] of weight and similarity, a mean over the parents.

    NaN where the weights do not vary.
    """
    from scipy.stats import spearmanr

    of: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    names = ("family", "method", "eyes", "category", "seed", "parent")
    for row in rows:
        of.setdefault(tuple(row[name] for name in names), []).append(row)
    found = []
    for key, children in of.items():
        weights, similarities = ([child[name] for child in children] for name in ("weight", "similarity"))
        varies = key[1] != PARENT and np.ptp(weights) > 0 and np.ptp(similarities) > 0
        value = float(spearmanr(weights, similarities).statistic) if varies else float("nan")
        found.append({**dict(zip(names, key, strict=True)), "follows": value})
    return unit_means(found, ["family", "method", "eyes"], "follows", BY_CATEGORY)


def least_alike(rows: Sequence[dict[str, Any]]) -> dict[tuple[Any, ...], Any]:
    """By (family, method, eyes) the least similarity [units] to a parent at equal weights."""
    of: dict[tuple[Any, ...], list[float]] = {}
    names = ("family", "method", "eyes", "category", "seed")
    count = {family: 1 + max(row["parent"] for row in rows if row["family"] == family) for family in _families(rows)}
    for row in rows:
        equal = np.isclose(row["weight"], 1 / count[row["family"]])
        if equal or (row["method"] == PARENT and not row["weight"]):
            of.setdefault(tuple(row[name] for name in names), []).append(row["similarity"])
    found = [{**dict(zip(names, key, strict=True)), "least": min(values)} for key, values in of.items()]
    return unit_means(found, ["family", "method", "eyes"], "least", BY_CATEGORY)


def figures(table: pa.Table) -> dict[str, Any]:
    """`weights`: similarity to a parent over its weight, for each family and method. `sheet`: children of the first
    category's pair and words over the weights, for seed 0.
    """
    from matplotlib.figure import Figure

    rows = table.drop_columns(["picture"]).to_pylist()
    families = _families(rows)
    figure = Figure(figsize=(12.5, 6.4), layout="constrained")
    axes = figure.subplots(2, len(families), sharey="row", squeeze=False)
    methods = list(dict.fromkeys(row["method"] for row in rows))
    colours = dict(zip(methods, _colours(len(methods)), strict=True))
    for line, eyes in zip(axes, ("stack", "judge"), strict=True):
        for axis, family in zip(line, families, strict=True):
            of = [row for row in rows if row["family"] == family and row["eyes"] == eyes]
            for method in dict.fromkeys(row["method"] for row in of):
                found = unit_means(
                    [row for row in of if row["method"] == method], ["weight"], "similarity", BY_CATEGORY
                )
                seen = {weight: there(values) for (weight,), values in sorted(found.items())}
                weights = [weight for weight, values in seen.items() if len(values)]
                style: dict[str, Any] = {"linestyle": "--"} if method == PARENT else {"marker": "o", "markersize": 3}
                of_weights = [seen[weight] for weight in weights]
                curve(axis, weights, of_weights, colours[method], 0.12, student, linewidth=1, label=method, **style)
            axis.set_title(family, fontsize=10)
            axis.set_xlabel("weight of the parent")
        line[0].set_ylabel(f"similarity to it, by the {eyes}")
    labels = {
        label: handle for axis in axes[0] for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    figure.legend(labels.values(), labels.keys(), loc="outside lower center", ncols=6, frameon=False, fontsize=8)
    return {"weights": figure, **({"sheet": _sheet(table)} if has_pictures(table) else {})}


def _sheet(table: pa.Table) -> Any:
    """Children between the first and the second parent, by decreasing weight of the first."""
    rows = [row for row in table.to_pylist() if row["picture"] and row["family"] in (PAIR, WORDS)]
    rows = [row for row in rows if row["category"] == rows[0]["category"]]
    shares = sorted({row["share"] for row in rows if not np.isnan(row["share"])}, reverse=True)
    pictures, labels = [], []
    for family, method in dict.fromkeys((row["family"], row["method"]) for row in rows if row["method"] != PARENT):
        here = [row for row in rows if row["family"] == family]
        first, second = (row["picture"] for row in here if row["method"] == PARENT)
        children = {row["share"]: row["picture"] for row in here if row["method"] == method}
        line = [first, *(children.get(share) for share in shares), second]
        pictures.append([drawing_of(each) if each else None for each in line])
        words = ", ".join(row["of"] for row in here if row["method"] == PARENT)
        labels.append(f"{words}: {method}" if family == WORDS else f"{family}: {method}")
    columns = ["first parent", *(f"{share:g}" for share in shares), "second parent"]
    title = "Children of two founders, and of two words, as the first one's weight goes down"
    return contact_sheet(pictures, labels, columns, title)


def _families(rows: Sequence[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(row["family"] for row in sorted(rows, key=lambda row: FAMILIES.index(row["family"]))))


def _colours(count: int) -> list[Any]:
    from matplotlib import colormaps

    return [colormaps["tab20"](2 * number % 20 + number // 10) for number in range(count)]


def _listed(keys: dict[str, tuple[str, str, str]], found: dict[tuple[Any, ...], Any], digits: int = 3) -> str:
    """`Eq. 5 0.98, vectors 0.95`"""
    return ", ".join(f"{method} {cell(found[key], digits)}" for method, key in keys.items())
