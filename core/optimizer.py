"""ConceptLab (arXiv 2308.02669): requests in, concepts out, as one batch.

The loop goes by segments. Inside a segment there are only steps (core/step.py). Between two segments the
concepts are looked at (core/segments.py): measured on the fixed panel, drawn, named, given a new negative,
checkpointed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from core.concept import Concept, Request, RequestError, concept_id
from core.errors import StackError
from core.metrics import consistency, membership, scores, similarities
from core.negatives import Namer
from core.progress import watched
from core.review import Review
from core.segments import Event, Learner, Looker
from core.settings import Settings
from core.snapshot import SnapshotError, ids_of, pack, unpack
from core.stack.transfer import sent
from core.stack.wordbank import EncodeText, WordBank, lists, members
from core.state import State, initial_state, make_constraints
from core.step import Step, check_losses, in_text_space, make_step

# How many learn side by side at most. Reading the weights is then shared by many rows (§5.6 of docs/design.md), while
# memory stays bounded whatever is asked for, and a stop costs no more than one batch.
MOST_AT_ONCE = 32
# Steps that a device may be behind, and so how late one learns that a loss is no longer a number.
UNREAD = 25


@dataclass(frozen=True)
class Report:
    """Progress after a step, or at the boundary of a segment, where `events` say what happened to each
    concept.

    step of steps: over all requests. losses [requests]: of this step, NaN for those that rest; on the device, which may
    be some steps behind: to read them is to wait for it. finished: the concepts of a batch that is done with this
    report. concepts: all of them, in the order of the requests, only in the last report. snapshot: at a boundary, gives
    what `learn` goes on from after a kill; to be called before the next report, with the `marks` of `snapshot.pack` if
    there are any. batch: which requests it is of, those that learn side by side.
    """

    step: int
    steps: int
    losses: Tensor
    events: tuple[Event, ...] = ()
    finished: tuple[Concept, ...] = ()
    concepts: tuple[Concept, ...] = ()
    snapshot: Callable[..., bytes] | None = None
    batch: tuple[int, ...] = ()

    @property
    def message(self) -> str:
        """What a person may want to read: nothing between two segments."""
        return "\n".join(event.message for event in self.events)


class ConceptLab:
    """Learns concepts on a stack.

    settings: for requests that have none; by default what is calibrated for the stack. namer: who names
    negatives for `adaptive` requests (core/negatives.py); by default the nearest word of the stack's
    vocabulary, without drawing. draw: whether to draw the concepts at each boundary (a namer's drawings are
    made in any case). review: asked about each new negative; see `core/review.py`. encode_constraints: another
    encoder of the constraint words, prompts → [n, width]. images: how many drawings of a concept a namer is asked
    about, whose answers are taken together, the surest first. drafts: steps after which concepts are drawn too, be it
    in the midst of a segment, for people to look at; what is learned does not depend on it. at_once: how many learn
    side by side at most, by default MOST_AT_ONCE.
    """

    def __init__(
        self,
        backbone: Any,
        settings: Settings | None = None,
        namer: Namer | None = None,
        draw: bool = True,
        review: Review | None = None,
        encode_constraints: EncodeText | None = None,
        images: int = 1,
        drafts: Sequence[int] = (),
        at_once: int | None = None,
    ) -> None:
        if at_once is not None and (type(at_once) is not int or at_once < 1):
            raise RequestError(f"at_once = {at_once!r}: expected a whole number of at least 1")
        if not isinstance(images, int) or isinstance(images, bool) or images < 1:
            raise RequestError(f"images = {images!r}: expected a whole number of at least 1")
        self.backbone = backbone
        self.settings = settings
        self.drafts = frozenset(drafts)
        self.at_once = at_once
        self.bank = WordBank(encode_constraints or backbone.encode_text, backbone.width)
        # The authors' code holds its constraints in another encoder, where a stack has it; all is measured in one.
        other = encode_constraints is None and getattr(backbone, "multilingual", False)
        self._published = WordBank(backbone.encode_multilingual, backbone.width) if other else self.bank
        self.looker = Looker(backbone, self.bank, namer, draw, review, images, self.drafts)

    def run(self, requests: Sequence[Request], progress: bool | None = None) -> list[Concept]:
        """The concepts of `requests`, in their order.

        progress: whether stderr says how far it is; by default only if stderr is a terminal.
        """
        concepts: tuple[Concept, ...] = ()
        for report in watched(self.learn(requests), progress):
            concepts = report.concepts
        return list(concepts)

    def learn(self, requests: Sequence[Request], *snapshots: bytes) -> Iterator[Report]:
        """Reports of progress; the last one has the concepts.

        Requests that cannot share a batch (another preset, k, or number of prior steps, or more than `at_once`)
        are learned one batch after the other; which do depends on the requests alone.

        snapshots: of some of these batches, which then go on from there, to the very concepts that they would have
        given. One of another batch, or one that cannot be read, is as good as none: it only saves time.
        """
        requests = [self.prepared(request) for request in requests]
        batches = batches_of(requests, self.at_once)
        steps = total_steps(requests, self.at_once)
        done = before = 0
        concepts: dict[int, Concept] = {}
        none = torch.full((len(requests),), torch.nan)
        losses = none
        for batch in batches:
            learners = [Learner(requests[i], i) for i in batch]
            ids = [self.concept_id(requests[i]) for i in batch]
            for state, found, events, finished in self._learn_batch(learners, ids, snapshots):
                if found is not None:
                    losses = none.to(found).index_copy(0, sent(torch.tensor(batch), found.device), found)
                    done = max(done + 1, before + max(state.step))  # the latter where it goes on from a snapshot
                if finished:
                    done = before + max(requests[i].chosen.steps for i in batch)  # also where all were done early
                    concepts |= dict(zip(batch, finished, strict=True))
                last = len(concepts) == len(requests)
                in_order = tuple(concepts[i] for i in range(len(requests))) if last else ()
                save = partial(pack, state, learners, ids) if events and not finished else None
                yield Report(min(done, steps), steps, losses, events, finished, in_order, save, tuple(batch))
            before += max(requests[i].chosen.steps for i in batch)

    def prepared(self, request: Request) -> Request:
        """The request with the settings it will be learned with, checked against this stack."""
        if request.settings is None:
            mixing = bool(request.mixed)
            settings = self.settings or Settings.for_stack(
                self.backbone, kind=request.kind, mixing=mixing, category=request.category
            )
            request = replace(request, settings=settings)
        self._check_stack(request)
        words = [p.word for p in request.positives] + list(request.negatives)
        if request.start is None:
            words.append(request.initializer or request.category)
        for word in words:
            if word and not self.backbone.knows(word):
                raise RequestError(f"the stack {self.backbone.version} does not know the word {word!r}: choose another")
        words_of = members(self.backbone, request.category, request.kind)
        if request.schedule == "adaptive" and not self.looker.namer and not words_of:
            raise RequestError(
                f"nobody can name negatives, the stack {self.backbone.version} has no vocabulary: give a namer or words"
            )
        return request

    def _check_stack(self, request: Request) -> None:
        backbone = self.backbone
        if request.fingerprint and request.fingerprint != backbone.fingerprint:
            raise StackError(
                f"a request's parents were learned on the stack with the fingerprint {request.fingerprint}, and"
                f" {backbone.where!r} is {backbone.version} ({backbone.fingerprint}): load the one they were learned on"
            )
        embeds = [(p.id, p.image_embeds) for p in request.parents] + [(a.id, a.image_embed) for a in request.avoid]
        for name, embed in embeds + ([("start", request.start)] if request.start is not None else []):
            if embed.shape[-1] != backbone.width:
                raise RequestError(
                    f"{name!r} is {embed.shape[-1]} wide, the stack {backbone.version} {backbone.width}:"
                    " use the stack it was learned on"
                )

    def concept_id(self, request: Request, decisions: Sequence[str] = ()) -> str:
        """The id of the concept that a prepared request gives here, with what a person decides while it learns."""
        learns = self.backbone.fingerprint
        if self._constraints_of(request.chosen) is not self.bank:
            learns += self.backbone.multilingual_fingerprint
        return concept_id(request, learns, decisions, self.looker.naming(request))

    def _constraints_of(self, settings: Settings) -> WordBank:
        """What encodes the words that concepts are pulled to and pushed from."""
        return self._published if settings.preset == "published" else self.bank

    def make_step(self, settings: Settings, text_space: bool) -> Step:
        """What a step is here: for a batch whose requests agree in `settings.together()`."""
        return make_step(self.backbone, settings, text_space)

    def start(self, request: Request) -> Tensor:
        """Where a concept's vectors [k, d] start: as given, or k times the mean of the initialiser's token
        vectors.
        """
        if request.start is not None:
            return torch.from_numpy(request.start.copy())
        return self.backbone.word_vector(request.initializer or request.category).expand(request.tokens, -1)

    def _learn_batch(
        self, learners: Sequence[Learner], ids: Sequence[str], snapshots: Sequence[bytes]
    ) -> Iterator[tuple[State, Tensor | None, tuple[Event, ...], tuple[Concept, ...]]]:
        """(state, losses, events, concepts once all are finished) after each step and boundary of one batch."""
        requests = [learner.request for learner in learners]
        settings = requests[0].chosen
        step = self.make_step(settings, in_text_space(requests[0]))
        dtype = torch.promote_types(self.backbone.dtype, torch.float32)
        vectors = torch.stack([self.start(r).to(self.backbone.device, dtype) for r in requests])
        state = initial_state(
            requests, vectors, [learner.words for learner in learners], self._constraints_of(settings)
        )
        restored, problem = _restored(snapshots, state, learners, ids)
        if restored is not None:
            state = self._constrained(restored, learners)
        else:
            state, events = self._look(state, learners, range(len(requests)))
            if problem:
                events = tuple(replace(each, note="; ".join(filter(None, [problem, each.note]))) for each in events)
            yield state, None, events, ()
        unread: list[tuple[State, Tensor]] = []
        while active := state.active:
            began = time.perf_counter()
            before, (state, losses) = state, step(state)
            unread.append((before, losses))
            pending = [i for i in active if state.step[i] % settings.segment == 0 or state.step[i] == state.steps[i]]
            drafts = [i for i in active if i not in pending and state.step[i] in self.drafts]
            if pending or drafts or len(unread) == UNREAD:
                check_losses(unread)
                unread = []
            for i in active:
                learners[i].seconds += (time.perf_counter() - began) / len(active)
            if not pending:
                yield state, losses, (), ()
                for i in drafts:  # one by one: drawing takes long, and somebody waits for the first
                    yield state, None, (self.looker.draft(state, learners[i], i),), ()
                continue
            state, events = self._look(state, learners, pending)
            yield state, losses, events, () if state.active else tuple(map(self._concept, learners))
        if not max(state.steps):
            yield state, None, (), tuple(map(self._concept, learners))

    def _look(self, state: State, learners: Sequence[Learner], rows: Sequence[int]) -> tuple[State, tuple[Event, ...]]:
        began = time.perf_counter()
        state, events = self.looker.look(state, learners, rows)
        state = self._constrained(state, learners)
        for i in rows:
            learners[i].seconds += (time.perf_counter() - began) / len(rows)
        return state, events

    def _constrained(self, state: State, learners: Sequence[Learner]) -> State:
        """The state with the constraints that its learners have by now."""
        words, bank = [learner.words for learner in learners], self._constraints_of(state.requests[0].chosen)
        return replace(state, constraints=make_constraints(state.requests, words, bank, state.vectors))

    def _concept(self, learner: Learner) -> Concept:
        """The best or the last checkpoint, by the request's settings, as a Concept.

        All checkpoints are scored against the negatives of the end: an early one would else win by having had
        few.
        """
        request, words = learner.request, learner.words
        judged = [
            scores(request, similarities(request, checkpoint.imagined, words, self.bank), words)
            for checkpoint in learner.checkpoints
        ]
        last = len(judged) - 1
        # Where it began is only the category's word: it is kept only if nothing was learned.
        best = max(range(min(1, last), last + 1), key=lambda i: (judged[i]["score"], i))
        place = best if request.chosen.keep == "best" else last
        kept = learner.checkpoints[place]
        member = membership(request, kept.imagined, self.bank, self._known_members(request), words)
        return Concept(
            id=self.concept_id(request, learner.decisions),
            request=request,
            vectors=kept.vectors.cpu().numpy(),
            image_embed=kept.imagined.flatten(0, 2).mean(0).float().cpu().numpy(),
            negatives=tuple(learner.negatives),
            history=tuple(learner.history),
            kept_step=kept.step,
            scores={**judged[place], **member, "consistency": float(consistency(kept.imagined))},
            fingerprint=self.backbone.fingerprint,
            version=self.backbone.version,
            steps=learner.checkpoints[last].step,
            seconds=learner.seconds,
        )

    def _known_members(self, request: Request) -> Sequence[str]:
        """Members of the category to compare a concept with: as many as are encoded by now, or soon."""
        if request.schedule == "adaptive" or lists(self.backbone, request.category, request.kind):
            return members(self.backbone, request.category, request.kind)
        return ()  # to encode the whole vocabulary for this alone takes seconds


def _restored(
    snapshots: Sequence[bytes], state: State, learners: Sequence[Learner], ids: Sequence[str]
) -> tuple[State | None, str]:
    """(the batch from the first snapshot of it, ""). None if there is none, or if one cannot be read, as the text then
    says; in both cases nothing has been changed.
    """
    problem = ""
    for snapshot in filter(None, snapshots):
        try:
            if ids_of(snapshot) == list(ids):
                return unpack(snapshot, state, learners), ""
        except SnapshotError:
            problem = "what was kept of its course cannot be read, so it starts again"
    return None, problem


def total_steps(requests: Sequence[Request], at_once: int | None = None) -> int:
    """How many steps these requests take, which have their settings: those of a batch are taken side by side."""
    return sum(max(requests[i].chosen.steps for i in batch) for batch in batches_of(requests, at_once))


def batches_of(requests: Sequence[Request], at_once: int | None = None) -> list[list[int]]:
    """Which requests learn side by side, at most `at_once`, in the order of the first ones of their kind."""
    most = at_once or MOST_AT_ONCE
    groups: dict[tuple[Any, ...], list[int]] = {}
    for i, request in enumerate(requests):
        key = (request.chosen.together(), request.tokens, in_text_space(request))
        groups.setdefault(key, []).append(i)
    return [group[first : first + most] for group in groups.values() for first in range(0, len(group), most)]
