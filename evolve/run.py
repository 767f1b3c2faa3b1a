"""A run on disk: what was learned, as Parquet parts that are written once and never changed.

run.json               what the run is about, on which stack; schema version
concepts/*.parquet     one part per batch, one row per concept: a batch is there as a whole or not at all
drawings/*.png         pictures, named by their content
drawings/*.parquet     which picture shows which concept in which prompt; written after the pictures
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from core.concept import Concept, Measurement, Negative, Request
from core.errors import ConceptreeError
from core.files import write_atomically
from evolve.names import name_for

SCHEMA = 1
_TEXT, _NUMBER = pa.string(), pa.float64()


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
        ("created_at", pa.timestamp("us", tz="UTC")),
    ]
)
DRAWINGS = pa.schema([("concept", _TEXT), ("prompt", _TEXT), ("seed", pa.int64()), ("file", _TEXT)])


class RunError(ConceptreeError):
    """A folder that is not a run, or one that this version cannot read."""


@dataclass(frozen=True)
class Individual:
    """A concept in a run: with its name, and its place in the family."""

    concept: Concept
    name: str
    generation: int
    created_at: datetime

    @property
    def id(self) -> str:
        return self.concept.id


@dataclass(frozen=True)
class Drawing:
    """A stored picture."""

    concept: str
    prompt: str
    seed: int
    file: Path


class Run:
    """A run's folder. Parts are only ever added; readers need no lock."""

    def __init__(self, folder: Path, about: dict[str, Any]) -> None:
        self.folder = folder
        self.about = about

    @classmethod
    def create(cls, folder: str | Path, category: str, backbone: Any, kind: str = "object") -> Run:
        """A new, empty run about a category on a stack."""
        folder = Path(folder)
        if (folder / "run.json").exists():
            raise RunError(f"there is a run in {str(folder)!r} already: choose another name")
        about = {
            "schema": SCHEMA,
            "category": category,
            "kind": kind,
            "stack": {"where": backbone.where, "version": backbone.version, "fingerprint": backbone.fingerprint},
            "created_at": _now().isoformat(),
        }
        (folder / "concepts").mkdir(parents=True, exist_ok=True)
        (folder / "drawings").mkdir(exist_ok=True)
        write_atomically(folder / "run.json", json.dumps(about, indent=2, ensure_ascii=False).encode())
        return cls(folder, about)

    @classmethod
    def open(cls, folder: str | Path) -> Run:
        """An existing run."""
        folder = Path(folder)
        try:
            about = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise RunError(f"there is no run in {str(folder)!r}: it has no run.json") from None
        except (OSError, ValueError) as error:
            raise RunError(f"the run.json in {str(folder)!r} cannot be read: {error}") from error
        schema = about.get("schema") if isinstance(about, dict) else None
        if schema != SCHEMA:
            raise RunError(f"the run in {str(folder)!r} has schema {schema!r}, this version reads {SCHEMA}")
        return cls(folder, about)

    def add(self, concepts: Sequence[Concept], taken: Iterable[str] = ()) -> list[Individual]:
        """Store a batch as one part. taken: words that are no names, such as those the stack knows."""
        known = self.individuals()
        generations = {each.id: each.generation for each in known}
        names = {*taken, *(each.name for each in known)}
        created_at = _now()
        added = []
        for concept in concepts:
            if concept.id in generations:
                raise RunError(f"the concept {concept.id} is in the run already: give the request another seed")
            name = name_for(concept.id, names)
            names.add(name)
            # A parent of another run is not known here; it counts as a founder.
            parents = [generations.get(parent.id, 0) for parent in concept.request.parents]
            generations[concept.id] = 1 + max(parents) if parents else 0
            added.append(Individual(concept, name, generations[concept.id], created_at))
        self._write_part("concepts", [_row(each) for each in added], CONCEPTS)
        return added

    def individuals(self) -> list[Individual]:
        """All concepts, in the order in which they were stored."""
        return [_individual(row) for row in self._rows("concepts", CONCEPTS)]

    def find(self, name_or_id: str) -> Individual:
        """The concept of that name or id."""
        for each in self.individuals():
            if name_or_id in (each.name, each.id):
                return each
        names = ", ".join(each.name for each in self.individuals()) or "none yet"
        raise RunError(f"there is no concept {name_or_id!r} in {str(self.folder)!r}: there are {names}")

    def add_drawings(self, drawings: Sequence[tuple[str, str, int, Image.Image]]) -> list[Drawing]:
        """Store pictures: (concept id, prompt with {}, seed, picture) each."""
        stored = []
        for concept, prompt, seed, picture in drawings:
            content = io.BytesIO()
            picture.save(content, format="PNG")
            file = self.folder / "drawings" / f"{hashlib.sha256(content.getvalue()).hexdigest()[:24]}.png"
            if not file.exists():
                write_atomically(file, content.getvalue())
            stored.append(Drawing(concept, prompt, seed, file))
        rows = [{"concept": d.concept, "prompt": d.prompt, "seed": d.seed, "file": d.file.name} for d in stored]
        self._write_part("drawings", rows, DRAWINGS)
        return stored

    def drawings(self, concept: str | None = None) -> list[Drawing]:
        """Stored pictures, of one concept (by id) or of all."""
        rows = self._rows("drawings", DRAWINGS)
        found = [Drawing(r["concept"], r["prompt"], r["seed"], self.folder / "drawings" / r["file"]) for r in rows]
        return [each for each in found if concept in (None, each.concept)]

    def _write_part(self, room: str, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
        if not rows:
            return
        content = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), content)
        digest = hashlib.sha256(content.getvalue()).hexdigest()[:8]
        number = max((int(part.name[:6]) for part in self._parts(room)), default=0) + 1
        write_atomically(self.folder / room / f"{number:06d}-{digest}.parquet", content.getvalue())

    def _parts(self, room: str) -> list[Path]:
        return sorted((self.folder / room).glob("[0-9][0-9][0-9][0-9][0-9][0-9]-*.parquet"))

    def _rows(self, room: str, schema: pa.Schema) -> Iterable[dict[str, Any]]:
        for part in self._parts(room):
            try:
                yield from pq.ParquetFile(part).read().cast(schema).to_pylist()
            except (pa.ArrowException, OSError) as error:
                raise RunError(f"the part {str(part)!r} cannot be read: {str(error).splitlines()[0]}") from error


def _row(each: Individual) -> dict[str, Any]:
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


def _individual(row: dict[str, Any]) -> Individual:
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
    return Individual(concept, row["name"], row["generation"], row["created_at"])


def _now() -> datetime:
    return datetime.now(UTC)
