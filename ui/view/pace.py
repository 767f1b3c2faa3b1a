"""How long learning takes on this machine, measured with a few real steps.

The steps run in a thread of their own: a page that waited for them would not answer clicks, for half a minute on a busy
machine.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil
from pathlib import Path
from threading import Lock, Thread

import streamlit as st

from core.concept import Request
from core.errors import ConceptreeError
from core.namers import where_of
from core.negatives import Namer
from core.optimizer import ConceptLab
from core.options import Options
from core.settings import MOST_AT_ONCE
from core.stack.backbone import Backbone
from evolve.jobs.plans import Evolve, Seed
from ui.pictures import candidates_on
from ui.stack import can_draw
from ui.view.preview import drawing
from ui.view.text import left

LARGEST = 200e6  # parameters of the largest prior or question answerer that is measured
BYTES = 2  # least size of a parameter
BEGINNING = 6.0  # seconds until a process has loaded the model
DRAFTS = 6  # drawings of a child while it is learned
EVERY = 1.0  # seconds between two looks whether it is measured
KEPT = 4  # measured stacks
PICTURES = 2  # drawings of a finished concept, besides its portrait
# A step of b concepts takes SHARED + OWN · b steps of one, since the weights are read once.
SHARED, OWN = 0.75, 0.25


@dataclass(frozen=True)
class Pace:
    """Seconds for a step of one concept, and for drawing and naming one. candidates: drawings for a portrait."""

    step: float
    look: float
    candidates: int = 1

    def of(self, plan: Seed | Evolve) -> float:
        """Estimated seconds of a plan."""
        if isinstance(plan, Evolve):
            learned = plan.steps_each * self.step * (SHARED + OWN * plan.children)
            drawn = plan.children * (PICTURES + self.candidates + (DRAFTS if plan.drafts else 0)) * self.look
            return BEGINNING + plan.generations * (learned + drawn)
        settings, total = plan.settings, BEGINNING
        looks = ceil(settings.steps / settings.segment) if plan.schedule == "adaptive" else 0
        for first in range(0, plan.count, plan.wave):
            left = min(plan.wave, plan.count - first)
            while left > 0:
                rows = min(left, MOST_AT_ONCE)
                total += settings.steps * self.step * (SHARED + OWN * rows) + looks * rows * self.look
                left -= rows
        return total + (plan.count * self.candidates + (plan.keep or plan.count) * PICTURES) * self.look


# Of a stack's fingerprint, and of the folder of its question answerer.
_Key = tuple[str, str | None]
_paces: dict[_Key, Pace | None] = {}
_measuring: dict[_Key, Thread] = {}
_keeping = Lock()


def show(plan: Seed | Evolve, backbone: Backbone, namer: Namer | None, unknown: str = "") -> None:
    """Show how long a plan takes; while that is measured, the page stays usable. unknown: if it cannot be measured."""
    key = backbone.fingerprint, where_of(namer) if namer else None
    if key not in _paces and _is_small(backbone, namer):
        _begin(key, backbone, namer)
        st.fragment(_await, run_every=EVERY)(key)
    elif speed := _paces.get(key):
        about = left(speed.of(plan)).removesuffix(" left").capitalize()
        st.caption(f"{about} on this machine, if nothing else keeps it busy.")
    elif unknown:
        st.caption(unknown)


def _await(key: _Key) -> None:
    if key in _paces:
        st.rerun(scope="app")
    st.caption("Measuring how fast this machine is …")


def _is_small(backbone: Backbone, namer: Namer | None) -> bool:
    """Whether the stack and the question answerer are small enough to measure."""
    if sum(parameter.numel() for parameter in backbone.prior.parameters()) > LARGEST:
        return False
    where = where_of(namer)
    return not where or _weights(Path(where)) <= BYTES * LARGEST


def _begin(key: _Key, backbone: Backbone, namer: Namer | None) -> None:
    """Measure in a thread, unless one is at it."""

    def measure() -> None:
        found: Pace | None = None
        try:
            found = _measured(backbone, namer)
        finally:
            with _keeping:
                while len(_paces) >= KEPT:
                    del _paces[next(iter(_paces))]
                _paces[key] = found
                _measuring.pop(key, None)

    with _keeping:
        if key not in _paces and key not in _measuring:
            _measuring[key] = Thread(target=measure, daemon=True)
            _measuring[key].start()


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
    return Pace(step, max(0.0, with_look - step), candidates_on(backbone) if can_draw(backbone) else 1)
