"""Readers of files, tried on valid files with bits flipped, ends cut off and pieces moved.

A reader may read the file or raise a ConceptreeError. Another exception, more than five seconds of computing, or a
gigabyte of memory is a fault.
"""

from __future__ import annotations

import hashlib
import io
import random
import resource
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from core.errors import ConceptreeError
from core.exchange import Embedding, read_embedding, read_sidecar, suffix, write_embedding, write_sidecar
from core.png import png_bytes, texts_in
from evolve.family.familyfile import read_family
from evolve.family.share import family_file
from evolve.jobs.stored import jobs, write_job
from evolve.store.check import check
from evolve.store.photos import read_photo
from evolve.store.run import Run
from tests.families import by_letter, concept, family
from tests.plans import a_seed
from ui.sheet import opened

SECONDS, BYTES = 5, 2**30
ROOMS = ("concepts", "notes", "drawings")  # of a run
PHOTOS = ("jpeg", "png", "webp", "gif", "tiff")


@dataclass(frozen=True)
class Reader:
    """content: a valid file. read: reads a file of such content, wherever it has to lie."""

    name: str
    content: bytes
    read: Callable[[bytes], object]


def readers(folder: Path) -> list[Reader]:
    """All readers of files that may come from a stranger or a damaged disk."""
    return [*_exchange(folder), *_pictures(folder), *_of_runs(folder)]


def _exchange(folder: Path) -> Iterator[Reader]:
    moku = Embedding("<moku>", np.random.default_rng(0).normal(size=(2, 8)))
    for form, name in (("safetensors", "safetensors"), ("npz", "npz"), ("diffusers", "bin"), ("a1111", "pt")):
        file = folder / f"moku{suffix(form, 8)}"
        content = write_embedding(file, moku, form).read_bytes()
        yield Reader(name, content, lambda content, file=file: (file.write_bytes(content), read_embedding(file)))
    side = write_sidecar(folder / "moku.json", moku, category="pet")
    yield Reader("sidecar", side.read_bytes(), lambda content: (side.write_bytes(content), read_sidecar(side)))


def _pictures(folder: Path) -> Iterator[Reader]:
    """Photographs with and without their background, and portraits with their texts."""
    thing = Image.new("RGB", (24, 16), "white")
    thing.paste((200, 40, 40), (6, 4, 18, 12))
    for form in PHOTOS:
        content = io.BytesIO()
        thing.save(content, form)
        yield Reader(f"photo {form}", content.getvalue(), partial(_read_photo, folder / f"photo.{form}"))
    texts = {"Title": "Moku", "Description": "a <moku> in the snow – neu"}
    yield Reader("portrait", png_bytes(thing, texts), partial(_read_portrait, folder / "portrait.png"))


def _read_photo(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    read_photo(file)
    read_photo(file, cutout=True)


def _read_portrait(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    texts_in(file)
    opened(file)


def _of_runs(folder: Path) -> Iterator[Reader]:
    run = family(folder / "pets")
    run.note(by_letter(run)["a"].id, name="Moku", rating=4, comment="a comment")
    yield Reader("family", family_file(run, [by_letter(run)["h"].id]), read_family)
    write_job(run, "seed", a_seed().to_json())
    file = run.folder / "run.json"
    about = file.read_bytes()

    def described(content: bytes) -> None:
        file.write_bytes(content)
        try:
            _read_run(run.folder)
        finally:
            file.write_bytes(about)

    yield Reader("run.json", about, described)
    (job,) = run.folder.glob("jobs/*/job.json")
    told = job.read_bytes()

    def planned(content: bytes) -> None:
        job.write_bytes(content)
        try:
            for each in jobs(Run.open(run.folder)):
                each.plan, each.status(), each.requests()
        finally:
            job.write_bytes(told)

    yield Reader("job.json", told, planned)
    for room in ROOMS:
        part = run.rooms[room].parts()[0]
        yield Reader(room, part.read_bytes(), _part(run, part))


def _part(run: Run, part: Path) -> Callable[[bytes], None]:
    """A reader of a run with another part, named by its content, so that more than the digest refuses it."""
    valid = part.read_bytes()

    def read(content: bytes) -> None:
        part.unlink()
        changed = part.with_name(f"{part.name[:7]}{hashlib.sha256(content).hexdigest()[:8]}.parquet")
        changed.write_bytes(content)
        try:
            _read_run(run.folder)
        finally:
            changed.unlink()
            part.write_bytes(valid)

    return read


def _read_run(folder: Path) -> None:
    run = Run.open(folder)
    run.individuals(), run.entries(), run.notes(), run.drawings(), run.image_embeds(), check(run)
    run.find(concept(0).id)


def changed(content: bytes, rng: random.Random) -> bytes:
    """The content with one to four flips, cuts, splices, repeats, zeros or new numbers."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        if not changed:
            return b""
        start, length = rng.randrange(len(changed)), rng.choice((1, 2, 4, 8, 64, len(changed) // 4 + 1))
        piece = bytes(changed[start : start + length])
        kind = rng.choice(("flip", "flip", "cut", "end", "splice", "repeat", "zeros", "ones", "random"))
        if kind == "flip":
            changed[start] ^= 1 << rng.randrange(8)
        elif kind == "cut":
            del changed[start : start + length]
        elif kind == "end":
            del changed[start:]
        elif kind == "splice":
            at = rng.randrange(len(changed))
            changed[at : at + len(piece)] = piece
        elif kind == "repeat":
            changed[start:start] = piece * rng.choice((1, 2, 100))
        else:
            new = {"zeros": b"\0", "ones": b"\xff"}.get(kind)
            changed[start : start + len(piece)] = new * len(piece) if new else rng.randbytes(len(piece))
    return bytes(changed)


def fault(reader: Reader, content: bytes) -> str:
    """How a reader fails on a file, or ""."""
    try:
        with bounded():
            reader.read(content)
    except ConceptreeError as error:
        return "" if len(str(error).splitlines()) == 1 else f"its message has several lines: {str(error)!r}"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:200]}"
    return ""


@contextmanager
def bounded(seconds: int = SECONDS, size: int = BYTES) -> Iterator[None]:
    """Raise TimeoutError after so much computing, and MemoryError for so much more memory."""

    def late(*_: object) -> None:
        raise TimeoutError(f"it takes more than {seconds} s")

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    before = signal.signal(signal.SIGPROF, late)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + size, hard))
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGPROF, before)


def tried(reader: Reader, many: int, seed: int) -> Mapping[int, str]:
    """Faults by the number of the changed file, which `nth` makes again."""
    return {number: told for number in range(many) if (told := fault(reader, nth(reader, number, seed)))}


def nth(reader: Reader, number: int, seed: int) -> bytes:
    return changed(reader.content, random.Random(f"{seed} {reader.name} {number}"))
