"""map: a new run or one that exists is filled, drawn, and drawn again on other axes."""

from __future__ import annotations

import pytest
from PIL import Image

from core import Settings
from core.png import texts_in
from evolve import Run, populate
from evolve.jobs.plans import Map
from evolve.jobs.stored import jobs
from tests.typed import good, one_line
from ui.mapping import TILE, elites_of, last_chart, painted

QUICK = Settings(steps=2, segment=1, learning_rate=1e-2)
FEW = ("--founders", 2, "--generations", 2, "--children", 3, "--negatives", "none", "--steps", 2, "--candidates", 1)
AXES = ("--axes", "red:blue", "small:style")


@pytest.fixture(scope="module")
def runs(stack_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    told = good("map", "pet", *AXES, "--cells", "3x2", *FEW, "--model", stack_folder, "--runs", folder)
    return folder, told


def test_a_category_becomes_a_run_with_a_map(runs):
    folder, told = runs
    run = Run.open(folder / "pet")
    assert len(run.entries()) == 5 and "Generation 2: 3 concepts" in told and "of 6 cells are filled" in told
    (job,) = jobs(run)
    assert isinstance(job.plan, Map) and job.finished and job.plan.first == 2
    with Image.open(run.folder / "map.png") as picture:
        assert picture.width > 3 * TILE and picture.height > 2 * TILE
    assert texts_in(run.folder / "map.png")["axes"] == "red:blue, small:style"
    assert all(run.drawings(each.id) for each in run.entries()), "each has its portrait"


def test_a_run_is_drawn_again_on_other_axes_and_cells_without_learning(runs, stack_folder, tmp_path):
    folder, _ = runs
    run, to = Run.open(folder / "pet"), tmp_path / "map.png"
    told = good("map", "pet", "--cells", "4x4", "--to", to, "--runs", folder)
    best, score = elites_of(run, last_chart(run))
    assert "of 16 cells, QD score" in told and len(best) >= 1 and score >= 0
    good("map", "pet", "--axes", "blue:red", "consistent", "--to", to, "--model", stack_folder, "--runs", folder)
    assert texts_in(to)["axes"] == "blue:red, consistent" and len(run.entries()) == 5 and len(jobs(run)) == 1


def test_a_run_that_has_concepts_is_mapped_and_goes_on_with_its_last_axes(backbone, tmp_path):
    run = Run.create(tmp_path / "runs" / "pets", "pet", backbone)
    run.add(populate("pet", 3, backbone, request={"settings": QUICK, "negatives": ("cat",)}))
    more = ("--generations", 1, *FEW[4:], "--runs", tmp_path / "runs")
    assert "no map yet: give two axes" in one_line("map", "pets", *more)
    good("map", "pets", *AXES, "--cells", "3x3", *more)
    good("map", "pets", *more)
    first, second = (job.plan for job in jobs(run))
    assert first.chart == second.chart and first.seed != second.seed and first.first == 0
    assert len(run.entries()) == 9


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("bird",), "does not know the category 'bird'"),
        (("fruit", "--cells", "9"), "--cells '9': write two numbers, as in 8x8"),
        (("pet", "--to", "map.jpg"), "a map is drawn as .png"),
        (("nothing", "--to", "map.png"), "there is no run 'nothing'"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(runs, stack_folder, typed, said):
    assert said in one_line("map", *typed, *AXES, "--model", stack_folder, "--runs", runs[0])


def test_a_new_map_needs_axes(runs, stack_folder):
    assert "'fruit' is a new map: give its two axes" in one_line("map", "fruit", "--runs", runs[0])
    assert not (runs[0] / "fruit").exists()


def test_the_picture_has_portraits_where_elites_are_and_outlines_elsewhere(runs):
    run = Run.open(runs[0] / "pet")
    chart = last_chart(run)
    best, _ = elites_of(run, chart)
    red = Image.new("RGB", (8, 8), "#ff0000")
    page = painted(chart, best, {each.id: red for each in best.values()}, {}, "pets", "")
    reds = sum(count for count, colour in page.getcolors(2**20) if colour == (255, 0, 0))
    assert reds == len(best) * TILE**2
    bare = painted(chart, {}, {}, {}, "pets", "")
    assert bare.size == page.size and not any(colour == (255, 0, 0) for _, colour in bare.getcolors(2**20))
