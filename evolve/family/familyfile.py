"""A family as one file: concepts with all their ancestors, drawings and names.

    family.json       schema, category, kind, stack, ids of the exported concepts; size and SHA-256 of every other file
    concepts.jsonl    a line per concept, ancestors first: as it was learned, with its first and newest name, and tags
    drawings.jsonl    a line per drawing: concept, prompt, seed, file; and how another decoder drew it, if one did
    photos.jsonl      a line per photograph that is a parent: id, label, file
    pictures/*.png    drawings and small copies of photographs, named by their content

The zip has JSON and PNG, not Parquet, because a small Parquet file can unpack to a large table. The file is not
trusted: sizes are checked before unpacking, names in it never become paths, every number is checked, and every picture
is decoded and written again.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import unicodedata
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from PIL import Image

from core.archives import entries_up_to
from core.concept import KINDS, checked_word
from core.errors import ConceptreeError
from core.prompts import is_template
from core.renderers import Rendered
from core.texts import fault
from core.wording import counted
from evolve.store.about import own_version
from evolve.store.names import check_name, name_for
from evolve.store.parts import RunError
from evolve.store.rows import CONCEPTS, PHOTO, PICTURE, individual_of, row_of
from evolve.store.run import Individual, picture_digest
from evolve.store.tags import checked_tags

SCHEMA = 1
LARGEST_FILE = 128 * 2**20  # bytes
LARGEST_UNPACKED = 256 * 2**20
LARGESTMANIFEST = 4 * 2**20
LARGEST_PICTURE = 16 * 2**20
LARGEST_LINE = 8 * 2**20  # of JSON, which takes ten times that in memory
MOST_PIXELS = 2**24  # of one picture
MOST_PIXELS_IN_ALL = 2**28  # of all drawings and photographs, since each row becomes a file
MOST_ROWS = 20_000  # of drawings, or of photographs
MOST_CONCEPTS = 5_000
MOST_ENTRIES = 20_000
LONGEST_TEXT = 500  # of a prompt, a label, the name of a version
MOST_PRIOR_STEPS = 1000  # of a stranger's settings: as many as a scheduler was trained with
MANIFEST, _CONCEPTS, _DRAWINGS, _PHOTOS = "family.json", "concepts.jsonl", "drawings.jsonl", "photos.jsonl"
_OURS = "conceptree_family"  # the key that tells our manifest, with its schema
_DATE = (1980, 1, 1, 0, 0, 0)  # of every entry, so that the same family gives the same file
# Of a row of concepts/ what the others follow from.
_KEPT = (
    "id", "name", "request", "vectors", "image_embed", "negatives", "history", "kept_step", "scores", "fingerprint",
    "stack", "steps", "seconds",
)  # fmt: skip


class FamilyError(ConceptreeError):
    """A file is not a family, or cannot be imported."""


@dataclass(frozen=True)
class Member:
    """A concept of a family. called: its newest name, "" for the name at birth. tags: as its person gave them."""

    individual: Individual
    called: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Picture:
    """A drawing of a concept or, without a prompt, the small copy of a photograph. of: the id of either.

    label: the name of a photograph's file. content: a PNG. rendered: how another decoder than the stack's own drew it.
    """

    of: str
    content: bytes
    prompt: str = ""
    seed: int = 0
    label: str = ""
    rendered: Rendered | None = None


@dataclass(frozen=True)
class Family:
    """Concepts, ancestors first, with their drawings, and the photographs among their parents.

    of: ids of the exported concepts. stack: its version and fingerprint. run: the run it comes from. missing: ancestors
    that were not found, (id, their run) each.
    """

    of: tuple[str, ...]
    category: str
    kind: str
    run: str
    stack: Mapping[str, str]
    members: tuple[Member, ...]
    drawings: tuple[Picture, ...] = ()
    photos: tuple[Picture, ...] = ()
    missing: tuple[tuple[str, str], ...] = ()

    @property
    def width(self) -> int:
        return len(self.members[0].individual.concept.image_embed)


def packed(family: Family) -> bytes:
    """A family as a file: the same bytes for the same family.

    Raises:
        FamilyError: it is larger than the limit.
    """
    files: dict[str, bytes] = {}
    _check_pixels([picture.content for picture in (*family.drawings, *family.photos)])

    def kept(picture: Picture) -> str:
        name = f"pictures/{picture_digest(picture.content)}.png"
        files[name] = picture.content
        return name.removeprefix("pictures/")

    drawn = [{"concept": p.of, "prompt": p.prompt, "seed": p.seed, "file": kept(p), **_how(p)} for p in family.drawings]
    photos = [{"id": p.of, "label": p.label, "file": kept(p)} for p in family.photos]
    files |= {
        _CONCEPTS: _lines([_told(each) for each in family.members]),
        _DRAWINGS: _lines(drawn),
        _PHOTOS: _lines(photos),
    }
    about = {
        _OURS: SCHEMA,
        "of": list(family.of),
        "category": family.category,
        "kind": family.kind,
        "run": family.run,
        "stack": dict(family.stack),
        **({"missing": [{"id": id_, "run": run} for id_, run in family.missing]} if family.missing else {}),
        "written_by": own_version(),
        "files": {name: {"size": len(f), "sha256": hashlib.sha256(f).hexdigest()} for name, f in files.items()},
    }
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, file in [(MANIFEST, json.dumps(about, indent=1).encode()), *sorted(files.items())]:
            archive.writestr(zipfile.ZipInfo(name, _DATE), file, zipfile.ZIP_DEFLATED)
    if len(content.getvalue()) > LARGEST_FILE:
        raise FamilyError(
            f"the family has {len(content.getvalue()) / 2**20:.0f} MiB, and {LARGEST_FILE / 2**20:.0f} are read: share"
            " a concept with fewer ancestors"
        )
    return content.getvalue()


def _how(picture: Picture) -> dict[str, Any]:
    return {"rendered": picture.rendered.shared.told} if picture.rendered else {}


def _told(each: Member) -> dict[str, Any]:
    row = row_of(each.individual)
    told = {key: row[key] for key in _KEPT}
    told |= {"called": each.called, "created_at": each.individual.created_at.isoformat()}
    return told | ({"tags": list(each.tags)} if each.tags else {})


def _lines(rows: Sequence[Mapping[str, Any]]) -> bytes:
    # ASCII: what UTF-8 cannot hold is written as JSON's own \udXXX.
    return "".join(f"{json.dumps(row, allow_nan=False)}\n" for row in rows).encode()


def read_family(content: bytes) -> Family:
    """The family in a file, with everything checked.

    Raises:
        FamilyError: it is not a family, is damaged or too large, or has content that Conceptree does not write.
    """
    if not content:
        raise FamilyError("the file is empty (0 bytes): fetch it again")
    if len(content) > LARGEST_FILE:
        raise FamilyError(f"the file has {len(content)} bytes, and at most {LARGEST_FILE} are read")
    if entries_up_to(content, MOST_ENTRIES) > MOST_ENTRIES:
        raise FamilyError(f"the file has more than {MOST_ENTRIES} entries, and no more are read")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = _checked_entries(archive)
            about = _manifest(archive, entries)
            files = {name: _whole(archive, entries[name], about["files"][name]) for name in about["files"]}
        return _family(about, files)
    except FamilyError:
        raise
    except ConceptreeError as error:
        raise FamilyError(f"the file is not a family shared by Conceptree: {error}") from error
    except Exception as error:  # libraries raise anything for a torn or malicious file
        reason = "".join(c for c in str(error)[:200] if c.isprintable()) or type(error).__name__
        raise FamilyError(f"the file is damaged or not a family ({reason}): fetch it again") from error


def _checked_entries(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    entries = archive.infolist()
    size = sum(entry.file_size for entry in entries)
    if size > LARGEST_UNPACKED:
        raise FamilyError(f"the file unpacks to {size} bytes, and at most {LARGEST_UNPACKED} are read")
    found = {entry.filename: entry for entry in entries}
    if len(found) < len(entries):
        raise FamilyError("the file has two entries of one name: it is not a family shared by Conceptree")
    for entry in entries:
        if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise FamilyError("the file is encrypted or uses another compression than Conceptree: unpack it first")
    return found


def _manifest(archive: zipfile.ZipFile, entries: Mapping[str, zipfile.ZipInfo]) -> dict[str, Any]:
    if MANIFEST not in entries or entries[MANIFEST].file_size > LARGESTMANIFEST:
        raise FamilyError(f"the file has no {MANIFEST}: it is not a family shared by Conceptree")
    about = _json(archive.read(entries[MANIFEST]))
    if not isinstance(about, dict) or _OURS not in about:
        raise FamilyError(f"the {MANIFEST} in the file is not Conceptree's")
    if about[_OURS] != SCHEMA:
        raise FamilyError(
            f"the family has schema {str(about[_OURS])[:40]!r}, and this version reads {SCHEMA}: update Conceptree"
        )
    if set(about["files"]) | {MANIFEST} != set(entries):
        raise FamilyError(f"the file holds other entries than its {MANIFEST} names: fetch it again")
    return about


def _whole(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, told: Mapping[str, Any]) -> bytes:
    name = entry.filename
    if name not in (_CONCEPTS, _DRAWINGS, _PHOTOS) and not PICTURE.fullmatch(name.removeprefix("pictures/")):
        raise FamilyError(f"the file holds {name[:80]!r}, which is not a part of a family")
    content = archive.read(entry)  # no more than the entry's size, and with its checksum
    if hashlib.sha256(content).hexdigest() != told["sha256"]:
        raise FamilyError(f"{name!r} in the file has another SHA-256 than in the list: fetch the file again")
    return content


def _family(about: Mapping[str, Any], files: Mapping[str, bytes]) -> Family:
    stack = {key: _text(about["stack"][key], f"the stack's {key}") for key in ("version", "fingerprint")}
    if about["kind"] not in KINDS:
        raise FamilyError(f"the family has kind {str(about['kind'])[:40]!r}: expected {' or '.join(KINDS)}")
    lines = _rows(files[_CONCEPTS], "concept", MOST_CONCEPTS)
    if not lines:
        raise FamilyError(f"the family has 0 concepts: 1 to {MOST_CONCEPTS} are read")
    members: dict[str, Member] = {}
    for number, line in enumerate(lines, 1):
        try:
            each = _member(_json(line), stack["fingerprint"])
        except ConceptreeError as error:
            raise FamilyError(f"concept {number} of the family cannot be read: {error}") from error
        if each.individual.id in members:
            raise FamilyError(f"the family has the concept {each.individual.id} twice")
        members[each.individual.id] = each
    family = Family(
        of=tuple(id_ for id_ in about["of"] if id_ in members),
        category=checked_word(about["category"], "category"),
        kind=about["kind"],
        run=_text(about.get("run", ""), "the run's name"),
        stack=stack,
        members=ancestors_first(members.values()),
        missing=tuple(
            (_text(row["id"], "an id"), _text(row["run"], "a run's name")) for row in about.get("missing", ())
        ),
    )
    for each in family.members:
        concept = each.individual.concept
        widths = {concept.vectors.shape[1], *concept.image_embed.shape}
        widths |= {len(avoid.image_embed) for avoid in concept.request.avoid}
        widths |= {parent.image_embeds.shape[1] for parent in concept.request.parents}
        if widths != {family.width}:
            raise FamilyError(f"the concept {concept.id} has vectors of widths {sorted(widths)}: expected one width")
    drawings = [_drawing(_json(row), members) for row in _rows(files[_DRAWINGS], "drawing", MOST_ROWS)]
    photos = [_photo(_json(row)) for row in _rows(files[_PHOTOS], "photograph", MOST_ROWS)]
    anew = _pictures(files, [file for _, file in drawings + photos])
    return replace(
        family,
        drawings=tuple(replace(drawing, content=anew[file]) for drawing, file in drawings),
        photos=tuple(replace(photo, content=anew[file]) for photo, file in photos),
    )


def _rows(content: bytes, what: str, most: int) -> list[bytes]:
    """Lines of a file, counted before they are split: an empty line takes a hundred times its byte."""
    number = content.count(b"\n")
    if number > most:
        raise FamilyError(f"the family has {counted(number, what)}: at most {most} are read")
    return content.splitlines()


def _drawing(row: Any, members: Mapping[str, Member]) -> tuple[Picture, str]:
    """(a drawing without its pixels, its file) of a line of drawings.jsonl"""
    prompt, seed = _text(row["prompt"], "a prompt"), row["seed"]
    if row["concept"] not in members or not is_template(prompt):
        raise FamilyError(f"the family has a drawing of {str(row['concept'])[:40]!r} in {prompt[:80]!r}")
    if type(seed) is not int or not 0 <= seed < 2**63:
        raise FamilyError(f"the family has a drawing with the seed {str(seed)[:40]!r}")
    rendered = Rendered.of(row["rendered"]) if "rendered" in row else None
    return Picture(row["concept"], b"", prompt, seed, rendered=rendered), row["file"]


def _photo(row: Any) -> tuple[Picture, str]:
    """(a photograph without its pixels, its file) of a line of photos.jsonl"""
    if not PHOTO.fullmatch(row["id"]):
        raise FamilyError(f"the family has a photograph {str(row['id'])[:40]!r}")
    return Picture(row["id"], b"", label=_text(row["label"], "a photograph's name")), row["file"]


def _pictures(files: Mapping[str, bytes], named: Sequence[str]) -> dict[str, bytes]:
    """Each named picture, decoded once and written anew. named: a file for each row."""
    contents = {file: files[f"pictures/{file}"] for file in named}
    _check_pixels([contents[file] for file in named])
    return {file: written_again(content) for file, content in contents.items()}


def _check_pixels(pictures: Sequence[bytes]) -> None:
    """Raise FamilyError if the pictures have too many pixels in all, by their headers; none is decoded."""
    pixels: dict[bytes, int] = {}
    for content in pictures:
        if content not in pixels:
            with _open_picture(content) as picture:
                pixels[content] = picture.width * picture.height
    if (total := sum(pixels[content] for content in pictures)) > MOST_PIXELS_IN_ALL:
        most = f"at most {MOST_PIXELS_IN_ALL / 1e6:.0f} million are read"
        raise FamilyError(f"the pictures of the family have {total / 1e6:.0f} million pixels: {most}")


def _member(row: Any, fingerprint: str) -> Member:
    """Member of a line of concepts.jsonl, with types and ranges checked."""
    created_at = datetime.fromisoformat(_text(row["created_at"], "created_at"))
    known = {key: row[key] for key in _KEPT} | {"generation": 0, "category": "", "kind": "", "parents": []}
    each = individual_of({**known, "created_at": created_at.astimezone(UTC)}, {})
    concept = each.concept
    digits = len(concept.id) == 16 and all(c in "0123456789abcdef" for c in concept.id)
    if not digits:
        raise RunError(f"its id is {concept.id[:40]!r}: expected 16 hex digits")
    if concept.fingerprint != fingerprint:
        raise RunError(f"{concept.id} was learned on another stack than the family, {str(concept.fingerprint)[:40]!r}")
    told = [(n.word, n.by, n.note, n.step) for n in concept.negatives] + [
        (m.constraint, m.step) for m in concept.history
    ]
    if any(row[key] is None for key in _KEPT) or any(value is None for values in told for value in values):
        raise RunError(f"{concept.id} is not a concept of this schema (something in it is null)")
    request = concept.request
    if request.settings is None or request.chosen.prior_steps > MOST_PRIOR_STEPS:
        raise RunError(f"its settings have no prior_steps from 1 to {MOST_PRIOR_STEPS}")
    numbers = [concept.seconds, *concept.scores.values(), *(m.similarity for m in concept.history)]
    if not all(math.isfinite(number) for number in numbers):
        raise RunError(f"{concept.id} has NaN or infinity among its scores")
    try:  # values of another type than the table's, or out of its range
        pa.Table.from_pylist([row_of(each)], schema=CONCEPTS)
    except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
        raise RunError(f"{concept.id} is not a concept of this schema ({str(error).splitlines()[0][:120]})") from error
    called, tags = row["called"], checked_tags(row.get("tags", []))
    each = replace(each, name=unicodedata.normalize("NFC", each.name))
    try:
        check_name(each.name)
    except RunError:
        each = replace(each, name=name_for(concept.id))
    with suppress(RunError):
        if called:
            called = unicodedata.normalize("NFC", _text(called, "a name"))
            check_name(called)
            return Member(each, called, tags)
    return Member(each, tags=tags)


def ancestors_first(members: Iterable[Member]) -> tuple[Member, ...]:
    """Sort parents before their children.

    Raises:
        FamilyError: a concept descends from itself.
    """
    left = {each.individual.id: each for each in members}
    children: dict[str, list[str]] = {id_: [] for id_ in left}
    waiting: dict[str, int] = {}
    for id_, each in left.items():
        parents = {parent.id for parent in each.individual.concept.request.parents if parent.id in left}
        waiting[id_] = len(parents)
        for parent in parents:
            children[parent].append(id_)
    ready = sorted((id_ for id_, number in waiting.items() if not number), reverse=True)
    found = []
    while ready:
        id_ = ready.pop()
        found.append(left[id_])
        for child in sorted(children[id_], reverse=True):
            waiting[child] -= 1
            if not waiting[child]:
                ready.append(child)
    if len(found) < len(left):
        round_ = next(id_ for id_, number in waiting.items() if number)
        raise FamilyError(f"a concept of the family descends from itself: {round_}")
    return tuple(found)


def _json(text: bytes) -> Any:
    if len(text) > LARGEST_LINE:
        raise FamilyError(f"the family has a line of {len(text)} bytes: at most {LARGEST_LINE} are read")

    def refuse(word: str) -> None:
        raise FamilyError(f"the family has {word} among its numbers")

    return json.loads(text, parse_constant=refuse)


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise FamilyError(f"{what} in the family is not a text of at most {LONGEST_TEXT} characters")
    if found := fault(value):
        raise FamilyError(f"{what} in the family has {found}")
    return value


@contextmanager
def _open_picture(content: bytes) -> Iterator[Image.Image]:
    """A PNG whose header has been read, and whose pixels have not.

    Raises:
        FamilyError: it is none, torn, or too large; also where the caller decodes it.
    """
    if len(content) > LARGEST_PICTURE:
        raise FamilyError(f"a picture in the family has {len(content)} bytes: at most {LARGEST_PICTURE} are read")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
                if picture.width * picture.height > MOST_PIXELS:
                    raise FamilyError(f"a picture in the family has {picture.width} × {picture.height} pixels")
                yield picture
    except FamilyError:
        raise
    except Exception as error:  # Pillow's decoders raise any exception for a broken file
        reason = "".join(c for c in str(error)[:100] if c.isprintable()) or type(error).__name__
        raise FamilyError(f"a picture in the family cannot be read: {reason}") from error


def decoded(content: bytes) -> Image.Image:
    """Pixels of a PNG, without its metadata.

    Raises:
        FamilyError: it is none, torn, or too large.
    """
    with _open_picture(content) as picture:
        return picture.convert("RGB")


def written_again(content: bytes) -> bytes:
    """The picture as a new PNG, so that only its pixels are imported."""
    picture = decoded(content)
    written = io.BytesIO()
    Image.frombytes("RGB", picture.size, picture.tobytes()).save(written, format="PNG")
    return written.getvalue()
