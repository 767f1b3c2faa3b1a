"""Readers of files, tried by hypothesis on valid files with bytes flipped, cut, moved, and values replaced.

A reader may read the file or raise a ConceptreeError. Another exception, more than five seconds of computing, or a
gigabyte of memory is a fault. hypothesis shrinks the damage. Add it to `OWN`, which is tried first.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import resource
import signal
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import hypothesis
import numpy as np
import pyarrow.parquet as pq
from hypothesis import strategies as st
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
SHRINKING = 20.0  # seconds
WHOLE = 2**30  # bytes: up to the end of a file
Damage = tuple[tuple[int, int, bytes], ...]  # edits: a place, how many bytes go there, and which come instead
# The corpus: damage that some reader did not stand once. All readers get KNOWN, and a reader its own.
KNOWN: tuple[Damage, ...] = tuple(
    ((0, WHOLE, content),)
    for content in (
        b"",
        b"[]",
        b"null",
        b'"run"',
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"number": 0, "st',
        b'{"seed": 1e999}',
    )
)
OWN: dict[str, tuple[Damage, ...]] = {
    "portrait": (((142, 4, b"\0\0\0\0"),),),  # a length of pixels: Pillow raises SyntaxError
    "photo tiff": (((90, 2, b"\3\4"),),),  # 1027 samples per pixel: Pillow prints a line
}
_VALUE = re.compile(rb'"[^"\0]{0,200}"|-?[0-9][0-9.eE+-]*|true|false|null')  # of JSON, or of a header
TOKENS = (
    *(b"null", b"true", b"0", b"-1", b"1.5", b"1e999", b"NaN", b"9223372036854775808", b"9" * 5000, b"[" * 9000),
    *(b'""', b'"../x"', b'"\\ud800"', b'"\\u0000"', b'"\\u202e"', b"[]", b"{}", b"[[]]", b'{"":0}', b"\xff" * 8),
)
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
        read = lambda content, file=file: (file.write_bytes(content), read_embedding(file))  # noqa: E731
        yield Reader(name, content, read)
        if name != "safetensors":
            yield from _inside(name, content, read, "vectors.npy" if name == "npz" else "data.pkl")
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
    shared = family_file(run, [by_letter(run)["h"].id])
    yield Reader("family", shared, read_family)
    yield from _inside("family", shared, read_family, "family.json", "concepts.jsonl", "drawings.jsonl")
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
    part = run.rooms["concepts"].parts()[0]
    for column in ("request", "settings"):
        yield Reader(f"concepts: {column}", *_column(part, column, _part(run, part)))


def _inside(name: str, archive: bytes, read: Callable[[bytes], object], *entries: str) -> Iterator[Reader]:
    """Readers of single entries of a zip, which is packed again with right checksums."""
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        contents = {each: file.read(each) for each in file.namelist()}
    for entry in entries:
        (whole,) = (each for each in contents if each.endswith(entry))
        yield Reader(f"{name}: {entry}", contents[whole], lambda new, w=whole: read(_packed(contents | {w: new})))


def _packed(contents: dict[str, bytes]) -> bytes:
    """A zip. The list of a family gets the digests of its entries, unless it is damaged itself."""
    with suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
        about = json.loads(contents["family.json"])
        for name, told in about["files"].items():
            told["sha256"] = hashlib.sha256(contents[name]).hexdigest()
        contents["family.json"] = json.dumps(about).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for name, content in contents.items():
            file.writestr(name, content)
    return packed.getvalue()


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


def _column(part: Path, column: str, read: Callable[[bytes], None]) -> tuple[bytes, Callable[[bytes], None]]:
    """(the text in a column of a part, a reader of the part with another one)"""
    table = pq.read_table(part)

    def with_text(text: bytes) -> None:
        rows, content = table.to_pylist(), io.BytesIO()
        rows[0][column] = text.decode(errors="replace")
        pq.write_table(table.from_pylist(rows, table.schema), content)
        read(content.getvalue())

    return table[column][0].as_py().encode(), with_text


def _read_run(folder: Path) -> None:
    run = Run.open(folder)
    run.individuals(), run.entries(), run.notes(), run.drawings(), run.image_embeds(), check(run)
    run.find(concept(0).id)


def damages(content: bytes) -> st.SearchStrategy[Damage]:
    """One to four edits of a file: flips, cuts, ends cut off, pieces moved or repeated, and values replaced."""
    place = st.integers(0, len(content) - 1)
    size = st.sampled_from((0, 1, 2, 4, 8, 64, len(content) // 4 + 1))
    piece = st.builds(
        lambda at, size, times: content[at : at + size] * times, place, size, st.sampled_from((1, 1, 100))
    )
    flip = st.builds(lambda at, bit: (at, 1, bytes([content[at] ^ 1 << bit])), place, st.integers(0, 7))
    edits = [
        flip,
        st.tuples(place, size, piece | st.binary(max_size=8)),
        st.tuples(place, st.just(WHOLE), st.just(b"")),
    ]
    if values := [(found.start(), len(found[0])) for found in _VALUE.finditer(content)]:
        edits.append(st.builds(lambda value, token: (*value, token), st.sampled_from(values), st.sampled_from(TOKENS)))
    return st.lists(st.one_of(edits), min_size=1, max_size=4).map(tuple)


def damaged(content: bytes, damage: Damage) -> bytes:
    """The content after the edits, the last place first, so that each place is one of the whole file."""
    for at, size, new in sorted(damage, reverse=True):
        content = content[:at] + new + content[at + size :]
    return content


def fault(reader: Reader, content: bytes) -> str:
    """How a reader fails on a file, or ""."""
    try:
        with bounded(), redirect_stderr(io.StringIO()) as printed:
            reader.read(content)
    except ConceptreeError as error:
        return "" if len(str(error).splitlines()) == 1 else f"its message has several lines: {str(error)!r}"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:200]}"
    return f"it prints {printed.getvalue()!r}" if printed.getvalue() else ""


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


def tried(reader: Reader, many: int, seed: int) -> tuple[int, str]:
    """(number of damaged files, "" or how the reader fails on the smallest one found). Known damage comes first."""
    number, failed, since = 0, "", 0.0

    def read(damage: Damage) -> None:
        nonlocal number, failed, since
        number += 1
        told = fault(reader, damaged(reader.content, damage))
        if told:
            failed, since = f"{told}; the damage is {damage!r}", since or time.monotonic()
        if since and time.monotonic() - since > SHRINKING:
            raise KeyboardInterrupt  # hypothesis gives up at once
        assert not told

    for damage in reversed((*KNOWN, *OWN.get(reader.name, ()))):
        read = hypothesis.example(damage)(read)
    options = {
        "database": None,  # hypothesis keeps none of a seed
        "deadline": None,
        "report_multiple_bugs": False,
        "suppress_health_check": list(hypothesis.HealthCheck),
    }
    attack = hypothesis.settings(max_examples=many, **options)(hypothesis.given(damages(reader.content))(read))
    try:
        hypothesis.seed(seed)(attack)()
    except (AssertionError, KeyboardInterrupt):
        if not failed:
            raise
    return number, failed
