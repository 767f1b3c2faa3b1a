"""Evolutionary mixing (Eq. 5, §4.3): how a child resembles its parents as their weights go from one to the other.

Children of `experiments.mixtures`: five families of parents, several methods, weights that change.

What is compared is drawn ("a photo of a …"): a child's pictures with pictures of each parent, but not those that it
learned from, as the stack's image encoder and as a judge see them. Of a photograph there is only itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from core.errors import ConceptreeError
from core.wording import counted
from experiments.conduct import Bench, has_pictures
from experiments.drawing import check_draws, draw_many
from experiments.judging import Judge, StackEyes
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
from experiments.sheets import contact_sheet, small
from experiments.statistics import between, cell, interval, there, unit_means

PARENT = "a parent"  # in place of a method: how the parents resemble each other, and each its own other pictures
SCHEMA = pa.schema(
    [
        ("category", pa.string()),
        ("seed", pa.int32()),
        ("family", pa.string()),
        ("method", pa.string()),
        ("share", pa.float64()),  # the weight of the first parent, or child; NaN for a parent
        ("parent", pa.int32()),  # which one the child is compared with, by number
        ("of", pa.string()),  # who that is: a concept's id, or a word
        ("weight", pa.float64()),  # its weight in the child
        ("eyes", pa.string()),  # who sees: the stack or the judge
        ("similarity", pa.float64()),  # mean cosine of the child's and the parent's pictures
        ("belongs", pa.float64()),  # similarity of the child's pictures to the category's word
        ("picture", pa.binary()),  # WebP, small: of the child's first drawing for seed 0, once
    ]
)


def cases(protocol: Protocol, bench: Bench) -> list[Case]:
    """Every category with one seed, then with the next.

    Raises:
        ConceptreeError: the stack cannot draw, nobody knows two members of a category, or the weights are none.
    """
    check_draws(bench.backbone)
    shares = protocol.shares
    if len(shares) < 2 or list(shares) != sorted(set(shares)) or not 0 < shares[0] <= shares[-1] < 1:
        raise ConceptreeError(f"shares = {list(shares)}: give at least 2, from small to large, above 0 and below 1")
    for category in protocol.categories:
        if len(known_members(bench, category)) < 2:
            raise ConceptreeError(f"only one member of {category!r} is known: choose others with --category")
    return [Case(protocol, bench, category, seed) for seed in range(protocol.seeds) for category in protocol.categories]


@dataclass(frozen=True)
class Case(Mixer):
    """The mixtures of a category and seed, drawn and looked at."""

    def rows(self) -> list[dict[str, Any]]:
        parents = self.parents()
        return self.seen(self.mixtures(parents), parents)

    @torch.no_grad()
    def seen(self, mixtures: Sequence[Mixture], parents: Parents) -> list[dict[str, Any]]:
        """A row for each child, parent and pair of eyes, as in `SCHEMA`, and those of the parents themselves."""
        count, seeds = self.protocol.pictures, self._seeds("mixture")
        self._tell(f"drawing {count} pictures of each of {len(mixtures)} mixtures")
        drawn = draw_many(self.bench.backbone, torch.cat([each.embeds for each in mixtures]), seeds * len(mixtures))
        eyes: dict[str, Judge] = {"stack": StackEyes(self.bench.backbone), "judge": self.bench.judge}
        rows = []
        for name, sees in eyes.items():
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
    """Mean cosine of unit embeddings [n, width] and [m, width]; of the same pictures that of different ones, NaN for
    a single one.
    """
    cosines = these @ those.T
    if not same:
        return float(cosines.mean())
    n = len(these)
    return float((cosines.sum() - n) / (n * (n - 1))) if n > 1 else float("nan")


def _kept(picture: Any, shown: bool) -> bytes | None:
    return drawing_bytes([small(picture)]) if shown else None


def summary(table: pa.Table) -> str:
    """In Markdown: what came of it, then of each family how children follow the weights and whom they resemble."""
    rows = table.drop_columns(["picture"]).to_pylist()
    eyes = list(dict.fromkeys(row["eyes"] for row in rows))
    follows, least = follow(rows), least_alike(rows)
    pair = {method: (PAIR, method, "judge") for method in (EQ5, INHERITING, VECTORS, EMBEDDINGS, PAPER, PUBLISHED)}
    lines = [
        "Of two founders, by the judge: weight and similarity to a parent have a rank correlation of"
        f" {_listed(pair, follows, 2)}; at equal weights the similarity to the parent that the child resembles less is"
        f" {_listed(pair, least)}.",
        "",
        f"Means over {counted(len(follows[pair[EQ5]]), 'pair')} of category and seed, of drawings, 95 % bootstrap"
        " intervals where there are several. follows: rank"
        " correlation (Spearman) of a parent's weight and the child's similarity to"
        " it, the mean over the parents. least: similarity to the parent that the child resembles least, at equal"
        " weights; of a parent, to the other that it resembles least, and itself: of its own pictures to each other.",
    ]
    header = ["method", *(f"{name}, by the {each}" for each in eyes for name in ("follows", "least", "belongs"))]
    belongs = unit_means(rows, ["family", "method", "eyes"], "belongs")
    own = unit_means([row for row in rows if row["weight"] == 1], ["family", "eyes"], "similarity")
    for family in dict.fromkeys(row["family"] for row in rows):
        lines += ["", f"{family[0].upper()}{family[1:]}:", "", f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
        for method in dict.fromkeys(row["method"] for row in rows if row["family"] == family):
            keys = [(family, method, each) for each in eyes]
            cells = [c for key in keys for c in (between(follows[key]), between(least[key]), cell(belongs[key]))]
            lines.append(f"| {method} | {' | '.join(cells)} |")
        themselves = ", ".join(f"{cell(own[family, each])} by the {each}" for each in eyes)
        lines += ["", f"A parent itself: {themselves}."]
    return "\n".join([*lines, ""])


def follow(rows: Sequence[dict[str, Any]]) -> dict[tuple[Any, ...], Any]:
    """By (family, method, eyes) the rank correlations [units] of weight and similarity, a mean over the parents; NaN
    where weights do not change.
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
    return unit_means(found, ["family", "method", "eyes"], "follows")


def least_alike(rows: Sequence[dict[str, Any]]) -> dict[tuple[Any, ...], Any]:
    """By (family, method, eyes) the least similarity [units] to a parent at equal weights; of a parent, to another."""
    of: dict[tuple[Any, ...], list[float]] = {}
    names = ("family", "method", "eyes", "category", "seed")
    count = {family: 1 + max(row["parent"] for row in rows if row["family"] == family) for family in _families(rows)}
    for row in rows:
        equal = np.isclose(row["weight"], 1 / count[row["family"]])
        if equal or (row["method"] == PARENT and not row["weight"]):
            of.setdefault(tuple(row[name] for name in names), []).append(row["similarity"])
    found = [{**dict(zip(names, key, strict=True)), "least": min(values)} for key, values in of.items()]
    return unit_means(found, ["family", "method", "eyes"], "least")


def figures(table: pa.Table) -> dict[str, Any]:
    """matplotlib's figures: `weights`, similarity to a parent over its weight, of each family and method; `sheet`,
    children of the first category's pair and words over the weights, for seed 0.
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
                found = unit_means([row for row in of if row["method"] == method], ["weight"], "similarity")
                seen = {weight: there(values) for (weight,), values in sorted(found.items())}
                weights = [weight for weight, values in seen.items() if len(values)]
                means, low, high = zip(*(interval(seen[weight]) for weight in weights), strict=True)
                style = {"linestyle": "--"} if method == PARENT else {"marker": "o", "markersize": 3}
                axis.plot(weights, means, color=colours[method], linewidth=1, label=method, **style)
                axis.fill_between(weights, low, high, color=colours[method], alpha=0.12, linewidth=0)
            axis.set_title(family, fontsize=10)
            axis.set_xlabel("weight of the parent")
        line[0].set_ylabel(f"similarity to it, by the {eyes}")
    labels = {
        label: handle for axis in axes[0] for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    figure.legend(labels.values(), labels.keys(), loc="outside lower center", ncols=6, frameon=False, fontsize=8)
    return {"weights": figure, **({"sheet": _sheet(table)} if has_pictures(table) else {})}


def _sheet(table: pa.Table) -> Any:
    """Between the first and the second parent, as the first one's weight goes down."""
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
