"""Between two segments of learning: measure, checkpoint, draw and name each concept, and add a negative by its schedule
(arXiv 2308.02669 §4.2), which a person may change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from core.concept import Measurement, Negative, Request
from core.errors import PromptError
from core.metrics import imagine_panel, nearest_words, similarities, word_similarity
from core.negatives import Answer, Choice, Namer, first_answer, ranked_answer
from core.options import Options
from core.prompts import drawn_for_question, question
from core.review import Decision, Proposal, ask
from core.stack.wordbank import WordBank
from core.state import State
from core.stopping import done_early
from core.streams import stream, stream_seed

PUBLISHED_SEEDS = (42, 500)  # of the authors' drawings; the question is about the first


@dataclass(frozen=True)
class Checkpoint:
    """A concept at a boundary, enough to resume from. imagined `[1, templates, seeds, width]`: on the fixed panel."""

    step: int
    vectors: Tensor
    exp_avg: Tensor
    exp_avg_sq: Tensor
    imagined: Tensor
    negatives: tuple[Negative, ...]  # before this boundary
    pool: tuple[str, ...]


@dataclass(frozen=True)
class Event:
    """One concept at a boundary.

    id: of its request, see `ConceptLab.concept_id`. similarities: on the panel, by constraint. draft: a look between
    two boundaries, which changes nothing. last: the concept is finished. steered: what a person decided, a line each.
    """

    id: str
    step: int
    request: Request
    similarities: dict[str, float]
    images: tuple[Any, ...] = ()
    answers: tuple[Answer, ...] = ()
    negatives: tuple[Negative, ...] = ()  # those added now
    all_negatives: tuple[Negative, ...] = ()  # those it has from now on
    note: str = ""
    draft: bool = False
    last: bool = False
    steered: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        found = ", ".join(f"{name} {value:.2f}" for name, value in self.similarities.items())
        added = "".join(f" + '{n.word}' (by {n.by})" for n in self.negatives)
        note = f": {self.note}" if self.note else ""
        return f"step {self.step}, {self.request.category} {self.request.seed}: {found}{added}{note}"


@dataclass
class Course:
    """One concept while it is learned: its negatives, checkpoints and measurements so far. id: of its request."""

    request: Request
    id: str = ""
    negatives: list[Negative] = field(default_factory=list)
    pool: list[str] = field(default_factory=list)
    checkpoints: list[Checkpoint] = field(default_factory=list)
    history: list[Measurement] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)
    steered: list[str] = field(default_factory=list)  # for people, since the process began
    seconds: float = 0.0

    def __post_init__(self) -> None:
        request = self.request
        if request.schedule == "gradual":
            order = stream(request.seed, 0, "pool").permutation(len(request.negatives))
            self.pool = [request.negatives[i] for i in order]
        else:
            self.negatives = [Negative(word, 0, "request") for word in request.negatives]

    @property
    def words(self) -> list[str]:
        return [negative.word for negative in self.negatives]

    def add(self, word: str, step: int, by: str, note: str = "") -> Negative:
        self.negatives.append(Negative(word, step, by, note))
        return self.negatives[-1]

    def measured(self, step: int, found: dict[str, float]) -> None:
        self.history += [Measurement(step, name, value) for name, value in found.items()]


@dataclass(frozen=True)
class Seen:
    """Drawings of a concept at a boundary, and its names; None if no name was asked for."""

    images: tuple[Any, ...] = ()
    answers: list[Answer] | None = None


class Looker:
    """Measures, draws, names and steers the concepts of a batch between segments.

    bank: embeds the words that concepts are measured by. namer: of the options, as found on the stack.
    """

    def __init__(self, stack: Any, bank: WordBank, options: Options, namer: Namer | None = None) -> None:
        self.stack = stack
        self.bank = bank
        self.options = options
        self.namer = namer

    @torch.no_grad()
    def look(self, state: State, courses: Sequence[Course], rows: Sequence[int]) -> tuple[State, tuple[Event, ...]]:
        """Measure, checkpoint, draw, ask and choose for the given rows; a person may send rows back."""
        imagined = self._imagined(state, rows)
        asked = [i for i in rows if self._asks(state, courses[i], i)]
        shown = [
            i for i in rows if self.options.draw or state.step[i] in self.options.drafts or (self.namer and i in asked)
        ]
        drawn = self._drawn(state, shown)
        answers = self._answers(state, asked, imagined, drawn)
        events = []
        for i in rows:
            course, step = courses[i], state.step[i]
            course.checkpoints.append(_checkpoint(state, i, course, imagined[i]))
            seen = Seen(tuple(drawn.get(i, ())), answers.get(i))
            note, before = "", len(course.steered)
            if step < state.steps[i] or self.options.review_last:
                state, seen, note = self._decide(state, i, course, seen)
            here = course.checkpoints[-1]  # the earlier one if the person went back
            found = similarities(course.request, here.imagined, course.words, self.bank)
            course.measured(here.step, found)
            early = "" if here.step != step or step == state.steps[i] else self._early(course)
            if early:
                state, note = state.ended(i), "; ".join(filter(None, [note, early]))
            events.append(
                Event(
                    id=course.id,
                    step=here.step,
                    request=course.request,
                    similarities=found,
                    images=seen.images,
                    answers=tuple(seen.answers or ()),
                    negatives=tuple(n for n in course.negatives if n not in here.negatives),
                    all_negatives=tuple(course.negatives),
                    note=note,
                    last=state.step[i] == state.steps[i],
                    steered=tuple(course.steered[before:]),
                )
            )
        return state, tuple(events)

    @torch.no_grad()
    def draft(self, state: State, course: Course, row: int) -> Event:
        """Draw and measure a row between two boundaries, for people; learning does not depend on it."""
        imagined = self._imagined(state, [row])[row]
        return Event(
            id=course.id,
            step=state.step[row],
            request=course.request,
            similarities=similarities(course.request, imagined, course.words, self.bank),
            images=tuple(self._drawn(state, [row])[row]),
            all_negatives=tuple(course.negatives),
            draft=True,
        )

    def _asks(self, state: State, course: Course, row: int) -> bool:
        """Whether the namer is asked: if adaptive, after each segment but the last, and at the start if no negative is
        given (§2).
        """
        adaptive = course.request.schedule == "adaptive" and state.step[row] < state.steps[row]
        return adaptive and (state.step[row] > 0 or not course.negatives)

    def _early(self, course: Course) -> str:
        """Reason to stop before the last step, or ""; uses checkpoints since the constraints last changed."""
        request, words = course.request, course.words
        if not request.chosen.patience:
            return ""
        looks = []
        for checkpoint in reversed(course.checkpoints):
            if [negative.word for negative in checkpoint.negatives] != words:
                break
            looks.append(similarities(request, checkpoint.imagined, words, self.bank))
        return done_early(request, looks[::-1], words, len(course.pool))

    def _imagined(self, state: State, rows: Sequence[int]) -> dict[int, Tensor]:
        found: dict[int, Tensor] = {}
        for kind in dict.fromkeys(state.requests[i].kind for i in rows):
            of_kind = [i for i in rows if state.requests[i].kind == kind]
            imagined = imagine_panel(self.stack, kind, state.vectors[of_kind])
            found |= {i: imagined[place : place + 1] for place, i in enumerate(of_kind)}
        return found

    def _drawn(self, state: State, rows: Sequence[int]) -> dict[int, list[Any]]:
        """Drawings for the question, with the same noise at every segment so that the change of the concept shows."""
        if not rows:
            return {}
        names = {i: f"<concept-{i}>" for i in rows}
        prompts, seeds = [], []
        for i in rows:
            request = state.requests[i]
            prompt = drawn_for_question(request.kind, request.chosen.preset).format(names[i])
            prompts += [prompt] * self.options.images
            seeds += seeds_of_drawings(request, self.options.images)
        settings = state.requests[rows[0]].chosen
        embeds = self.stack.imagine(
            prompts,
            vectors={names[i]: state.vectors[i] for i in rows},
            seeds=seeds,
            steps=settings.prior_steps,
            guidance_scale=settings.guidance_scale,
            at_name=bool(settings.as_coded),
        )
        pictures = self.stack.draw(embeds, seeds=seeds)
        return {
            i: pictures[place * self.options.images : (place + 1) * self.options.images] for place, i in enumerate(rows)
        }

    def _answers(
        self, state: State, rows: Sequence[int], imagined: dict[int, Tensor], drawn: dict[int, list[Any]]
    ) -> dict[int, list[Answer]]:
        """Names of each concept: from the namer, one call for each question, or the nearest words of the vocabulary."""
        found: dict[int, list[Answer]] = {}
        if self.namer is None:
            for i in rows:
                request = state.requests[i]
                found[i] = nearest_words(imagined[i], self.bank, self.stack, request.kind, request.category)[0]
            return found
        asked: dict[str, list[int]] = {}
        for i in rows:
            request = state.requests[i]
            asked.setdefault(question(request.kind, request.category, request.chosen.preset), []).append(i)
        for text, of in asked.items():
            each = self.namer([image for i in of for image in drawn[i]], text)
            for place, i in enumerate(of):
                answers = [
                    a for image in each[place * self.options.images : (place + 1) * self.options.images] for a in image
                ]
                found[i] = sorted(answers, key=lambda answer: -answer[1]) if self.options.images > 1 else answers
        return found

    def _seen_again(self, state: State, course: Course, row: int, imagined: Tensor) -> Seen:
        """Drawings and answers of a row that was put back, as they were there."""
        asked = [row] if self._asks(state, course, row) else []
        shown = self.options.draw or state.step[row] in self.options.drafts or (self.namer and asked)
        drawn = self._drawn(state, [row] if shown else [])
        answers = self._answers(state, asked, {row: imagined}, drawn)
        return Seen(tuple(drawn.get(row, ())), answers.get(row))

    def _proposed(self, course: Course, imagined: Tensor, answers: list[Answer] | None) -> tuple[Choice, str]:
        """(the next negative by the schedule, its source)"""
        request, settings = course.request, course.request.chosen
        if course.pool:
            return Choice(course.pool[0]), "request"
        if answers is None:
            return Choice(None), ""
        by = self.namer.name if self.namer else "vocabulary"
        if settings.answers == "first":
            # A set of constraints has no repeats (§4.1); the authors' list does.
            how = {"repeat": settings.preset == "published", "as_coded": bool(settings.as_coded)}
            choice = first_answer(answers, course.words, **how)
            try:
                if choice.word:
                    self.bank.panel(request.kind, choice.word)
            except PromptError:
                choice = Choice(None, f"'{choice.word}' is too long for a prompt")
            return choice, by

        def measure(words: Sequence[str]) -> list[float]:
            return word_similarity(imagined, self.bank.panels(request.kind, words))[0].tolist()

        choice = ranked_answer(
            answers if self.namer else [],  # without a namer the vocabulary proposes
            measure,
            settings.min_cosine,
            request.category,
            taken=[*course.words, *(p.word for p in request.positives)],
            vocabulary=self.stack.vocabulary.members(request.category, request.kind),
            known=self.stack.knows,
        )
        return choice, "vocabulary" if choice.replaced else by

    def _decide(self, state: State, row: int, course: Course, seen: Seen) -> tuple[State, Seen, str]:
        """Add the proposed negative, or follow the person's decision; a person who goes back is asked again there. At
        the last boundary only going back is followed.

        Returns (state, drawings and answers at its step, note for the event).
        """
        told: list[str] = []
        given: Decision | None = None  # with going back: the answer there
        while True:
            here = course.checkpoints[-1]
            last = here.step == state.steps[row]
            choice, by = (Choice(None), "") if last else self._proposed(course, here.imagined, seen.answers)
            words = (choice.word,) if choice.word else ()
            decision, untold = (given, "") if given else self._ask(course, words, choice.note, seen, last)
            if last and (decision is None or decision.back_to is None):
                return state, seen, untold
            if course.pool:
                course.pool.pop(0)  # proposed once, even if refused
            if decision is None:
                for word in words:
                    course.add(word, here.step, by, choice.note)
                return state, seen, "; ".join(filter(None, [*told, choice.note, untold]))
            if given is None:
                course.decisions.append(
                    f"{here.step} {sorted(decision.drop)} {list(decision.words)} {decision.back_to}"
                )
            if decision.back_to is None or given:
                proposed = () if given else words
                told.append(_follow(course, decision, proposed, here.step, by, choice.note))
                return state, seen, "; ".join(filter(None, [*told, untold]))
            course.steered.append(f"at step {here.step} sent back to step {decision.back_to}")
            state = _back(state, row, course, decision.back_to)
            seen = self._seen_again(state, course, row, course.checkpoints[-1].imagined)
            told += filter(None, [untold, f"back to step {decision.back_to}"])
            given = decision if decision.words or decision.drop else None

    def _ask(
        self, course: Course, words: tuple[str, ...], note: str, seen: Seen, last: bool
    ) -> tuple[Decision | None, str]:
        """The person's decision at the last checkpoint, as `core.review.ask` returns it."""
        if self.options.review is None:
            return None, ""
        proposal = Proposal(
            id=course.id,
            step=course.checkpoints[-1].step,
            request=course.request,
            words=words,
            negatives=tuple(course.negatives),
            images=seen.images,
            answers=tuple(seen.answers or ()),
            note=note,
            decided=len(course.decisions),
            last=last,
        )
        earlier = {checkpoint.step: checkpoint.negatives for checkpoint in course.checkpoints[:-1]}
        return ask(self.options.review, proposal, earlier, self.stack)


def _back(state: State, row: int, course: Course, step: int) -> State:
    """Restore the row and its course at an earlier boundary; discard all later steps and measurements."""
    course.checkpoints = [each for each in course.checkpoints if each.step <= step]
    checkpoint = course.checkpoints[-1]
    course.negatives, course.pool = list(checkpoint.negatives), list(checkpoint.pool)
    course.history = [m for m in course.history if m.step < step]  # that step is measured again
    return state.with_row(row, checkpoint.vectors, checkpoint.exp_avg, checkpoint.exp_avg_sq, step)


def seeds_of_drawings(request: Request, images: int) -> list[int]:
    """The seeds of the drawings that a question is about, the same at every boundary; in `published` the authors'."""
    own = [stream_seed(request.seed, number, "drawing") for number in range(images)]
    return [*PUBLISHED_SEEDS, *own][:images] if request.chosen.as_coded else own


def _checkpoint(state: State, row: int, course: Course, imagined: Tensor) -> Checkpoint:
    tensors = (state.vectors[row], state.exp_avg[row], state.exp_avg_sq[row], imagined)
    return Checkpoint(state.step[row], *tensors, tuple(course.negatives), tuple(course.pool))


def _follow(course: Course, decision: Decision, proposed: Sequence[str], step: int, by: str, note: str) -> str:
    """Drop and add words as a person decided; return a note about it."""
    told = []
    for word in decision.drop:
        course.negatives = [n for n in course.negatives if n.word != word]
        told.append(f"'{word}' dropped by the user")
        course.steered.append(f"at step {step} negative dropped: {word}")
    for word in decision.words:
        if word in proposed:
            course.add(word, step, by, note)
        else:
            instead = f"instead of {', '.join(proposed)}" if proposed else ""
            course.add(word, step, "user", instead)
            course.steered.append(f"at step {step} negative added: {word}")
    refused = [word for word in proposed if word not in decision.words]
    told += [f"'{word}' refused by the user" for word in refused]
    course.steered += [f"at step {step} negative refused: {word}" for word in refused]
    return "; ".join(told)
