"""Reading runs for pages: parsed once for each state that a run is in on disk, and no more."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import networkx as nx
import streamlit as st

from core.errors import ConceptreeError
from evolve import Run
from evolve.jobs.job import Job, Status, jobs
from evolve.store.parts import Damage
from evolve.store.run import Drawing, Entry
from ui.runs import family, open_run, run_names
from ui.view import links, processes

RUNS = "CONCEPTREE_RUNS"  # in the environment: the folder that the server was started on


@dataclass(frozen=True)
class Opened:
    """A run as it was when it was read. drawings: by concept id, in the order in which they were drawn. changed: when
    something was last learned or said in it.
    """

    run: Run
    entries: tuple[Entry, ...]
    graph: nx.DiGraph
    drawings: dict[str, list[Drawing]]
    damage: list[Damage] = field(default_factory=list)
    changed: datetime | None = None

    @property
    def by_id(self) -> dict[str, Entry]:
        return {each.id: each for each in self.entries}


def runs_folder() -> Path:
    return Path(os.environ.get(RUNS, "runs"))


def names() -> list[str]:
    """Of all runs, whether or not they can be read."""
    return run_names(runs_folder())


def newest_first() -> list[str]:
    """All runs by name, those first in which something happened last."""
    return sorted(names(), key=lambda name: -_touched(runs_folder() / name))


def latest() -> str | None:
    """The run that was worked on last, of those that can be opened, one with a family first; None if there is none."""
    found = newest_first()
    for name in sorted(found, key=lambda name: not any((runs_folder() / name / "concepts").glob("*.parquet"))):
        with suppress(ConceptreeError):
            open_run(runs_folder(), name)
            return name
    return None


def remember() -> str:
    """The run that the page is about: the address names it, or else it is the one before, or the latest.

    From then on the address names it, so that it can be kept and sent. Where there is no run, the list of runs says
    how to make one.
    """
    name = st.query_params.get("run") or st.session_state.get("run") or latest()
    if name is None:
        links.go("runs")
    st.session_state["run"] = name
    if st.query_params.get("run") != name:
        st.query_params["run"] = name
    return name


def jobs_of(run: Run, damage: list[Damage] | None = None) -> list[tuple[Job, Status]]:
    """A run's jobs and how they are, the newest first."""
    return [(job, processes.status(job)) for job in reversed(jobs(run, damage if damage is not None else []))]


def at_work() -> list[tuple[str, Job, Status]]:
    """All jobs that are being learned or about to be, by the names of their runs."""
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
    """Whether some job of a run is not finished, without reading what it is about."""
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
    """A run by name, read again only if anything in it has changed.

    Raises:
        ConceptreeError: there is none, or it is of another schema.
    """
    run = open_run(runs_folder(), name)
    return _read(str(run.folder), repr(state_of(run.folder)), run)  # as text, which is quickly compared


def state_of(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """What a run consists of: parts are written once, so their names, sizes and times tell all changes."""
    found = []
    for file in (
        folder / "run.json",
        *(part for room in ("concepts", "drawings", "notes") for part in _parts(folder / room)),
    ):
        try:
            about = file.stat()
        except OSError:
            continue
        found.append((f"{file.parent.name}/{file.name}", about.st_size, about.st_mtime_ns))
    return tuple(found)


def _parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.parquet"))


@st.cache_resource(max_entries=16, show_spinner=False)
def _read(folder: str, state: str, _run: Run) -> Opened:
    damage: list[Damage] = []
    entries = tuple(_run.entries(damage))
    graph = family(_run)
    drawings: dict[str, list[Drawing]] = {}
    try:
        for drawing in _run.drawings(damage=damage):
            drawings.setdefault(drawing.concept, []).append(drawing)
    except ConceptreeError as error:
        damage.append(Damage(_run.folder / "drawings", str(error)))
    told = [each.created_at for each in entries] + [change.at for change in _run.changes()]
    return Opened(_run, entries, graph, drawings, damage, max(filter(None, told), default=None))
