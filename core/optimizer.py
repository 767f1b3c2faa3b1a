"""ConceptLab (arXiv 2308.02669): requests in, concepts out, as one batch.

The loop goes by segments. Inside a segment there are only steps (core/step.py). Between two segments the
concepts are looked at (core/segments.py): measured on the fixed panel, drawn, named, given a new negative,
checkpointed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from core.concept import Concept, Request, RequestError
from core.metrics import consistency, scores, similarities
from core.negatives import Namer
from core.segments import Event, Learner, Looker, Review
from core.settings import Settings
from core.state import State, initial_state, make_constraints
from core.step import in_text_space, make_step
from core.wordbank import EncodeText, WordBank, members


@dataclass(frozen=True)
class Report:
    """Progress after a step, or at the boundary of a segment, where `events` say what happened to each
    concept.

    step of steps: over all requests. losses: of this step, one for each request, NaN for those that rest.
    concepts: only in the last report, in the order of the requests.
    """

    step: int
    steps: int
    losses: tuple[float, ...]
    events: tuple[Event, ...] = ()
    concepts: tuple[Concept, ...] = ()

    @property
    def message(self) -> str:
        """What a person may want to read: nothing between two segments."""
        return "\n".join(event.message for event in self.events)


class ConceptLab:
    """Learns concepts on a stack.

    settings: for requests that have none; by default what is calibrated for the stack. namer: who names
    negatives for `adaptive` requests (core/negatives.py); by default the nearest word of the stack's
    vocabulary, without drawing. draw: whether to draw the concepts at each boundary (a namer's drawings are
    made in any case). review: asked about each new negative; see `segments.Review`. encode_constraints:
    another encoder of the constraint words, prompts → [n, width].
    """

    def __init__(
        self,
        backbone: Any,
        settings: Settings | None = None,
        namer: Namer | None = None,
        draw: bool = True,
        review: Review | None = None,
        encode_constraints: EncodeText | None = None,
    ) -> None:
        self.backbone = backbone
        self.settings = settings
        self.bank = WordBank(encode_constraints or backbone.encode_text, backbone.width)
        self.looker = Looker(backbone, self.bank, namer, draw, review)

    def run(self, requests: Sequence[Request]) -> list[Concept]:
        """The concepts of `requests`, in their order."""
        concepts: tuple[Concept, ...] = ()
        for report in self.learn(requests):
            concepts = report.concepts
        return list(concepts)

    def learn(self, requests: Sequence[Request]) -> Iterator[Report]:
        """Reports of progress; the last one has the concepts.

        Requests that cannot share a batch (another preset, k, or number of prior steps) are learned one batch
        after the other; which do depends on the requests alone.
        """
        requests = [self.prepared(request) for request in requests]
        batches = _batches(requests)
        steps = sum(max(requests[i].chosen.steps for i in batch) for batch in batches)
        done = 0
        concepts: dict[int, Concept] = {}
        losses = (float("nan"),) * len(requests)
        for batch in batches:
            for found, events, finished in self._learn_batch([requests[i] for i in batch]):
                if found:
                    losses = _spread(found, batch, len(requests))
                    done += 1
                concepts |= {batch[i]: concept for i, concept in finished.items()}
                events = tuple(replace(event, index=batch[event.index]) for event in events)
                last = len(concepts) == len(requests)
                in_order = tuple(concepts[i] for i in range(len(requests))) if last else ()
                yield Report(min(done, steps), steps, losses, events, in_order)

    def prepared(self, request: Request) -> Request:
        """The request with the settings it will be learned with, checked against this stack."""
        if request.settings is None:
            mixing = bool(request.mixed)
            settings = self.settings or Settings.for_stack(self.backbone, kind=request.kind, mixing=mixing)
            request = replace(request, settings=settings)
        self._check_widths(request)
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

    def _check_widths(self, request: Request) -> None:
        embeds = [(p.id, p.image_embeds) for p in request.parents] + [(a.id, a.image_embed) for a in request.avoid]
        for name, embed in embeds + ([("start", request.start)] if request.start is not None else []):
            if embed.shape[-1] != self.backbone.width:
                raise RequestError(
                    f"{name!r} is {embed.shape[-1]} wide, the stack {self.backbone.version} {self.backbone.width}:"
                    " use the stack it was learned on"
                )

    def start(self, request: Request) -> Tensor:
        """Where a concept's vectors [k, d] start: as given, or k times the mean of the initialiser's token
        vectors.
        """
        if request.start is not None:
            return torch.from_numpy(request.start.copy())
        return self.backbone.word_vector(request.initializer or request.category).expand(request.tokens, -1)

    def _learn_batch(
        self, requests: Sequence[Request]
    ) -> Iterator[tuple[list[float], tuple[Event, ...], dict[int, Concept]]]:
        """(losses, events, finished concepts by row) after each step and boundary of one batch."""
        settings = requests[0].chosen
        step = make_step(self.backbone, settings, in_text_space(requests[0]))
        learners = [Learner(request) for request in requests]
        dtype = torch.promote_types(self.backbone.dtype, torch.float32)
        vectors = torch.stack([self.start(r).to(self.backbone.device, dtype) for r in requests])
        state = initial_state(requests, vectors, [learner.words for learner in learners], self.bank)
        state, events = self._look(state, learners, range(len(requests)))
        yield [], events, {}
        while active := state.active:
            began = time.perf_counter()
            state, losses = step(state)
            for i in active:
                learners[i].seconds += (time.perf_counter() - began) / len(active)
            pending = [i for i in active if state.step[i] % settings.segment == 0 or state.step[i] == state.steps[i]]
            if not pending:
                yield losses, (), {}
                continue
            state, events = self._look(state, learners, pending)
            finished = (
                {}
                if state.active
                else {i: self._concept(learner, state.steps[i]) for i, learner in enumerate(learners)}
            )
            yield losses, events, finished
        if not max(state.steps):
            yield [], (), {i: self._concept(learner, 0) for i, learner in enumerate(learners)}

    def _look(self, state: State, learners: Sequence[Learner], rows: Sequence[int]) -> tuple[State, tuple[Event, ...]]:
        began = time.perf_counter()
        state, events = self.looker.look(state, learners, rows)
        words = [learner.words for learner in learners]
        constraints = make_constraints(state.requests, words, self.bank, state.vectors)
        for i in rows:
            learners[i].seconds += (time.perf_counter() - began) / len(rows)
        return replace(state, constraints=constraints), events

    def _concept(self, learner: Learner, steps: int) -> Concept:
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
        return Concept(
            id=learner.concept_id(self.backbone.fingerprint),
            request=request,
            vectors=kept.vectors.cpu().numpy(),
            image_embed=kept.imagined.flatten(0, 2).mean(0).cpu().numpy(),
            negatives=tuple(learner.negatives),
            history=tuple(learner.history),
            kept_step=kept.step,
            scores={**judged[place], "consistency": float(consistency(kept.imagined))},
            fingerprint=self.backbone.fingerprint,
            version=self.backbone.version,
            steps=steps,
            seconds=learner.seconds,
        )


def _batches(requests: Sequence[Request]) -> list[list[int]]:
    """Which requests learn side by side, in the order of their first ones."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for i, request in enumerate(requests):
        key = (request.chosen.together(), request.tokens, in_text_space(request))
        groups.setdefault(key, []).append(i)
    return list(groups.values())


def _spread(losses: Sequence[float], batch: Sequence[int], n: int) -> tuple[float, ...]:
    by_index = dict(zip(batch, losses, strict=True))
    return tuple(by_index.get(i, float("nan")) for i in range(n))
