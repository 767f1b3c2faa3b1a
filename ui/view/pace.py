"""How long learning takes on this machine: at the pace of the last job, else measured with a few real steps.

The steps run in a thread of their own: a page that waited for them would not answer clicks, for half a minute on a busy
machine.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import streamlit as st

from core.concept import Request
from core.errors import ConceptreeError
from core.namers import where_of
from core.negatives import Namer
from core.optimizer import ConceptLab
from core.options import Options
from core.stack.backbone import Backbone
from evolve.jobs.pace import PICTURES, Pace, Work, children_work, latest_pace, work_of
from evolve.jobs.plans import Plan
from ui.pictures import candidates_on
from ui.stack import can_draw
from ui.view import store
from ui.view.making import Making
from ui.view.preview import drawing
from ui.view.text import left

LARGEST = 200e6  # parameters of the largest prior or question answerer that is measured
BYTES = 2  # least size of a parameter
BEGINNING = 6.0  # seconds until a process has loaded the model
EVERY = 1.0  # seconds between two looks whether it is measured
KEPT = 4  # measured stacks
FRESH = 5.0  # seconds between two looks for the pace of the last job
# Of a stack's fingerprint, and of the folder of its question answerer.
_Key = tuple[str, str | None]
_paces: Making[Pace | None] = Making(KEPT)


def show(plan: Plan, backbone: Backbone, namer: Namer | None, unknown: str = "") -> None:
    """Show how long a plan takes; while that is measured, the page stays usable. unknown: if it cannot be measured."""
    key = backbone.fingerprint, where_of(namer) if namer else None
    work = work_of(plan, candidates(backbone))
    if told := of_last_job(work, backbone):
        st.caption(told)
    elif key not in _paces and _is_small(backbone, namer):
        _paces.begin(key, partial(_measured, backbone, namer))
        st.fragment(_await, run_every=EVERY)(key)
    elif speed := _paces.get(key):
        st.caption(f"{_said(work, speed)} on this machine, longer if it is busy.")
    elif unknown:
        st.caption(unknown)


def of_last_job(work: Work, backbone: Backbone) -> str:
    """`About 3 min, at the pace of the last job.`; "" if none has measured its pace lately."""
    speed = _latest(str(store.runs_folder()), backbone.fingerprint)
    return f"{_said(work, speed)}, at the pace of the last job." if speed else ""


def show_children(children: int, steps: int, backbone: Backbone) -> None:
    """Show how long children of some parents take, once a job has measured it. They may be done before all steps."""
    finished = pictures if (pictures := candidates(backbone)) == 0 else pictures + PICTURES
    told = of_last_job(children_work(1, children, steps, can_draw(backbone), finished), backbone)
    if told:
        st.caption(told.replace("About", "Up to", 1))


def candidates(backbone: Backbone) -> int:
    """Drawings of a portrait; 0 on a stack that does not draw."""
    return candidates_on(backbone) if can_draw(backbone) else 0


@st.cache_data(ttl=FRESH, max_entries=8, show_spinner=False)
def _latest(runs: str, stack: str) -> Pace | None:
    return latest_pace(Path(runs), stack)


def _said(work: Work, speed: Pace) -> str:
    """`About 3 min`."""
    return left(BEGINNING + work.seconds(speed)).removesuffix(" left").capitalize()


def _await(key: _Key) -> None:
    if _paces.is_done(key):
        st.rerun(scope="app")
    st.caption("Measuring how fast this machine is …")


def _is_small(backbone: Backbone, namer: Namer | None) -> bool:
    """Whether the stack and the question answerer are small enough to measure."""
    if sum(parameter.numel() for parameter in backbone.prior.parameters()) > LARGEST:
        return False
    where = where_of(namer)
    return not where or _weights(Path(where)) <= BYTES * LARGEST


def _weights(folder: Path) -> int:
    """Size of a model's weights in bytes."""
    return sum(file.stat().st_size for file in folder.rglob("*.safetensors"))


def _measured(backbone: Backbone, namer: Namer | None) -> Pace | None:
    """The pace of this machine; None if these cannot learn together."""
    words = backbone.vocabulary.words
    if not words:
        return None
    lab, options = ConceptLab(backbone), Options(namer=namer)
    try:
        request = lab.prepared(Request(words[0], schedule="none" if namer is None else "adaptive"), options)
        request = replace(request, settings=replace(request.chosen, steps=2, segment=1))
        times = [time.perf_counter()]
        with drawing:
            for _ in lab.learn([request], options):
                times.append(time.perf_counter())
    except ConceptreeError:
        return None
    # The first time includes loading, the second a look, the third only a step.
    _, with_look, step = (after - before for before, after in pairwise(times[:4]))
    look = max(0.0, with_look - step)
    return Pace(step, look, look)
