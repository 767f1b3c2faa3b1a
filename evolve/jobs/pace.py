"""How long a job takes: its work in steps and drawings, and the measured seconds of each.

A job measures its own pace as it goes, and stores it with its progress, so that the next job has an estimate from its
beginning.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil, isfinite
from pathlib import Path
from typing import Any

from core.settings import MOST_AT_ONCE
from evolve.jobs.plans import Breed, Evolve, Given, Map, Plan, Seed

# A step of b concepts takes SHARED + OWN · b steps of one, since the weights are read once.
SHARED, OWN = 0.75, 0.25
DRAFTS = 6  # drawings of a child while it is learned
PICTURES = 2  # drawings of a finished concept after its portrait, in the other prompts
# Weight of the earlier measurements at each new one. Of steps and pictures about the last five count; drawings of a
# boundary are measured together, so the last two of these.
RECENT = {"step": 0.8, "look": 0.4, "picture": 0.8}
MOST_JUMP = 1.5  # the most that one update multiplies or divides the time left by
NEWEST = 32  # stored paces that are looked at
LATELY = timedelta(days=1)  # an older pace may be of another machine, or of other times


@dataclass(frozen=True)
class Pace:
    """Seconds of a step of one concept, of a drawing while it is learned, with its naming, and of one afterwards."""

    step: float
    look: float
    picture: float


@dataclass(frozen=True)
class Work:
    """Steps of one concept, drawings while concepts are learned, and drawings of finished concepts."""

    steps: float = 0.0
    looks: int = 0
    pictures: int = 0

    def seconds(self, pace: Pace) -> float:
        return self.steps * pace.step + self.looks * pace.look + self.pictures * pace.picture


def alone(steps: float, rows: int) -> float:
    """The steps of one concept that take as long as `steps` of so many side by side."""
    return steps * (SHARED + OWN * rows)


def work_of(plan: Plan, candidates: int, at_once: int = MOST_AT_ONCE) -> Work:
    """The work of a plan, as far as it says so; children may be done earlier.

    candidates: drawings of a portrait; 0 on a stack that does not draw.
    """
    finished = candidates + PICTURES if candidates else 0
    match plan:
        case Seed():
            settings, steps = plan.settings, 0.0
            for first in range(0, plan.count, plan.wave):
                wave = min(plan.wave, plan.count - first)
                steps += sum(alone(settings.steps, min(at_once, wave - row)) for row in range(0, wave, at_once))
            drawn = plan.drafts or (plan.schedule == "adaptive" and candidates)
            looks = plan.count * ceil(settings.steps / settings.segment) if drawn else 0
            portraits = plan.count * candidates
            return Work(steps, looks, portraits + (plan.keep or plan.count) * (finished - candidates))
        case Evolve(generations=number, children=children):
            return children_work(number, children, plan.steps_each, plan.drafts, finished)
        case Map(children=children):
            number = plan.generations - bool(plan.first)
            born = children_work(number, children, plan.steps_each, plan.drafts, candidates)
            began = work_of(plan.founders, candidates, at_once) if plan.first else Work()
            return Work(born.steps + began.steps, born.looks + began.looks, born.pictures + plan.first * candidates)
        case Breed(children=children, settings=settings):
            return children_work(1, children, settings.steps, plan.drafts, finished)
        case Given(children=children):
            return Work(0.0, 0, children * finished)
    return children_work(1, plan.children, 0, plan.drafts, finished)  # the parent decides the steps


def children_work(generations: int, children: int, steps: int, drafts: bool, finished: int) -> Work:
    """The work of generations of so many children. finished: drawings of each one that is done."""
    every = generations * children
    return Work(generations * alone(steps, children), every * DRAFTS if drafts else 0, every * finished)


@dataclass
class _Rate:
    """A mean of seconds, in which the newest count most."""

    recent: float
    seconds: float = 0.0
    count: float = 0.0

    def add(self, seconds: float, count: float) -> None:
        self.seconds, self.count = self.recent * self.seconds + seconds, self.recent * self.count + count

    @property
    def value(self) -> float | None:
        return self.seconds / self.count if self.count else None


@dataclass
class Clock:
    """The time left of a job, from the times of its steps and drawings. All times are of one clock, in seconds.

    work: of the whole job; its steps are told later. before: the pace of an earlier job. part: of the work that earlier
    processes did.
    """

    work: Work = Work()
    before: Pace | None = None
    part: float = 0.0
    _step: int = 0
    _steps: int = 0
    _rows: int = 1
    _at: float | None = None  # of the last measurement; None after a rest
    _said: tuple[float, float] | None = None  # the time left that was told last, and when
    _pictures: float = field(init=False)
    _rates: dict[str, _Rate] = field(init=False)

    def __post_init__(self) -> None:
        self._pictures = self.work.pictures * (1 - self.part)
        told = asdict(self.before) if self.before else {}
        self._rates = {name: _Rate(recent, told.get(name, 0.0), float(name in told)) for name, recent in RECENT.items()}

    def step(self, now: float, step: int, steps: int, rows: int = 1, looks: int = 0) -> None:
        """Note the step of all steps. rows: concepts that learn side by side. looks: drawings since the last note."""
        taken = alone(step - self._step, rows) if self._steps else 0.0  # the first steps may be of another process
        if self._at is not None and looks:
            learning = max(0.0, taken) * (self._rates["step"].value or 0.0)
            self._rates["look"].add(max(0.0, now - self._at - learning), looks)
        elif self._at is not None and taken > 0:
            self._rates["step"].add(now - self._at, taken)
        if step < self._step:  # a person went back
            self.part, self._said = 0.0, None
        self._step, self._steps, self._rows, self._at = step, steps, rows, now

    def drawn(self, now: float, pictures: int, more: int) -> None:
        """Note drawings of a finished concept. more: that come next, at least."""
        if self._at is not None:
            self._rates["picture"].add(now - self._at, pictures)
        self._pictures, self._at = max(self._pictures - pictures, more), now

    def goes_on(self, now: float) -> None:
        """Note that work begins which is measured from now on."""
        self._at = now

    def rest(self) -> None:
        """Note that the job waits: this time does not count."""
        self._at = self._said = None

    @property
    def pace(self) -> Pace | None:
        """The measured pace; None before the first step. A drawing not measured yet counts as the other kind."""
        step, look, picture = (self._rates[name].value for name in RECENT)
        if step is None:
            return None
        like = next((each for each in (look, picture) if each is not None), step)
        return Pace(step, like if look is None else look, like if picture is None else picture)

    def left(self, now: float) -> float | None:
        """Estimated seconds; None if unknown, or if nothing is left. Changes by little from one call to the next."""
        pace = self.pace
        if pace is None or not (self._steps or self.work.steps):
            return None
        found = self._left.seconds(pace)
        self.part = max(self.part, 1 - found / total) if (total := self._whole.seconds(pace)) else self.part
        if (expected := self.told(now)) is not None:
            found = min(max(found, expected / MOST_JUMP), expected * MOST_JUMP)
        self._said = found, now
        return found or None

    def told(self, now: float) -> float | None:
        """What `left` told last, less the seconds since; at least 1, and None if nothing was told."""
        return None if self._said is None else max(1.0, self._said[0] - (now - self._said[1]))

    @property
    def _whole(self) -> Work:
        steps = alone(self._steps, self._rows) if self._steps else self.work.steps
        return Work(steps, self.work.looks, self.work.pictures)

    @property
    def _left(self) -> Work:
        done = self._step / self._steps if self._steps else 0.0
        whole = self._whole
        return Work(whole.steps * (1 - done), round(whole.looks * (1 - done)), round(self._pictures))


def pace_of(told: Mapping[str, Any], stack: str) -> Pace | None:
    """The pace in a job's progress.json, if it is of this stack (fingerprint)."""
    found = told.get("pace")
    if not isinstance(found, dict) or found.get("stack") != stack:
        return None
    numbers = [found.get(name) for name in RECENT]
    if not all(isinstance(each, (int, float)) and isfinite(each) and each >= 0 for each in numbers):
        return None
    return Pace(*map(float, numbers))  # type: ignore[arg-type]


def latest_pace(runs: Path, stack: str) -> Pace | None:
    """The pace of the newest job of a stack (fingerprint) in a folder of runs; None if none has measured it lately."""
    found = []
    for file in runs.glob("*/jobs/*/progress.json"):
        with suppress(OSError):
            found.append((file.stat().st_mtime, file))
    for _, file in sorted(found, reverse=True)[:NEWEST]:
        with suppress(OSError, ValueError, RecursionError):
            told = json.loads(file.read_text())
            if isinstance(told, dict) and _is_new(told.get("at")) and (pace := pace_of(told, stack)):
                return pace
    return None


def _is_new(at: object) -> bool:
    try:
        return isinstance(at, str) and datetime.now(UTC) - datetime.fromisoformat(at) < LATELY
    except (TypeError, ValueError):
        return False
