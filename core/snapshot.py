"""A batch between two segments as bytes, so that learning resumes after a kill with the same results.

Randomness follows from a concept's seed and step (core/streams.py), and constraints follow from their words. So the
vectors, AdamW's moments, the steps and the course of each concept are enough. The bytes are a safetensors file with
JSON as its metadata; nothing in it is executed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from core.concept import Measurement, Negative
from core.errors import ConceptreeError
from core.segments import Checkpoint, Course
from core.state import State

SCHEMA = 1
_ROWS = ("vectors", "exp_avg", "exp_avg_sq")
_AT_BOUNDARY = (*_ROWS, "imagined")


class SnapshotError(ConceptreeError):
    """A snapshot that cannot be resumed."""


def pack(state: State, courses: Sequence[Course], ids: Sequence[str], marks: Sequence[str] = ()) -> bytes:
    """The batch at a boundary. ids: of its requests, in order. marks: names of the caller's finished work, which a
    resumed job skips, see `marks_of`.
    """
    tensors = {name: getattr(state, name) for name in _ROWS}
    for i, course in enumerate(courses):
        for j, checkpoint in enumerate(course.checkpoints):
            tensors |= {f"{i}.{j}.{name}": getattr(checkpoint, name) for name in _AT_BOUNDARY}
    about = {
        "schema": SCHEMA,
        "ids": list(ids),
        "marks": list(marks),
        "step": list(state.step),
        "steps": list(state.steps),
        "learners": [
            {
                "negatives": [asdict(negative) for negative in course.negatives],
                "pool": course.pool,
                "history": [asdict(measurement) for measurement in course.history],
                "decisions": course.decisions,
                "seconds": course.seconds,
                "checkpoints": [
                    {"step": c.step, "negatives": [asdict(n) for n in c.negatives], "pool": list(c.pool)}
                    for c in course.checkpoints
                ],
            }
            for course in courses
        ],
    }
    # Rows may be views into one tensor; safetensors stores each by itself.
    stored = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    about["sha256"] = _digest(about, stored)
    return save(stored, {"snapshot": json.dumps(about)})


def ids_of(content: bytes) -> list[str]:
    """The ids of a snapshot's requests."""
    return list(_about(content)["ids"])


def marks_of(content: bytes) -> list[str]:
    """The marks of a snapshot; none in those of earlier versions."""
    marks = _about(content).get("marks", [])
    return [str(mark) for mark in marks] if isinstance(marks, list) else []


def marked(content: bytes, marks: Sequence[str]) -> bytes:
    """The snapshot with these marks instead of its own."""
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    header["__metadata__"]["snapshot"] = json.dumps({**_about(content), "marks": list(marks)})
    told = json.dumps(header, separators=(",", ":")).encode()
    told += b" " * (-len(told) % 8)  # safetensors keeps its numbers aligned
    return len(told).to_bytes(8, "little") + told + content[8 + int.from_bytes(content[:8], "little") :]


def unpack(content: bytes, state: State, courses: Sequence[Course]) -> State:
    """Restore a snapshot of the same batch into `courses`, which are at the start; return the state.

    Raises:
        SnapshotError: the bytes are incomplete, or of another batch.
    """
    about = _about(content)
    try:
        tensors = load(content)
        if "sha256" in about and about["sha256"] != _digest(about, tensors):  # earlier versions kept no digest
            raise SnapshotError("the snapshot is damaged: start again")
        if len(about["learners"]) != len(courses) or tensors["vectors"].shape != state.vectors.shape:
            raise SnapshotError("the snapshot is of another batch: start again")
        vectors, exp_avg, exp_avg_sq = (tensors[name].to(state.vectors) for name in _ROWS)
        restored = [_restored(told, tensors, i, state.vectors) for i, told in enumerate(about["learners"])]
        step = tuple(int(done) for done in about["step"])
        steps = tuple(int(of) for of in about.get("steps", state.steps))  # snapshots of earlier versions have none
    except (KeyError, TypeError, SafetensorError) as error:
        raise SnapshotError(f"the snapshot cannot be read ({error}): start again") from error
    for course, been_through in zip(courses, restored, strict=True):
        vars(course).update(been_through)
    return replace(state, step=step, steps=steps, vectors=vectors, exp_avg=exp_avg, exp_avg_sq=exp_avg_sq)


def _restored(told: dict[str, Any], tensors: dict[str, Tensor], row: int, like: Tensor) -> dict[str, Any]:
    """The course of a row, by the names of its fields."""
    return {
        "negatives": [Negative(**each) for each in told["negatives"]],
        "pool": list(told["pool"]),
        "history": [Measurement(**each) for each in told["history"]],
        "decisions": list(told["decisions"]),
        "seconds": float(told["seconds"]),
        "checkpoints": [
            Checkpoint(
                step=each["step"],
                negatives=tuple(Negative(**negative) for negative in each["negatives"]),
                pool=tuple(each["pool"]),
                **{name: tensors[f"{row}.{j}.{name}"].to(like.device) for name in _AT_BOUNDARY},
            )
            for j, each in enumerate(told["checkpoints"])
        ],
    }


def _digest(about: dict[str, Any], tensors: dict[str, Tensor]) -> str:
    """SHA-256 of a snapshot, whose marks may change."""
    told = {key: value for key, value in about.items() if key not in ("marks", "sha256")}
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].dtype} {list(tensors[name].shape)}".encode())
        digest.update(tensors[name].contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _about(content: bytes) -> dict[str, Any]:
    """The metadata, read from the header alone: its length in eight bytes, then JSON."""
    try:
        length = int.from_bytes(content[:8], "little")
        about = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["snapshot"])
        schema = about["schema"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SnapshotError("the snapshot cannot be read: start again") from error
    if schema != SCHEMA:
        raise SnapshotError(f"the snapshot has schema {schema!r}, and this version reads {SCHEMA}: start again")
    return about
