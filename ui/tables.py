"""Tables of measurements of founders and children: on the fixed panel, and by the judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from rich import box
from rich.table import Table

from core.errors import ConceptreeError
from core.metrics import imagine_panel, similarities, word_similarity
from core.stack.backbone import EMOJI, Backbone
from core.stack.wordbank import WordBank
from core.wording import counted
from evolve import Individual
from ui.console import printable
from ui.descent import parentage
from ui.pictures import Pictures


@dataclass(frozen=True)
class Row:
    """A constraint of a concept, with its similarity on the panel when it was added, and now for the kept vectors.

    then: None if it was not measured, as in runs of earlier versions where a person went back.
    """

    name: str
    word: str
    negative: bool
    since: int
    by: str
    then: float | None
    now: float


def panel_rows(backbone: Backbone, individuals: Sequence[Individual]) -> list[Row]:
    """Rows of each founder: its category, then its negatives in the order of their addition."""
    bank = WordBank(backbone.encode_text, backbone.width)
    rows = []
    for each in individuals:
        concept, request = each.concept, each.concept.request
        imagined = imagine_panel(backbone, request.kind, torch.from_numpy(concept.vectors.copy())[None])
        now = similarities(request, imagined, [negative.word for negative in concept.negatives], bank)
        then = {(m.constraint, m.step): m.similarity for m in concept.history}
        wanted = [(p.word or request.category, False, 0, "") for p in request.positives]
        wanted += [(n.word, True, n.step, n.by) for n in concept.negatives]
        rows += [
            Row(each.name, word, negative, since, by, then.get((word, since)), now[word])
            for word, negative, since, by in wanted
        ]
    return rows


def panel_table(rows: Sequence[Row]) -> Table:
    """The rows as a table, a section for each founder."""
    table = _table(
        "Similarity on the fixed panel",
        ["founder", "is / not", "since step", "named by", "when added", "at the end"],
        4,
    )
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        table.add_row(
            "" if row.negative else row.name,
            printable(f"not {row.word}" if row.negative else f"is {row.word}"),
            str(row.since),
            printable(row.by),
            "–" if row.then is None else f"{row.then:.2f}",
            f"{row.now:.2f}",
            end_section=following is None or following.name != row.name,
        )
    return table


def pushed(rows: Sequence[Row]) -> str:
    """Sentence: how many negatives ended with a lower similarity than at their addition."""
    changes = [row.now - row.then for row in rows if row.negative and row.then is not None]
    lower = sum(change < 0 for change in changes)
    was = (
        "is less similar at the end than when it was"
        if lower == 1
        else "are less similar at the end than when they were"
    )
    return f"{lower} of {counted(len(changes), 'negative')} {was} added."


def effort_table(individuals: Sequence[Individual]) -> Table:
    """Steps, negatives, seconds and scores of each concept."""
    scores = ("belongs", "nearest", "margin", "consistency")
    table = _table("Learning", ["concept", "steps", "kept from", "negatives", "seconds", *scores], 1)
    for each in individuals:
        concept = each.concept
        values = [f"{concept.scores[name]:.2f}" if name in concept.scores else "–" for name in scores]
        counts = [str(concept.steps), str(concept.kept_step), str(len(concept.negatives)), f"{concept.seconds:.0f}"]
        table.add_row(each.name, *counts, *values)
    return table


def children_table(
    backbone: Backbone, parents: Sequence[Individual], children: Sequence[Individual], names: Mapping[str, str]
) -> Table:
    """Table of the imagined similarity of children to each of two parents and to their category.

    names: of all parents, by id.
    """
    bank = WordBank(backbone.encode_text, backbone.width)
    category = children[0].concept.request.category
    heads = ["child", "weights", *(f"like {each.name}" for each in parents), f"is {printable(category)}"]
    table = _table("Children", heads, 2)
    for each in children:
        kind = each.concept.request.kind
        imagined = imagine_panel(backbone, kind, torch.from_numpy(each.concept.vectors.copy())[None])
        likeness = [f"{_cosine(each, parent):.2f}" for parent in parents]
        belongs = float(word_similarity(imagined, bank.panels(kind, [category]))[0, 0])
        table.add_row(each.name, parentage(each, names, {}), *likeness, f"{belongs:.2f}")
    return table


@dataclass(frozen=True)
class Opinion:
    """The judge's opinion of a concept's drawings."""

    name: str
    category: float  # how likely they show a member of the category, mean over the drawings
    seen: Sequence[tuple[str, float]]  # its first name for each drawing, and how sure it is
    mistaken: Sequence[str]  # those of them that are negatives of the concept


def load_judge(backbone: Backbone) -> Any | None:
    """The stack's judge, trained on the same drawings as the embedded stack; None for stacks without one."""
    folder = EMOJI / "judge" if backbone.where == "emoji" else Path(backbone.where).expanduser() / "judge"
    if not folder.is_dir():
        return None
    from core.emoji.judge import Judge

    return Judge.load(folder)


def opinions(judge: Any, individuals: Sequence[Individual], pictures: Pictures) -> list[Opinion]:
    """The judge's opinion of each concept that has been drawn."""
    found = []
    for each in individuals:
        images: list[Image.Image] = list(pictures.get(each.id, ()))
        if not images:
            continue
        seen = [names[0] for names in judge.name(images, k=1)]
        category = judge.category(images, each.concept.request.category)
        negatives = {negative.word for negative in each.concept.negatives}
        mistaken = [name for name, _ in seen if name in negatives]
        found.append(Opinion(each.name, sum(category) / len(category), seen, mistaken))
    return found


def judge_table(found: Sequence[Opinion], category: str, prompts: Sequence[str]) -> Table:
    """The opinions as a table; * marks a drawing that is taken for one of the concept's negatives."""
    heads = ["concept", f"a {printable(category)}?", *(prompt.replace("{}", "…") for prompt in prompts)]
    table = _table("The judge takes the drawings for (* a negative)", heads, 99)
    for each in found:
        named = [f"{name}{'*' if name in each.mistaken else ''} {sure:.0%}" for name, sure in each.seen]
        table.add_row(each.name, f"{each.category:.0%}", *named)
    return table


def judged(
    backbone: Backbone, individuals: Sequence[Individual], pictures: Pictures, prompts: Mapping[str, Sequence[str]]
) -> Table | str:
    """The judge's table, or the reason why there is none."""
    request = individuals[0].concept.request
    try:
        judge = load_judge(backbone)
        if judge is None:
            return f"The stack {backbone.version} has no judge."
        return judge_table(opinions(judge, individuals, pictures), request.category, prompts[request.kind])
    except ConceptreeError as error:
        return f"No opinion on the drawings: {error}"


def _cosine(one: Individual, other: Individual) -> float:
    a, b = (torch.from_numpy(each.concept.image_embed.copy()) for each in (one, other))
    return float(torch.nn.functional.cosine_similarity(a, b, dim=0))


def _table(title: str, heads: Sequence[str], first_number: int) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE, pad_edge=False)
    for place, head in enumerate(heads):
        table.add_column(head, justify="right" if place >= first_number else "left", overflow="fold")
    return table
