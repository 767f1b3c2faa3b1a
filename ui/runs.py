"""Runs by name: where a new one goes, and which one is meant."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path

from evolve import Run
from evolve.run import RunError

LONGEST_NAME = 80


def new_run(runs: Path, name: str | None, base: str, create: Callable[[Path], Run]) -> Run:
    """A run under the name given, or else under `base` with a number that is still free."""
    if name is not None:
        folder = runs / checked_name(name)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise RunError(f"there is a run {name!r} in {str(runs)!r} already: choose another name with --run")
        _make(folder, exist_ok=True)
        return create(folder)
    base = re.sub(r"[^\w]+", "-", base.lower()).strip("-_")[:40] or "run"
    for number in count(1):
        folder = runs / (base if number == 1 else f"{base}-{number}")
        try:
            _make(folder)
        except FileExistsError:  # also where another command has taken the name just now
            continue
        return create(folder)
    raise AssertionError("there are more numbers than runs")


def _make(folder: Path, exist_ok: bool = False) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=exist_ok)
    except FileExistsError:
        raise
    except OSError as error:
        raise RunError(f"no run can be made in {str(folder.parent)!r}: {error.strerror}") from error


def open_run(runs: Path, name: str) -> Run:
    """An existing run; a name that is none says which there are."""
    folder = runs / checked_name(name)
    if not (folder / "run.json").is_file():
        names = sorted(each.parent.name for each in runs.glob("*/run.json"))
        there = f"there are {', '.join(map(repr, names))}" if names else "there are none yet: conceptree seed makes one"
        raise RunError(f"there is no run {name!r} in {str(runs)!r}: {there}")
    return Run.open(folder)


def checked_name(name: str) -> str:
    """A run's name is its folder's: one plain name, no path."""
    wrong = not name.strip() or name != name.strip() or name.startswith(".") or not name.isprintable()
    if wrong or any(c in name for c in '/\\:*?"<>|') or len(name.encode(errors="replace")) > LONGEST_NAME:
        shown = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"
        raise RunError(
            f"{shown!r} is no name for a run: up to {LONGEST_NAME} letters, digits, spaces, - and _, no path"
        )
    return name


def forget_if_empty(run: Run) -> bool:
    """Remove the folder of a run that was stopped before it had anything."""
    if any(file.name != "run.json" for file in run.folder.rglob("*") if file.is_file()):
        return False
    shutil.rmtree(run.folder)
    return True
