"""Tables of figures, the aims they are held against, and the card, CARD.md."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.emoji.judge import Judge
from core.stack.backbone import EMOJI, Backbone
from training.exam import (
    BOTH,
    BOTH_TRUE,
    CRISP,
    FROM_NAMES,
    HYBRIDS,
    KIND,
    REBUILT,
    SECONDS,
    STYLE,
    STYLES_JOINED,
    UNRELATED,
    UNSEEN,
)
from training.render import SIZE, Drawings, held_out_pairs
from training.sources import NAMES_PACKAGE, SETS
from training.stages.seeing import JUDGE_SPLIT
from training.teacher import Words
from training.train import STAGES

TEMPLATE = Path(__file__).with_name("card.template.md")
CARD = EMOJI.with_name("CARD.md")  # with its figures and its sheet beside it
FIELD = re.compile(r"\{\{(\w+)\}\}")  # of the template
MOST_KNOWN = 0.40  # belief in one known thing; above it a founder counts as that thing


@dataclass(frozen=True)
class Aim:
    """A figure, its value in emoji-2, and the aim. most: the aim is an upper bound."""

    text: str
    key: str
    before: str
    aim: float
    most: bool = False


# Figures of inventions. The aims, and emoji-2's figures, were set before emoji-3 was trained.
OF_CATEGORY, OF_GROUP = "founders: belief in the category", "founders: belief in the broad group"
LEAST, ALIKE = "founders: lowest category's belief", "founders: similarity to each other"
NEW, CHILDREN = "founders: no known thing above 0.40", "children: belief in the category"
FOUNDERS = f"founders: {CRISP}"
AIMS = (
    Aim("judge's belief: a founder is of its category", OF_CATEGORY, "pet 0.36; others 0.20 to 0.70", 0.65),
    Aim("the same in the category where it is lowest", LEAST, "0.20", 0.50),
    Aim("judge's belief: a founder is of its broad group", OF_GROUP, "not measured", 0.80),
    Aim("similarity of six founders to each other", ALIKE, "0.94 (0.70 in waves)", 0.70, most=True),
    Aim("founders that the judge believes at most 0.40 to be any one known thing", NEW, "not measured", 0.90),
    Aim("judge's belief: a child is of its category", CHILDREN, "0.09", 0.50),
    Aim("crispness, drawn from names", FROM_NAMES, "0.68", 0.90),
    Aim("crispness of founders", FOUNDERS, "0.28 to 0.50", 0.80),
    Aim("held-out name drawn from text: judge, top-1", UNSEEN, "97.7 %, on pairs known to the judge", 0.90),
    Aim("hybrids of held-out pairs drawn from text: judge names both among five", BOTH, "not measured", 0.70),
    Aim("question answerer: kinds", KIND, "85.6 %", 0.90),
    Aim("question answerer: styles", STYLE, "61.2 %", 0.75),
    Aim("MoVQ on held-out drawings (dB)", REBUILT, "28.2, at 64 pixels", 30.0),
    Aim("seconds to draw a picture, on the machine that measured", SECONDS, "not measured", 0.5, most=True),
)


def inventions_figures(measured: Mapping[str, Any], categories: Sequence[str]) -> dict[str, float]:
    """Means over the categories, from the inventions that `make inventions` measured."""
    every = [measured["categories"][category]["populations"] for category in categories]
    all_ = [of for populations in every for of in populations]
    return {
        OF_CATEGORY: float(np.mean([_mean(of["founders"], "category") for of in all_])),
        LEAST: float(min(np.mean([_mean(of["founders"], "category") for of in populations]) for populations in every)),
        OF_GROUP: float(np.mean([_mean(of["founders"], "broad") for of in all_])),
        ALIKE: float(np.mean([of["similarity"] for of in all_])),
        NEW: float(np.mean([each["known"] <= MOST_KNOWN for of in all_ for each in of["founders"]])),
        FOUNDERS: float(np.mean([of["crispness"] for of in all_])),
        CHILDREN: float(np.mean([_mean(of["children"], "category") for of in all_])),
    }


def _mean(rows: Sequence[Mapping[str, float]], what: str) -> float:
    return float(np.mean([each[what] for each in rows]))


def inventions_table(measured: Mapping[str, Any], categories: Sequence[str]) -> str:
    """Markdown: a row for each category. Beliefs in the category: of all founders, and of the populations."""
    heads = (
        "category | category (its populations) | broad group | similarity to each other | at most 0.40 in one thing |"
        " its word / nearest other | crispness | children: category / broad group | true hybrids: category / broad"
        " group / at most 0.40 in one thing"
    )
    lines = [f"| {heads} |", "|" + "---|" * (heads.count("|") + 1)]
    for category in categories:
        of = measured["categories"][category]
        populations, hybrids = of["populations"], of["true_hybrids"]
        founders = [each for one in populations for each in one["founders"]]
        children = [each for one in populations for each in one["children"]]
        new = np.mean([each["known"] <= MOST_KNOWN for each in hybrids])

        def mean(which: Sequence[Mapping[str, float]], what: str) -> str:
            return f"{_mean(which, what):.2f}" if which else "–"

        cells = (
            category,
            f"{mean(founders, 'category')} ({', '.join(mean(one['founders'], 'category') for one in populations)})",
            mean(founders, "broad"),
            mean(populations, "similarity"),
            f"{sum(each['known'] <= MOST_KNOWN for each in founders)} of {len(founders)}",
            f"{mean(founders, 'word')} / {mean(founders, 'other_word')}",
            mean(populations, "crispness"),
            f"{mean(children, 'category')} / {mean(children, 'broad')}",
            f"{mean(hybrids, 'category')} / {mean(hybrids, 'broad')} / {100 * new:.0f} %",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def read_inventions(path: Path, backbone: Backbone) -> dict[str, Any] | None:
    """Inventions that `make inventions` measured; None if there are none of this stack."""
    if not path.is_file():
        return None
    measured = json.loads(path.read_text(encoding="utf-8"))
    return measured if measured["stack"] == [backbone.fingerprint, backbone.drawing_fingerprint] else None


def shown(name: str, value: float) -> str:
    """A figure as text: shares in per cent; decibels, seconds, cosines, beliefs and ratios as numbers."""
    if "dB" in name:
        return f"{value:.1f}"
    plain = ("imagined to", "tower", CRISP, "belief", "similarity", "seconds")
    return f"{value:.2f}" if any(word in name for word in plain) else f"{100 * value:.1f} %"


def figures_table(figures: Mapping[str, float]) -> str:
    return "\n".join(["| figure | value |", "|---|---|", *(f"| {n} | {shown(n, v)} |" for n, v in figures.items())])


def aims_table(figures: Mapping[str, float], version: str) -> str:
    """Markdown: each aim with its figure before and now, met or missed by how much."""
    lines = [f"| figure | emoji-2 | {version} | aim | |", "|---|---|---|---|---|"]
    for aim in AIMS:
        wanted = f"{'≤' if aim.most else '≥'} {shown(aim.key, aim.aim)}"
        value = figures.get(aim.key)
        if value is None:
            lines.append(f"| {aim.text} | {aim.before} | not measured | {wanted} | |")
            continue
        short = value - aim.aim if aim.most else aim.aim - value
        verdict = "met" if short <= 0 else f"missed by {shown(aim.key, short)}"
        lines.append(f"| {aim.text} | {aim.before} | {shown(aim.key, value)} | {wanted} | {verdict} |")
    return "\n".join(lines)


def _sizes(folder: Path) -> dict[str, float]:
    """Megabytes of each part."""
    return {
        str(file.parent.relative_to(folder)): file.stat().st_size / 1e6
        for file in sorted(folder.rglob("*.safetensors"))
    }


def write_card(
    drawings: Drawings,
    backbone: Backbone,
    judge: Judge,
    figures: Mapping[str, float],
    inventions: Mapping[str, Any] | None,
) -> None:
    """Fill in the template. inventions: from `read_inventions`; the card says so where it is None."""
    values = {
        "version": backbone.version,
        "fingerprint": backbone.fingerprint,
        "side": str(backbone.drawing["size"]),
        "hybrids": str(HYBRIDS),
        "unrelated": str(UNRELATED),
        "judge": judge.version,
        "figures": figures_table(figures),
        "both": shown(BOTH_TRUE, figures[BOTH_TRUE]),
        "styles": shown(STYLES_JOINED, figures[STYLES_JOINED]),
        **_of_data(drawings),
        **_of_training(EMOJI),
        **_of_inventions(figures, inventions, backbone.version),
    }
    text = FIELD.sub(lambda field: values[field[1]], TEMPLATE.read_text(encoding="utf-8"))
    CARD.write_text(text, encoding="utf-8")


def _of_data(drawings: Drawings) -> dict[str, str]:
    words, held = Words.of(drawings), drawings.held_out
    counts = np.bincount(drawings.style, minlength=len(SETS))
    sets = [
        f"| {art.style} | {int(n)} | {art.credit} | `{art.package}` | {art.licence} |"
        for art, n in zip(SETS, counts, strict=True)
    ]
    unseen = held & held_out_pairs(drawings.thing, drawings.style, seed=JUDGE_SPLIT)
    return {
        "drawings": str(len(drawings.rgba)),
        "rendered": str(SIZE),
        "things": str(len(words.things)),
        "categories": ", ".join(words.categories),
        "held_out": str(int(held.sum())),
        "unseen": str(int(unseen.sum())),
        "names": NAMES_PACKAGE,
        "sets": "\n".join(sets),
    }


def _of_training(weights: Path) -> dict[str, str]:
    sizes = _sizes(weights)
    training = json.loads((weights / "training.json").read_text(encoding="utf-8"))
    stages = {name: training[name] for name in STAGES if name in training}
    lines = [f"| {name} | {of['steps']} | {of['minutes']:.0f} | {of['figures']} |" for name, of in stages.items()]
    return {
        "weights": "\n".join(f"| {part} | {size:.2f} |" for part, size in sizes.items()),
        "total": f"{sum(sizes.values()):.1f}",
        "stages": "\n".join(lines),
        "minutes": f"{sum(of['minutes'] for of in stages.values()):.0f}",
    }


def _of_inventions(figures: Mapping[str, float], inventions: Mapping[str, Any] | None, version: str) -> dict[str, str]:
    aimed, table, seeds = dict(figures), "Not measured on these weights: run `make inventions`.", "–"
    if inventions:
        seeds = ", ".join(map(str, inventions["seeds"]))
        if set(inventions["aimed"]) <= set(inventions["categories"]):
            aimed |= inventions_figures(inventions, inventions["aimed"])
        table = inventions_table(inventions, list(inventions["categories"]))
    return {"inventions": table, "seeds": seeds, "aims": aims_table(aimed, version)}
