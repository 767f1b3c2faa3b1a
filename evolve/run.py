"""A run on disk: what was learned, as Parquet parts that are written once and never changed (docs/formats.md).

run.json               what the run is about, on which stack; schema version
concepts/*.parquet     one part per batch, one row per concept: a batch is there as a whole or not at all
drawings/*.png         pictures, named by their content
drawings/*.parquet     which picture shows which concept in which prompt; written after the pictures
notes/*.parquet        what people say of concepts: name, rating, comment …; the latest note of a concept counts

Reading stops at damage with a RunError that names the part, and its row. Methods that take a list `damage` note it
there instead, and give what is whole.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import re
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pyarrow as pa
from filelock import FileLock, Timeout
from PIL import Image

from core.concept import KINDS, LONGEST_WORD, PARENT_KINDS, Concept, Measurement, Negative, Request
from core.errors import ConceptreeError
from core.files import StorageError, write_atomically
from evolve.names import name_for
from evolve.parts import Damage, Room, RunError, suffer

SCHEMA = 1
PICTURE = re.compile(r"[0-9a-f]{24}\.png")  # how drawings are called, and nothing else is opened as one
WAIT = 30.0  # seconds for another writer, who needs milliseconds
LONGEST_COMMENT = 10_000
_LONE = re.compile("[\ud800-\udfff]")  # halves of characters, which no file can hold
_LOCK, _HOLDER = ".lock", ".lock.by"
_TEXT, _NUMBER, _TIME = pa.string(), pa.float64(), pa.timestamp("us", tz="UTC")
_ABOUT = {"category": str, "kind": str, "stack": dict, "created_at": str}
_STACK = {"where": str, "version": str, "fingerprint": str}


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
    ]
)
# All that lists and the family need. Vectors and requests are most of a part, and are not read for them.
_ENTRY = ("id", "name", "generation", "category", "kind", "parents", "scores", "created_at")


@dataclass(frozen=True)
class Note:
    """What a person says of a concept. rating: 1 to 5; name: instead of the one it was born with."""

    favourite: bool = False
    rating: int | None = None
    name: str | None = None
    comment: str = ""
    hidden: bool = False
    locked: bool = False

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
            raise RunError(f"the comment {self.comment[:40]!r} is no Unicode text: type it again")


@dataclass(frozen=True)
class Descent:
    """A concept's descent from one parent. run: where the parent lives, "" for the same run, or for a photograph."""

    id: str
    run: str
    weight: float
    kind: str

    @property
    def brief(self) -> str:
        """What a parent goes by that is not in the run: the first eight digits of its id, "photo-" and those."""
        return self.id[:14] if self.id.startswith("photo-") else self.id[:8]


@dataclass(frozen=True)
class Entry:
    """A concept as the run lists it, without its vectors and its request, and where they stand.

    name: the newest; born: the first.
    """

    id: str
    name: str
    born: str
    generation: int
    category: str
    kind: str
    parents: tuple[Descent, ...]
    scores: Mapping[str, float]
    created_at: datetime
    note: Note
    part: Path
    row: int

    @property
    def birth(self) -> str:
        """How it came to be: founder, mix, mutate or image."""
        kinds = {parent.kind for parent in self.parents}
        return next((kind for kind in ("mutate", "mix", "image") if kind in kinds), "founder")


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
    """A run's folder. Parts are only ever added, by one writer at a time; readers need no lock."""

    def __init__(self, folder: Path, about: dict[str, Any]) -> None:
        self.folder = folder
        self.about = about
        schemas = {"concepts": CONCEPTS, "drawings": DRAWINGS, "notes": NOTES}
        self.rooms = {name: Room(folder / name, schema) for name, schema in schemas.items()}

    @classmethod
    def create(cls, folder: str | Path, category: str, backbone: Any, kind: str = "object") -> Run:
        """A new, empty run about a category on a stack."""
        folder = Path(folder)
        about = {
            "schema": SCHEMA,
            "category": category,
            "kind": kind,
            "stack": {
                "where": _lasting(backbone.where),
                "version": backbone.version,
                "fingerprint": backbone.fingerprint,
            },
            "created_at": _now().isoformat(),
            "written_by": _own_version(),
        }
        run = cls(folder, about)
        try:
            for room in run.rooms.values():
                room.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"no run can be made in {str(folder)!r}: {error.strerror or error}") from error
        with run.writing():
            if (folder / "run.json").exists():
                raise RunError(f"there is a run in {str(folder)!r} already: choose another name")
            write_atomically(folder / "run.json", json.dumps(about, indent=2, ensure_ascii=False).encode())
        return run

    @classmethod
    def open(cls, folder: str | Path) -> Run:
        """An existing run."""
        folder = Path(folder)
        try:
            about = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise RunError(f"there is no run in {str(folder)!r}: it has no run.json") from None
        except OSError as error:
            raise StorageError(f"the run.json in {str(folder)!r} cannot be read: {error.strerror or error}") from error
        except (ValueError, RecursionError) as error:
            raise RunError(f"the run.json in {str(folder)!r} cannot be read: it is no JSON ({error})") from error
        if not isinstance(about, dict):
            raise RunError(f"the run.json in {str(folder)!r} cannot be read: expected an object, with its schema")
        _check_schema(folder, about)
        _check_keys(folder, about, _ABOUT)
        _check_keys(folder, about["stack"], _STACK, "stack.")
        if about["kind"] not in KINDS:
            raise RunError(f"the run.json in {str(folder)!r} has kind {about['kind']!r}: expected {' or '.join(KINDS)}")
        return cls(folder, about)

    @contextmanager
    def writing(self, wait: float = WAIT) -> Iterator[None]:
        """Hold the run for writing: one writer at a time, of all processes; who holds it may enter again.

        It is held while something is stored, for milliseconds, and never while something is learned. So two people
        may breed in one run, and who comes second waits a moment rather than lose what took minutes to learn.

        Raises:
            RunError: somebody holds it for longer than `wait` seconds: who that is.
            StorageError: no lock file can be made there.
        """
        if not self.folder.is_dir():  # the lock would make it again
            raise StorageError(f"the run {str(self.folder)!r} cannot be written: its folder is gone")
        lock = FileLock(self.folder / _LOCK, is_singleton=True)
        holder = self.folder / _HOLDER
        first = not lock.is_locked
        try:
            lock.acquire(timeout=wait)
        except Timeout:
            raise RunError(
                f"the run {str(self.folder)!r} is being written by {_named(holder)}, and still was after {wait:g} s:"
                f" try again when that is done"
            ) from None
        except (OSError, NotImplementedError) as error:
            reason = getattr(error, "strerror", None) or error
            raise StorageError(f"the run {str(self.folder)!r} cannot be written: {reason}") from error
        try:
            if first:
                with suppress(OSError):  # a courtesy to those who wait: not worth failing for
                    holder.write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
            yield
        finally:
            if first:
                with suppress(OSError):
                    holder.unlink(missing_ok=True)
            lock.release()

    def add(self, concepts: Sequence[Concept], taken: Iterable[str] = ()) -> list[Individual]:
        """Store a batch as one part. taken: words that are no names, such as those the stack knows."""
        with self.writing():
            damage: list[Damage] = []  # of other batches is no reason to lose this one
            known = self.entries(damage)
            generations = {each.id: each.generation for each in known}
            names = {*taken, *(each.name for each in known), *(each.born for each in known)}
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
            self.rooms["concepts"].append([_row(each) for each in added])
            return added

    def entries(self, damage: list[Damage] | None = None) -> list[Entry]:
        """All concepts as they are listed, in the order in which they were stored."""
        notes = self.notes(damage)
        found: dict[str, Entry] = {}
        for part, number, row in self.rooms["concepts"].rows(_ENTRY, damage):
            try:
                entry = _entry(part, number, row, notes)
            except RunError as error:
                suffer(damage, Damage(part, str(error), number))
            else:
                found.setdefault(entry.id, entry)  # of a concept that was put back twice, the first
        return list(found.values())

    def entry(self, name_or_id: str) -> Entry:
        """The concept of that name, that id, or that name at birth, among what is whole."""
        damage: list[Damage] = []
        entries = self.entries(damage)
        for found in (
            [each for each in entries if each.name == name_or_id],
            [each for each in entries if name_or_id in (each.id, each.born)],
        ):
            if found:
                return found[0]
        names = [each.name if each.name.isprintable() else repr(each.name) for each in entries]
        near = get_close_matches(name_or_id, names, n=4)
        there = f"did you mean {', '.join(near)}?" if near else f"there are {_listed(names) or 'none yet'}"
        if damage:
            there += f"; it may be in what cannot be read ({damage[0]})"
        raise RunError(f"there is no concept {name_or_id!r} in {str(self.folder)!r}: {there}")

    def individuals(self, damage: list[Damage] | None = None) -> list[Individual]:
        """All concepts as they were learned, in the order in which they were stored."""
        notes = self.notes(damage)
        found: dict[str, Individual] = {}
        for part, number, row in self.rooms["concepts"].rows(damage=damage):
            try:
                each = _individual(row, notes)
            except RunError as error:
                suffer(damage, Damage(part, str(error), number))
            else:
                found.setdefault(each.id, each)
        return list(found.values())

    def find(self, name_or_id: str) -> Individual:
        """The concept of that name or id, see `entry`, as it was learned."""
        entry = self.entry(name_or_id)
        try:
            row = self.rooms["concepts"].read(entry.part)[entry.row - 1]
            return _individual(row, {entry.id: entry.note})
        except RunError as error:
            raise Damage(entry.part, str(error), entry.row).error from error

    def add_drawings(self, drawings: Sequence[tuple[str, str, int, Image.Image]]) -> list[Drawing]:
        """Store pictures: (concept id, prompt with {}, seed, picture) each."""
        stored = []
        for concept, prompt, seed, picture in drawings:
            content = io.BytesIO()
            picture.save(content, format="PNG")
            file = self.folder / "drawings" / f"{picture_digest(content.getvalue())}.png"
            if not file.exists():
                write_atomically(file, content.getvalue())
            stored.append(Drawing(concept, prompt, seed, file))
        with self.writing():
            self.rooms["drawings"].append(
                [{"concept": d.concept, "prompt": d.prompt, "seed": d.seed, "file": d.file.name} for d in stored]
            )
        return stored

    def drawings(self, concept: str | None = None, damage: list[Damage] | None = None) -> list[Drawing]:
        """Stored pictures, of one concept (by id) or of all."""
        found = []
        for part, number, row in self.rooms["drawings"].rows(DRAWINGS.names, damage):
            missing = [name for name, value in row.items() if value is None]
            if missing:
                suffer(damage, Damage(part, f"it has no {missing[0]}", number))
            elif not PICTURE.fullmatch(row["file"]):
                reason = f"it names the file {row['file']!r}, and pictures are called by 24 hex digits and .png"
                suffer(damage, Damage(part, reason, number))
            elif concept in (None, row["concept"]):
                file = self.folder / "drawings" / row["file"]
                found.append(Drawing(row["concept"], row["prompt"], row["seed"], file))
        return found

    def note(self, concept: str, **values: Any) -> Note:
        """Say something of a concept (by id): of what is not given, the last note's word counts.

        favourite, hidden, locked: true or false. rating: 1 to 5, None for none. name: None for the one it was born
        with. comment: any text. Nothing is lost by it: earlier notes stay in their parts.
        """
        unknown = sorted(set(values) - {field.name for field in fields(Note)})
        if unknown:
            raise RunError(f"a note has no {unknown[0]!r}: it has {', '.join(field.name for field in fields(Note))}")
        with self.writing():
            damage: list[Damage] = []
            entries = {each.id: each for each in self.entries(damage)}
            if concept not in entries:
                raise RunError(f"there is no concept with the id {concept!r} in {str(self.folder)!r}")
            note = replace(entries[concept].note, **values)
            if note.name is not None and "name" in values:
                _check_name(note.name, [each for each in entries.values() if each.id != concept])
            self.rooms["notes"].append([{"concept": concept, **asdict(note), "created_at": _now()}])
            return note

    def notes(self, damage: list[Damage] | None = None) -> dict[str, Note]:
        """The latest note of each concept that has one, by id."""
        found = {}
        for part, number, row in self.rooms["notes"].rows(NOTES.names, damage):
            try:
                if not row["concept"]:
                    raise RunError("it says of no concept what it says")
                found[row["concept"]] = Note(**{field.name: row[field.name] for field in fields(Note)})
            except RunError as error:
                suffer(damage, Damage(part, str(error), number))
        return found


def picture_digest(content: bytes) -> str:
    """The 24 hex digits by which a picture's file is called."""
    return hashlib.sha256(content).hexdigest()[:24]


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


def _entry(part: Path, number: int, row: dict[str, Any], notes: Mapping[str, Note]) -> Entry:
    _check_filled(row)
    note = notes.get(row["id"], Note())
    try:
        return Entry(
            id=row["id"],
            name=note.name or row["name"],
            born=row["name"],
            generation=row["generation"],
            category=row["category"],
            kind=row["kind"],
            parents=tuple(_descent(**parent) for parent in row["parents"]),
            scores={str(each["name"]): float(each["value"]) for each in row["scores"]},
            created_at=row["created_at"],
            note=note,
            part=part,
            row=number,
        )
    except TypeError as error:
        raise RunError(f"it is no concept of this schema ({error})") from error


def _descent(id: str, run: str | None, weight: float | None, kind: str) -> Descent:
    if not id or kind not in PARENT_KINDS:
        raise RunError(f"it has a parent {id!r} of kind {kind!r}")
    if weight is None or not math.isfinite(weight) or weight <= 0:
        raise RunError(f"its parent {id!r} has the weight {weight}")
    return Descent(id, run or "", weight, kind)


def _individual(row: dict[str, Any], notes: Mapping[str, Note]) -> Individual:
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
        # A row that is null where it should not be, or a request that is JSON of another kind.
        raise RunError(f"it is no concept of this schema ({str(error).splitlines()[0]})") from error
    name = notes.get(row["id"], Note()).name or row["name"]
    return Individual(concept, name, row["generation"], row["created_at"])


def _check_filled(row: dict[str, Any]) -> None:
    missing = [name for name in _ENTRY if row[name] is None]
    if missing:
        raise RunError(f"it has no {missing[0]}")


def _check_schema(folder: Path, about: dict[str, Any]) -> None:
    schema = about.get("schema")
    if type(schema) is int and schema == SCHEMA:
        return
    advice = "was it made by Conceptree?"
    if type(schema) is int and schema > SCHEMA:
        by = about.get("written_by")
        newer = f"Conceptree {by[:40]!r}" if isinstance(by, str) and by else "a newer Conceptree"
        advice = f"{newer} wrote it, and reads it; this is {_own_version() or 'older'}"
    raise RunError(f"the run in {str(folder)!r} has schema {schema!r}, this version reads {SCHEMA}: {advice}")


def _check_keys(folder: Path, values: dict[str, Any], kinds: Mapping[str, type], prefix: str = "") -> None:
    for key, kind in kinds.items():
        if key not in values:
            raise RunError(f"the run.json in {str(folder)!r} lacks the key {prefix + key!r}: put it back from a copy")
        if not isinstance(values[key], kind):
            expected = "text" if kind is str else "an object"
            raise RunError(f"the run.json in {str(folder)!r} has {prefix + key} = {values[key]!r}: expected {expected}")


def _check_name(name: str, others: Iterable[Entry]) -> None:
    """Refuse what could not be typed as NAME, or NAME:WEIGHT, in a command, and what means somebody else."""
    wrong = not name.strip() or name != name.strip() or name[0] in "-." or not name.isprintable()
    if wrong or any(c in name for c in '/\\:*?"<>|{}') or len(name) > LONGEST_WORD:
        raise RunError(
            f"{name[:LONGEST_WORD]!r} is no name for a concept: up to {LONGEST_WORD} letters, digits, spaces, - and _"
        )
    for each in others:
        if name in (each.name, each.born, each.id):
            raise RunError(f"the name {name!r} is taken, by {each.id}: choose another")


def _lasting(where: str) -> str:
    """A stack's folder as one can find it from anywhere; the name of a stack as it is."""
    folder = Path(where).expanduser()
    return str(folder.resolve()) if where != "emoji" and folder.is_dir() else where


def _named(holder: Path) -> str:
    """Who holds the lock, if that is known."""
    try:
        name = holder.read_text(encoding="utf-8")[:200]
    except (OSError, ValueError):
        return "another process"
    return name if name and name.isprintable() else "another process"


def _listed(names: Sequence[str], most: int = 20) -> str:
    more = f" … and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _own_version() -> str:
    try:
        return version("conceptree")
    except PackageNotFoundError:  # run from a folder that pip has not installed
        return ""


def _now() -> datetime:
    return datetime.now(UTC)
