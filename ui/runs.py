"""Runs by name: create, open, list, and remove empty ones."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import ConceptreeError
from core.files import StorageError, is_temporary
from core.texts import checked_text, fault, one_name
from core.wording import did_you_mean
from evolve.store.parts import Damage
from evolve.store.run import FROM_THE_START, Run, RunError

if TYPE_CHECKING:
    import networkx as nx

LONGEST_NAME = 80  # bytes
_NOT_IN_NAMES = '/\\:*?"<>|'  # some disk or shell reads these otherwise
UNASKED = 10.0  # seconds after which a new run without a job has been left behind


def new_run(runs: Path, name: str | None, base: str, create: Callable[[Path], Run]) -> Run:
    """Create a run under the given name, or under `base` with a free number."""
    if name is not None:
        checked_name(name)
        folder = runs / (known_name(runs, name) or checked_text(name, "name"))
        _check_link(folder)
        occupied = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
        if occupied and not _forget_unasked(folder):
            raise RunError(f"there is a run {folder.name!r} in {str(runs)!r} already: choose another name with --run")
        _make(folder, exist_ok=True)
        return _created(folder, create)
    base = checked_text(base, "name")
    base = re.sub(r"[^\w]+", "-", base.lower()).strip("-_")[:40] or "run"
    for number in count(1):
        folder = runs / (base if number == 1 else f"{base}-{number}")
        try:
            _make(folder)
        except FileExistsError:  # another command may have just taken the name
            continue
        return _created(folder, create)
    raise AssertionError("there are more numbers than runs")


def free_name(runs: Path, name: str) -> str:
    """The name, with a number if it is taken."""
    return next(free for n in count(1) if not os.path.lexists(runs / (free := name if n == 1 else f"{name}-{n}")))


def _make(folder: Path, exist_ok: bool = False) -> None:
    _check_link(folder.parent)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"no run can be made in {str(folder.parent)!r}: {error.strerror}") from error
    try:
        folder.mkdir(exist_ok=exist_ok)
    except FileExistsError:
        raise
    except OSError as error:
        raise RunError(f"no run can be made in {str(folder.parent)!r}: {error.strerror}") from error


def _check_link(folder: Path) -> None:
    """Raise RunError for a symbolic link to nothing."""
    if folder.is_symlink() and not folder.exists():
        raise RunError(f"{str(folder)!r} is a link to {os.readlink(folder)!r}, which is not there: remove the link")


def _created(folder: Path, create: Callable[[Path], Run]) -> Run:
    try:
        return create(folder)
    except BaseException:
        if not (folder / "run.json").exists():  # an empty folder would only block the name
            shutil.rmtree(folder, ignore_errors=True)
        raise


def open_run(runs: Path, name: str) -> Run:
    """Open a run. Raises RunError with the existing names if there is none."""
    folder = runs / checked_name(name)
    _check_link(folder)
    if not _is_run(folder) and (twin := known_name(runs, name)):
        folder = runs / twin
    if not _is_run(folder):
        names = run_names(runs)
        every = f"there {'is' if len(names) == 1 else 'are'} {', '.join(map(repr, names))}"
        there = did_you_mean(name, names) or (every if names else "there are none yet; conceptree seed makes one")
        raise RunError(f"there is no run {name!r} in {str(runs)!r}: {there}")
    return Run.open(folder)


def known_name(runs: Path, name: str) -> str | None:
    """The run that a name means: the one of just this name, or else the first whose name looks the same."""
    names = run_names(runs)
    return name if name in names else next((each for each in names if one_name(each) == one_name(name)), None)


def run_names(runs: Path) -> list[str]:
    """Names of all folders with a run.json, readable or not."""
    try:
        return sorted(folder.name for folder in runs.iterdir() if _is_run(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise StorageError(f"{str(runs)!r} cannot be read: {error.strerror or error}") from error


def all_runs(runs: Path) -> Iterator[tuple[str, Run | ConceptreeError]]:
    """(name, run, or the error of opening it) of every run."""
    for name in run_names(runs):
        try:
            yield name, Run.open(runs / name)
        except ConceptreeError as error:
            yield name, error


def names_beside(run: Run) -> dict[str, str]:
    """Names by id: of a run's concepts and photographs, and of parents in the runs beside it."""
    names = run.names()
    guests = {p.id: p.run for each in run.entries() for p in each.parents if p.run and p.id not in names}
    return names | _names_there(run, guests)


def family(run: Run, damage: list[Damage] | None = None) -> nx.DiGraph:
    """A run's lineage, in which parents of the runs beside it have their names there."""
    from evolve.family.lineage import lineage  # imports networkx

    graph = lineage(run, damage)
    guests = {id_: other for id_, other in graph.nodes(data="run") if other}
    for id_, name in _names_there(run, guests).items():
        graph.nodes[id_]["name"] = name
    return graph


def _names_there(run: Run, guests: Mapping[str, str]) -> dict[str, str]:
    """Names of concepts by id, from the runs beside this one. guests: the run of each id."""
    found: dict[str, str] = {}
    for other in sorted(set(guests.values())):
        with suppress(ConceptreeError):  # without that run the first digits of the id are the name
            names = {each.id: each.name for each in open_run(run.folder.parent, other).entries()}
            found |= {id_: names[id_] for id_ in guests.keys() & names.keys()}
    return found


def _is_run(folder: Path) -> bool:
    try:
        return (folder / "run.json").is_file()
    except OSError as error:
        raise StorageError(f"{str(folder)!r} cannot be read: {error.strerror or error}") from error


def checked_name(name: str) -> str:
    """The name. Raises RunError unless it is a plain folder name."""
    wrong = not name.strip() or name != name.strip() or name.startswith((".", "-"))
    if wrong or any(c in name for c in _NOT_IN_NAMES) or len(name.encode(errors="replace")) > LONGEST_NAME:
        shown = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"
        raise RunError(
            f"{shown!r} is not a valid name of a run: give at most {LONGEST_NAME} bytes of text without any of"
            f" {' '.join(_NOT_IN_NAMES)}, without . or - first, and without a space at either end"
        )
    if found := fault(name):
        raise RunError(f"{name!r} is not a valid name of a run: remove {found}")
    return name


@contextmanager
def forgotten_if_empty(run: Run) -> Iterator[None]:
    """Remove a new run if an error ends the block before its first step. After Ctrl-C it stays for `resume`."""
    try:
        yield
    except Exception:
        forget_if_empty(run)
        raise


def forget_if_empty(run: Run) -> bool:
    """Remove a run without content and without a begun job; whether it was removed."""
    from evolve.jobs.stored import jobs

    with suppress(ConceptreeError), run.writing(wait=0):  # a run that is being written or is read-only stays
        idle = [job.folder for job in jobs(run) if not job.begun]
        files = (file for file in run.folder.rglob("*") if file.is_file())
        if all(_own(file) or any(map(file.is_relative_to, idle)) for file in files):
            shutil.rmtree(run.folder, ignore_errors=True)
    return not run.folder.exists()


def _forget_unasked(folder: Path) -> bool:
    """Remove a run that a killed process left before it was asked for anything; whether it is gone."""
    with suppress(ConceptreeError, OSError):
        if not (folder / "run.json").exists():
            return _forget_begun(folder)
        run = Run.open(folder)
        age = time.time() - (folder / "run.json").stat().st_mtime
        return age > UNASKED and is_unasked(run) and forget_if_empty(run)
    return False


def _forget_begun(folder: Path) -> bool:
    """Remove a folder that a killed process left before it wrote run.json; whether it is gone."""
    held = {*FROM_THE_START, ".lock", ".lock.by"}
    own = all(each.name in held or is_temporary(each) for each in folder.iterdir())
    empty = not any(any((folder / name).iterdir()) for name in FROM_THE_START if (folder / name).is_dir())
    if own and empty and time.time() - folder.stat().st_mtime > UNASKED:
        shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


def is_unasked(run: Run) -> bool:
    """Whether a run has no jobs and no concepts."""
    from evolve.jobs.stored import jobs  # lists and trees do without

    return not jobs(run) and not run.entries()


def _own(file: Path) -> bool:
    """Whether a file belongs to an empty run: run.json, or a hidden file."""
    return file.name == "run.json" or file.name.startswith(".")
