"""Check of a run: changed files, and lost data."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from core.files import is_temporary
from core.wording import counted
from evolve.store.likes import rounds
from evolve.store.parents import out_of_order
from evolve.store.parts import CHANGED, PART, Damage, Room, RunError, is_unchanged, number_of
from evolve.store.ratings import sessions
from evolve.store.rows import PHOTO, PICTURE
from evolve.store.run import FROM_THE_START, INDEX, Run, picture_digest

MOST_NAMED = 12


@dataclass(frozen=True)
class Finding:
    """A difference from the stored state. where: a file of the run, or "" for the run as a whole.

    lost: data is missing or wrong; otherwise something is superfluous.
    """

    where: str
    text: str
    lost: bool = True


@dataclass(frozen=True)
class Checkup:
    """Counts of what can be read, and the findings."""

    concepts: int
    drawings: int
    notes: int
    parts: int
    findings: list[Finding] = field(default_factory=list)
    photos: int = 0

    @property
    def whole(self) -> bool:
        return not any(finding.lost for finding in self.findings)


def check(run: Run) -> Checkup:
    """Read everything and compare every part and picture with the digest in its name."""
    damage: list[Damage] = []
    individuals = run.individuals(damage)
    entries = run.entries(damage)
    by_id = {each.id: each for each in entries}
    pairs = ((each, parent) for each in entries for parent in each.parents)
    damage += [wrong for each, parent in pairs if (wrong := out_of_order(each, parent, by_id))]
    drawings = run.drawings(damage=damage) + run.renderings(damage=damage)
    notes = run.notes(damage)
    photos = run.photos(damage)
    rounds(run, damage)
    asked = {file for each in sessions(run, damage) for files in each.drawings for file in files}

    findings = [finding for name, room in run.rooms.items() for finding in _of_parts(name, room)]
    rows = dict.fromkeys((each.part, each.row, each.reason) for each in damage if each.row is not None)
    findings += [Finding(_inside(run, part), f"row {row} cannot be read: {why}") for part, row, why in rows]
    known = {each.id for each in individuals}
    mentioned = [drawing.concept for drawing in drawings] + list(notes)
    parents = [parent for each in entries for parent in each.parents]
    mentioned += [parent.id for parent in parents if not parent.run and parent.kind != "image"]
    lost = [id_ for id_ in dict.fromkeys(mentioned) if id_ not in known]
    if lost:
        named = [f"{notes[id_].name} ({id_})" if id_ in notes and notes[id_].name else id_ for id_ in lost]
        many = counted(len(lost), "concept is lost that", "concepts are lost that")
        findings.append(Finding("", f"{many} drawings, notes or children refer to: {_some(named)}"))
    findings += _of_pictures(run, asked | {drawing.file.name for drawing in drawings})
    findings += [*_of_photos(run), *_of_imports(run)]
    findings += _of_temporaries(run)
    findings += _of_doubles(run, Counter(each.name for each in entries))
    for name, room in run.rooms.items():
        if not room.is_indexed_truly():
            text = "it differs from the parts: remove it, and it is built again from the parts"
            findings.append(Finding(f"{INDEX}/{name}", text, False))
    count = sum(len(room.parts()) for room in run.rooms.values())
    return Checkup(len(individuals), len(drawings), len(notes), count, findings, len(photos))


def _of_parts(name: str, room: Room) -> Iterator[Finding]:
    """Parts that are torn, changed or missing, and other files."""
    if not room.folder.is_dir() and name in FROM_THE_START:  # other folders are made when first needed
        yield Finding(name, "the folder is gone with its content")
    parts = room.parts()
    for part in parts:
        where = f"{name}/{part.name}"
        try:
            room.read(part)
        except RunError as error:
            yield Finding(where, f"{error}; the {name} of that batch are lost")
        else:
            if not is_unchanged(part):
                yield Finding(where, f"it can be read, but {CHANGED}")
    numbers = {number_of(part) for part in parts}
    for number in range(1, max(numbers, default=0)):
        if number not in numbers:
            yield Finding(f"{name}/{number:06d}-….parquet", f"it is gone; the {name} of that batch are lost")
    for file in _files(room.folder):
        if not is_temporary(file) and not PART.fullmatch(file.name) and not _is_picture(name, file.name):
            yield Finding(f"{name}/{file.name}", "it is not a file of a run, and is not read", False)


def _of_pictures(run: Run, shown: set[str]) -> Iterator[Finding]:
    """Pictures that are missing or changed, and pictures without a row."""
    folder = run.folder / "drawings"
    for name in sorted(shown):
        try:
            content = (folder / name).read_bytes()
        except OSError as error:
            yield Finding(f"drawings/{name}", f"the picture cannot be read: {error.strerror or error}")
            continue
        if picture_digest(content) != name.removesuffix(".png"):
            yield Finding(f"drawings/{name}", "the picture has changed: its digest differs")
    for file in _files(folder):
        if PICTURE.fullmatch(file.name) and file.name not in shown:
            yield Finding(f"drawings/{file.name}", "no table describes the picture", False)


def _of_photos(run: Run) -> Iterator[Finding]:
    """Copies of photographs that are missing or changed, and copies without a row."""
    photos = run.photos()
    for photo in photos.values():
        where = f"photos/{photo.file.name}"
        again = "using the photograph once more puts it back"
        try:
            digest = picture_digest(photo.file.read_bytes())
        except OSError as error:
            yield Finding(where, f"the copy of {photo.label!r} cannot be read: {error.strerror or error}; {again}")
            continue
        if digest != photo.digest:
            yield Finding(where, f"the copy of {photo.label!r} has changed: its digest differs; {again}")
    for file in _files(run.folder / "photos"):
        if _is_picture("photos", file.name) and file.stem not in photos:
            yield Finding(f"photos/{file.name}", "no table has the name of the photograph", False)


def _of_imports(run: Run) -> Iterator[Finding]:
    """Records of the origin of imported concepts that cannot be read."""
    for file in _files(run.folder / "imports"):
        try:
            whole = isinstance(json.loads(file.read_bytes()), dict)
        except (OSError, ValueError, RecursionError):
            whole = False
        if file.suffix == ".json" and not whole:
            yield Finding(_inside(run, file), "it cannot be read; where that concept was learned is lost")


def _of_temporaries(run: Run) -> Iterator[Finding]:
    """Files that killed writers have left, in all folders of the run."""
    for file in sorted(run.folder.rglob(".*.tmp")):
        if is_temporary(file) and file.is_file():
            text = "left over from a write that was stopped: it can be removed"
            yield Finding(_inside(run, file), text, False)


def _is_picture(room: str, name: str) -> bool:
    if room == "photos":
        return name.endswith(".png") and bool(PHOTO.fullmatch(name.removesuffix(".png")))
    return room == "drawings" and bool(PICTURE.fullmatch(name))


def _of_doubles(run: Run, names: Counter[str]) -> Iterator[Finding]:
    """Concepts stored twice (the first one counts), and names used twice."""
    room = run.rooms["concepts"]
    ids = Counter(row["id"] for _, _, row in room.rows(("id",)))
    for id_ in [id_ for id_, count in ids.items() if count > 1]:
        yield Finding("", f"the concept {id_} is in several parts: the first one counts", False)
    for name in [name for name, count in names.items() if count > 1]:
        yield Finding("", f"several concepts are called {name!r}: name them by their ids", False)


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.is_file()) if folder.is_dir() else []


def _inside(run: Run, file: Path) -> str:
    return file.relative_to(run.folder).as_posix()


def _some(names: Iterable[str]) -> str:
    names = list(names)
    more = f" … and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more
