"""`taste`: what a person seems to like, from ratings and comparisons, and what to ask next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from core.aspects import words_of
from core.wording import counted
from evolve.store.parts import Damage
from evolve.store.run import Run
from evolve.taste import Taste, TasteError, alike, fit, judgements, most_telling, read, reasons, store
from ui.console import add_row, new_table, print_json, say
from ui.runs import open_run
from ui.stack import open_stack_of
from ui.wholeness import warn_of

WORDS = 4  # that are named as reasons, for and against
PROMPT = "a photo of a {}"


def taste(
    name: str,
    runs: Path,
    files: Sequence[Path],
    to: Path | None,
    why: bool,
    as_json: bool,
    model: str | None,
    out: Console,
) -> None:
    """Print the rating that each concept is expected to get, and the comparison that would teach most.

    files: judgements of other runs, which count too. to: where this run's judgements are written. why: name the words
    that the taste goes by, which needs the run's stack.
    """
    run = open_run(runs, name)
    damage: list[Damage] = []
    entries = [each for each in run.entries(damage) if not each.note.hidden]
    warn_of(damage, run)
    own = judgements(run)
    told = own.with_others([read(file) for file in files])
    if to is not None:
        store(own, to)
    learned = fit(told, list(alike(run, told).values()) if own.embeds else [])
    embeds = alike(run, told)
    there = [each for each in entries if each.id in embeds]
    if not there:
        raise TasteError(f"all concepts of {name!r} are hidden: unhide some")
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
    }
    if why:
        found["reasons"] = _reasons(run, learned, rows, model, out)
    if as_json:
        return print_json(found)
    _say(found, to, out)


def _reasons(run: Run, learned: Taste, rows: np.ndarray, model: str | None, out: Console) -> list[tuple[str, float]]:
    """The run's known members, colours and patterns with whose likeness the expected appeal goes, the strongest first.

    Of all words of the vocabulary some would fit any dozen concepts by chance.
    """
    stack = open_stack_of(run, model, out)
    members = stack.vocabulary.members(run.about["category"], run.about["kind"])
    words = [*dict.fromkeys([*members, *filter(None, [*words_of("colour", stack), *words_of("pattern", stack)])])]
    texts = stack.encode_text([PROMPT.format(word) for word in words]).float().cpu().numpy()
    directions = dict(zip(words, texts.astype(np.float64), strict=True))
    return [(word, round(strength, 3)) for word, strength in reasons(learned, rows, directions)]


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
    if "reasons" in found:
        liked, disliked = (
            [word for word, strength in found["reasons"] if strength * sign > 0][:WORDS] for sign in (1, -1)
        )
        told = [f"likes what resembles {', '.join(liked)}"] if liked else []
        told += [f"likes less what resembles {', '.join(disliked)}"] if disliked else []
        say(out, "; ".join(told) or "no word goes with it")
    if to is not None:
        say(out, f"this run's answers: {to}")
