"""Messages between a process and its workers: JSON, with pictures and snapshots as bytes.

A message is (text, blobs). Requests go one way whole and do not come back: messages name them by their ids, and the
process that asked puts its own there.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from PIL import Image

from core.concept import Concept, Measurement, Negative, Request
from core.optimizer import Report
from core.review import Decision, Proposal
from core.segments import Event

Message = tuple[str, list[bytes]]
LARGEST_PICTURE = 4096 * 4096  # pixels


@dataclass(frozen=True)
class Order:
    """A batch to learn. ids: of the requests; a worker with another stack or namer finds others, and refuses. namer:
    for `build_namer`; None for the vocabulary. asks: a person reviews the negatives; asks_last: see
    `Options.review_last`.
    """

    requests: tuple[str, ...]  # as Request.to_json
    ids: tuple[str, ...]
    namer: Mapping[str, Any] | None = None
    draw: bool = False
    images: int = 1
    drafts: tuple[int, ...] = ()
    asks: bool = False
    asks_last: bool = False

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Order:
        told = json.loads(text)
        lists = {name: tuple(value) for name, value in told.items() if isinstance(value, list)}
        return cls(**{**told, **lists})


def report_message(report: Report) -> Message:
    """A report of a worker's batch. Reads its losses, so it waits for the device."""
    blobs: list[bytes] = []
    told = {
        "kind": "report",
        "step": report.step,
        "losses": report.losses.tolist(),
        "events": [_event_told(event, blobs) for event in report.events],
        "finished": {id_: _concept_told(concept) for id_, concept in report.finished.items()},
        "snapshot": None,
    }
    if report.snapshot:
        told["snapshot"] = len(blobs)
        blobs.append(report.snapshot())
    return json.dumps(told), blobs


@dataclass(frozen=True)
class Told:
    """A worker's report. losses [requests]: of its batch. finished: by the ids of the requests."""

    step: int
    losses: torch.Tensor
    events: tuple[Event, ...]
    finished: dict[str, Concept]
    snapshot: bytes


def report_of(told: Mapping[str, Any], blobs: Sequence[bytes], requests: Mapping[str, Request]) -> Told:
    """The report in a `report_message` about these requests, by their ids."""
    return Told(
        step=int(told["step"]),
        losses=torch.tensor(told["losses"]),
        events=tuple(_event_of(each, blobs, requests) for each in told["events"]),
        finished={id_: _concept_of(each, requests[id_]) for id_, each in told["finished"].items()},
        snapshot=b"" if told["snapshot"] is None else blobs[told["snapshot"]],
    )


def proposal_message(proposal: Proposal) -> Message:
    """A proposal for the review of the asking process."""
    blobs: list[bytes] = []
    told = {
        "kind": "proposal",
        "id": proposal.id,
        "step": proposal.step,
        "words": proposal.words,
        "negatives": [asdict(negative) for negative in proposal.negatives],
        "images": _kept(proposal.images, blobs),
        "answers": proposal.answers,
        "note": proposal.note,
        "earlier": proposal.earlier,
        "problem": proposal.problem,
        "decided": proposal.decided,
        "last": proposal.last,
        "negatives_then": [
            [step, [asdict(negative) for negative in negatives]] for step, negatives in proposal.negatives_then.items()
        ],
    }
    return json.dumps(told), blobs


def proposal_of(told: Mapping[str, Any], blobs: Sequence[bytes], requests: Mapping[str, Request]) -> Proposal:
    return Proposal(
        id=told["id"],
        step=int(told["step"]),
        request=requests[told["id"]],
        words=tuple(told["words"]),
        negatives=_negatives(told["negatives"]),
        images=_pictures(told["images"], blobs),
        answers=tuple((word, score) for word, score in told["answers"]),
        note=told["note"],
        earlier=tuple(told["earlier"]),
        problem=told["problem"],
        negatives_then={int(step): _negatives(negatives) for step, negatives in told["negatives_then"]},
        decided=int(told["decided"]),
        last=told["last"],
    )


def decision_text(decision: Decision | None) -> str:
    """The answer of a review."""
    return json.dumps(None if decision is None else asdict(decision))


def decision_of(text: str) -> Decision | None:
    told = json.loads(text)
    return told and Decision(tuple(told["words"]), tuple(told["drop"]), told["back_to"], told["note"])


def _event_told(event: Event, blobs: list[bytes]) -> dict[str, Any]:
    return {
        "id": event.id,
        "step": event.step,
        "similarities": event.similarities,
        "images": _kept(event.images, blobs),
        "answers": event.answers,
        "negatives": [asdict(negative) for negative in event.negatives],
        "all_negatives": [asdict(negative) for negative in event.all_negatives],
        "note": event.note,
        "draft": event.draft,
        "last": event.last,
        "steered": event.steered,
    }


def _event_of(told: Mapping[str, Any], blobs: Sequence[bytes], requests: Mapping[str, Request]) -> Event:
    return Event(
        id=told["id"],
        step=int(told["step"]),
        request=requests[told["id"]],
        similarities=dict(told["similarities"]),
        images=_pictures(told["images"], blobs),
        answers=tuple((word, score) for word, score in told["answers"]),
        negatives=_negatives(told["negatives"]),
        all_negatives=_negatives(told["all_negatives"]),
        note=told["note"],
        draft=told["draft"],
        last=told["last"],
        steered=tuple(told["steered"]),
    )


def _concept_told(concept: Concept) -> dict[str, Any]:
    return {
        "id": concept.id,
        "vectors": concept.vectors.tolist(),
        "image_embed": concept.image_embed.tolist(),
        "negatives": [asdict(negative) for negative in concept.negatives],
        "history": [asdict(measurement) for measurement in concept.history],
        "kept_step": concept.kept_step,
        "scores": dict(concept.scores),
        "fingerprint": concept.fingerprint,
        "version": concept.version,
        "steps": concept.steps,
        "seconds": concept.seconds,
    }


def _concept_of(told: Mapping[str, Any], request: Request) -> Concept:
    negatives, history = _negatives(told["negatives"]), tuple(Measurement(**each) for each in told["history"])
    return Concept(**{**told, "request": request, "negatives": negatives, "history": history})


def _negatives(told: Sequence[Mapping[str, Any]]) -> tuple[Negative, ...]:
    return tuple(Negative(**each) for each in told)


def _kept(pictures: Sequence[Any], blobs: list[bytes]) -> list[int]:
    """Add pictures to the blobs; return their places there."""
    for picture in pictures:
        content = io.BytesIO()
        picture.save(content, format="PNG")
        blobs.append(content.getvalue())
    return list(range(len(blobs) - len(pictures), len(blobs)))


def _pictures(places: Sequence[int], blobs: Sequence[bytes]) -> tuple[Any, ...]:
    found = []
    for place in places:
        with Image.open(io.BytesIO(blobs[place]), formats=["PNG"]) as picture:
            if picture.width * picture.height > LARGEST_PICTURE:
                raise ValueError(f"a picture of {picture.width} × {picture.height} pixels")
            found.append(picture.convert("RGB"))
    return tuple(found)
