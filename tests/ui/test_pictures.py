"""A concept's portrait is the best of several drawings, kept with its seed; all else is drawn as asked."""

from __future__ import annotations

import numpy as np
import pytest
from rich.console import Console

from core import Request, Settings
from core.depict import draw_concept, draw_portrait
from core.errors import PromptError
from evolve import Run, develop
from evolve.jobs.drawings import is_quick
from tests.typed import good
from ui.pictures import CANDIDATES, PROMPTS, SEED, candidates_on, draw_all, drawings_of, portrait_in, undrawn, usual_in

PHOTO, *OTHERS = PROMPTS["object"]
OUT = Console(quiet=True)


@pytest.fixture
def run(tmp_path, backbone) -> Run:
    run = Run.create(tmp_path / "pets", "pet", backbone)
    settings = Settings(steps=2, segment=1, learning_rate=0.05)
    develop([Request("pet", negatives=("cat",), seed=seed, settings=settings) for seed in (1, 2, 3)], backbone, run)
    return run


def seeds_of(run: Run, id_: str) -> dict[str, int]:
    return {drawing.prompt: drawing.seed for drawing in run.drawings(id_)}


def test_the_portrait_is_the_best_of_six_and_its_seed_is_kept(run, backbone):
    draw_all(run, backbone, run.individuals(), OUT)
    assert undrawn(run, run.individuals()) == []
    for each in run.individuals():
        picture, seed = draw_portrait(backbone, each.concept, PHOTO, range(SEED, SEED + CANDIDATES))
        assert seeds_of(run, each.id) == {PHOTO: seed, **dict.fromkeys(OTHERS, SEED)}
        (again,) = draw_concept(backbone, each.concept, [PHOTO], [seed])
        assert np.array_equal(np.asarray(picture), np.asarray(again))


def test_a_portrait_does_not_depend_on_those_drawn_beside_it(run, backbone, tmp_path):
    individuals = run.individuals()
    beside = draw_all(run, backbone, individuals, OUT)
    other = Run.create(tmp_path / "other", "pet", backbone)
    develop([each.concept.request for each in individuals], backbone, other)
    for each in reversed(other.individuals()):
        alone = draw_all(other, backbone, [each], OUT)
        assert all(np.array_equal(*map(np.asarray, pair)) for pair in zip(alone[each.id], beside[each.id], strict=True))


def test_what_a_run_has_drawn_stays_its_portrait(run, backbone, monkeypatch):
    """Runs from before there were candidates have portraits of the first seed."""
    one, *_ = run.individuals()
    (old,) = drawings_of(run, backbone, one, [PHOTO], [SEED])
    monkeypatch.setattr("core.depict.draw_portrait", None)
    draw_all(run, backbone, [one], OUT)
    assert portrait_in(run.drawings(one.id), PHOTO) == old and len(usual_in(run.drawings(one.id), "object")) == 3


def test_a_torn_portrait_is_drawn_again(run, backbone):
    one, *_ = run.individuals()
    draw_all(run, backbone, [one], OUT)
    before = portrait_in(run.drawings(one.id), PHOTO)
    whole = before.file.read_bytes()
    before.file.write_bytes(whole[:40])
    assert portrait_in(run.drawings(one.id), PHOTO) is None and [each.id for each in undrawn(run, [one])] == [one.id]
    draw_all(run, backbone, [one], OUT)
    assert portrait_in(run.drawings(one.id), PHOTO).file.read_bytes() == whole


def test_how_many_are_compared_can_be_said(backbone, monkeypatch):
    assert is_quick(backbone) and candidates_on(backbone) == CANDIDATES
    monkeypatch.setattr("evolve.jobs.drawings.is_quick", lambda stack: False)
    assert candidates_on(backbone) == 1, "a large stack draws slowly"
    monkeypatch.setenv("CONCEPTREE_CANDIDATES", "4")
    assert candidates_on(backbone) == 4
    for wrong in ("0", "many", "1000"):
        monkeypatch.setenv("CONCEPTREE_CANDIDATES", wrong)
        with pytest.raises(PromptError, match=f"candidates = '{wrong}': give a whole number from 1 to 100"):
            candidates_on(backbone)


def test_the_command_takes_their_number_and_draw_stays_literal(stack_folder, tmp_path):
    where = ("--runs", tmp_path, "--model", stack_folder, "--steps", 2, "--segment", 1)
    good("seed", "pet", "--founders", 1, "--candidates", 1, *where)
    (each,) = Run.open(tmp_path / "pet").individuals()
    assert seeds_of(Run.open(tmp_path / "pet"), each.id)[PHOTO] == SEED
    good("draw", "pet", each.name, "--prompt", "a {} in the snow", "--seed", 5, "--images", 2, "--runs", tmp_path)
    drawn = Run.open(tmp_path / "pet").drawings(each.id)
    assert [d.seed for d in drawn if d.prompt == "a {} in the snow"] == [5, 6]
