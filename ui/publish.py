"""`publish`: a family as a folder of web pages, or as a zip of them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from rich.console import Console

from core.errors import ConceptreeError, FileError
from core.files import OLD, StorageError, read_ordinary
from core.wording import counted
from ui.console import print_line, say, to_type, warn
from ui.publishing.family import Family, chosen
from ui.publishing.site import files
from ui.runs import open_run
from ui.wholeness import warn_of

MARK = "conceptree-site.json"  # the files of a site with their digests: nothing else is ever replaced
SCHEMA = 1
LARGEST_MARK = 64_000_000
_OTHER = "name another folder with --to"
_TEMPORARY, _BEFORE = ".conceptree-site-", ".conceptree-before-"
_DATE = (1980, 1, 1, 0, 0, 0)  # of every entry of a zip, so that the same family gives the same file


class PublishError(ConceptreeError):
    """A site that cannot be written."""


def publish(
    name: str,
    concepts: Sequence[str],
    *,
    to: Path | None,
    hidden: bool,
    photos: bool,
    as_json: bool,
    runs: Path,
    out: Console,
) -> None:
    """Write the family of a run, or of some of its concepts, as a static site into a folder."""
    family = chosen(open_run(runs, name), concepts, hidden, photos)
    folder = to or Path(f"{family.run.folder.name}-site")
    count, size = write_site(family, folder)
    warn_of(family.damage, family.run)
    if family.torn:
        many = counted(len(family.torn), "picture is left out: its file is", "pictures are left out: their files are")
        warn(f"{many} missing or torn; {to_type('check', name, runs=runs)} names every one")
    if as_json:
        left = {"hidden": family.hidden, "pictures": len(set(family.torn))}
        told = {"folder": folder, "index": folder / "index.html", "concepts": [each.id for each in family.entries]}
        return print_line(told | {"files": count, "bytes": size, "left_out": left})
    say(
        out, f"{folder / 'index.html'}: {counted(len(family.entries), 'concept')}, {size / 1e6:.1f} MB in {count} files"
    )
    for line in left_out(family):
        say(out, f"  {line}")
    say(out, "  Open it in a browser, or copy the folder to any web server.")


def left_out(family: Family) -> list[str]:
    """What the site does not show, a line each."""
    told = []
    if family.hidden:
        many = counted(family.hidden, "hidden concept is left out", "hidden concepts are left out")
        told.append(f"{many}: --all publishes them too")
    count = sum(birth == "photo" for _, birth in family.graph.nodes(data="birth")) - len(family.photos)
    if count:
        many = counted(count, "photograph is left out", "photographs are left out")
        told.append(f"{many}: --photos publishes small copies and the names of their files")
    return told


def zipped(family: Family) -> bytes:
    """The site as a zip with one folder; the same family gives the same bytes."""
    content, root = io.BytesIO(), f"{family.run.folder.name}-site"
    with zipfile.ZipFile(content, "w") as archive:
        for path, each in marked(family):
            about = zipfile.ZipInfo(f"{root}/{path}", _DATE)
            about.external_attr = 0o644 << 16
            about.compress_type = zipfile.ZIP_STORED if path.endswith((".png", ".webp")) else zipfile.ZIP_DEFLATED
            archive.writestr(about, each)
    return content.getvalue()


def marked(family: Family) -> Iterator[tuple[str, bytes]]:
    """The files of a site, and last the one that lists them."""
    digests: dict[str, str] = {}
    for path, content in files(family):
        digests[path] = _digest(content)
        yield path, content
    told = {"conceptree_site": SCHEMA, "run": family.run.folder.name, "files": dict(sorted(digests.items()))}
    yield MARK, f"{json.dumps(told, indent=1, ensure_ascii=False)}\n".encode()


def write_site(family: Family, folder: Path) -> tuple[int, int]:
    """Write the site and put it into the place of an earlier one, all at once; (number of files, bytes).

    Raises:
        PublishError: there is something else in the folder, which stays as it is.
        StorageError: it cannot be written; an earlier site stays as it is.
    """
    place = folder.resolve()  # through a link, so that the link stays
    _check_apart(folder, place)
    with suppress(OSError):
        _recover(place)
    _check_replaceable(folder, place, family.run.folder.name)
    count = size = 0
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        _remove_old(place.parent)
        temporary = Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=place.parent))
        try:
            for path, content in marked(family):
                _write(temporary / path, content)
                count, size = count + 1, size + len(content)
            os.chmod(temporary, 0o755)  # mkdtemp's 0700 would keep a web server out
            _check_replaceable(folder, place, family.run.folder.name)  # it may have been changed meanwhile
            _put(temporary, place)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise StorageError(
            f"{str(folder)!r} cannot be written: {error.strerror or error}: name another folder with --to"
        ) from error
    return count, size


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _put(new: Path, place: Path) -> None:
    """Rename a folder to the place of another one, which is removed; if that fails, the other one is back."""
    if not place.is_dir():
        new.rename(place)
        return
    before = _before(place)
    place.rename(before)
    try:
        new.rename(place)
    except OSError:
        before.rename(place)
        raise
    shutil.rmtree(before, ignore_errors=True)


def _before(place: Path) -> Path:
    """The name of a site between the two renamings that put another one into its place."""
    return place.with_name(f"{_BEFORE}{place.name}")


def _recover(place: Path) -> None:
    """Put a site back that a process has moved away which was then killed, or remove it if its successor is there."""
    before = _before(place)
    if before.is_dir() and not before.is_symlink():
        if place.exists():
            shutil.rmtree(before, ignore_errors=True)
        else:
            before.rename(place)


def _check_apart(folder: Path, place: Path) -> None:
    """Raise a PublishError if the folder is the one that the person is in, or around it."""
    if place == Path.cwd() or place in Path.cwd().parents:
        raise PublishError(f"{str(folder)!r} is the folder that you are in, or around it: {_OTHER}")


def _check_replaceable(folder: Path, place: Path, run: str) -> None:
    """Raise a PublishError unless the folder is free, empty, or an unchanged site of this run."""
    _check_apart(folder, place)
    if place.exists() and not place.is_dir():
        raise PublishError(f"{str(folder)!r} is a file: {_OTHER}")
    there = sorted(_files_in(place)) if place.is_dir() else []
    if not there:
        return
    site = _mark_of(place)
    if site is None:
        raise PublishError(
            f"{str(folder)!r} has files that no site of Conceptree wrote, such as {there[0]!r}: {_OTHER}"
        )
    if site["run"] != run:
        raise PublishError(f"{str(folder)!r} is the site of the run {str(site['run'])!r}: {_OTHER}, or remove it")
    for path in there:
        if path == MARK:
            continue
        if path not in site["files"] or _digest_in(place / path) != site["files"][path]:
            what = "was changed" if path in site["files"] else "is not of the site"
            raise PublishError(f"{path!r} in {str(folder)!r} {what}, and would be lost: move it away, or {_OTHER}")


def _files_in(folder: Path) -> Iterator[str]:
    """Everything in a folder but folders, also links, as paths from it."""
    for at, folders, names in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(at, name))]
        yield from (Path(at, name).relative_to(folder).as_posix() for name in (*names, *links))


def _mark_of(folder: Path) -> Mapping[str, Mapping[str, object]] | None:
    """What the site in a folder says of itself; None if there is none."""
    try:
        told = json.loads(read_ordinary(folder / MARK, LARGEST_MARK))
    except (FileError, ValueError, RecursionError):
        return None
    whole = isinstance(told, dict) and told.get("conceptree_site") == SCHEMA and isinstance(told.get("files"), dict)
    return told if whole and "run" in told else None


def _digest_in(file: Path) -> str:
    """The digest of a file; "" for a link or a pipe, or if it cannot be read."""
    with suppress(OSError):
        if file.is_file() and not file.is_symlink():
            return _digest(file.read_bytes())
    return ""


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:24]


def _remove_old(folder: Path) -> None:
    """Remove what killed processes left behind, long ago."""
    for each in folder.glob(f"{_TEMPORARY}*"):
        with suppress(OSError):
            if time.time() - each.stat().st_mtime > OLD:
                shutil.rmtree(each, ignore_errors=True)
