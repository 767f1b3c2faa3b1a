"""How long learning takes on this machine, measured with a few real steps."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil
from pathlib import Path

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

LARGEST = 200e6  # parameters of the largest prior or question answerer that is measured
BYTES = 2  # least size of a parameter
BEGINNING = 6.0  # seconds until a process has loaded the model
DRAFTS = 6  # drawings of a child while it is learned
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


def pace(backbone: Backbone, namer: Namer | None) -> Pace | None:
    """The pace of this machine; None if the stack or the question answerer is too large to measure."""
    if sum(parameter.numel() for parameter in backbone.prior.parameters()) > LARGEST:
        return None
    where = where_of(namer)
    if where and _weights(Path(where)) > BYTES * LARGEST:
        return None
    return _measured(backbone.fingerprint, where if namer else None, backbone, namer)


def _weights(folder: Path) -> int:
    """Size of a model's weights in bytes."""
    return sum(file.stat().st_size for file in folder.rglob("*.safetensors"))


@st.cache_resource(max_entries=4, show_spinner="Measuring how fast this machine is …")
def _measured(fingerprint: str, asked: str | None, _backbone: Backbone, _namer: Namer | None) -> Pace | None:
    words = _backbone.vocabulary.words
    if not words:
        return None
    lab, options = ConceptLab(_backbone), Options(namer=_namer)
    try:
        request = lab.prepared(Request(words[0], schedule="none" if asked is None else "adaptive"), options)
        request = replace(request, settings=replace(request.chosen, steps=2, segment=1))
        times = [time.perf_counter()]
        with drawing:
            for _ in lab.learn([request], options):
                times.append(time.perf_counter())
    except ConceptreeError:
        return None
    # The first time includes loading, the second a look, the third only a step.
    _, with_look, step = (after - before for before, after in pairwise(times[:4]))
    return Pace(step, max(0.0, with_look - step), candidates_on(_backbone) if can_draw(_backbone) else 1)
