"""`taste`: what a person seems to like, from ratings and comparisons, and what to ask next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from core.aspects import words_of
from core.stack.protocols import Learns
from core.wording import counted
from evolve.answers import keep
from evolve.asking import may_like
from evolve.store.parts import Damage
from evolve.store.rows import Entry
from evolve.store.run import Run
from evolve.taste import (
    Judgements,
    Taste,
    TasteError,
    alike,
    all_judgements,
    correlations,
    fit,
    judgements,
    most_telling,
    read,
    reasons,
    store,
)
from ui.console import add_row, new_table, print_json, say
from ui.runs import open_run
from ui.stack import open_stack_of
from ui.wholeness import warn_of

WORDS, FOUNDERS = 4, 2  # that are named as reasons, for and against
NEWEST = 300  # concepts whose founders are compared
PROMPT = "a photo of a {}"


def taste(
    name: str,
    runs: Path,
    files: Sequence[Path],
    keeps: bool,
    to: Path | None,
    why: bool,
    as_json: bool,
    model: str | None,
    out: Console,
) -> None:
    """Print the rating that each concept is expected to get, and the comparison that would teach most.

    files: judgements of other runs, which count too; keeps: from now on, in evolve and in the workbench too. to: where
    this run's judgements are written. why: name the words that the taste goes by, which needs the run's stack.
    """
    run = open_run(runs, name)
    damage: list[Damage] = []
    entries = [each for each in run.entries(damage) if not each.note.hidden]
    warn_of(damage, run)
    own = judgements(run)
    known = all_judgements(run)
    told = known.with_others([read(file) for file in files])
    for file in files if keeps else ():
        keep(run, file)
    if to is not None:
        store(own, to)
    learned = fit(told, list(alike(run, told).values()) if known.embeds else [])
    embeds = alike(run, told)
    there = [each for each in entries if each.id in embeds]
    if not there:
        raise _nothing(run, told)
    rows = np.stack([embeds[each.id] for each in there]).astype(np.float64)
    expected, unsure = learned.rating(rows)
    one, other = (there[place].name for place in most_telling(learned, rows)) if len(there) > 1 else ("", "")
    order = np.argsort(-expected, kind="stable")
    found = {
        "answers": len(told.ratings) + len(told.preferred),
        "judged": len(told.concepts),
        "concepts": [
            {
                "concept": there[place].name,
                "id": there[place].id,
                "expected": round(float(expected[place]), 3),
                "unsure": round(float(unsure[place]), 3),
                "rating": there[place].note.rating,
            }
            for place in order
        ],
        "compare": [one, other] if one else [],
        "may_like": _may_like(run, entries),
    }
    if why:
        stack = open_stack_of(run, model, out)
        found["reasons"] = [list(each) for each in _words(run, stack, learned, rows)]
        found["ancestors"] = [list(each) for each in _ancestors(run, learned, [each.id for each in there], rows)]
    if as_json:
        return print_json(found)
    _say(found, to, out)


def _may_like(run: Run, entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """Names of parents whose child is expected to be liked, with its expected rating."""
    names = {each.id: each.name for each in entries}
    return [
        {"parents": [names[id_] for id_ in each.parents], "expected": round(each.expected, 3)} for each in may_like(run)
    ]


def why(run: Run, stack: Learns) -> str:
    """What a person's taste goes by, in one line: words, and founders whose descendants they like.

    Raises:
        TasteError: too few concepts are judged.
    """
    told = all_judgements(run)
    embeds = alike(run, told) if told.embeds else {}
    learned = fit(told, list(embeds.values()))
    ids = [each.id for each in run.entries() if each.id in embeds and not each.note.hidden]
    if not ids:
        raise _nothing(run, told)
    rows = np.stack([embeds[id_] for id_ in ids]).astype(np.float64)
    return _line(_words(run, stack, learned, rows), _ancestors(run, learned, ids, rows))


def _nothing(run: Run, told: Judgements) -> TasteError:
    """Why no concept of a run has an expected rating: there is none, or all are hidden or of other widths."""
    embeds, name = run.image_embeds(), run.folder.name
    if not embeds:
        return TasteError(f"{name!r} has no concepts yet: seed or import some")
    widths = {len(embeds[each.id]) for each in run.entries() if each.id in embeds and not each.note.hidden}
    if not widths:
        return TasteError(f"all concepts of {name!r} are hidden: unhide some")
    judged = len(next(iter(told.embeds.values())))
    return TasteError(
        f"the answers are about concepts of width {judged}, and those of {name!r} that are not hidden have width"
        f" {', '.join(map(str, sorted(widths)))}: rate some of these, or unhide some of width {judged}"
    )


def _words(run: Run, stack: Learns, learned: Taste, rows: np.ndarray) -> list[tuple[str, float]]:
    """The run's known members, colours and patterns with whose likeness the expected appeal goes, the strongest first.

    Of all words of the vocabulary some would fit any dozen concepts by chance.
    """
    members = stack.vocabulary.members(run.about["category"], run.about["kind"])
    words = [*dict.fromkeys([*members, *filter(None, [*words_of("colour", stack), *words_of("pattern", stack)])])]
    if not words:
        return []
    texts = stack.encode_text([PROMPT.format(word) for word in words]).float().cpu().numpy()
    directions = dict(zip(words, texts.astype(np.float64), strict=True))
    return [(word, round(strength, 3)) for word, strength in reasons(learned, rows, directions)]


def _ancestors(run: Run, learned: Taste, ids: Sequence[str], rows: np.ndarray) -> list[tuple[str, float]]:
    """The founders with whose shares the expected appeal goes, the strongest first. ids: of the rows."""
    from evolve.family.kinship import founder_shares
    from evolve.family.lineage import lineage

    graph = lineage(run)
    ids, rows = ids[-NEWEST:], rows[-NEWEST:]
    shares = [founder_shares(graph, id_) for id_ in ids]
    names = {each.id: each.name for each in run.entries()}
    founders = [id_ for id_ in dict.fromkeys(id_ for each in shares for id_ in each) if id_ in names]
    bred = [id_ for id_ in founders if sum(id_ in each for each in shares) > 1]  # with descendants among them
    along = {names[id_]: np.array([each.get(id_, 0.0) for each in shares]) for id_ in bred}
    return [(name, round(strength, 3)) for name, strength in correlations(learned, rows, along)]


def _line(words: Sequence[tuple[str, float]], ancestors: Sequence[tuple[str, float]]) -> str:
    """`likes what resembles snake, green and descendants of noti; likes less what resembles …`"""
    parts = []
    for sign, how in ((1, "likes"), (-1, "likes less")):
        like, kin = ([name for name, strength in each if strength * sign > 0] for each in (words, ancestors))
        told = [f"what resembles {', '.join(like[:WORDS])}"] if like else []
        told += [f"descendants of {', '.join(kin[:FOUNDERS])}"] if kin else []
        parts += [f"{how} {' and '.join(told)}"] if told else []
    return "; ".join(parts) or "no word goes with it"


def _say(found: dict[str, Any], to: Path | None, out: Console) -> None:
    table = new_table("concept", "expected", "±", "yours")
    for each in found["concepts"]:
        own = "" if each["rating"] is None else str(each["rating"])
        add_row(table, each["concept"], f"{each['expected']:.1f}", f"{each['unsure']:.1f}", own)
    out.print(table)
    answers, judged = counted(found["answers"], "answer", "answers"), counted(found["judged"], "concept", "concepts")
    say(out, f"from {answers} about {judged}")
    if found["compare"]:
        say(out, "a comparison of {} and {} would teach most".format(*found["compare"]))
    if found["may_like"]:
        told = [" and ".join(each["parents"]) for each in found["may_like"]]
        say(out, f"you may like children of {'; of '.join(told)}")
    if "reasons" in found:
        say(out, _line(found["reasons"], found["ancestors"]))
    if to is not None:
        say(out, f"this run's answers: {to}")
