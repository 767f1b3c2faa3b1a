"""The paper's user study (§5, Table 1): people rate sets of drawings from 1 to 5, or compare pairs, without names.

    studies/*.parquet   questions: concepts, drawings and order; a row per session
    ratings/*.parquet   answers: a row each; the last answer to a question counts

A session is one person's pass through all questions, in an order shuffled by its seed, so that it can be resumed. Means
have 95 % intervals by Student's t, within the scale; shares of wins have Wilson's.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

import numpy as np

from core.texts import checked_text
from core.wording import counted
from evolve.store.parts import Damage, RunError
from evolve.store.rows import PICTURE, RATINGS, STUDIES
from evolve.store.run import Run

MODES = ("scale", "pairs")
SCALE = (1, 5)
WAIT = 5.0  # seconds for another writer
LONGEST_LABEL = 80
LONGEST_QUESTION = 500
MOST_CONCEPTS = 100
Z95 = 1.959963984540054  # of the normal distribution


class StudyError(RunError):
    """A study cannot be made, or an answer is invalid."""


@dataclass(frozen=True)
class Question:
    """A question: the drawings (file names) of one concept, or of two, the first on the left."""

    number: int
    concepts: tuple[str, ...]
    drawings: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Session:
    """One person's pass. mode: "scale" (1 to 5) or "pairs" (1 for the first, 2 for the second).

    drawings: the file names of each concept's set, with the prompts in the same order.
    """

    id: str
    rater: str
    mode: str
    question: str
    seed: int
    concepts: tuple[str, ...]
    drawings: tuple[tuple[str, ...], ...]
    at: datetime

    def questions(self) -> list[Question]:
        """All questions; the seed gives their order and, for pairs, the sides."""
        rng = np.random.default_rng(self.seed)
        sets = dict(zip(self.concepts, self.drawings, strict=True))
        if self.mode == "scale":
            asked: list[tuple[str, ...]] = [(concept,) for concept in self.concepts]
        else:
            flips = rng.random(math.comb(len(self.concepts), 2)) < 0.5
            pairs = combinations(self.concepts, 2)
            asked = [pair[::-1] if flip else pair for pair, flip in zip(pairs, flips, strict=True)]
        order = rng.permutation(len(asked))
        chosen = [asked[place] for place in order]
        return [Question(n, pair, tuple(sets[each] for each in pair)) for n, pair in enumerate(chosen)]


@dataclass(frozen=True)
class Answer:
    """An answer. value: 1 to 5; for a pair 1 for the first, 2 for the second."""

    session: str
    rater: str
    mode: str
    number: int
    concepts: tuple[str, ...]
    value: int
    at: datetime


@dataclass(frozen=True)
class Mean:
    """Mean rating of a concept: n answers, mean, standard deviation, and the mean's 95 % interval by Student's t.

    low, high: within the scale; NaN for a single answer.
    """

    concept: str
    n: int
    mean: float
    deviation: float
    low: float
    high: float


@dataclass(frozen=True)
class Share:
    """Share of comparisons that a concept won, with Wilson's 95 % interval."""

    concept: str
    n: int
    wins: int
    share: float
    low: float
    high: float


def new_session(
    run: Run,
    rater: str,
    mode: str,
    sets: Mapping[str, Sequence[str]],
    question: str,
    seed: int,
) -> Session:
    """Store a new session before its first answer.

    sets: drawings (file names) of each concept (id), the same number of each.

    Raises:
        StudyError: too few concepts, sets of different sizes, or no label for the rater.
    """
    rater = " ".join(rater.split())
    if not rater or len(rater) > LONGEST_LABEL:
        raise StudyError(f"rater = {rater[:LONGEST_LABEL]!r}: say who rates, in up to {LONGEST_LABEL} characters")
    rater = checked_text(rater, "rater", error=StudyError)
    if mode not in MODES:
        raise StudyError(f"mode = {mode!r}: choose {' or '.join(MODES)}")
    if not question.strip() or len(question) > LONGEST_QUESTION:
        raise StudyError(f"a question is one line of up to {LONGEST_QUESTION} characters: write one")
    question = checked_text(question, "question", error=StudyError)
    least = 1 if mode == "scale" else 2
    if not least <= len(sets) <= MOST_CONCEPTS:
        raise StudyError(
            f"{counted(len(sets), 'concept is', 'concepts are')} to be rated: choose {least} to {MOST_CONCEPTS}"
        )
    if len({len(files) for files in sets.values()}) != 1 or not all(sets.values()):
        raise StudyError("the concepts are drawn in different prompts: choose prompts in which all of them are drawn")
    for files in sets.values():
        for file in files:
            if not PICTURE.fullmatch(file):
                raise StudyError(f"{file[:40]!r} is not a drawing's file")
    at = datetime.now(UTC)
    told = f"{at.isoformat()} {rater} {mode} {seed} {sorted(sets)}"
    session = Session(
        hashlib.sha256(told.encode()).hexdigest()[:12],
        rater,
        mode,
        question.strip(),
        seed,
        tuple(sets),
        tuple(tuple(files) for files in sets.values()),
        at,
    )
    row = {
        "session": session.id,
        "rater": rater,
        "mode": mode,
        "question": session.question,
        "seed": seed,
        "concepts": list(session.concepts),
        "drawings": [list(files) for files in session.drawings],
        "at": at,
    }
    with run.writing(wait=WAIT):
        run.rooms["studies"].append([row])
    return session


def answer(run: Run, session: Session, question: Question, value: int) -> Answer:
    """Store an answer at once.

    Raises:
        StudyError: the value is out of range.
    """
    low, high = SCALE if session.mode == "scale" else (1, 2)
    if type(value) is not int or not low <= value <= high:
        raise StudyError(f"value = {value!r}: expected {low} to {high}")
    given = Answer(
        session.id, session.rater, session.mode, question.number, question.concepts, value, datetime.now(UTC)
    )
    row = {
        "session": session.id,
        "rater": session.rater,
        "mode": session.mode,
        "number": question.number,
        "concepts": list(question.concepts),
        "drawings": [file for files in question.drawings for file in files],
        "value": value,
        "at": given.at,
    }
    with run.writing(wait=WAIT):
        run.rooms["ratings"].append([row])
    return given


def sessions(run: Run, damage: list[Damage] | None = None, *, strict: bool = False) -> list[Session]:
    """All sessions, oldest first."""
    found = run.rooms["studies"].made(STUDIES.names, _session, damage, strict=strict)
    return list({each.id: each for each in found}.values())


def answers(run: Run, damage: list[Damage] | None = None, *, strict: bool = False) -> list[Answer]:
    """Last answer to every question, in the order of the first answers."""
    found = run.rooms["ratings"].made(RATINGS.names, _answer, damage, strict=strict)
    return list({(each.session, each.number): each for each in found}.values())


def open_questions(session: Session, given: Iterable[Answer]) -> list[Question]:
    """Questions of a session without an answer, in its order."""
    done = {each.number for each in given if each.session == session.id}
    return [each for each in session.questions() if each.number not in done]


def means(given: Iterable[Answer]) -> list[Mean]:
    """Mean rating of each concept, best first."""
    values: dict[str, list[int]] = {}
    for each in given:
        if each.mode == "scale":
            values.setdefault(each.concepts[0], []).append(each.value)
    found = [_mean(concept, ratings) for concept, ratings in values.items()]
    return sorted(found, key=lambda each: (-each.mean, each.concept))


def overall(given: Iterable[Answer]) -> Mean | None:
    """Mean rating over all concepts, as for a method in the paper's Table 1; None without ratings."""
    ratings = [each.value for each in given if each.mode == "scale"]
    return _mean("", ratings) if ratings else None


def shares(given: Iterable[Answer]) -> list[Share]:
    """Share of wins of each concept, largest first."""
    played: dict[str, list[bool]] = {}
    for each in given:
        if each.mode == "pairs":
            for place, concept in enumerate(each.concepts, 1):
                played.setdefault(concept, []).append(each.value == place)
    found = []
    for concept, won in played.items():
        low, high = wilson(sum(won), len(won))
        found.append(Share(concept, len(won), sum(won), sum(won) / len(won), low, high))
    return sorted(found, key=lambda each: (-each.share, each.concept))


def wilson(wins: int, n: int, z: float = Z95) -> tuple[float, float]:
    """Wilson's score interval of a share; within 0 and 1, and meaningful at 0 of n too."""
    if not n:
        return math.nan, math.nan
    share, square = wins / n, z * z
    middle = (share + square / (2 * n)) / (1 + square / n)
    half = z / (1 + square / n) * math.sqrt(share * (1 - share) / n + square / (4 * n * n))
    return (max(0.0, middle - half) if wins else 0.0), (min(1.0, middle + half) if wins < n else 1.0)


def t_quantile(freedom: int) -> float:
    """97.5 % quantile of Student's t with that many degrees of freedom.

    With t = √ν tan θ the density is cosᵛ⁻¹ θ on (−π/2, π/2), which is integrated numerically.
    """
    theta = np.linspace(0, math.pi / 2, 20_001)
    density = np.cos(theta) ** (freedom - 1)
    inside = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    return float(math.sqrt(freedom) * math.tan(np.interp(0.95, inside / inside[-1], theta)))


def as_csv(run: Run) -> str:
    """All answers as CSV, with names and ids of the concepts."""
    names = {each.id: each.name for each in run.entries()}
    asked = {each.id: each for each in sessions(run)}
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["session", "rater", "mode", "question", "number", "concepts", "names", "value", "preferred", "at"])
    for each in answers(run):
        preferred = each.concepts[each.value - 1] if each.mode == "pairs" else ""
        question = asked[each.session].question if each.session in asked else ""
        told = [names.get(concept, concept) for concept in each.concepts]
        cells = [each.session, each.rater, each.mode, question, each.number, " ".join(each.concepts)]
        cells += [" | ".join(told), each.value, preferred, each.at.isoformat()]
        table.writerow([_harmless(cell) for cell in cells])
    return text.getvalue()


def _harmless(cell: Any) -> Any:
    """Prefix text that a spreadsheet would take for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in "=+-@\t\r" and cell else cell


def _mean(concept: str, ratings: Sequence[int]) -> Mean:
    n, values = len(ratings), np.array(ratings, dtype=np.float64)
    if n < 2:
        return Mean(concept, n, float(values.mean()), math.nan, math.nan, math.nan)
    mean, deviation = float(values.mean()), float(values.std(ddof=1))
    half = t_quantile(n - 1) * deviation / math.sqrt(n)
    return Mean(concept, n, mean, deviation, max(SCALE[0], mean - half), min(SCALE[1], mean + half))


def _session(row: Mapping[str, Any]) -> Session:
    _check_filled(row)
    concepts, drawings = tuple(row["concepts"]), tuple(tuple(files or ()) for files in row["drawings"])
    whole = len(concepts) == len(drawings) == len(set(concepts)) and all(drawings)
    if row["mode"] not in MODES or not whole or not 0 <= row["seed"] < 2**63:
        raise RunError(f"it is not a session of this schema ({row['session']!r})")
    if not all(PICTURE.fullmatch(file or "") for files in drawings for file in files):
        raise RunError(f"the session {row['session']!r} names files that are not drawings")
    return Session(
        row["session"], row["rater"], row["mode"], row["question"], row["seed"], concepts, drawings, row["at"]
    )


def _answer(row: Mapping[str, Any]) -> Answer:
    _check_filled(row)
    low, high = SCALE if row["mode"] == "scale" else (1, 2)
    sides = 1 if row["mode"] == "scale" else 2
    if row["mode"] not in MODES or not low <= row["value"] <= high or len(row["concepts"]) != sides:
        raise RunError(
            f"it is not an answer of this schema (value {row['value']} of {counted(len(row['concepts']), 'concept')})"
        )
    return Answer(
        row["session"], row["rater"], row["mode"], row["number"], tuple(row["concepts"]), row["value"], row["at"]
    )


def _check_filled(row: Mapping[str, Any]) -> None:
    missing = [name for name, value in row.items() if value is None]
    if missing:
        raise RunError(f"it has no {missing[0]}")
