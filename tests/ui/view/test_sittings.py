"""Portraits of parents drawn in advance."""

from __future__ import annotations

import numpy as np
import pytest

import evolve.portraits
from core.errors import StackError
from evolve import Run
from evolve.jobs.options import IMAGES, KEEP
from evolve.operators import parent_images
from evolve.portraits import are_known
from tests.families import learned
from ui.view import sittings


@pytest.fixture
def run(tmp_path, backbone, monkeypatch) -> Run:
    """Four founders on the tiny stack, without the pause before drawing."""
    monkeypatch.setattr(sittings, "REST", 0.0)
    made = Run.create(tmp_path / "pets", "pet", backbone)
    made.add([learned(seed, backbone) for seed in range(4)])
    return made


def known(run: Run, backbone) -> list[bool]:
    return [are_known(run, each.concept, backbone, IMAGES.default, KEEP) for each in run.individuals()]


def test_they_are_those_that_the_job_would_draw(run, backbone, monkeypatch):
    parents = run.individuals()[:2]
    sittings.prepare(run, backbone, [each.id for each in parents])
    sittings.wait()
    assert known(run, backbone) == [True, True, False, False]
    drawn = [parent_images(each.concept, backbone, IMAGES.default, KEEP) for each in parents]
    monkeypatch.setattr(evolve.portraits, "parent_images", lambda *_: pytest.fail("drawn again"))
    for each, images in zip(parents, drawn, strict=True):
        assert np.array_equal(evolve.portraits.portraits(run, each.concept, backbone, IMAGES.default, KEEP), images)


def test_who_chooses_others_wants_the_former_no_more(run, backbone, monkeypatch):
    monkeypatch.setattr(sittings, "REST", 0.2)
    ids = [each.id for each in run.individuals()]
    sittings.prepare(run, backbone, ids[:2])
    sittings.prepare(run, backbone, ids[2:])
    sittings.wait()
    assert known(run, backbone) == [False, False, True, True]


def test_what_cannot_be_drawn_is_left_to_the_job_to_say(run, backbone, monkeypatch):
    def torn(*_):
        raise StackError("its weights are torn")

    monkeypatch.setattr(evolve.portraits, "parent_images", torn)
    ids = [each.id for each in run.individuals()]
    sittings.prepare(run, backbone, [*ids, "0000000000000000"])
    sittings.wait()
    monkeypatch.undo()
    monkeypatch.setattr(sittings, "REST", 0.0)
    sittings.prepare(run, backbone, ids[3:])
    sittings.wait()
    assert known(run, backbone) == [False, False, False, True]


def test_a_stack_that_draws_slowly_draws_only_what_is_asked_for(run, backbone, monkeypatch):
    monkeypatch.setattr(sittings, "is_quick", lambda backbone: False)
    sittings.prepare(run, backbone, [run.entries()[0].id])
    sittings.wait()
    assert known(run, backbone) == [False] * 4
