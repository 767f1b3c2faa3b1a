"""Families between runs: export a concept with all its ancestors, and import it as a whole or not at all.

`evolve.family.familyfile` has the format of the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from core.errors import ConceptreeError
from core.texts import one_name
from evolve.family.familyfile import (
    Family,
    FamilyError,
    Member,
    Picture,
    ancestors_first,
    decoded,
    packed,
    written_again,
)
from evolve.store.parts import Damage, RunError
from evolve.store.rows import Drawing, Entry, Note, individual_of, row_of, row_of_note
from evolve.store.run import Individual, Run, picture_digest

WAIT = 5.0  # seconds for another writer


class OtherRunError(FamilyError):
    """A family does not fit into this run, but into a new one."""


@dataclass(frozen=True)
class Adopted:
    """An imported family. known: concepts (ids) that the run had. renamed: (name in the file, name here) by id.
    missing: ancestors that neither the file nor the run has, see `Family`.
    """

    added: tuple[str, ...]
    known: tuple[str, ...]
    renamed: Mapping[str, tuple[str, str]]
    missing: tuple[tuple[str, str], ...] = ()


def family_file(run: Run, concepts: Sequence[str]) -> bytes:
    """File of concepts (names or ids) with all their ancestors."""
    return packed(family_of(run, concepts))


def family_of(run: Run, concepts: Sequence[str], left_out: list[Path] | None = None) -> Family:
    """Concepts (names or ids) with all their ancestors, also those in readable runs beside this one.

    Ancestors that are nowhere, or that were learned on another stack, are named in `missing`. left_out: gets the files
    of pictures that are missing or were changed.

    Raises:
        RunError: there is no such concept; or it or an ancestor cannot be read, or was changed.
    """
    homes: dict[str, _Home | None] = {"": _Home(run)}
    members: dict[str, Member] = {}
    drawings: list[Picture] = []
    photos: dict[str, Picture] = {}
    missing: dict[str, str] = {}
    left_out = [] if left_out is None else left_out
    of = [run.entry(each).id for each in concepts]
    if not of:
        raise FamilyError("no concept is named: give at least one")
    wanted = [(id_, "") for id_ in of]
    while wanted:
        id_, where = wanted.pop()
        home = homes[where]
        if id_ in members or home is None:
            continue
        entry = home.entries[id_]
        each = home.find(entry)
        if each.concept.fingerprint != run.about["stack"]["fingerprint"]:
            missing[id_] = where or run.folder.name  # a guest of another stack: only its pictures were ever used here
            continue
        called = entry.name if entry.name != entry.born else ""
        members[id_] = Member(replace(each, name=entry.born), called, entry.note.tags)
        drawings += home.drawings_of(id_, left_out)
        for parent in entry.parents:
            if parent.is_photo:
                photos |= home.photo_of(parent.id, left_out)
                continue
            there = parent.run or where
            if there not in homes:
                homes[there] = _beside(run, there)
            if (found := homes[there]) and parent.id in found.entries:
                wanted.append((parent.id, there))
            elif parent.id in home.entries:  # a guest that has moved in
                wanted.append((parent.id, where))
            else:
                missing[parent.id] = there or run.folder.name
    about, stack = run.about, run.about["stack"]
    return Family(
        of=tuple(dict.fromkeys(of)),
        category=about["category"],
        kind=about["kind"],
        run=run.folder.name,
        stack={"version": stack["version"], "fingerprint": stack["fingerprint"]},
        members=ancestors_first(members.values()),
        drawings=tuple(drawings),
        photos=tuple(photos.values()),
        missing=tuple((id_, home) for id_, home in missing.items() if id_ not in members),
    )


class _Home:
    """A run, listed once, since every ancestor of a family is looked up in it."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.entries = {each.id: each for each in run.entries()}
        self.photos = run.photos()
        self.drawings: dict[str, list[Drawing]] = {}
        for drawing in (*run.drawings(), *run.renderings()):
            self.drawings.setdefault(drawing.concept, []).append(drawing)

    def find(self, entry: Entry) -> Individual:
        """The concept with vectors and request, see `Run.find`."""
        try:
            row = self.run.rooms["concepts"].read(entry.part)[entry.row - 1]
            return individual_of(row, {entry.id: entry.note})
        except RunError as error:
            raise Damage(entry.part, str(error), entry.row).error from error

    def drawings_of(self, id_: str, left_out: list[Path]) -> Iterator[Picture]:
        for each in self.drawings.get(id_, ()):
            # Without its text chunks, which name this run: the same family gives the same file from any run.
            if content := _unchanged(each.file, each.file.stem, left_out):
                yield Picture(id_, written_again(content), each.prompt, each.seed, rendered=each.rendered)

    def photo_of(self, id_: str, left_out: list[Path]) -> dict[str, Picture]:
        """Copy of a photograph by id; nothing if the run has none."""
        photo = self.photos.get(id_)
        content = _unchanged(photo.file, photo.digest, left_out) if photo else None
        return {id_: Picture(id_, content, label=photo.label)} if photo and content else {}


def _unchanged(file: Path, digest: str, left_out: list[Path]) -> bytes | None:
    """Content of a picture; None if it is missing, torn or changed. The others are packed."""
    with suppress(OSError, FamilyError):
        content = file.read_bytes()
        decoded(content)
        if picture_digest(content) == digest:
            return content
    left_out.append(file)
    return None


def _beside(run: Run, name: str) -> _Home | None:
    """A readable run beside another one, or None."""
    if name in ("", ".", "..") or not name.isprintable() or any(c in name for c in "/\\:"):
        return None
    with suppress(ConceptreeError, OSError, ValueError):
        return _Home(Run.open(run.folder.resolve().parent / name))
    return None


def adopt(family: Family, run: Run, width: int | None = None) -> Adopted:
    """Import a family into a run of the same stack: all concepts that the run lacks, or none.

    Ids, vectors and parents stay the same, bit for bit. A taken name gets a number. width: of the
    stack's embeddings, by default as the run's are.

    Raises:
        FamilyError: it is of another stack, kind or width, or the run has another concept of the same id.
        RunError: another process is writing the run.
    """
    made_on = run.about["stack"]
    if family.stack["fingerprint"] != made_on["fingerprint"]:
        raise OtherRunError(
            f"the family was learned on the stack {family.stack['version']} ({family.stack['fingerprint']}), and the"
            f" run {run.folder.name!r} on {made_on['version']} ({made_on['fingerprint']}): open it as a run of its own"
        )
    if family.kind != run.about["kind"]:
        kinds = f"is of kind {family.kind}, and the run {run.folder.name!r} of kind {run.about['kind']}"
        raise OtherRunError(f"the family {kinds}: open it as a run of its own")
    with run.writing(wait=WAIT):
        entries = run.entries()
        embeds = run.image_embeds()
        expected = width or next((len(embed) for embed in embeds.values()), family.width)
        if family.width != expected:
            raise FamilyError(f"the family's vectors are {family.width} wide, and those of its stack {expected}")
        here = {each.id: each for each in entries}
        for each in family.members:
            if each.individual.id in here:
                _check_same(run, each.individual)
        new = [each for each in family.members if each.individual.id not in here]
        taken = {one_name(name) for each in entries for name in (each.id, each.name, each.born)}
        generations = {each.id: each.generation for each in entries}
        rows, notes, renamed = [], [], {}
        now = datetime.now(UTC)
        for each in new:
            one = each.individual
            parents = [generations.get(parent.id, 0) for parent in one.concept.request.parents]
            generations[one.id] = 1 + max(parents) if parents else 0
            born = _free(one.name, taken)
            called = _free(each.called, taken) if each.called else ""
            rows.append(row_of(replace(one, name=born, generation=generations[one.id])))
            if called or each.tags:
                notes.append(row_of_note(one.id, Note(name=called or None, tags=each.tags), now))
            if (called or born) != (each.called or one.name):
                renamed[one.id] = (each.called or one.name, called or born)
        # Notes first: adopting again after a kill writes the notes of concepts that are not there yet, and no others.
        run.rooms["notes"].append(notes)
        run.rooms["concepts"].append(rows)
    _keep_pictures(family, run)
    known = tuple(each.individual.id for each in family.members if each.individual.id in here)
    missing = tuple(each for each in family.missing if each[0] not in here)
    return Adopted(tuple(each.individual.id for each in new), known, renamed, missing)


def _check_same(run: Run, one: Individual) -> None:
    other = run.find(one.id).concept
    if other.vectors.tobytes() != one.concept.vectors.tobytes() or other.request != one.concept.request:
        raise OtherRunError(
            f"the run {run.folder.name!r} has another concept with the id {one.id}: open the family as a run of its own"
        )


def _free(name: str, taken: set[str]) -> str:
    """The name, with a number if it is taken; it is added to the taken names."""
    found, number = name, 2
    while one_name(found) in taken:
        tail = f" {number}"
        found = f"{name[: 80 - len(tail)].rstrip()}{tail}"
        number += 1
    taken.add(one_name(found))
    return found


def _keep_pictures(family: Family, run: Run) -> None:
    stored = [each for each in (*run.drawings(), *run.renderings()) if each.file.is_file()]
    there = {(d.concept, d.prompt, d.seed, d.rendered.shared if d.rendered else None) for d in stored}
    new = [each for each in family.drawings if (each.of, each.prompt, each.seed, each.rendered) not in there]
    own, rendered = ([each for each in new if bool(each.rendered) == other] for other in (False, True))
    run.add_drawings((each.of, each.prompt, each.seed, decoded(each.content)) for each in own)
    run.add_renderings(
        (each.of, each.prompt, each.seed, decoded(each.content), each.rendered) for each in rendered if each.rendered
    )
    for photo in family.photos:
        run.add_photo(photo.of, decoded(photo.content), photo.label)
