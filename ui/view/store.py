"""Runs for pages, parsed once for each state on disk."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import networkx as nx
import streamlit as st

from core.errors import ConceptreeError
from core.texts import folded
from evolve import Individual, Run
from evolve.answers import TASTES
from evolve.jobs.job import Job, Status
from evolve.jobs.stored import jobs
from evolve.store.parts import Damage
from evolve.store.run import Descent, Drawing, Entry
from ui.descent import Named, Words
from ui.pictures import is_whole
from ui.runs import family, open_run, run_names
from ui.view import processes

RUNS = "CONCEPTREE_RUNS"  # environment variable: the folder of runs that the server shows


@dataclass(frozen=True)
class Opened:
    """A run as it was read. drawings: by concept id, oldest first. changed: time of the newest concept or note.
    renderings: drawings by other decoders than the stack's own.
    """

    run: Run
    entries: tuple[Entry, ...]
    graph: nx.DiGraph
    drawings: dict[str, list[Drawing]]
    damage: list[Damage] = field(default_factory=list)
    changed: datetime | None = None
    renderings: dict[str, list[Drawing]] = field(default_factory=dict)

    @property
    def by_id(self) -> dict[str, Entry]:
        return {each.id: each for each in self.entries}

    @property
    def tags(self) -> list[str]:
        """All tags, sorted."""
        return sorted({tag for each in self.entries for tag in each.note.tags}, key=folded)

    def named(self, parents: Iterable[Descent]) -> list[Named]:
        """Name, weight and kind of each parent, for `ui.descent`."""
        names = self.graph.nodes
        return [(names[p.id]["name"] if p.id in names else p.brief, p.weight, p.kind) for p in parents]

    def drawing(self, id_: str) -> Drawing | None:
        """The concept's first drawing whose file is whole."""
        return next((each for each in self.drawings.get(id_, ()) if is_whole(each.file)), None)


def individual(found: Opened, id_: str) -> Individual:
    """A concept with its vectors, cached."""
    return _learned(str(found.run.folder), id_, found)


@st.cache_resource(max_entries=512, show_spinner=False)
def _learned(folder: str, id_: str, _found: Opened) -> Individual:
    return _found.run.find(id_)


def words_of(run: Run) -> Words:
    """Positives and negatives of a run's concepts by id, cached."""
    return _words(str(run.folder), repr(state_of(run.folder)), run)


@st.cache_resource(max_entries=8, show_spinner=False)
def _words(folder: str, state: str, _run: Run) -> Words:
    return _run.words()


def runs_folder() -> Path:
    return Path(os.environ.get(RUNS, "runs"))


def names() -> list[str]:
    """Names of all runs, readable or not."""
    return run_names(runs_folder())


def newest_first() -> list[str]:
    """Names of all runs, the last changed first."""
    return sorted(names(), key=lambda name: -_touched(runs_folder() / name))


def latest() -> str | None:
    """The last changed run that can be opened, those with concepts first; None if there is none."""
    found = newest_first()
    for name in sorted(found, key=lambda name: not any((runs_folder() / name / "concepts").glob("*.parquet"))):
        with suppress(ConceptreeError):
            open_run(runs_folder(), name)
            return name
    return None


def remember() -> str | None:
    """The run that the page shows: of the address, else the previous one, else the latest; kept in the address.

    None if there is no run.
    """
    name = st.query_params.get("run") or st.session_state.get("run") or latest()
    if name is None:
        return None
    st.session_state["run"] = name
    if st.query_params.get("run") != name:
        st.query_params["run"] = name
    return name


def current() -> Opened:
    """The run that the page shows, after `remember`."""
    return opened(st.session_state["run"])


def jobs_of(run: Run, damage: list[Damage] | None = None) -> list[tuple[Job, Status]]:
    """A run's jobs with their states, the newest first."""
    return [(job, processes.status(job)) for job in reversed(jobs(run, damage if damage is not None else []))]


def at_work() -> list[tuple[str, Job, Status]]:
    """All running jobs, as (run, job, status)."""
    found = []
    for name in names():
        folder = runs_folder() / name
        if not _has_work(folder):
            continue
        with suppress(ConceptreeError):
            for job, status in jobs_of(open_run(runs_folder(), name)):
                if status.state in processes.AT_WORK:
                    found.append((name, job, status))
    return found


def _has_work(folder: Path) -> bool:
    """Whether a run has an unfinished job, found without reading it."""
    try:
        return any(job.is_dir() and not (job / "finished.json").exists() for job in (folder / "jobs").iterdir())
    except OSError:
        return False


def _touched(folder: Path) -> float:
    found = [0.0]
    for place in (folder / "run.json", *(folder / room for room in ("concepts", "drawings", "notes", "jobs"))):
        with suppress(OSError):
            found.append(place.stat().st_mtime)
    return max(found)


def opened(name: str) -> Opened:
    """A run by name, read again only if it has changed.

    Raises:
        ConceptreeError: there is no such run, or its schema is unknown.
    """
    run = open_run(runs_folder(), name)
    return _read(str(run.folder), repr(state_of(run.folder)), run)  # text compares fast


def state_of(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Names, sizes and times of all parts. Parts are written once, so these show every change."""
    found = []
    for file in (
        folder / "run.json",
        *(part for room in ("concepts", "drawings", "renderings", "notes") for part in _parts(folder / room)),
    ):
        try:
            about = file.stat()
        except OSError:
            continue
        found.append((f"{file.parent.name}/{file.name}", about.st_size, about.st_mtime_ns))
    return tuple(found)


def answers_of(folder: Path) -> tuple[str, ...]:
    """Names of the files with a person's answers beside their notes: they change the taste and nothing else."""
    files = [part for room in ("ratings", "likes") for part in _parts(folder / room)]
    files += sorted((folder / TASTES).glob("*.safetensors"))
    return tuple(f"{file.parent.name}/{file.name}" for file in files)


def _parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.parquet"))


@st.cache_resource(max_entries=16, show_spinner=False)
def _read(folder: str, state: str, _run: Run) -> Opened:
    damage: list[Damage] = []
    entries = tuple(_run.entries(damage))
    graph = family(_run)
    drawings: dict[str, list[Drawing]] = {}
    renderings: dict[str, list[Drawing]] = {}
    try:
        for drawing in _run.drawings(damage=damage):
            drawings.setdefault(drawing.concept, []).append(drawing)
        for drawing in _run.renderings(damage=damage):
            renderings.setdefault(drawing.concept, []).append(drawing)
    except ConceptreeError as error:
        damage.append(Damage(_run.folder / "drawings", str(error)))
    told = [each.created_at for each in entries] + [change.at for change in _run.changes()]
    return Opened(_run, entries, graph, drawings, damage, max(filter(None, told), default=None), renderings)
