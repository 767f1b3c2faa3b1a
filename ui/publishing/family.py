"""What a published site shows of a run: concepts with their drawings, and who is left out."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from core.errors import ConceptreeError
from core.png import png_bytes
from evolve.jobs.drawings import PROMPTS, portrait_in
from evolve.store.captions import drawing_told
from evolve.store.parts import Damage, RunError
from evolve.store.rows import Drawing, Entry, Individual, Photo, individual_of
from evolve.store.run import Run
from ui.descent import Words
from ui.runs import family, names_beside
from ui.sheet import opened
from ui.webp import webp_bytes

if TYPE_CHECKING:
    import networkx as nx

SMALL = 240  # pixels; of a larger picture, cards and the tree show a small copy
_ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Shown:
    """A picture of the site. address, small: of the picture and of its copy for cards, from the site's folder."""

    address: str
    small: str
    drawing: Drawing | None = None


@dataclass(frozen=True)
class Family:
    """The published part of a run.

    Attributes:
        entries: oldest generation first, then in the order in which they were stored.
        graph: lineage of the entries, and their parents outside the run.
        names: of the entries, of parents in other runs and of published photographs, by id.
        hidden: number of hidden concepts that are left out.
        unseen: names of hidden parents of the entries, by id. Pages name them; nothing else of them is published.
        photos: that are published, by id.
        words: positives and negatives of the run's concepts, by id.
        damage: of the run. torn: files of pictures that cannot be read; grows while pictures are written.
    """

    run: Run
    entries: tuple[Entry, ...]
    graph: nx.DiGraph
    names: Mapping[str, str]
    unseen: Mapping[str, str]
    hidden: int
    photos: Mapping[str, Photo]
    words: Words
    damage: Sequence[Damage] = ()
    torn: list[Path] = field(default_factory=list)

    @property
    def by_id(self) -> dict[str, Entry]:
        return {each.id: each for each in self.entries}


def chosen(run: Run, concepts: Sequence[str] = (), hidden: bool = False, photos: bool = False) -> Family:
    """The family to publish: all concepts of a run, or only the named ones with their ancestors.

    hidden: hidden concepts too; a hidden concept that is named is published in any case. photos: copies and names of
    photographs that are parents; by default the site says only that there is a photograph.

    Raises:
        RunError: there is no such concept, or none is left to publish.
    """
    from evolve.family.lineage import ABSENT, ancestors

    damage: list[Damage] = []
    graph = family(run, damage)
    entries = run.entries()
    named = {run.entry(each).id for each in concepts}
    wanted = named | ancestors(graph, named) if named else {each.id for each in entries}
    there = [each for each in entries if each.id in wanted]
    shown = [each for each in there if hidden or each.id in named or not each.note.hidden]
    if not shown:
        why = "all of them are hidden: --all publishes them too" if there else "seed or import some first"
        raise RunError(f"the run {run.folder.name!r} has no concepts to publish: {why}")
    kept = {each.id for each in shown}
    outside = {p for id_ in kept for p in graph.pred[id_] if graph.nodes[p]["birth"] in ABSENT}
    part = graph.subgraph(kept | outside).copy()
    theirs = {id_: photo for id_, photo in run.photos().items() if photos and id_ in part}
    for id_, birth in part.nodes(data="birth"):
        if birth == "photo" and id_ not in theirs:
            part.nodes[id_]["name"] = "photograph"  # the name of its file stays private
    known = names_beside(run)
    public = {id_: known[id_] for id_ in (*kept, *outside, *theirs) if id_ in known}
    public = {id_: name for id_, name in public.items() if id_ in theirs or part.nodes[id_]["birth"] != "photo"}
    not_shown = {parent.id for each in shown for parent in each.parents} - kept
    unseen = {each.id: each.name for each in entries if each.id in not_shown}
    return Family(
        run,
        tuple(sorted(shown, key=lambda each: each.generation)),
        part,
        public,
        unseen,
        len(there) - len(shown),
        theirs,
        run.words(),
        damage,
    )


def individuals(family: Family) -> Iterator[tuple[Entry, Individual | None]]:
    """Each entry with its request and negatives, one part of the run in memory; None if these cannot be read."""
    for part, entries in groupby(family.entries, key=lambda each: each.part):
        try:
            rows = family.run.rooms["concepts"].read(part)
        except RunError:  # its damage is among the run's
            rows = []
        for entry in entries:
            yield entry, _individual(rows, entry)


def drawings_of(family: Family) -> dict[str, list[Drawing]]:
    """Stored pictures by concept: the portrait, the others of the stack, those of other decoders."""
    found: dict[str, list[Drawing]] = {each.id: [] for each in family.entries}
    for drawing in (*family.run.drawings(found.keys()), *family.run.renderings()):
        if drawing.concept in found:
            found[drawing.concept].append(drawing)
    for entry in family.entries:
        drawings = found[entry.id]
        portrait = portrait_in(drawings, PROMPTS[entry.kind][0]) if entry.kind in PROMPTS else None
        found[entry.id] = sorted(drawings, key=lambda each: each is not portrait)
    return found


def drawn(family: Family, drawing: Drawing, entry: Entry) -> Iterator[tuple[str, bytes] | Shown]:
    """Files of a drawing, then how the site shows it; nothing if its file cannot be read.

    Its text chunks are written anew, so that they name no concept that is left out.
    """
    picture = _read(family, drawing.file)
    if picture is not None:
        about, run = family.run.about, family.run.folder.resolve().name
        told = drawing_told(
            entry, family.names, run, about, drawing.prompt, drawing.seed, picture.size, drawing.rendered
        )
        yield from _files(picture, png_bytes(picture, told), drawing)


def photographed(family: Family, photo: Photo) -> Iterator[tuple[str, bytes] | Shown]:
    """Files of a photograph, then how the site shows it; nothing if its file cannot be read."""
    picture = _read(family, photo.file)
    if picture is not None:
        yield from _files(picture, png_bytes(picture), None)


def page_of(id_: str) -> str:
    """Address of a concept's page from the site's folder; it stays the same when the concept gets another name."""
    safe = id_ if _ID.fullmatch(id_) else hashlib.sha256(id_.encode(errors="replace")).hexdigest()[:16]
    return f"concepts/{safe}.html"


def _read(family: Family, file: Path) -> Image.Image | None:
    try:
        return opened(file)
    except ConceptreeError:
        family.torn.append(file)
        return None


def _files(picture: Image.Image, content: bytes, drawing: Drawing | None) -> Iterator[tuple[str, bytes] | Shown]:
    name = hashlib.sha256(content).hexdigest()[:24]
    address = small = f"pictures/{name}.png"
    yield address, content
    if max(picture.size) > SMALL:
        copy = picture.copy()
        copy.thumbnail((SMALL, SMALL))
        small = f"pictures/{name}-small.webp"
        yield small, webp_bytes(copy)
    yield Shown(address, small, drawing)


def _individual(rows: Sequence[dict[str, Any]], entry: Entry) -> Individual | None:
    try:
        return individual_of(rows[entry.row - 1], {entry.id: entry.note})
    except (RunError, IndexError):
        return None
