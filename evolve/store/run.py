"""A run on disk: concepts, drawings and notes in Parquet parts that never change (docs/formats.md).

run.json               category, kind, stack, schema version
concepts/*.parquet     one part per batch, one row per concept: a batch is stored as a whole or not at all
drawings/*.png         pictures, named by their content
drawings/*.parquet     concept, prompt and seed of each picture; written after the pictures
notes/*.parquet        names, ratings, comments, tags …; the latest note of a concept counts
renderings/*.parquet   the same of pictures by other decoders, with how each was drawn
photos/*.png, *.parquet  small copies of photographs that are parents, by id, with the names of their files
studies/, ratings/     questions and answers of blind ratings (`evolve.store.ratings`)
likes/*.parquet        concepts that a person was shown, and those that they like (`evolve.store.likes`)

Reading skips damage and returns the rest. Pass a list `damage` to collect it, or `strict=True` to stop with a RunError
that names the part and its row. `evolve.store.check` reports all damage of a run.
"""

from __future__ import annotations

import hashlib
import io
import json
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import fields, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from core.concept import Concept
from core.files import StorageError, write_atomically
from core.texts import checked_text, folded, one_name
from core.wording import did_you_mean
from evolve.store.about import SCHEMA, new_about, read_about
from evolve.store.captions import drawing_told
from evolve.store.index import Index
from evolve.store.listing import Listing, among, drawings_in
from evolve.store.lock import WAIT, gone, held
from evolve.store.names import candidates, check_free, check_name, name_for
from evolve.store.notes import aside, changes, courses, latest
from evolve.store.parts import Damage, Room, RunError, report
from evolve.store.rows import (
    ASIDE,
    CONCEPTS,
    DRAWINGS,
    EMBED,
    ENTRY,
    EXACT,
    KNOWN,
    LATER,
    LIKES,
    LONGEST_COMMENT,
    NOTES,
    PHOTO,
    PHOTOS,
    PICTURE,
    RATINGS,
    REDO,
    RENDERINGS,
    STUDIES,
    UNDO,
    Change,
    Descent,
    Drawing,
    Entry,
    Individual,
    Note,
    Photo,
    drawing_of,
    individual_of,
    photo_of,
    row_of,
    row_of_note,
)
from evolve.store.tags import as_spelled, changed_tags, checked_tags

if TYPE_CHECKING:  # lists and trees need no pictures
    from PIL import Image

    from core.renderers import Rendered

__all__ = [
    "CONCEPTS",
    "DRAWINGS",
    "LONGEST_COMMENT",
    "NOTES",
    "PHOTOS",
    "PICTURE",
    "SCHEMA",
    "Change",
    "Descent",
    "Drawing",
    "Entry",
    "Individual",
    "Note",
    "Photo",
    "Run",
    "RunError",
    "picture_digest",
]

SMALL = 128  # pixels, longer side of the copy of a photograph
LONGEST_LABEL = 200
TRIED = 64  # candidate names looked up for each new concept before all names are read
INDEX = ".index"  # derived tables, see `evolve.store.index`
_ROOMS = {
    "concepts": CONCEPTS,
    "drawings": DRAWINGS,
    "renderings": RENDERINGS,
    "notes": NOTES,
    "photos": PHOTOS,
    "studies": STUDIES,
    "ratings": RATINGS,
    "likes": LIKES,
}
# Columns read from all parts together. Vectors and requests are most of a part; they are read for one concept.
_KEPT = {name: [schema.names] for name, schema in _ROOMS.items()} | {"concepts": [ENTRY, KNOWN, EMBED]}
_EXACT = {"concepts": EXACT}
FROM_THE_START = ("concepts", "drawings")  # folders that every run has


class Run:
    """A run's folder. Parts are only ever added, by one writer at a time; readers need no lock."""

    def __init__(self, folder: Path, about: dict[str, Any]) -> None:
        self.folder = folder
        self.about = about
        self.rooms = {
            name: Room(folder / name, schema, LATER, _KEPT[name], Index(folder / INDEX / name), _EXACT.get(name, ()))
            for name, schema in _ROOMS.items()
        }
        self.listing = Listing(self.rooms["concepts"])

    @classmethod
    def create(cls, folder: str | Path, category: str, backbone: Any, kind: str = "object") -> Run:
        """A new, empty run about a category on a stack."""
        folder = Path(folder)
        about = new_about(category, kind, backbone)
        run = cls(folder, about)
        try:
            for name in FROM_THE_START:
                run.rooms[name].folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"no run can be made in {str(folder)!r}: {error.strerror or error}") from error
        with held(folder):
            if (folder / "run.json").exists():
                raise RunError(f"there is a run in {str(folder)!r} already: choose another name")
            write_atomically(folder / "run.json", json.dumps(about, indent=2, ensure_ascii=False).encode())
        return run

    @classmethod
    def open(cls, folder: str | Path) -> Run:
        """An existing run."""
        folder = Path(folder)
        return cls(folder, read_about(folder))

    def writing(self, wait: float = WAIT) -> AbstractContextManager[None]:
        """Lock the run for writing (`evolve.store.lock`); the holder may enter again."""
        self.check_there()
        return held(self.folder, wait)

    def check_there(self) -> None:
        """Raise a StorageError if the folder is gone, or is another run by now."""
        try:
            there = read_about(self.folder)["created_at"] == self.about["created_at"]
        except RunError:
            there = (self.folder / "run.json").exists()  # damaged, which is no other run
        if not there:
            raise gone(self.folder)

    def add(self, concepts: Sequence[Concept], taken: Iterable[str] = ()) -> list[Individual]:
        """Store a batch as one part. taken: words that must not become names, such as those the stack knows."""
        with self.writing():
            ids = {concept.id for concept in concepts}
            parents = {parent.id for concept in concepts for parent in concept.request.parents}
            known = self.listing.known()
            generations = among(known, "id", ids | parents)
            if not ids.isdisjoint(generations):  # stored readably, or only in damaged rows?
                ids &= {each.id for each in self.entries()}
                if ids:
                    raise RunError(f"the concept {min(ids)} is in the run already: give the request another seed")
            names = {*taken, *(note.name for note in self.notes().values() if note.name)}
            names |= {self.about["category"].lower(), *(concept.request.category.lower() for concept in concepts)}
            tried = {name for concept in concepts for name in islice(candidates(concept.id), TRIED)}
            names |= among(known, "name", tried).keys()
            created_at = _now()
            added: list[Individual] = []
            for concept in concepts:
                if concept.id in (each.id for each in added):
                    raise RunError(f"the concept {concept.id} is in the batch twice: give the request another seed")
                name = name_for(concept.id, names)
                if name not in tried:  # all candidates are taken, so this name may be too
                    names |= {name for each in self.entries() for name in (each.born, each.name)}
                    name = name_for(concept.id, names)
                names.add(name)
                # A parent of another run counts as a founder.
                older = [generations.get(parent.id, 0) for parent in concept.request.parents]
                generations[concept.id] = 1 + max(older) if older else 0
                added.append(Individual(concept, name, generations[concept.id], created_at))
            self.rooms["concepts"].append([row_of(each) for each in added])
            return added

    def entries(self, damage: list[Damage] | None = None, *, strict: bool = False) -> list[Entry]:
        """All concepts without vectors and requests, in the order in which they were stored."""
        notes = self.notes(damage, strict=strict)
        found: dict[str, Entry] = {}
        for entries in self.listing.entries(damage, strict=strict):
            for entry in entries:
                found.setdefault(entry.id, entry)  # of duplicate rows the first
        for id_ in notes.keys() & found.keys():
            note, entry = notes[id_], found[id_]
            found[id_] = replace(entry, note=note, name=note.name or entry.born)
        return list(found.values())

    def image_embeds(self) -> dict[str, npt.NDArray[np.float32]]:
        """Mean imagined embedding of every readable concept, [width], by id."""
        return self.listing.image_embeds()

    def words(self) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
        """Positives and negatives of every readable concept, by id."""
        found: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
        damage: list[Damage] = []  # `entries` names it
        for _, _, row in self.rooms["concepts"].rows(("id", "positives", "negatives"), damage):
            lists = (row["positives"] or (), row["negatives"] or ())
            towards, away = (tuple(str(each["word"]) for each in words if each) for words in lists)
            found.setdefault(str(row["id"]), (towards, away))
        return found

    def entry(self, name_or_id: str) -> Entry:
        """The readable concept with that name, id, or name at birth."""
        damage: list[Damage] = []
        entries = self.entries(damage)
        for found in (
            [each for each in entries if each.name == name_or_id],
            [each for each in entries if name_or_id in (each.id, each.born)],
            [each for each in entries if one_name(name_or_id) in (one_name(each.name), one_name(each.born))],
        ):
            if found:
                return found[0]
        names = [each.name if each.name.isprintable() else repr(each.name) for each in entries]
        there = did_you_mean(name_or_id, names) or f"there are {_listed(names) or 'none yet'}"
        lost = [each for each in damage if each.part.parent == self.rooms["concepts"].folder] or damage
        if lost:
            there += f"; it may be in a damaged part ({lost[0]})"
        raise RunError(f"there is no concept {name_or_id!r} in {str(self.folder)!r}: {there}")

    def individuals(self, damage: list[Damage] | None = None, *, strict: bool = False) -> list[Individual]:
        """All concepts with vectors and requests, in the order in which they were stored."""
        notes = self.notes(damage, strict=strict)
        found: dict[str, Individual] = {}
        for part, number, row in self.rooms["concepts"].rows(damage=damage, strict=strict):
            try:
                each = individual_of(row, notes)
            except RunError as error:
                report(Damage(part, str(error), number), damage, strict)
            else:
                found.setdefault(each.id, each)
        return list(found.values())

    def find(self, name_or_id: str) -> Individual:
        """The concept with that name or id (see `entry`), with vectors and request."""
        entry = self.entry(name_or_id)
        try:
            row = self.rooms["concepts"].read(entry.part)[entry.row - 1]
            return individual_of(row, {entry.id: entry.note})
        except RunError as error:
            raise Damage(entry.part, str(error), entry.row).error from error

    def keep_picture(self, picture: Image.Image, told: Mapping[str, object] | None = None) -> Path:
        """Write a drawing under the name of its content, unless it exists; the file. told: its text chunks."""
        self.check_there()
        from core.png import png_bytes

        content = png_bytes(picture, told)
        file = self.folder / "drawings" / f"{picture_digest(content)}.png"
        if not file.exists():
            write_atomically(file, content, within=self.folder)
        return file

    def add_drawings(self, drawings: Iterable[tuple[str, str, int, Image.Image]]) -> list[Drawing]:
        """Store pictures, each (concept id, prompt with {}, seed, picture), with text chunks on concept and prompt.

        An iterator has one picture in memory at a time.
        """
        return self._keep_drawings("drawings", ((*each, None) for each in drawings))

    def add_renderings(self, drawings: Iterable[tuple[str, str, int, Image.Image, Rendered]]) -> list[Drawing]:
        """Store pictures by other decoders, as `add_drawings` does, each with how it was drawn."""
        return self._keep_drawings("renderings", drawings)

    def _keep_drawings(
        self, room: str, drawings: Iterable[tuple[str, str, int, Image.Image, Rendered | None]]
    ) -> list[Drawing]:
        entries = {each.id: each for each in self.entries()}
        names = {id_: each.name for id_, each in entries.items()}
        name, stored = self.folder.resolve().name, []
        for concept, prompt, seed, picture, rendered in drawings:
            told = drawing_told(entries.get(concept), names, name, self.about, prompt, seed, picture.size, rendered)
            file = self.keep_picture(picture, told)
            stored.append(Drawing(concept, prompt, seed, file, rendered))
        rows = [{"concept": d.concept, "prompt": d.prompt, "seed": d.seed, "file": d.file.name} for d in stored]
        how = [{"rendered": d.rendered.to_json()} if d.rendered else {} for d in stored]
        with self.writing():
            self.rooms[room].append([row | more for row, more in zip(rows, how, strict=True)])
        return stored

    def drawings(
        self,
        concept: str | Collection[str] | None = None,
        damage: list[Damage] | None = None,
        *,
        strict: bool = False,
    ) -> list[Drawing]:
        """Stored pictures of one concept (id), of several, or of all."""
        wanted = {concept} if isinstance(concept, str) else concept
        found: list[Drawing] = []
        for piece in self.rooms["drawings"].pieces(DRAWINGS.names, damage, strict=strict):
            drawings, damaged = piece.once(drawings_in)
            for each in damaged:
                report(each, damage, strict)
            found += drawings if wanted is None else (each for each in drawings if each.concept in wanted)
        return found

    def renderings(
        self, concept: str | None = None, damage: list[Damage] | None = None, *, strict: bool = False
    ) -> list[Drawing]:
        """Stored pictures by other decoders, of one concept (id) or of all."""
        found = []
        for part, number, row in self.rooms["renderings"].rows(RENDERINGS.names, damage, strict=strict):
            try:
                drawing = drawing_of(self.folder / "drawings", row)
            except RunError as error:
                report(Damage(part, str(error), number), damage, strict)
            else:
                found += [drawing] if concept in (None, drawing.concept) else []
        return found

    def add_photo(self, id_: str, picture: Image.Image, label: str) -> Photo:
        """Keep a small copy of a photograph that is a parent, without metadata, and the name of its file.

        A copy that is already there and whole stays. id_: see `photos.photo_parent`.
        """
        if not PHOTO.fullmatch(id_):
            raise RunError(f"{id_!r} is not a photograph's id: expected photo- and 16 hex digits")
        from PIL import Image

        with self.writing():
            known = self.photos().get(id_)
            if known and _is_whole(known):
                return known
            small = picture.convert("RGB")
            small.thumbnail((SMALL, SMALL))
            content = io.BytesIO()
            Image.frombytes("RGB", small.size, small.tobytes()).save(content, format="PNG")  # without its metadata
            write_atomically(self.folder / "photos" / f"{id_}.png", content.getvalue(), within=self.folder)
            digest = picture_digest(content.getvalue())
            if not known or known.digest != digest:
                label = label.encode(errors="replace").decode()[:LONGEST_LABEL]
                row = {"id": id_, "label": known.label if known else label, "digest": digest, "created_at": _now()}
                self.rooms["photos"].append([row])
            return self.photos()[id_]

    def photos(self, damage: list[Damage] | None = None, *, strict: bool = False) -> dict[str, Photo]:
        """Photographs that are parents in this run, by id."""
        found = {}
        for part, number, row in self.rooms["photos"].rows(PHOTOS.names, damage, strict=strict):
            try:
                photo = photo_of(self.folder / "photos", row)
            except RunError as error:
                report(Damage(part, str(error), number), damage, strict)
            else:
                found[photo.id] = photo
        return found

    def names(self, damage: list[Damage] | None = None, *, strict: bool = False) -> dict[str, str]:
        """Names of concepts and photographs, by id."""
        labels = {photo.id: photo.label for photo in self.photos(damage, strict=strict).values()}
        return labels | {each.id: each.name for each in self.entries(damage, strict=strict)}

    def note(self, concept: str, **values: Any) -> Note:
        """Append a note on a concept (id). Values that are not given stay as they are.

        favourite, hidden, locked: true or false. rating: 1 to 5, or None. name: None for the name at birth. comment:
        text of several lines. tags: a list of texts. tag, untag: tags to add or remove. Earlier notes stay in their
        parts; `undo` goes back to them.
        """
        return self.note_all([concept], **values)[0]

    def note_all(self, concepts: Sequence[str], **values: Any) -> list[Note]:
        """Append the same note to several concepts (ids), as one batch that `undo_last` undoes as one; see `note`."""
        tag, untag = values.pop("tag", ()), values.pop("untag", ())
        unknown = sorted(set(values) - {field.name for field in fields(Note)})
        if unknown:
            raise RunError(f"a note has no {unknown[0]!r}: it has {', '.join(field.name for field in fields(Note))}")
        with self.writing():
            entries = {each.id: each for each in self.entries()}
            for concept in concepts:
                if concept not in entries:
                    raise RunError(f"there is no concept with the id {concept!r} in {str(self.folder)!r}")
            if isinstance(values.get("name"), str):
                values["name"] = unicodedata.normalize("NFC", values["name"])
            if isinstance(values.get("comment"), str):
                values["comment"] = checked_text(values["comment"], "comment", lines=True, error=RunError)
            if "tags" in values:
                values["tags"] = checked_tags(values["tags"])
            said = {concept: replace(entries[concept].note, **values) for concept in concepts}
            if tag or untag:
                add, untag = as_spelled(checked_tags(tag), self.tags()), checked_tags(untag)
                said = {key: replace(note, tags=changed_tags(note.tags, add, untag)) for key, note in said.items()}
            if values.get("name") is not None:
                check_name(values["name"])
                if len(said) > 1:
                    raise RunError(f"the name {values['name']!r} is for one concept, and {len(said)} are named")
            self._say({concept: note for concept, note in said.items() if note != entries[concept].note}, entries)
            return [said[concept] for concept in concepts]

    def set_aside(self, concepts: Sequence[str]) -> None:
        """Hide concepts (ids) because others are better. It is no opinion of a person: `taste` leaves them out."""
        with self.writing():
            entries = {each.id: each for each in self.entries()}
            said = {id_: replace(entries[id_].note, hidden=True) for id_ in concepts if not entries[id_].note.hidden}
            if said:
                self._say(said, entries, ASIDE)

    def aside(self, damage: list[Damage] | None = None) -> set[str]:
        """Ids of the concepts that `set_aside` has hidden, and no person has shown since."""
        return aside(self.rooms["notes"], damage)

    def undo(self, concept: str) -> Note | None:
        """Undo the last note of a concept (id) by appending the state before it; None if nothing is left to undo.

        Each further call undoes one change more. `redo` repeats an undone change until a new note is made.
        """
        return self._went(UNDO, [concept])

    def redo(self, concept: str) -> Note | None:
        """Redo the last undone note of a concept (id); None if there is none."""
        return self._went(REDO, [concept])

    def undo_last(self) -> list[Change]:
        """Undo the last batch of notes in this run; the changes undone."""
        with self.writing():
            done = [done[-1] for done, _ in courses(self.changes()).values() if done]
            newest = max((change.batch for change in done), default=0)
            batch = [change for change in done if change.batch == newest]
            self._went(UNDO, [change.concept for change in batch])
            return batch

    def _went(self, way: str, concepts: Sequence[str]) -> Note | None:
        """Undo or redo one change of each concept; the note of the last concept, or None without such a change."""
        with self.writing():
            told = courses(self.changes())
            entries = {each.id: each for each in self.entries()}
            said: dict[str, Note] = {}
            for concept in concepts:
                if concept not in entries:
                    raise RunError(f"there is no concept with the id {concept!r} in {str(self.folder)!r}")
                done, undone = told.get(concept, ([], []))
                changes = done if way == UNDO else undone
                if changes:
                    values = {name: pair[way == REDO] for name, pair in changes[-1].changed.items()}
                    said[concept] = replace(entries[concept].note, **values)
            self._say(said, entries, way)
            return said.get(concepts[-1]) if concepts else None

    def _say(self, said: Mapping[str, Note], entries: Mapping[str, Entry], way: str = "") -> None:
        """Append notes as one part. Raises RunError if a new name is taken."""
        for concept, note in said.items():
            if note.name is not None and note.name != entries[concept].note.name:
                check_free(note.name, [each for each in entries.values() if each.id != concept])
        at = _now()
        self.rooms["notes"].append([row_of_note(concept, note, at, way) for concept, note in said.items()])

    def notes(self, damage: list[Damage] | None = None, *, strict: bool = False) -> dict[str, Note]:
        """Latest note of each concept that has one, by id."""
        return latest(self.rooms["notes"], damage, strict=strict)

    def tags(self) -> dict[str, int]:
        """All tags, sorted, with the number of concepts that have each."""
        counts = Counter(tag for each in self.entries() for tag in each.note.tags)
        return dict(sorted(counts.items(), key=lambda each: folded(each[0])))

    def changes(self, damage: list[Damage] | None = None, *, strict: bool = False) -> list[Change]:
        """All changes made by notes, newest last."""
        return changes(self.rooms["notes"], damage, strict=strict)


def _is_whole(photo: Photo) -> bool:
    try:
        return picture_digest(photo.file.read_bytes()) == photo.digest
    except OSError:
        return False


def picture_digest(content: bytes) -> str:
    """The 24 hex digits that name a picture's file."""
    return hashlib.sha256(content).hexdigest()[:24]


def _listed(names: Sequence[str], most: int = 20) -> str:
    more = f" … and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _now() -> datetime:
    return datetime.now(UTC)
