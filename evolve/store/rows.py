"""Tables of a run: their columns, and the conversion of rows to values and back (docs/formats.md)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from core.concept import Concept, Measurement, Negative, Request, aspect_of, is_parent_kind
from core.errors import ConceptreeError
from core.renderers import Rendered, RenderError
from evolve.store.parts import TIME, RunError
from evolve.store.tags import checked_tags

PICTURE = re.compile(r"[0-9a-f]{24}\.png")  # the name of a drawing's file; no other file is opened as one
PHOTO = re.compile(r"photo-[0-9a-f]{16}")  # id of a photograph, from its content
LONGEST_COMMENT = 10_000
# How a note came about, where no person made it: by undo or redo, or by a job that kept better concepts.
UNDO, REDO, ASIDE = "undo", "redo", "aside"
_LONE = re.compile("[\ud800-\udfff]")  # lone surrogates, which UTF-8 cannot encode
_TEXT, _NUMBER, _TIME = pa.string(), pa.float64(), TIME


def _structs(**fields: pa.DataType) -> pa.DataType:
    return pa.list_(pa.struct(list(fields.items())))


CONCEPTS = pa.schema(
    [
        ("id", _TEXT),
        ("name", _TEXT),
        ("generation", pa.int32()),
        ("category", _TEXT),
        ("kind", _TEXT),
        ("seed", pa.int64()),
        ("vectors", pa.list_(pa.list_(pa.float32()))),
        ("image_embed", pa.list_(pa.float32())),
        ("initializer", _TEXT),
        ("positives", _structs(word=_TEXT, weight=_NUMBER)),
        ("negatives", _structs(word=_TEXT, step=pa.int32(), by=_TEXT, note=_TEXT)),
        ("parents", _structs(id=_TEXT, run=_TEXT, weight=_NUMBER, kind=_TEXT)),
        ("history", _structs(step=pa.int32(), constraint=_TEXT, similarity=_NUMBER)),
        ("scores", _structs(name=_TEXT, value=_NUMBER)),
        ("preset", _TEXT),
        ("settings", _TEXT),  # JSON
        ("request", _TEXT),  # JSON: all of it, so that the concept can be learned again
        ("steps", pa.int32()),
        ("kept_step", pa.int32()),
        ("seconds", _NUMBER),
        ("stack", _TEXT),
        ("fingerprint", _TEXT),
        ("created_at", _TIME),
    ]
)
DRAWINGS = pa.schema([("concept", _TEXT), ("prompt", _TEXT), ("seed", pa.int64()), ("file", _TEXT)])
# Drawings by other decoders than the stack's own; their pictures lie beside the others.
RENDERINGS = pa.schema([*DRAWINGS, ("rendered", _TEXT)])  # JSON
NOTES = pa.schema(
    [
        ("concept", _TEXT),
        ("favourite", pa.bool_()),
        ("rating", pa.int8()),
        ("name", _TEXT),
        ("comment", _TEXT),
        ("hidden", pa.bool_()),
        ("locked", pa.bool_()),
        ("created_at", _TIME),
        ("way", _TEXT),
        ("tags", pa.list_(_TEXT)),
    ]
)
PHOTOS = pa.schema([("id", _TEXT), ("label", _TEXT), ("digest", _TEXT), ("created_at", _TIME)])
STUDIES = pa.schema(
    [
        ("session", _TEXT),
        ("rater", _TEXT),
        ("mode", _TEXT),
        ("question", _TEXT),
        ("seed", pa.int64()),
        ("concepts", pa.list_(_TEXT)),
        ("drawings", pa.list_(pa.list_(_TEXT))),
        ("at", _TIME),
    ]
)
RATINGS = pa.schema(
    [
        ("session", _TEXT),
        ("rater", _TEXT),
        ("mode", _TEXT),
        ("number", pa.int32()),
        ("concepts", pa.list_(_TEXT)),
        ("drawings", pa.list_(_TEXT)),
        ("value", pa.int8()),
        ("at", _TIME),
    ]
)
LIKES = pa.schema([("round", _TEXT), ("shown", pa.list_(_TEXT)), ("liked", pa.list_(_TEXT)), ("at", _TIME)])
# Columns added after the first runs of this schema; a part without one is read as null there.
LATER = {"way", "tags"}
# Columns for lists and lineage, without vectors and requests, which are most of a part.
ENTRY = ("id", "name", "generation", "category", "kind", "parents", "scores", "steps", "created_at")
KNOWN = ("id", "name", "generation")  # compared with a new concept
EMBED = ("id", "image_embed")
# Columns that breeding, drawing, exporting and sharing use.
EXACT = ("vectors", "image_embed", "request")


@dataclass(frozen=True)
class Note:
    """A person's note on a concept. rating: 1 to 5, or None; name: None for the name at birth."""

    favourite: bool = False
    rating: int | None = None
    name: str | None = None
    comment: str = ""
    hidden: bool = False
    locked: bool = False
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for field in ("favourite", "hidden", "locked"):
            if not isinstance(getattr(self, field), bool):
                raise RunError(f"{field} = {getattr(self, field)!r}: expected true or false")
        if self.rating is not None and (type(self.rating) is not int or not 1 <= self.rating <= 5):
            raise RunError(f"rating = {self.rating!r}: expected 1 to 5, or none")
        if self.name is not None and not isinstance(self.name, str):
            raise RunError(f"name = {self.name!r}: expected text, or none")
        if not isinstance(self.comment, str) or len(self.comment) > LONGEST_COMMENT:
            raise RunError(f"a comment is text of at most {LONGEST_COMMENT} characters: shorten it")
        if _LONE.search(self.comment):
            raise RunError(f"the comment {self.comment[:40]!r} is not Unicode text: type it again")
        checked_tags(self.tags)


@dataclass(frozen=True)
class Change:
    """Change made by a note: (before, after) by field.

    way: "" for a new note, "undo", "redo" or "aside". batch: number of its part, the same for concepts noted together.
    """

    concept: str
    changed: Mapping[str, tuple[Any, Any]]
    at: datetime | None
    way: str = ""
    batch: int = 0


class Weighted(Protocol):
    @property
    def weight(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Descent:
    """A parent of a concept. run: the parent's run, "" for the same run or a photograph. weight: see `shares`; 0 if the
    concept takes only one aspect of it, see `core.concept.Parent`.
    """

    id: str
    run: str
    weight: float
    kind: str

    @property
    def brief(self) -> str:
        return brief(self.id)

    @property
    def is_photo(self) -> bool:
        """Whether the parent is a photograph."""
        return self.kind == "image" and not self.run


@dataclass(frozen=True, slots=True)
class Entry:
    """A concept without vectors and request; part and row say where these are stored.

    name: the newest; born: the name at birth. steps: optimizer steps.
    """

    id: str
    name: str
    born: str
    generation: int
    category: str
    kind: str
    parents: tuple[Descent, ...]
    scores: Mapping[str, float]
    steps: int
    created_at: datetime
    note: Note
    part: Path
    row: int

    @property
    def birth(self) -> str:
        """Origin: founder, mix, mutate or image; imported, if it has neither parents nor steps."""
        kinds = {parent.kind for parent in self.parents}
        orphan = "founder" if self.steps else "imported"
        return next((kind for kind in ("mutate", "mix", "image") if kind in kinds), orphan)


@dataclass(frozen=True)
class Individual:
    """A concept in a run, with its name and generation."""

    concept: Concept
    name: str
    generation: int
    created_at: datetime

    @property
    def id(self) -> str:
        return self.concept.id


@dataclass(frozen=True, slots=True)
class Drawing:
    """A stored picture. rendered: how another decoder than the stack's own drew it."""

    concept: str
    prompt: str
    seed: int
    file: Path
    rendered: Rendered | None = None


@dataclass(frozen=True)
class Photo:
    """Small copy of a photograph that is a parent. label: name of its file. digest: of the copy."""

    id: str
    label: str
    file: Path
    digest: str


NOTHING = Note()


def shares(parents: Sequence[Weighted]) -> list[float]:
    """The shares of parents in their child, which sum to 1; those below 0 are of parents that it moves away from."""
    total = sum(parent.weight for parent in parents if parent.weight > 0) or 1
    return [parent.weight / total for parent in parents]


def portion(share: float, kind: object = "", *, percent: bool = False) -> str:
    """Part of a parent in its child: `0.7`, `less 0.4` if the child moves away from it, or an aspect such as `colour`.

    kind: of the parent. percent: `70%`, `less 40%`.
    """
    if aspect := aspect_of(kind):
        return aspect
    size = f"{abs(share):.0%}" if percent else _rounded(abs(share))
    return f"less {size}" if share < 0 else size


def _rounded(share: float) -> str:
    return f"{share:.2f}".rstrip("0").rstrip(".") if share >= 0.005 or not share else "<0.01"


def brief(id_: str) -> str:
    """Short label for a parent outside this run: the first eight digits of its id, after "photo-" if it is one."""
    return id_[:14] if id_.startswith("photo-") else id_[:8]


def row_of(each: Individual) -> dict[str, Any]:
    """An individual as a row of concepts/."""
    concept, request = each.concept, each.concept.request
    return {
        "id": concept.id,
        "name": each.name,
        "generation": each.generation,
        "category": request.category,
        "kind": request.kind,
        "seed": request.seed,
        "vectors": concept.vectors.tolist(),
        "image_embed": concept.image_embed.tolist(),
        "initializer": request.initializer or request.category,
        "positives": [vars(positive) for positive in request.positives],
        "negatives": [vars(negative) for negative in concept.negatives],
        "parents": [{"id": p.id, "run": p.run, "weight": p.weight, "kind": p.kind} for p in request.parents],
        "history": [vars(measurement) for measurement in concept.history],
        "scores": [{"name": name, "value": value} for name, value in concept.scores.items()],
        "preset": request.chosen.preset,
        "settings": json.dumps(request.chosen.to_dict()),
        "request": request.to_json(),
        "steps": concept.steps,
        "kept_step": concept.kept_step,
        "seconds": concept.seconds,
        "stack": concept.version,
        "fingerprint": concept.fingerprint,
        "created_at": each.created_at,
    }


def entry_of(part: Path, number: int, row: dict[str, Any]) -> Entry:
    """Entry of a row of concepts/ with the columns `ENTRY`, without its notes."""
    _check_filled(row)
    try:
        return Entry(
            id=row["id"],
            name=row["name"],
            born=row["name"],
            generation=row["generation"],
            category=row["category"],
            kind=row["kind"],
            parents=tuple(_descent(**parent) for parent in row["parents"]),
            scores={str(each["name"]): float(each["value"]) for each in row["scores"]},
            steps=row["steps"],
            created_at=row["created_at"],
            note=NOTHING,
            part=part,
            row=number,
        )
    except TypeError as error:
        raise RunError(f"it is not a concept of this schema ({error})") from error


def individual_of(row: dict[str, Any], notes: Mapping[str, Note]) -> Individual:
    """Individual of a row of concepts/."""
    _check_filled(row)
    try:
        concept = Concept(
            id=row["id"],
            request=Request.from_json(row["request"]),
            vectors=row["vectors"],
            image_embed=row["image_embed"],
            negatives=tuple(Negative(**each) for each in row["negatives"]),
            history=tuple(Measurement(**each) for each in row["history"]),
            kept_step=row["kept_step"],
            scores={each["name"]: each["value"] for each in row["scores"]},
            fingerprint=row["fingerprint"],
            version=row["stack"],
            steps=row["steps"],
            seconds=row["seconds"],
        )
    except ConceptreeError as error:
        raise RunError(str(error)) from error
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        # an unexpected null, or a request that is other JSON
        raise RunError(f"it is not a concept of this schema ({str(error).splitlines()[0]})") from error
    name = notes.get(row["id"], Note()).name or row["name"]
    return Individual(concept, name, row["generation"], row["created_at"])


def drawing_of(folder: Path, row: dict[str, Any]) -> Drawing:
    """Drawing of a row of drawings/ or renderings/, with its file in `folder`."""
    missing = [name for name, value in row.items() if value is None]
    if missing:
        raise RunError(f"it has no {missing[0]}")
    if not PICTURE.fullmatch(row["file"]):
        raise RunError(f"its file is {row['file']!r}: expected 24 hex digits and .png")
    try:
        rendered = Rendered.of(json.loads(row["rendered"])) if "rendered" in row else None
    except (RenderError, ValueError, RecursionError) as error:
        raise RunError(f"it does not say how it was drawn ({error})") from error
    return Drawing(row["concept"], row["prompt"], row["seed"], folder / row["file"], rendered)


def note_of(row: dict[str, Any], before: Mapping[str, Note]) -> tuple[str, Note]:
    """(concept id, note) of a row of notes/. before: notes by id; a row of a version without tags keeps them."""
    if not row["concept"]:
        raise RunError("it has no concept")
    tags = before.get(row["concept"], NOTHING).tags if row["tags"] is None else tuple(row["tags"])
    values = {field.name: row[field.name] for field in fields(Note)}
    return row["concept"], Note(**{**values, "tags": tags})


def row_of_note(concept: str, note: Note, at: datetime, way: str = "") -> dict[str, Any]:
    return {"concept": concept, **asdict(note), "created_at": at, "way": way or None}


def photo_of(folder: Path, row: dict[str, Any]) -> Photo:
    """Photo of a row of photos/, with its file in `folder`."""
    if not PHOTO.fullmatch(row["id"] or ""):
        raise RunError(f"its id is {row['id']!r}: expected photo- and 16 hex digits")
    return Photo(row["id"], row["label"] or brief(row["id"]), folder / f"{row['id']}.png", row["digest"] or "")


def _descent(id: str, run: str | None, weight: float | None, kind: str) -> Descent:
    if not id or not is_parent_kind(kind):
        raise RunError(f"it has a parent {id!r} of kind {kind!r}")
    if weight is None or not math.isfinite(weight) or bool(weight) == bool(aspect_of(kind)):
        raise RunError(f"its parent {id!r} has the weight {weight}")
    return Descent(id, run or "", weight, kind)


def _check_filled(row: dict[str, Any]) -> None:
    missing = [name for name in ENTRY if row[name] is None]
    if missing:
        raise RunError(f"it has no {missing[0]}")
