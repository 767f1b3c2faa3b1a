"""ConceptLab (arXiv 2308.02669): requests in, concepts out, as one batch.

A segment consists of steps (core/step.py). Between two segments (core/segments.py), concepts are measured on the fixed
panel, drawn and named, get a new negative, and are checkpointed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from core.concept import Concept, Request, RequestError, concept_id
from core.constraints import penalty_of
from core.metrics import consistency, membership, scores, similarities
from core.namers import naming
from core.options import Options
from core.progress import watched
from core.segments import Course, Event, Looker
from core.settings import MOST_AT_ONCE, Settings
from core.snapshot import SnapshotError, ids_of, pack, unpack
from core.stack.fingerprint import check_made_on
from core.stack.transfer import sent
from core.stack.wordbank import EncodeText, WordBank
from core.state import State, initial_state, make_constraints
from core.step import Step, check_losses, in_text_space, make_step

# Steps that the device may be ahead of the check for losses that are not numbers.
UNREAD = 25
DEFAULT = Options()


@dataclass(frozen=True)
class Report:
    """Progress after a step, or at the boundary of a segment, with an event for each concept.

    step of steps: over all requests. losses [requests]: of this step, NaN for idle requests; on the device, which may
    be some steps behind, so reading them waits. batch: the ids of the requests that learn side by side.
    finished: the concepts of a batch that ends with this report, by the ids of their requests; a person's decisions
    give a concept another id. concepts: all of them, in the order of the requests, only in the last report. snapshot:
    at a boundary, gives the bytes from which `learn` resumes after a kill; call it before the next report, with the
    `marks` of `snapshot.pack` if there are any.
    """

    step: int
    steps: int
    losses: Tensor
    events: tuple[Event, ...] = ()
    finished: Mapping[str, Concept] = field(default_factory=dict)
    concepts: tuple[Concept, ...] = ()
    snapshot: Callable[..., bytes] | None = None
    batch: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        """Text for people; empty between two boundaries."""
        return "\n".join(event.message for event in self.events)


class Learner(Protocol):
    """Learns requests on a stack: `ConceptLab` in this process, `evolve.workers.pool.Workers` in several."""

    @property
    def stack(self) -> Any: ...

    @property
    def at_once(self) -> int:
        """How many requests make a batch at most, where options do not say."""

    @property
    def threads(self) -> int | None:
        """Processor threads of a worker; None for those of this process."""

    def prepared(self, request: Request, options: Options = ..., /) -> Request:
        """The request with the settings it will be learned with, checked against the stack."""

    def concept_id(self, request: Request, options: Options = ..., /) -> str:
        """The id of a prepared request: of the concept that the request alone gives."""

    def learn(
        self, requests: Sequence[Request], options: Options = ..., snapshots: Sequence[bytes] = ..., /
    ) -> Generator[Report, None, None]:
        """Reports of progress; the last one has the concepts. snapshots: of batches to resume."""


class ConceptLab:
    """Learns concepts on a stack, in this process.

    encode_constraints: another encoder of the constraint words, prompts → [n, width].
    """

    threads: int | None = None

    def __init__(self, stack: Any, encode_constraints: EncodeText | None = None) -> None:
        self.stack = stack
        self.bank = WordBank(encode_constraints or stack.encode_text, stack.width)
        # The authors' code encodes its constraints with another encoder, if the stack has it; measuring uses one.
        other = encode_constraints is None and getattr(stack, "multilingual", False)
        self._published = WordBank(stack.encode_multilingual, stack.width) if other else self.bank

    def run(
        self, requests: Sequence[Request], options: Options = DEFAULT, progress: bool | None = None
    ) -> list[Concept]:
        """The concepts of `requests`, in their order.

        progress: show a line of progress on stderr; by default only if stderr is a terminal.
        """
        concepts: tuple[Concept, ...] = ()
        for report in watched(self.learn(requests, options), progress):
            concepts = report.concepts
        return list(concepts)

    def learn(
        self, requests: Sequence[Request], options: Options = DEFAULT, snapshots: Sequence[bytes] = ()
    ) -> Generator[Report, None, None]:
        """Reports of progress; the last one has the concepts.

        Requests that cannot share a batch (another preset, k, or number of prior steps, or more than `at_once`)
        are learned one batch after the other. The batches depend on the requests alone.

        snapshots: of some of these batches, which then resume and give the same concepts. A snapshot of
        another batch, or one that cannot be read, is ignored.
        """
        requests = [self.prepared(request, options) for request in requests]
        ids = [self.concept_id(request, options) for request in requests]
        steps = total_steps(requests, options.at_once)
        done = before = 0
        concepts: dict[int, Concept] = {}
        none = torch.full((len(requests),), torch.nan)
        losses = none
        for batch in batches_of(requests, options.at_once):
            courses = [Course(requests[i], ids[i]) for i in batch]
            batch_ids = tuple(ids[i] for i in batch)
            for state, batch_losses, events, finished in self._learn_batch(courses, options, snapshots):
                if batch_losses is not None:
                    rows = sent(torch.tensor(batch), batch_losses.device)
                    losses = none.to(batch_losses).index_copy(0, rows, batch_losses)
                    done = before + _done_of(state)
                if finished:
                    done = before + max(requests[i].chosen.steps for i in batch)  # also where all were done early
                    concepts |= dict(zip(batch, finished, strict=True))
                last = len(concepts) == len(requests)
                in_order = tuple(concepts[i] for i in range(len(requests))) if last else ()
                save = partial(pack, state, courses, batch_ids) if events and not finished else None
                by_id = dict(zip(batch_ids, finished, strict=True)) if finished else {}
                yield Report(min(done, steps), steps, losses, events, by_id, in_order, save, batch_ids)
            before += max(requests[i].chosen.steps for i in batch)

    @property
    def at_once(self) -> int:
        return MOST_AT_ONCE

    def prepared(self, request: Request, options: Options = DEFAULT) -> Request:
        """The request with the settings it will be learned with, checked against this stack."""
        stack = self.stack
        if request.settings is None:
            mixing = bool(request.mixed)
            between = request.initializer is not None
            settings = options.settings or Settings.for_stack(
                stack, kind=request.kind, mixing=mixing, category=request.category, between=between
            )
            request = replace(request, settings=settings)
        self._check_stack(request)
        for name, _ in request.constraints:
            penalty_of(name)
        words = list(request.words)
        if request.start is None:
            words.append(request.initializer or request.category)
        for word in words:
            if word and not stack.knows(word):
                raise RequestError(f"the stack {stack.version} does not know the word {word!r}: choose another")
        if (
            request.schedule == "adaptive"
            and not stack.vocabulary.members(request.category, request.kind)
            and not options.namer_on(stack)
        ):
            raise RequestError(
                f"adaptive negatives need a namer or a vocabulary, and the stack {stack.version} has neither:"
                " give a namer or words"
            )
        return request

    def _check_stack(self, request: Request) -> None:
        stack = self.stack
        check_made_on(f"the request for {request.category!r}", "", request.fingerprint, stack)
        embeds = [(p.id, p.image_embeds) for p in request.parents] + [(a.id, a.image_embed) for a in request.avoid]
        for name, embed in embeds + ([("start", request.start)] if request.start is not None else []):
            if embed.shape[-1] != stack.width:
                raise RequestError(
                    f"{name!r} is {embed.shape[-1]} wide, the stack {stack.version} {stack.width}:"
                    " use the stack it was learned on"
                )

    def concept_id(self, request: Request, options: Options = DEFAULT, decisions: Sequence[str] = ()) -> str:
        """The id of the concept that a prepared request gives here. decisions: a person's, made while it learns."""
        fingerprint, named = self.stack.fingerprint, ""
        if self._constraints_of(request.chosen) is not self.bank:
            fingerprint += self.stack.multilingual_fingerprint
        if request.schedule == "adaptive":
            words = self.stack.vocabulary.members(request.category, request.kind)
            namer = options.namer_on(self.stack, greedy=bool(request.chosen.as_coded))
            named = naming(self.stack, namer, options.images, words)
        return concept_id(request, fingerprint, decisions, named)

    def _constraints_of(self, settings: Settings) -> WordBank:
        """The encoder of the words that concepts are pulled to and pushed from."""
        return self._published if settings.preset == "published" else self.bank

    def make_step(self, settings: Settings, text_space: bool) -> Step:
        """The step of a batch whose requests agree in `settings.together()`."""
        return make_step(self.stack, settings, text_space)

    def start(self, request: Request) -> Tensor:
        """The vectors [k, d] where a concept starts: as given, or k times the mean of the initialiser's tokens."""
        if request.start is not None:
            return torch.from_numpy(request.start.copy())
        word = request.initializer or request.category
        first = {"first": True} if request.settings is not None and request.settings.as_coded else {}
        return self.stack.word_vector(word, **first).expand(request.tokens, -1)

    def _learn_batch(
        self, courses: Sequence[Course], options: Options, snapshots: Sequence[bytes]
    ) -> Iterator[tuple[State, Tensor | None, tuple[Event, ...], tuple[Concept, ...]]]:
        """(state, losses, events, concepts once all are finished) after each step and boundary of one batch."""
        requests = [course.request for course in courses]
        settings = requests[0].chosen
        step = self.make_step(settings, in_text_space(requests[0]))
        dtype = torch.promote_types(self.stack.dtype, torch.float32)
        vectors = torch.stack([self.start(r).to(self.stack.device, dtype) for r in requests])
        state = initial_state(requests, vectors, [course.words for course in courses], self._constraints_of(settings))
        adaptive = any(request.schedule == "adaptive" for request in requests)
        namer = options.namer_on(self.stack, greedy=bool(settings.as_coded)) if adaptive else None
        looker = Looker(self.stack, self.bank, options, namer)
        restored, problem = _restored(snapshots, state, courses)
        if restored is not None:
            state = self._constrained(restored, courses)
        else:
            state, events = self._look(looker, state, courses, range(len(requests)))
            if problem:
                events = tuple(replace(each, note="; ".join(filter(None, [problem, each.note]))) for each in events)
            yield state, None, events, ()
        unread: list[tuple[State, Tensor]] = []
        while active := state.active:
            began = time.perf_counter()
            before, (state, losses) = state, step(state)
            unread.append((before, losses))
            pending = [i for i in active if state.step[i] % settings.segment == 0 or state.step[i] == state.steps[i]]
            drafts = [i for i in active if i not in pending and state.step[i] in options.drafts]
            if pending or drafts or len(unread) == UNREAD:
                check_losses(unread)
                unread = []
            for i in active:
                courses[i].seconds += (time.perf_counter() - began) / len(active)
            if not pending:
                yield state, losses, (), ()
                for i in drafts:  # one by one: drawing is slow, and a person waits for the first
                    yield state, None, (looker.draft(state, courses[i], i),), ()
                continue
            state, events = self._look(looker, state, courses, pending)
            yield state, losses, events, () if state.active else self._concepts(courses, options)
        if not max(state.steps):
            yield state, None, (), self._concepts(courses, options)

    def _look(
        self, looker: Looker, state: State, courses: Sequence[Course], rows: Sequence[int]
    ) -> tuple[State, tuple[Event, ...]]:
        began = time.perf_counter()
        state, events = looker.look(state, courses, rows)
        state = self._constrained(state, courses)
        for i in rows:
            courses[i].seconds += (time.perf_counter() - began) / len(rows)
        return state, events

    def _constrained(self, state: State, courses: Sequence[Course]) -> State:
        """The state with the constraints that its courses have by now."""
        words, bank = [course.words for course in courses], self._constraints_of(state.requests[0].chosen)
        return replace(state, constraints=make_constraints(state.requests, words, bank, state.vectors))

    def _concepts(self, courses: Sequence[Course], options: Options) -> tuple[Concept, ...]:
        return tuple(self._concept(course, options) for course in courses)

    def _concept(self, course: Course, options: Options) -> Concept:
        """The best or the last checkpoint, by the request's settings, as a Concept.

        All checkpoints are scored against the negatives of the end: otherwise an early one
        would win because it had few.
        """
        request, words = course.request, course.words
        judged = [
            scores(request, similarities(request, checkpoint.imagined, words, self.bank), words)
            for checkpoint in course.checkpoints
        ]
        last = len(judged) - 1
        # The start is only the category's word: it is kept only if nothing was learned.
        best = max(range(min(1, last), last + 1), key=lambda i: (judged[i]["score"], i))
        place = best if request.chosen.keep == "best" else last
        kept = course.checkpoints[place]
        member = membership(request, kept.imagined, self.bank, self._known_members(request), words)
        return Concept(
            id=self.concept_id(request, options, course.decisions),
            request=request,
            vectors=kept.vectors.cpu().numpy(),
            image_embed=kept.imagined.flatten(0, 2).mean(0).float().cpu().numpy(),
            negatives=tuple(course.negatives),
            history=tuple(course.history),
            kept_step=kept.step,
            scores={**judged[place], **member, "consistency": float(consistency(kept.imagined))},
            fingerprint=self.stack.fingerprint,
            version=self.stack.version,
            steps=course.checkpoints[last].step,
            seconds=course.seconds,
        )

    def _known_members(self, request: Request) -> Sequence[str]:
        """Members of the category to compare a concept with: as many as are encoded by now, or soon."""
        if request.schedule == "adaptive" or self.stack.vocabulary.lists(request.category, request.kind):
            return self.stack.vocabulary.members(request.category, request.kind)
        return ()  # encoding the whole vocabulary only for this takes seconds


def _restored(snapshots: Sequence[bytes], state: State, courses: Sequence[Course]) -> tuple[State | None, str]:
    """(the state in the first snapshot of this batch, ""), or (None, a note on an unreadable snapshot or "").

    With None, the courses are unchanged.
    """
    ids, problem = [course.id for course in courses], ""
    for snapshot in filter(None, snapshots):
        try:
            if ids_of(snapshot) == ids:
                return unpack(snapshot, state, courses), ""
        except SnapshotError:
            problem = "its snapshot cannot be read, so it starts again"
    return None, problem


def _done_of(state: State) -> int:
    """Steps of a batch that are done: all but those that the row furthest from its end has left."""
    of = max(request.chosen.steps for request in state.requests)
    return of - max(of_row - done for done, of_row in zip(state.step, state.steps, strict=True))


def total_steps(requests: Sequence[Request], at_once: int | None = None) -> int:
    """The steps of these prepared requests; those of a batch are taken side by side."""
    return sum(max(requests[i].chosen.steps for i in batch) for batch in batches_of(requests, at_once))


def batches_of(requests: Sequence[Request], at_once: int | None = None) -> list[list[int]]:
    """Which requests learn side by side, at most `at_once`, in the order of the first ones of their kind."""
    most = at_once or MOST_AT_ONCE
    groups: dict[tuple[Any, ...], list[int]] = {}
    for i, request in enumerate(requests):
        key = (request.chosen.together(), request.tokens, in_text_space(request))
        groups.setdefault(key, []).append(i)
    return [group[first : first + most] for group in groups.values() for first in range(0, len(group), most)]
