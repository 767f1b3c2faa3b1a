"""A file system that fails at its n-th operation, and five short jobs on it that are compared with undisturbed ones.

An operation is a write, flush, creation, renaming or removal of a file or folder below one folder. A failing write
stores half of its bytes first.
"""

from __future__ import annotations

import errno
import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow.parquet as pq

from core import ConceptLab, Settings
from core.errors import ConceptreeError
from core.files import write_atomically
from core.stack.backbone import Backbone
from evolve.family.familyfile import packed, read_family
from evolve.family.share import adopt, family_of
from evolve.jobs.job import Conduct
from evolve.jobs.options import BreedOptions, SeedOptions
from evolve.jobs.planning import plan_children, plan_evolution, plan_founders
from evolve.jobs.plans import Plan
from evolve.jobs.stored import jobs, new_job, unfinished
from evolve.jobs.work import work
from evolve.store.check import check
from evolve.store.run import Run
from ui.runs import new_run

FAULTS = ("full once", "broken once", "full", "killed")
_ERRORS = {"full once": errno.ENOSPC, "full": errno.ENOSPC, "broken once": errno.EIO}
_NAMED = ("replace", "rename", "unlink", "remove", "mkdir", "rmdir")


class Killed(BaseException):
    """The process ends here; nothing after it reaches the disk."""


@dataclass
class Disk:
    """Counts the operations below a folder, and lets the `at`-th one (from 1) fail; 0 for none.

    fault: "full once" and "broken once" fail once; "full" fails from then on; "killed" ends the process.
    """

    folder: Path
    at: int = 0
    fault: str = "full once"
    done: int = 0
    names: list[str] = field(default_factory=list)

    def count(self, what: str, path: Any) -> None:
        if not self.is_below(path):
            return
        self.done += 1
        self.names.append(f"{what} {path}")
        lasts = self.fault in ("full", "killed")
        if self.at and (self.done >= self.at if lasts else self.done == self.at):
            if self.fault == "killed":
                raise Killed
            if lasts and what in ("unlink", "remove", "rmdir"):
                return  # a full disk removes files
            raise OSError(_ERRORS[self.fault], os.strerror(_ERRORS[self.fault]), str(path))

    def is_below(self, path: Any) -> bool:
        try:
            path = os.readlink(f"/proc/self/fd/{path}") if isinstance(path, int) else os.fspath(path)
        except (OSError, TypeError):
            return False
        return os.path.abspath(os.fsdecode(path)).startswith(str(self.folder))


class _Torn:
    """A file whose writes are counted."""

    def __init__(self, file: Any, disk: Disk, path: Any) -> None:
        self._file, self._disk, self._path = file, disk, path

    def write(self, content: Any) -> int:
        try:
            self._disk.count("write", self._path)
        except BaseException:
            self._file.write(content[: len(content) // 2])
            raise
        return int(self._file.write(content))

    def __enter__(self) -> _Torn:
        return self

    def __exit__(self, *error: Any) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@contextmanager
def failing(disk: Disk) -> Iterator[Disk]:
    """Let the operations of this process run on the disk."""
    opens, opens_number, flushes = io.open, os.open, os.fsync

    def opened(path: Any, mode: str = "r", *more: Any, **options: Any) -> Any:
        writes = bool(set(mode) & set("wax+"))
        if writes and not isinstance(path, int):
            disk.count("open", path)
        file = opens(path, mode, *more, **options)
        return _Torn(file, disk, path) if writes and disk.is_below(path) else file

    def number(path: Any, flags: int, *more: Any, **options: Any) -> int:
        if flags & os.O_CREAT:
            disk.count("open", path)
        return opens_number(path, flags, *more, **options)

    def flushed(number: int) -> None:
        disk.count("fsync", number)
        flushes(number)

    def counted(name: str) -> Any:
        real = getattr(os, name)

        def call(path: Any, *more: Any, **options: Any) -> Any:
            folder = options.get("dir_fd")
            disk.count(name, path if folder is None else os.path.join(os.readlink(f"/proc/self/fd/{folder}"), path))
            return real(path, *more, **options)

        return mock.patch.object(os, name, call)

    patches = [
        mock.patch.object(io, "open", opened),
        mock.patch("builtins.open", opened),
        mock.patch.object(os, "open", number),
        mock.patch.object(os, "fsync", flushed),
        *map(counted, _NAMED),
    ]
    for each in patches:
        each.start()
    try:
        yield disk
    finally:
        for each in reversed(patches):
            each.stop()


@dataclass(frozen=True)
class Story:
    """A job in a folder of runs, begun or resumed by the same call, as a person would do it."""

    name: str
    stack: Backbone
    before: Path  # the runs that it starts from

    def go_on(self, runs: Path) -> None:
        getattr(self, f"_{self.name}")(runs)

    def _seed(self, runs: Path) -> None:
        settings = Settings(steps=2, segment=1, prior_steps=2, learning_rate=1e-2)
        plan = plan_founders(self.stack, SeedOptions(category="pet", count=2, wave=1, negatives="cat"), settings)
        if not self._resumed(runs):
            with mock.patch("ui.runs.UNASKED", -1.0):  # as if a person came back after a while
                run = new_run(runs, "pets", "pet", lambda folder: Run.create(folder, "pet", self.stack))
            self._work(run, plan)

    def _breed(self, runs: Path) -> None:
        if not self._resumed(runs):
            run = Run.open(runs / "pets")
            parents = [(each.id, 1.0) for each in run.entries()]
            options = BreedOptions(parents=parents, images=4, keep=1, seed=3, steps=2)
            self._work(run, plan_children(run, self.stack, options))

    def _evolve(self, runs: Path) -> None:
        if not self._resumed(runs):
            run = Run.open(runs / "pets")
            numbers = dict(generations=1, population=2, children=1)
            self._work(run, plan_evolution(run, self.stack, seed=3, steps=2, **numbers))

    def _share(self, runs: Path) -> None:
        run = Run.open(runs / "pets")
        write_atomically(runs / "pets.family.zip", packed(family_of(run, [each.id for each in run.entries()])))

    def _adopt(self, runs: Path) -> None:
        family = read_family((self.before / "pets.family.zip").read_bytes())
        there = (runs / "guests" / "run.json").is_file()
        create = lambda folder: Run.create(folder, "pet", self.stack)  # noqa: E731
        with mock.patch("ui.runs.UNASKED", -1.0):
            run = Run.open(runs / "guests") if there else new_run(runs, "guests", "pet", create)
        adopt(family, run, self.stack.width)

    def _resumed(self, runs: Path) -> bool:
        """Whether the run has a job from this story, which is worked on until it is finished."""
        if not (runs / "pets" / "run.json").is_file():
            return False
        run = Run.open(runs / "pets")
        for job in unfinished(run):
            for _ in work(job, run, ConceptLab(self.stack)):
                pass
        return any(job.command == self.name for job in jobs(run))

    def _work(self, run: Run, plan: Plan) -> None:
        for _ in work(new_job(run, plan, Conduct(1, 1, 1)), run, ConceptLab(self.stack)):
            pass


STORIES = ("seed", "breed", "evolve", "share", "adopt")


def stories(folder: Path, stack: Backbone) -> list[Story]:
    """The five stories. Those that need founders start from two."""
    before = folder / "before"
    Story("seed", stack, folder / "nothing").go_on(before)
    run = Run.open(before / "pets")
    run.note(run.entries()[0].id, name="Moku")
    Story("share", stack, before).go_on(before)
    return [Story(name, stack, folder / "nothing" if name == "seed" else before) for name in STORIES]


def told(runs: Path) -> dict[str, Any]:
    """All that a person has in a folder of runs, without times: for comparing bit for bit."""
    found: dict[str, Any] = {}
    for folder in sorted(each for each in runs.iterdir() if (each / "run.json").is_file()):
        run = Run.open(folder)
        found[folder.name] = {
            "concepts": [_concept(run, part) for part in run.rooms["concepts"].parts()],
            "names": [(each.id, each.name, each.generation) for each in run.entries(strict=True)],
            "drawings": sorted(
                (each.concept, each.prompt, each.seed, each.file.name, each.file.read_bytes())
                for each in run.drawings(strict=True)
            ),
            "photos": sorted(run.photos(strict=True)),
            "jobs": [(job.name, job.told, job.finished) for job in jobs(run)],
            "whole": check(run).whole,
        }
    for file in sorted(runs.glob("*.zip")):
        found[file.name] = [member.individual.id for member in read_family(file.read_bytes()).members]
    return found


def _concept(run: Run, part: Path) -> list[dict[str, Any]]:
    """Rows of a part without times."""
    rows = pq.read_table(part).to_pylist()
    return [{key: repr(value) for key, value in row.items() if key not in ("seconds", "created_at")} for row in rows]


def disturbed(story: Story, folder: Path, at: int, fault: str) -> tuple[str, bool]:
    """("" or how the story went wrong, whether it had so many operations). It fails once, and goes on undisturbed."""
    runs = _fresh(story, folder)
    disk = Disk(runs, at, fault)
    ended = False
    try:
        with failing(disk):
            story.go_on(runs)
            ended = True
    except (ConceptreeError, Killed):
        pass
    except BaseException as error:
        return f"{fault} at {at} ({_last(disk)}): {type(error).__name__}: {error}", True
    reached = disk.done >= at
    try:
        if not ended:
            story.go_on(runs)
        if told(runs) != expected(story, folder):
            return f"{fault} at {at} ({_last(disk)}): {'success, but ' if ended else ''}another result", reached
    except (ConceptreeError, AssertionError, OSError) as error:
        return f"{fault} at {at} ({_last(disk)}): resumed, {type(error).__name__}: {error}", reached
    return "", reached


def operations(story: Story, folder: Path) -> int:
    """The number of operations of an undisturbed story."""
    disk = Disk(runs := _fresh(story, folder))
    with failing(disk):
        story.go_on(runs)
    return disk.done


_EXPECTED: dict[tuple[str, Path], dict[str, Any]] = {}


def expected(story: Story, folder: Path) -> dict[str, Any]:
    """The result of an undisturbed story."""
    key = story.name, folder
    if key not in _EXPECTED:
        runs = _fresh(story, folder, "undisturbed")
        story.go_on(runs)
        _EXPECTED[key] = told(runs)
    return _EXPECTED[key]


def _fresh(story: Story, folder: Path, name: str = "runs") -> Path:
    runs = folder / name / story.name / "runs"
    shutil.rmtree(runs, ignore_errors=True)
    if story.before.is_dir():
        shutil.copytree(story.before, runs)
    else:
        runs.mkdir(parents=True)
    if story.name == "share":
        (runs / "pets.family.zip").unlink()
    return runs


def _last(disk: Disk) -> str:
    return disk.names[disk.at - 1].replace(str(disk.folder), "") if len(disk.names) >= disk.at else "-"
