"""Families as files: concepts with all their ancestors, exported for other people and imported from them."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import zipfile
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from core.archives import entries_up_to
from core.errors import ConceptreeError, FileError
from core.files import read_ordinary, write_atomically
from core.stack.backbone import Backbone
from core.wording import counted
from evolve import Run
from evolve.family.familyfile import LARGEST_FILE, MANIFEST, MOST_ENTRIES, Family, FamilyError, packed, read_family
from evolve.family.share import Adopted, OtherRunError, adopt, family_of
from ui.console import say, to_type
from ui.exporting import stem_of
from ui.runs import all_runs, forget_if_empty, free_name, known_name, new_run, open_run
from ui.wholeness import told_missing

SUFFIX = ".family.zip"


def share(
    name: str, concepts: Sequence[str], *, to: Path | None, force: bool, as_json: bool, runs: Path, out: Console
) -> None:
    """Write concepts of a run with all their ancestors into one file."""
    run = open_run(runs, name)
    left_out: list[Path] = []
    family = family_of(run, concepts, left_out)
    file = to or Path(f"{stem_of(run.find(family.of[0]))}{SUFFIX}")
    if file.is_dir():
        raise FamilyError(
            f"{str(file)!r} is a folder: name a file, as in --to {shlex.quote(str(file / f'pets{SUFFIX}'))}"
        )
    if not force and os.path.exists(file):
        raise FamilyError(f"{str(file)!r} is there already: --force replaces it, --to names another")
    content = packed(family)
    write_atomically(file, content)
    if as_json:
        values = {
            "file": str(file),
            "of": list(family.of),
            "concepts": [member.individual.id for member in family.members],
            "missing": [{"id": id_, "run": home} for id_, home in family.missing],
            "drawings": len(family.drawings),
            "left_out": [str(picture) for picture in left_out],
            "bytes": len(content),
        }
        click.echo(json.dumps(values))
        return
    ancestors = len(family.members) - len(family.of)
    told = [
        counted(len(family.of), "concept"),
        counted(ancestors, "ancestor"),
        counted(len(family.drawings), "drawing"),
    ]
    say(out, f"{file}: {', '.join(told)}, {len(content) / 1e6:.1f} MB")
    if lost := told_missing(family.missing, run):
        say(out, f"  {lost}")
    if left_out:
        many = counted(len(left_out), "picture is left out: its file is", "pictures are left out: their files are")
        say(out, f"  {many} missing or changed; {to_type('check', name, runs=runs)} names every one")
    call = shlex.join(["conceptree", "import", file.name])
    say(out, f"  To open it elsewhere, with the stack {family.stack['version']}: {call}")


def bring_in(file: Path, *, run_name: str | None, as_json: bool, runs: Path, model: str | None, out: Console) -> None:
    """Import a family from a file into a run, new or not."""
    try:
        run, done = taken_in(read_file(file), runs, run_name, model)
    except OtherRunError as error:
        new = ["--run", free_name(runs, run_name)] if run_name else []
        call = to_type("import", file, *new, *(["--model", model] if model else []), runs=runs)
        raise FamilyError(f"{str(file)!r}: {error}: {call}") from error
    except FamilyError as error:
        named = str(file) in str(error)
        raise error if named else FamilyError(f"{str(file)!r}: {error}") from error
    names = {each.id: each.name for each in run.entries()}
    if as_json:
        added = [{"id": id_, "name": names[id_]} for id_ in done.added]
        renamed = {id_: list(pair) for id_, pair in done.renamed.items()}
        values = {"file": str(file), "run": run.folder.name, "added": added, "known": list(done.known)}
        values["missing"] = [{"id": id_, "run": home} for id_, home in done.missing]
        click.echo(json.dumps(values | {"renamed": renamed}))
        return
    known = f"; {counted(len(done.known), 'more was', 'more were')} there already" if done.known else ""
    say(out, f"Imported {counted(len(done.added), 'concept')} into {run.folder}{known}")
    if lost := told_missing(done.missing):
        say(out, f"  {lost}")
    for before, now in done.renamed.values():
        say(out, f"  {before} is called {now} here, since the name was taken")


def is_family(file: Path) -> bool:
    """Whether a file is a family: it ends in .zip, or contains a family's manifest."""
    if file.suffix.lower() == ".zip":
        return True
    try:
        content = read_ordinary(file, LARGEST_FILE)
        if not 0 < entries_up_to(content, MOST_ENTRIES) <= MOST_ENTRIES:
            return False
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return MANIFEST in archive.namelist()
    except (FileError, ValueError, zipfile.BadZipFile):
        return False


def read_file(file: Path) -> bytes:
    """Content of a file, up to the size of the largest family."""
    try:
        return read_ordinary(file, LARGEST_FILE)
    except FileError as error:
        raise FamilyError(f"{str(file)!r} {error}") from error


def open_family(content: bytes, runs: Path, called: str = "") -> Run:
    """Import a file's content as a new run, for pages. called: the file's name, which becomes the run's."""
    return taken_in(content, runs, called=called)[0]


def taken_in(
    content: bytes, runs: Path, into: str | None = None, model: str | None = None, called: str = ""
) -> tuple[Run, Adopted]:
    """Import a file's content into the named run, new or not; by default into a new one, named like the file.

    model: where the family's stack is; by default the embedded one, or that of another run here, whichever it is.
    called: the file's name, such as skybeak.family.zip; without it a new run has the name that it had.

    Raises:
        FamilyError: see `read_family`; or its stack is not here.
    """
    family = read_family(content)
    if into is not None and known_name(runs, into):
        run = open_run(runs, into)
        where = model or run.about["stack"]["where"]
        width = _stack_of(family, [where]).width if model else None
        return run, adopt(family, run, width)
    backbone = _stack_of(family, [model] if model else ["emoji", *_known(runs)])
    base = _stem(called) or family.run or family.category
    run = new_run(runs, into, base, lambda folder: Run.create(folder, family.category, backbone, family.kind))
    try:
        return run, adopt(family, run, backbone.width)
    except BaseException:
        forget_if_empty(run)
        raise


def _stem(file: str) -> str:
    """A run's name from that of a file, without its endings; "" if nothing fit for a name is left."""
    words = re.sub(r"(\.family)?(\.zip)?$", "", Path(file).name, flags=re.IGNORECASE)
    words = re.sub(r"\s*\(\d+\)$", "", words)  # of a file that was downloaded again
    return re.sub(r"[^\w-]+", "-", words).strip("-_")[:40]


def _stack_of(family: Family, places: Sequence[str]) -> Backbone:
    """The family's stack, if it is one of these."""
    version, fingerprint = family.stack["version"], family.stack["fingerprint"]
    for where in dict.fromkeys(places):
        try:
            backbone = Backbone.load(where)
            if backbone.fingerprint == fingerprint:
                return backbone
        except ConceptreeError:
            if len(places) == 1:
                raise
    raise FamilyError(
        f"the family was learned on the stack {version} ({fingerprint}), which is not here: get that stack, and name"
        " its folder with --model"
    )


def _known(runs: Path) -> list[str]:
    """Stacks of all runs in the folder."""
    return [run.about["stack"]["where"] for _, run in all_runs(runs) if isinstance(run, Run)]
