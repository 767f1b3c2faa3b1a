"""Progress of a job for people: a line in events.jsonl for each concept at each boundary, with drawings beside it.

A line is appended before the boundary's snapshot is kept, so a kill repeats lines rather than losing them. A later line
replaces all earlier lines of the same concept with the same or a later step; so going back to a step drops what
followed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.concept import Request
from core.files import StorageError, write_atomically
from evolve.store.captions import look_told

if TYPE_CHECKING:
    from core.segments import Event  # imports torch

EVENTS, LOOKS = "events.jsonl", "looks"
_PICTURE = re.compile(r"[0-9a-f]{24}\.png")


@dataclass(frozen=True)
class Look:
    """One concept at one boundary. number: its place in the job, from 0. similarities: by constraint.

    negatives: the ones added there, (word, source) each; all_negatives: all words from there on. image: the file of its
    drawing, if any. draft: a look between two boundaries. steered: what a person decided up to there, also before going
    back. name, concept: its name and id, once it is finished.
    """

    number: int
    step: int
    similarities: Mapping[str, float] = field(default_factory=dict)
    negatives: tuple[tuple[str, str], ...] = ()
    all_negatives: tuple[str, ...] = ()
    note: str = ""
    image: Path | None = None
    draft: bool = False
    steered: tuple[str, ...] = ()
    name: str = ""
    concept: str = ""


def add_looks(folder: Path, events: Sequence[tuple[int, Event]]) -> None:
    """Append boundaries: (place in the job, event) each."""
    lines = []
    for number, event in events:
        image = keep_picture(folder, event.images[0], event.request, event.step).name if event.images else None
        lines.append(
            {
                "number": number,
                "step": event.step,
                "similarities": event.similarities,
                "negatives": [[negative.word, negative.by] for negative in event.negatives],
                "all_negatives": [negative.word for negative in event.all_negatives],
                "note": event.note,
                "image": image,
                "draft": event.draft,
                "steered": event.steered,
            }
        )
    _append(folder / EVENTS, lines)


def add_names(folder: Path, names: Mapping[int, tuple[str, str]]) -> None:
    """Tell which concepts are finished: (id, name) by place in the job."""
    told = {look.number: (look.concept, look.name) for look in looks_in(folder)}
    new = {number: pair for number, pair in names.items() if told.get(number) != pair}
    _append(folder / EVENTS, [{"number": n, "concept": id_, "name": name} for n, (id_, name) in new.items()])


def looks_in(folder: Path) -> list[Look]:
    """All looks of a job, by number and step; torn lines are skipped."""
    try:
        lines = (folder / EVENTS).read_bytes().splitlines()
    except OSError:
        return []
    found: dict[int, list[Look]] = {}
    finished: dict[int, tuple[str, str]] = {}
    for line in lines:
        try:
            told = json.loads(line)
            number = int(told["number"])
            if "concept" in told:
                finished[number] = str(told["concept"]), str(told["name"])
                continue
            look = _look(folder, told)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
        before = found.setdefault(number, [])
        # A line that a kill has repeated tells the same decisions again.
        steered = dict.fromkeys([*(before[-1].steered if before else ()), *look.steered])
        found[number] = [each for each in before if each.step < look.step] + [replace(look, steered=tuple(steered))]
    return [
        replace(look, concept=finished[number][0], name=finished[number][1]) if number in finished else look
        for number in sorted(found)
        for look in found[number]
    ]


def keep_picture(folder: Path, picture: Any, request: Request, step: int) -> Path:
    """Store a drawing of a request at a step, named by its content."""
    from core.png import png_bytes  # imports Pillow, which readers do not need

    content = png_bytes(picture, look_told(request, step) | {"job": folder.name})
    file = folder / LOOKS / f"{hashlib.sha256(content).hexdigest()[:24]}.png"
    if not file.exists():
        write_atomically(file, content, within=folder)
    return file


def picture_in(folder: Path, name: Any) -> Path | None:
    """File of a drawing named in a line; None for a name of any other form."""
    return folder / LOOKS / name if isinstance(name, str) and _PICTURE.fullmatch(name) else None


def _look(folder: Path, told: Mapping[str, Any]) -> Look:
    return Look(
        number=int(told["number"]),
        step=int(told["step"]),
        similarities={str(name): float(value) for name, value in told["similarities"].items()},
        negatives=tuple((str(word), str(by)) for word, by in told["negatives"]),
        all_negatives=tuple(str(word) for word in told["all_negatives"]),
        note=str(told["note"]),
        image=picture_in(folder, told["image"]),
        draft=bool(told.get("draft")),
        steered=tuple(map(str, told.get("steered", ()))),
    )


def _append(file: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    """Append lines and flush them, on a new line after one that a kill has torn."""
    if not lines:
        return
    text = b"".join(json.dumps(line, ensure_ascii=False).encode(errors="replace") + b"\n" for line in lines)
    try:
        with open(file, "ab+") as opened:
            if opened.tell():
                opened.seek(-1, os.SEEK_END)
                text = text if opened.read(1) == b"\n" else b"\n" + text
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
    except OSError as error:
        raise StorageError(f"{str(file)!r} cannot be written: {error.strerror or error}; make room") from error
