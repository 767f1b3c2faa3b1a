"""draw --animate: the drafts of a concept as an animated picture."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageSequence

from core.segments import Event
from evolve import Run
from evolve.jobs.stored import new_job
from evolve.store.looks import add_looks, add_names
from tests.families import family, picture
from tests.plans import a_breed
from tests.typed import good, one_line


@pytest.fixture
def pets(tmp_path) -> Run:
    """A run whose first concept has three drafts, and its second one."""
    run = family(tmp_path / "runs" / "pets")
    one, other = run.individuals()[:2]
    job = new_job(run, a_breed(children=2))
    for number, step in ((0, 0), (0, 10), (0, 20), (1, 10)):
        request = (one, other)[number].concept.request
        add_looks(job.folder, [(number, Event(0, step, request, {}, (picture(step),), (), (), ()))])
    add_names(job.folder, {0: (one.id, one.name), 1: (other.id, other.name)})
    return run


def test_the_drafts_go_from_the_first_to_the_last_and_back(pets):
    name = pets.entries()[0].name
    shown = good("draw", "pets", name, "--animate", "--runs", pets.folder.parent)
    assert f"animate-{name}.webp 3 drafts of {name}, at steps 0, 10, 20" in shown
    file = pets.folder / f"animate-{name}.webp"
    with Image.open(file) as animation:
        frames = [np.asarray(each.convert("RGB"), dtype=int) for each in ImageSequence.Iterator(animation)]
        assert name in animation.info["xmp"].decode()
    assert len(frames) == 4
    ends = [np.abs(frames[place] - np.asarray(picture(step), dtype=int)).mean() for place, step in ((0, 0), (2, 20))]
    assert max(ends) < 60 < np.abs(frames[0] - np.asarray(picture(20), dtype=int)).mean()
    before = file.read_bytes()
    good("draw", "pets", name, "--animate", "--runs", pets.folder.parent)
    assert file.read_bytes() == before


def test_what_it_cannot_do_is_told_in_one_line(pets, tmp_path):
    one, other, third = (each.name for each in pets.entries()[:3])
    for words, told in (
        ((other,), f"{other} has 1 draft:"),
        ((third,), f"{third} has no drafts"),
        ((), "no concept"),
        ((one, "--to", tmp_path / "x.gif"), "is written as .webp"),
        ((one, "--prompt", "a {} in the snow"), "--prompt is not for --animate"),
        ((one, "--seed", 4), "--seed is not for --animate"),
        ((one, "--cutout"), "--cutout is not for --animate"),
        (("--morph", one, other), "--morph is not for --animate"),
    ):
        assert told in one_line("draw", "pets", *words, "--animate", "--runs", pets.folder.parent)
