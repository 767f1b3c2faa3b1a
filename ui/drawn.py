"""A drawing back to its concept, prompt and seed, by the texts in its file."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from core.errors import ConceptreeError, FileError
from core.files import read_ordinary
from core.png import strangers_texts
from core.renderers import NAMES, Rendered
from evolve import Run
from evolve.store.captions import Shown, shown_by
from evolve.store.rows import Entry
from ui.console import print_line, printable, say, to_type
from ui.runs import all_runs, open_run

DRAWING = ".png"
LARGEST_DRAWING = 32 * 2**20  # bytes


class DrawingError(ConceptreeError):
    """A picture that names no concept, or one that no run here has."""


@dataclass(frozen=True)
class Origin:
    """A concept here, and the prompt and seed of a drawing of it: \"\" and None if the file does not say. rendered: how
    another decoder than the stack's own drew it.
    """

    run: Run
    entry: Entry
    prompt: str
    seed: int | None
    rendered: Rendered | None = None


def drawings_among(files: Sequence[Path]) -> list[Path]:
    """The pictures that are not the sheets of embeddings among the files."""
    embeddings = {file.with_suffix("") for file in files if file.suffix.lower() not in (DRAWING, ".json")}
    return [file for file in files if file.suffix.lower() == DRAWING and file.with_suffix("") not in embeddings]


def find_drawn(files: Sequence[Path], *, run_name: str | None, as_json: bool, runs: Path, out: Console) -> None:
    """Say for each drawing which concept it shows, and how to draw it again."""
    for file in files:
        try:
            content = read_ordinary(file, LARGEST_DRAWING)
        except FileError as error:
            raise DrawingError(f"{str(file)!r} {error}") from error
        found = origin_in(content, str(file), runs, run_name)
        name, folder = found.entry.name, found.run.folder.name
        if as_json:
            values: dict[str, Any] = {"file": file, "run": folder, "name": name, "id": found.entry.id}
            values |= {"rendered": found.rendered.told} if found.rendered else {}
            print_line(values | {"prompt": found.prompt or None, "seed": found.seed})
            continue
        how = f": {found.prompt!r}, seed {found.seed}" if found.prompt else ""
        say(out, f"{file.name} shows {name}, of the run {folder}{how}")
        if found.rendered:
            say(out, f"  It was drawn by {printable(f'{found.rendered.brief} ({found.rendered.where})')}")
        if found.prompt:
            words = ["draw", folder, name, "--prompt", found.prompt, "--seed", str(found.seed)]
            again = to_type(*words, *_options_of(found.rendered), runs=runs)
            say(out, f"  To draw it again: {again}")


def origin_in(content: bytes, file: str, runs: Path, run_name: str | None = None) -> Origin:
    """The concept in the folder of runs that a drawing shows. content: of the PNG, which may be a stranger's.

    Raises:
        DrawingError: the file names no concept, or one that no run here has; with the run and the stack that it names.
    """
    shown = shown_by(strangers_texts(content))
    if shown is None:
        raise DrawingError(
            f"{file!r} does not say which concept it shows: expected a PNG that Conceptree drew, not a converted copy"
        )
    for run in _candidates(shown, runs, run_name):
        with suppress(ConceptreeError):  # a damaged run
            for entry in run.entries():
                if entry.id == shown.id:
                    return Origin(run, entry, printable(shown.prompt), shown.seed, shown.rendered)
    called = printable(f"{shown.name or 'a concept'} ({shown.id})")
    home = printable(f"the run {shown.run!r}, on the stack {shown.stack or 'unknown'}")
    raise DrawingError(
        f"{file!r} shows {called} of {home}, and {'no run here' if run_name is None else repr(run_name)} has it: import"
        " its family file, which conceptree export RUN NAME --format family writes there"
    )


def _options_of(rendered: Rendered | None) -> list[str]:
    """The options that draw so again. The picture may be a stranger's, so a decoder goes by its name here."""
    if rendered is None or rendered.decoder not in NAMES:
        return []
    look = rendered.look
    values = {"text": look.text, "scale": look.scale, "steps": look.steps, "guidance": look.guidance_scale}
    given = {name: value for name, value in {**values, "size": look.size}.items() if value is not None}
    options = [["--decoder", rendered.decoder], *([f"--{name}", printable(str(v))] for name, v in given.items())]
    return [word for pair in options for word in pair]


def _candidates(shown: Shown, runs: Path, run_name: str | None) -> list[Run]:
    """The named run alone; or all runs, the one that the drawing names first."""
    if run_name is not None:
        return [open_run(runs, run_name)]
    there = [run for _, run in all_runs(runs) if isinstance(run, Run)]
    return sorted(there, key=lambda run: run.folder.name != shown.run)
