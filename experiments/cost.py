"""What an experiment is about to do and what it takes: counted, measured on its first cases, derived for an H100.

Each case counts its own `Work`. Its time here follows from the finished cases, in proportion to their work. The time on
an H100 is derived from counted operations, as on docs/performance.md ("Estimates for a GPU"): a step is bound by how
fast Python starts operations, 5 to 10 µs each. Nothing of it was measured on an H100.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from math import ceil
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from core.concept import Parent, Request
from core.negatives import Namer
from core.optimizer import total_steps
from core.settings import Settings
from core.stack import folders
from core.stack.backbone import Backbone
from core.wording import counted
from ui.console import duration

SECONDS = b"seconds"  # of a case, in the metadata of its table
START = (5e-6, 10e-6)  # seconds that starting an operation takes
# Operations that a step starts, fitted to the counts of `make bench-full ARGS=--count` within 1 %: of each layer of the
# text tower, of each layer of the prior in each pass, and of the rest.
TEXT_LAYER, PRIOR_LAYER, REST = 26, 35, 485
UNET = 1092  # of a step of Kandinsky 2.1's UNet, counted on its published shape; smaller decoders start fewer
ONE_PICTURE = 2**18  # pixels that are drawn at once, as in `Backbone.draw`
# Of a question to BLIP-2, counted on its published shape: 2,400 operations that read picture and question, and 1,982
# for each token of the answer, of which there are 3 or up to 20.
QUESTION = (2400 + 3 * 1982, 2400 + 20 * 1982)


@dataclass(frozen=True)
class Work:
    """Counts of what is done. steps: over all concepts. rounds: steps one after the other, where concepts that learn
    side by side take one together. glimpses: unfinished drawings of SD-ConceptLab, one a step, each half a drawing.
    """

    concepts: int = 0
    steps: int = 0
    rounds: int = 0
    drawings: int = 0
    questions: int = 0
    glimpses: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    def __str__(self) -> str:
        told = [f"{counted(self.concepts, 'concept')} in at most {counted(self.steps, 'step')}"]
        told += [counted(self.drawings, "drawing"), counted(self.questions, "question")]
        return ", ".join([*told, *([counted(self.glimpses, "glimpse")] if self.glimpses else [])])


def of_learning(requests: Sequence[Request], namer: Namer | None = None, draw: bool = False) -> Work:
    """The work of requests with settings that are learned together; at most, since concepts may stop early.

    namer, draw: as in `core.options.Options`; None for the vocabulary, which needs no drawing.
    """
    drawings = questions = 0
    for request in requests:
        segments = ceil(request.chosen.steps / request.chosen.segment)
        asks = 0
        if namer is not None and request.schedule == "adaptive":
            asks = segments - bool(request.negatives)
        questions += asks
        drawings += segments + 1 if draw else asks
    steps = sum(request.chosen.steps for request in requests)
    return Work(len(requests), steps, total_steps(requests) if requests else 0, drawings, questions)


def stand_ins(category: str, count: int, settings: Settings, mixed: bool = True) -> list[Request]:
    """Requests to be counted: of children with one parent, or of founders without negatives."""
    parents = (Parent("parent", 1.0, np.ones((1, 1), dtype=np.float32)),) if mixed else ()
    return [Request(category, parents=parents, settings=settings, seed=number) for number in range(count)]


def of_waves(category: str, count: int, arms: Sequence[Mapping[str, Any]], namer: Namer | None = None) -> Work:
    """The work of `learning.learn_in_waves` with the arguments of these arms."""
    work = Work()
    for first in range(0, count, arms[0]["wave"]):
        there = range(first, min(first + arms[0]["wave"], count))
        how = [{key: arm[key] for key in ("kind", "settings", "schedule") if key in arm} for arm in arms]
        work += of_learning([Request(category, seed=number, **each) for each in how for number in there], namer)
    return work


def step_starts(text_layers: int, prior_layers: int, passes: int) -> int:
    """Operations that a step starts, for any number of concepts side by side."""
    return TEXT_LAYER * text_layers + PRIOR_LAYER * prior_layers * passes + REST


@dataclass(frozen=True)
class H100:
    """Operations that a stack starts, by which its time on an H100 is derived."""

    step: int
    drawing: float

    @classmethod
    def of(cls, stack: Backbone) -> H100:
        tower = folders.read_json(stack.part_folder("text_encoder") / "config.json")
        prior = folders.read_json(stack.part_folder("prior") / "config.json")
        passes = 1 if stack.one_pass else Settings().prior_steps
        # A file may leave out the usual numbers.
        step = step_starts(tower.get("num_hidden_layers", 12), prior.get("num_layers", 20), passes)
        together = max(1, ONE_PICTURE // stack.drawing["size"] ** 2)
        return cls(step, stack.drawing["steps"] * UNET / together)

    def seconds(self, work: Work) -> tuple[float, float]:
        """At least and at most, in half precision, without loading, measuring and judging.

        Arithmetic and reading of weights take less: of a step of 32 concepts with Kandinsky 2.1, 6 ms of 21 to 43; of a
        drawing, at 88 TFLOP, 0.09 s of 0.27 to 0.55.
        """
        starts = work.rounds * self.step + (work.drawings + work.glimpses / 2) * self.drawing
        least, most = (each * (starts + work.questions * asked) for each, asked in zip(START, QUESTION, strict=True))
        return least, most


class Forecast:
    """What is left to do of an experiment's cases, and how long it takes. price: of an hour, if one is given."""

    def __init__(self, cases: Sequence[Any], folder: Path, stack: Backbone, price: float | None = None) -> None:
        self.price = price
        self.files = {case.name: folder / f"{case.name}.parquet" for case in cases}
        counts = {case.name: getattr(case, "work", None) for case in cases}
        self.work = {name: count() for name, count in counts.items() if count is not None}
        self._h100 = H100.of(stack)
        # The shares of the cases in the whole time.
        self._shares = {name: sum(self._h100.seconds(self.work[name])) if name in self.work else 0.0 for name in counts}
        if not all(self._shares.values()):
            self._shares = dict.fromkeys(counts, 1.0)
        self._began: tuple[float, float] | None = None

    @property
    def missing(self) -> list[str]:
        return [name for name, file in self.files.items() if not file.is_file()]

    def begin(self) -> None:
        """Measure from now on, unless that has begun."""
        self._began = self._began or (monotonic(), self._share_left())

    def seconds_left(self) -> float | None:
        """From the cases that any process finished since `begin`, or else from all that are there; None without any."""
        left = self._share_left()
        if self._began and self._began[1] > left:
            return (monotonic() - self._began[0]) / (self._began[1] - left) * left
        there = [name for name, file in self.files.items() if file.is_file()]
        taken = sum(_seconds(self.files[name]) for name in there)
        return taken / sum(self._shares[name] for name in there) * left if taken else None

    def told(self) -> list[str]:
        """Lines that say what is left to do, and how long it takes here and on an H100."""
        missing = self.missing
        lines = [f"To do: {len(missing)} of {counted(len(self.files), 'case')}{self._counts(missing)}."]
        if not missing:
            return lines
        lines.append(self.here() or "On this device: measured on the first case.")
        if all(name in self.work for name in missing):
            least, most = self._h100.seconds(sum((self.work[name] for name in missing), Work()))
            how = "derived from counted operations (docs/performance.md); loading, measuring and judging come on top"
            takes = f"{hours(least)} to {hours(most)}{self._prices(least, most)}"
            lines.append(f"On an H100 in half precision: {takes}, {how}.")
        return lines

    def here(self) -> str:
        """The line for this device; "" before a case is finished."""
        seconds = self.seconds_left()
        if seconds is None:
            return ""
        return f"On this device: about {hours(seconds)}{self._prices(seconds)}, measured on finished cases."

    def _share_left(self) -> float:
        return sum(self._shares[name] for name in self.missing)

    def _counts(self, names: Sequence[str]) -> str:
        there = [self.work[name] for name in names if name in self.work]
        return f": {sum(there, Work())}" if there and len(there) == len(names) else ""

    def _prices(self, *seconds: float) -> str:
        if self.price is None:
            return ""
        return f" ({' to '.join(f'{self.price * each / 3600:.2f}' for each in seconds)} at {self.price:.2f} an hour)"


def hours(seconds: float) -> str:
    """`2.5 h`, and below an hour as `duration`."""
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else duration(seconds)


def _seconds(file: Path) -> float:
    """The time that a case took; 0 if its table does not say or cannot be read."""
    try:
        return float((pq.read_schema(file).metadata or {}).get(SECONDS, 0))
    except (OSError, ValueError):  # damaged: reported where the table is read
        return 0.0
