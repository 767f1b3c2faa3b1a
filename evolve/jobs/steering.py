"""Decisions about a job's negatives from other processes, such as pages, while it is learned.

    steer/<time>-<digits>.json   a decision about one concept, for its next boundary or a question
    question.json                the question that the job waits for

A decision is removed once a snapshot with its effect is kept; the snapshot names it as one of its marks. So a kill at
any moment neither loses a decision nor follows it twice. A decision that is too late or impossible is removed with its
boundary, whose note says why.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.files import write_atomically
from core.review import Decision, Proposal, Review, ReviewError, checked, steered
from core.stack.protocols import Draws
from evolve.store.looks import keep_picture, picture_in
from evolve.store.parts import RunError

STEER, QUESTION = "steer", "question.json"
TOO_LATE = "a decision came too late"  # in the note of a concept's last boundary
BETWEEN = 0.2  # seconds between two looks whether a question is answered
_FILE = re.compile(r"[0-9]{20}-[0-9a-f]{8}\.json")


@dataclass(frozen=True)
class Question:
    """The question that a job waits for: the next negatives of the concept with a number.

    words: proposed. negatives: so far, (word, source) each. earlier: steps to which a person can go back. problem: why
    the last answer was refused. image: the concept's current drawing. id: another one if the same step is asked again
    because a person went back; the same one after a restart. token: another one each time that it is asked.
    """

    number: int
    step: int
    words: tuple[str, ...] = ()
    negatives: tuple[tuple[str, str], ...] = ()
    note: str = ""
    earlier: tuple[int, ...] = ()
    problem: str = ""
    image: Path | None = None
    id: str = ""
    token: str = ""


class LateAnswer(RunError):
    """The job no longer asks the question that was answered."""


@dataclass(frozen=True)
class Queued:
    """A queued decision. mark: the name of its file. question: the id of the one that it answers, None for no answer.
    step: of that question.
    """

    mark: str
    number: int
    step: int | None
    decision: Decision
    question: str | None = None

    def answers(self, question: str, step: int) -> bool:
        """Whether it answers this question; earlier versions stored the step alone."""
        return self.question == question if self.question is not None else self.step == step


def queue(folder: Path, number: int, decision: Decision, question: str | None = None) -> str:
    """Queue a decision about a concept by its number; return its mark. It answers an open question about it.

    question: the id of the question that it answers.

    Raises:
        LateAnswer: the job does not ask that question now.
    """
    asked = question_in(folder)
    if question is not None and (asked is None or asked.id != question):
        raise LateAnswer("the answer came too late: the job has gone on")
    answers = asked if asked and asked.number == number else None
    told = {
        "number": number,
        "step": answers.step if answers else None,
        "question": answers.id if answers else None,
        "words": list(decision.words),
        "drop": list(decision.drop),
        "back_to": decision.back_to,
    }
    mark = f"{time.time_ns():020d}-{secrets.token_hex(4)}.json"
    content = json.dumps(told, ensure_ascii=False).encode(errors="replace")
    write_atomically(folder / STEER / mark, content, within=folder)
    return mark


def queued(folder: Path) -> list[Queued]:
    """Queued decisions, oldest first; other files are skipped."""
    files = sorted((folder / STEER).glob("*.json"))
    return [each for each in map(_read, files) if each is not None]


def question_in(folder: Path) -> Question | None:
    """The question that a job waits for, if any."""
    try:
        told = json.loads((folder / QUESTION).read_text(encoding="utf-8"))
        return Question(
            number=int(told["number"]),
            step=int(told["step"]),
            words=tuple(map(str, told["words"])),
            negatives=tuple((str(word), str(by)) for word, by in told["negatives"]),
            note=str(told["note"]),
            earlier=tuple(map(int, told["earlier"])),
            problem=str(told["problem"]),
            image=picture_in(folder, told["image"]),
            id=str(told.get("id", "")),
            token=str(told.get("token", "")),
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


class Steering:
    """Follows a job's decisions; `decided` is its review.

    numbers: of the requests in the job, by their ids. review: asked first; queued decisions are added to its answer.
    asks: ask the page about each new negative. wait: called repeatedly while the page is asked; may raise.
    back: called with the number of steps that a concept is put back.
    """

    def __init__(
        self,
        folder: Path,
        stack: Draws,
        numbers: Mapping[str, int],
        review: Review | None = None,
        asks: bool = False,
        wait: Callable[[], None] = lambda: None,
        back: Callable[[int], None] = lambda steps: None,
    ) -> None:
        self.folder = folder
        self.stack = stack
        self.numbers = numbers
        self.review = review
        self.asks = asks
        self.wait = wait
        self.back = back
        # Marks of decisions that no snapshot holds yet, each with the number of its concept and the question's id.
        self.taken: dict[str, tuple[int, str]] = {}
        # By number: what to add and drop after going back, and the id of the question that was then asked.
        self.carried: dict[int, tuple[Decision, str]] = {}

    def begin(self, snapshots: Sequence[bytes]) -> None:
        """Remove decisions that snapshots hold, and a question that is left over."""
        from core.snapshot import SnapshotError, marks_of  # imports torch

        for snapshot in snapshots:
            with suppress(SnapshotError):
                self._remove(marks_of(snapshot))
        _unlink(self.folder / QUESTION)

    def decided(self, proposal: Proposal) -> Decision | None:
        """The decision on a proposal: the review of `core.review`."""
        decision = self._decided(proposal)
        if decision and decision.back_to is not None:
            with suppress(ReviewError):  # then it is asked about again, and nothing goes back
                checked(decision, proposal, proposal.negatives_then, self.stack)
                self.back(proposal.step - decision.back_to)
        return decision

    def _decided(self, proposal: Proposal) -> Decision | None:
        number = self.numbers[proposal.id]
        id_ = f"{number}.{proposal.step}.{proposal.decided}"
        first = self.review(proposal) if self.review and not proposal.last else None
        waiting = [each for each in queued(self.folder) if each.number == number]
        waiting = [each for each in waiting if self.taken.get(each.mark, (number, id_)) == (number, id_)]
        # An answer to a question that a stop has ended is still a decision, but not an answer.
        further = [each for each in waiting if not each.answers(id_, proposal.step)]
        carried = self._carried(number, id_)
        goes_back = any(each.decision.back_to is not None for each in further)
        if proposal.last and not goes_back:
            return None  # `too_late` tells of words
        if self.asks and proposal.words and not goes_back:
            first = self._answer(number, id_, replace(proposal, words=(*proposal.words, *carried.words)))
            carried = replace(carried, words=())  # the question had them
        elif answers := [each for each in waiting if each.answers(id_, proposal.step)]:
            further = sorted([*further, *answers], key=lambda each: each.mark)
        self.taken |= {each.mark: (number, id_) for each in further}
        decisions = [each for each in (carried, *(each.decision for each in further)) if each != Decision()]
        if not decisions:
            return first
        try:
            decision = steered(first, decisions, proposal, self.stack)
        except ReviewError:
            return first  # it is asked about again, with the reason
        if decision.back_to is None or decision == Decision(back_to=decision.back_to, note=decision.note):
            return decision
        # At the earlier step the question comes again, and the words are added to its answer.
        self.carried[number] = Decision(decision.words, decision.drop), ""
        return Decision(back_to=decision.back_to, note=decision.note)

    def _carried(self, number: int, id_: str) -> Decision:
        """What a concept carries to the question with this id, as often as it is asked; the next one has nothing."""
        decision, of = self.carried.get(number, (Decision(), ""))
        if of and of != id_:
            del self.carried[number]
            return Decision()
        if decision != Decision():
            self.carried[number] = decision, id_
        return decision

    def marks(self, numbers: Container[int]) -> list[str]:
        """Marks of decisions about these concepts that are in no snapshot yet."""
        return [mark for mark, (number, _) in self.taken.items() if number in numbers]

    def kept(self, numbers: Container[int]) -> None:
        """Remove decisions about these concepts: a snapshot holds them now, or the concepts are stored."""
        done = self.marks(numbers)
        self._remove(done)
        self.taken = {mark: of for mark, of in self.taken.items() if mark not in done}

    def too_late(self, numbers: Sequence[int]) -> dict[int, str]:
        """Take decisions about finished concepts; return a note for each such concept."""
        late = [each for each in queued(self.folder) if each.number in numbers and each.mark not in self.taken]
        self.taken |= {each.mark: (each.number, "") for each in late}
        return {each.number: f"{TOO_LATE}: nothing is added at the end" for each in late}

    def _answer(self, number: int, id_: str, proposal: Proposal) -> Decision | None:
        """Ask the page, and wait for the answer."""
        answers = self._answers(number, id_, proposal.step)
        if proposal.problem:  # these could not be followed
            self._remove([answer.mark for answer in answers])
            answers = []
        if not answers:
            drawn = [(picture, proposal.request, proposal.step) for picture in proposal.images[:1]]
            image = keep_picture(self.folder, *drawn[0]).name if drawn else None
            told = {
                "id": id_,
                "token": secrets.token_hex(4),
                "number": number,
                "step": proposal.step,
                "words": list(proposal.words),
                "negatives": [[negative.word, negative.by] for negative in proposal.negatives],
                "note": proposal.note,
                "earlier": list(proposal.earlier),
                "problem": proposal.problem,
                "image": image,
            }
            content = json.dumps(told, ensure_ascii=False).encode(errors="replace")
            write_atomically(self.folder / QUESTION, content, within=self.folder)
            try:
                while not answers:
                    self.wait()
                    time.sleep(BETWEEN)
                    answers = self._answers(number, id_, proposal.step)
            finally:
                _unlink(self.folder / QUESTION)
        self.taken |= {answer.mark: (number, id_) for answer in answers}
        return answers[-1].decision

    def _answers(self, number: int, id_: str, step: int) -> list[Queued]:
        """Answers to a question that were not taken before."""
        waiting = [each for each in queued(self.folder) if each.number == number and each.answers(id_, step)]
        return [each for each in waiting if self.taken.get(each.mark, (number, id_)) == (number, id_)]

    def _remove(self, marks: Sequence[str]) -> None:
        for mark in marks:
            if _FILE.fullmatch(mark):
                _unlink(self.folder / STEER / mark)


def _read(file: Path) -> Queued | None:
    if not _FILE.fullmatch(file.name):
        return None
    try:
        told: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        step, back_to = (None if told[name] is None else int(told[name]) for name in ("step", "back_to"))
        decision = Decision(tuple(map(str, told["words"])), tuple(map(str, told["drop"])), back_to)
        question = told.get("question")
        return Queued(file.name, int(told["number"]), step, decision, None if question is None else str(question))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _unlink(file: Path) -> None:
    with suppress(OSError):
        file.unlink(missing_ok=True)
