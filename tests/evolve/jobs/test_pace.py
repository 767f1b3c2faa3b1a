"""Estimates of the time left: drawings count, a busy machine is noticed, and nothing jumps."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from core.settings import Settings
from evolve.jobs.pace import MOST_JUMP, Clock, Pace, Work, alone, latest_pace, work_of
from evolve.jobs.plans import Evolve
from tests.plans import a_breed, a_seed

COUNT, KEPT, CANDIDATES, STEPS, SEGMENT = 18, 6, 6, 26, 13
FOUNDERS = a_seed(count=COUNT, keep=KEPT, wave=COUNT, drafts=True, settings=Settings(steps=STEPS, segment=SEGMENT))
TRUE = Pace(step=0.15, look=1.4, picture=1.1)  # seconds, as measured on a busy machine


def course(before: Pace | None = None, slower=lambda second: 1.0) -> list[tuple[float, float | None, float]]:
    """`(second, told time left, part)` at each note of a job for the best 6 of 18 founders, and the end."""
    clock, now, told = Clock(work_of(FOUNDERS, CANDIDATES), before), 0.0, []
    clock.goes_on(now)

    def note() -> None:
        told.append((now, clock.left(now), clock.part))

    def passes(seconds: float) -> None:
        nonlocal now
        now += seconds * slower(now)

    note()
    for step in range(STEPS + 1):
        looks = COUNT if step % SEGMENT == 0 else 0
        passes(alone(1, COUNT) * TRUE.step * bool(step) + looks * TRUE.look)
        clock.step(now, step, STEPS, COUNT, looks)
        note()
    for each, sizes in ((CANDIDATES, range(COUNT)), (2, range(KEPT))):
        for number in sizes:
            clock.goes_on(now)
            note()
            passes(each * TRUE.picture)
            clock.drawn(now, each, each * (len(sizes) - number - 1))
    note()
    return told


def test_the_work_of_founders_counts_their_drawings():
    assert work_of(FOUNDERS, CANDIDATES) == Work(STEPS * 5.25, COUNT * 2, COUNT * CANDIDATES + KEPT * 2)
    assert work_of(FOUNDERS, 0).pictures == 0, "a stack that does not draw"
    assert work_of(replace(FOUNDERS, keep=0), CANDIDATES).pictures == COUNT * (CANDIDATES + 2)
    assert work_of(FOUNDERS, CANDIDATES, at_once=9).steps == 2 * STEPS * 3.0
    assert work_of(a_breed(children=3), CANDIDATES).pictures == 3 * 8
    assert work_of(Evolve(generations=2, children=4, settings=Settings()), CANDIDATES).pictures == 2 * 4 * 8


def test_the_time_left_is_right_to_a_third_from_the_first_estimate_on():
    """Issue: `about 10 s left` was told minutes before the end, since drawings did not count."""
    told = course()
    end = told[-1][0]
    estimates = [(second, left) for second, left, _ in told if left]
    assert estimates[0][0] < 0.3 * end
    assert all(left == pytest.approx(end - second, rel=0.34, abs=5) for second, left in estimates[:-1])
    parts = [part for *_, part in told]
    assert parts == sorted(parts) and parts[-1] > 0.97
    learned = parts[STEPS + 1]
    assert 0.2 < learned < 0.6, "most of the work comes after the last step"


def test_with_the_pace_of_an_earlier_job_the_first_note_has_an_estimate():
    told = course(TRUE)
    assert told[0][1] == pytest.approx(told[-1][0], rel=0.25)


def test_on_a_machine_that_becomes_busy_the_estimate_follows_and_never_jumps():
    told = course(slower=lambda second: 3.0 if second > 60 else 1.0)
    end = told[-1][0]
    estimates = [(second, left) for second, left, _ in told if left]
    for (before, one), (after, other) in pairwise(estimates):
        expected = max(1.0, one - (after - before))
        assert expected / MOST_JUMP - 0.1 <= other <= expected * MOST_JUMP + 0.1
    assert all(left == pytest.approx(end - second, rel=0.2, abs=5) for second, left in estimates[:-1] if second > 200)


def test_waiting_for_a_person_does_not_count():
    clock = Clock(Work())
    for second in range(5):
        clock.step(float(second), second, 10)
    clock.rest()
    clock.step(1000.0, 5, 10)
    clock.step(1001.0, 6, 10)
    assert clock.left(1001.0) == pytest.approx(4.0, rel=0.1)


def test_what_was_told_last_runs_down_with_the_clock_and_changes_nothing():
    clock = Clock(Work())
    assert clock.told(0.0) is None
    for second in range(5):
        clock.step(float(second), second, 10)
    left = clock.left(4.0)
    assert [clock.told(second) for second in (4.0, 5.0, 99.0)] == [left, left - 1, 1.0]
    assert clock.told(4.0) == left
    clock.rest()
    assert clock.told(5.0) is None


def test_the_pace_of_the_newest_job_of_the_same_stack_is_found(tmp_path):
    def wrote(name: str, stack: str, step: object, age: timedelta = timedelta(0)) -> None:
        folder = tmp_path / name / "jobs" / "0001-seed"
        folder.mkdir(parents=True)
        pace = {"stack": stack, "step": step, "look": 1.0, "picture": 2.0}
        at = (datetime.now(UTC) - age).isoformat(timespec="seconds")
        (folder / "progress.json").write_text(json.dumps({"step": 1, "at": at, "pace": pace}))
        stamp = time.time() - age.total_seconds()
        os.utime(folder / "progress.json", (stamp, stamp))

    assert latest_pace(tmp_path, "one") is None
    wrote("old", "one", 0.5, timedelta(hours=2))
    wrote("new", "one", 0.25, timedelta(hours=1))
    wrote("other", "two", 0.1)
    wrote("broken", "one", "x")
    wrote("long ago", "three", 0.1, timedelta(days=3))
    (tmp_path / "torn" / "jobs" / "0001-seed").mkdir(parents=True)
    (tmp_path / "torn" / "jobs" / "0001-seed" / "progress.json").write_text("[")
    assert latest_pace(tmp_path, "one") == Pace(0.25, 1.0, 2.0)
    assert latest_pace(tmp_path, "three") is None, "it may be of another machine"
