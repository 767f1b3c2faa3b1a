"""What an experiment is about to do: the counts equal what is then done on the tiny stack."""

from __future__ import annotations

import re
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest
from click.testing import CliRunner

from core.namers import from_function
from core.optimizer import ConceptLab
from core.settings import Settings
from core.stack.backbone import Backbone
from core.stack.diffusion import StableDiffusion
from evolve.population import founder_seed
from experiments.commands import experiment
from experiments.conduct import Bench, conduct, write_table
from experiments.cost import H100, SECONDS, START, Forecast, Work, hours, of_learning, stand_ins, step_starts
from experiments.learning import founders_of
from experiments.run import _Course
from tests import typed
from tests.diffusion import save_sd
from tests.protocols import AnyJudge, TinyJudge

QUICK = {"steps": 4, "segment": 2, "learning_rate": 1e-2}
PET = {"categories": ("pet",), "seeds": 1, "settings": QUICK}
PAIRS = (("cat", "dog"), ("dog",))
EXACT = {
    "figure11": {**PET, "seeds": 2, "pairs": {"pet": PAIRS}, "pictures": 3},
    "figure13": {**PET, "lambdas": (0.0, 1.0), "drawings": 3},
    "figure14": PET,
    "ablations": PET,
    "limitations": {**PET, "longer": 2},
    "negatives": {**PET, "founders": 3, "wave": 2, "pictures": 2},
    "mixing": {**PET, "shares": (0.2, 0.4), "pictures": 2, "images": 3, "keep": 1},
    "prompts": {**PET, "concepts": 3, "prompts": ("a photo of a {}", "a red {}")},
    "styles": {"seeds": 1, "settings": QUICK, "styles": 3, "objects": ("a sofa", "a lemon")},
    "userstudy": {**{key: PET[key] for key in ("categories", "settings")}, "pairs": {"pet": PAIRS[0]}, "pictures": 2},
}
GALLERY = {"settings": QUICK, "categories": ("pet",), "seeds": 2}
GALLERIES = [
    {**GALLERY, "figure": 1},
    {**GALLERY, "figure": 5, "categories": ("pet", "fruit")},
    {**GALLERY, "figure": 6, "prompts": ("a photo of a {}", "a red {}")},
    {**GALLERY, "figure": 7, "categories": ("painting",), "prompts": ("a red sofa in the style of {}",)},
    {**GALLERY, "figure": 8, "seeds": 0, "images": 3, "keep": 1},
    {"settings": QUICK, "figure": 9, "mixtures": (("cat", "dog"), ("apple", "pear", "melon"))},
]
AT_MOST = {
    "evolution": {**PET, "generations": 3, "population": 3},
    "figure15": {**PET, "subjects": 3, "wave": 2, "pictures": 2},
    "aspects": {
        **PET,
        "things": ("cat", "sofa"),
        "colours": ("red dog",),
        "shapes": (),
        "pictures": 2,
        "founders": 3,
        "weights": (0.0, -1.0),
        "images": 2,
        "keep": 1,
    },
    "map": {
        **PET,
        "pairs": 1,
        "axes": {"pet": (("dog:cat", "horse:parrot"),)},
        "cells": 3,
        "founders": 3,
        "generations": 2,
        "children": 4,
        "negatives": "none",
    },
}
WITH_STABLE_DIFFUSION = ("figure11", "ablations", "userstudy")


ASKED: list[object] = []  # the pictures that `cats` was asked about


@from_function
def cats(images, question):
    ASKED.extend(images)
    return [[("cat", 0.9), ("dog", 0.1)] for _ in images]


@pytest.fixture
def done(monkeypatch):
    """Counts of what is done from now on."""
    counts = SimpleNamespace(concepts=0, steps=0, rounds=0, drawings=0)
    learn_batch = ConceptLab._learn_batch
    ASKED.clear()

    def learned(self, courses, *rest):
        for state, losses, events, concepts in learn_batch(self, courses, *rest):
            counts.rounds += losses is not None
            counts.concepts += len(concepts)
            counts.steps += sum(each.steps for each in concepts)
            yield state, losses, events, concepts

    def counting(draw):
        def drawn(self, *args, **how):
            pictures = draw(self, *args, **how)
            counts.drawings += len(pictures)
            return pictures

        return drawn

    monkeypatch.setattr(ConceptLab, "_learn_batch", learned)
    for stack in (Backbone, StableDiffusion):
        monkeypatch.setattr(stack, "draw", counting(stack.draw))
    return counts


def carried_out(name, given, backbone, folder):
    """(the counted work, what was done) of an experiment."""
    module = import_module(f"experiments.{name}")
    judge = (
        AnyJudge()
        if name in ("figure14", "ablations", "limitations", "aspects", "figure13", "map", "taste")
        else TinyJudge()
    )
    bench = Bench(backbone, judge, folder, lambda _: None, cats)
    protocol = module.Protocol(**given)
    cases = module.cases(protocol, bench)
    counted = sum((case.work() for case in cases), Work())
    conduct(cases, module.SCHEMA, folder, bench.about(name, **protocol.of_each()))
    return counted


@pytest.mark.parametrize("name", EXACT)
def test_counts_equal_what_is_done(name, backbone, tmp_path, done):
    counted = carried_out(name, EXACT[name], backbone, tmp_path)
    assert counted == Work(done.concepts, done.steps, done.rounds, done.drawings, len(ASKED))
    assert counted.concepts and counted.drawings


def test_a_taste_draws_its_pool_and_learns_nothing(backbone, tmp_path, done, monkeypatch):
    monkeypatch.setattr("tests.protocols.STRANGE", "")
    given = {"categories": ("pet",), "seeds": 1, "people": 2, "pool": 20}
    counted = carried_out("taste", given, backbone, tmp_path)
    assert counted == Work(drawings=20) == Work(done.concepts, done.steps, done.rounds, done.drawings)


@pytest.mark.parametrize("given", GALLERIES, ids=lambda given: given["figure"])
def test_counts_of_galleries_equal_what_is_done(given, backbone, tmp_path, done):
    counted = carried_out("gallery", given, backbone, tmp_path)
    assert counted == Work(done.concepts, done.steps, done.rounds, done.drawings, len(ASKED))


@pytest.mark.slow
@pytest.mark.parametrize("name", AT_MOST)
def test_counts_that_depend_on_what_is_found_are_upper_bounds(name, backbone, tmp_path, done, monkeypatch):
    if name == "map":  # its judge sees all members
        monkeypatch.setattr("tests.protocols.STRANGE", "")
    counted = carried_out(name, AT_MOST[name], backbone, tmp_path)
    real = Work(done.concepts, done.steps, done.rounds, done.drawings, len(ASKED))
    assert real.concepts and real.drawings
    for each in fields(Work):
        most, there = getattr(counted, each.name), getattr(real, each.name)
        assert most / 2 <= there <= most, each.name


@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_STABLE_DIFFUSION)
def test_stable_diffusion_is_counted_too(name, backbone, tmp_path, done):
    where = str(save_sd(tmp_path / "sd"))
    counted = carried_out(name, {**EXACT[name], "stable_diffusion": where}, backbone, tmp_path / "to")
    assert counted.drawings == done.drawings and counted.steps == done.steps and counted.concepts == done.concepts
    assert counted.glimpses == (QUICK["steps"] if name == "ablations" else 0)


def test_concepts_that_learn_side_by_side_take_their_rounds_together(backbone):
    requests = founders_of(backbone, "pet", 40, Settings(steps=10, segment=5), 0, sides=False, schedule="adaptive")
    assert of_learning(requests) == Work(40, 400, 20), "32 concepts at most learn side by side"
    assert of_learning(requests, cats) == Work(40, 400, 20, 80, 80), "at the start and after one segment"
    assert of_learning(requests, cats, draw=True) == Work(40, 400, 20, 120, 80), "drawn at the end too"
    assert founder_seed(0, 1) != founder_seed(0, 2) and of_learning([]) == Work()
    assert of_learning(stand_ins("pet", 2, Settings("published", steps=4))) == Work(2, 8, 4)


def test_operations_of_a_step_are_those_that_the_benchmark_counted():
    """docs/performance.md, "Counted operations", for a population of 32."""
    page = (Path(__file__).parents[2] / "docs" / "performance.md").read_text(encoding="utf-8")
    counted = [
        int(each.replace(",", "")) for each in re.findall(r"^\| ours, population 32 .* ([\d,]+) \|$", page, re.M)
    ]
    shapes = [(12, 20, 5), (32, 20, 5), (32, 10, 1)]
    assert [step_starts(*shape) for shape in shapes] == [pytest.approx(each, rel=0.01) for each in counted[:3]]


def test_hours_on_an_h100_are_derived_from_what_a_stack_starts(backbone):
    derived = H100.of(backbone)
    assert derived.step == step_starts(2, 3, 5), "layers of its tower and prior, steps of the prior"
    kandinsky = H100(step_starts(12, 20, 5), 50 * 1092)
    a_concept = kandinsky.seconds(Work(32, 32 * 2500, 2500))
    assert a_concept == pytest.approx((2500 * 4297 * START[0], 2500 * 4297 * START[1]))
    assert [each / 32 for each in a_concept] == pytest.approx([1.7, 3.4], abs=0.05), "as on docs/performance.md"
    assert kandinsky.seconds(Work(drawings=1)) == pytest.approx((0.27, 0.55), abs=0.01)
    assert kandinsky.seconds(Work(glimpses=2)) == kandinsky.seconds(Work(drawings=1))


class Counted:
    """A case with known work."""

    def __init__(self, name, drawings):
        self.name, self.drawings = name, drawings

    def work(self):
        return Work(1, 10, 0, self.drawings)


def write_case(folder, name, seconds):
    folder.mkdir(exist_ok=True)
    table = pa.table({"value": [1.0]}).replace_schema_metadata({SECONDS: str(seconds).encode()})
    write_table(table, folder / f"{name}.parquet")


def test_the_time_here_is_measured_on_finished_cases_and_goes_by_their_work(backbone, tmp_path, monkeypatch):
    cases = [Counted(name, drawings) for name, drawings in (("a", 1000), ("b", 3000), ("c", 3000))]
    forecast = Forecast(cases, tmp_path, backbone, 2.5)
    first, here, h100 = forecast.told()
    assert first == "To do: 3 of 3 cases: 3 concepts in at most 30 steps, 7,000 drawings, 0 questions."
    assert here == "On this device: measured on the first case."
    least, most = H100.of(backbone).seconds(sum((case.work() for case in cases), Work()))
    assert f"{hours(least)} to {hours(most)} ({2.5 * least / 3600:.2f} to {2.5 * most / 3600:.2f} at 2.50 an" in h100
    clock = iter([100.0, 4000.0])
    monkeypatch.setattr("experiments.cost.monotonic", lambda: next(clock))
    forecast.begin()
    forecast.begin()
    assert forecast.seconds_left() is None
    write_case(tmp_path, "a", 7200)
    assert forecast.missing == ["b", "c"]
    assert forecast.seconds_left() == pytest.approx(6 * 3900, rel=0.01), "six times the first case's drawings"
    again = Forecast(cases, tmp_path, backbone, 2.5)
    assert again.told()[0].startswith("To do: 2 of 3 cases: 2 concepts")
    assert (
        "On this device: about 12.0 h (30.00 at" in again.told()[1]
        and "an hour), measured on finished" in again.told()[1]
    )
    for name in ("b", "c"):
        write_case(tmp_path, name, 1)
    assert again.told() == ["To do: 0 of 3 cases."]


def test_cases_that_are_not_counted_have_equal_shares(backbone, tmp_path):
    cases = [SimpleNamespace(name=name) for name in ("a", "b", "c")]
    assert Forecast(cases, tmp_path, backbone).told() == [
        "To do: 3 of 3 cases.",
        "On this device: measured on the first case.",
    ]
    write_case(tmp_path, "a", 30)
    assert (
        Forecast(cases, tmp_path, backbone).told()[1] == "On this device: about 1 min 00 s, measured on finished cases."
    )
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    assert Forecast(cases, tmp_path, backbone).seconds_left() is None, "whoever reads the table says that it is damaged"


def test_a_dry_run_counts_and_does_nothing(monkeypatch, stack_folder, tmp_path):
    monkeypatch.setattr("experiments.run.open_judge", lambda backbone: TinyJudge())
    how = ("--pair", "pet:cat,dog", "--seeds", 2, "--pictures", 3, "--steps", 6, "--model", stack_folder)
    what = ("figure11", "--to", tmp_path / "to", *how)
    shown = typed.good(*what, "--dry-run", "--price", 2.5, command=experiment)
    assert "To do: 2 of 2 cases: 4 concepts in at most 24 steps, 90 drawings, 0 questions." in shown
    assert "at 2.50 an hour" in shown and not (tmp_path / "to").exists()
    shown = typed.good(*what, "--price", 2.5, command=experiment)
    assert shown.index("To do: 2 of 2") < shown.index("the concepts of 2 seeds"), "before anything is done"
    assert shown.count("On this device: ") == 2 and "measured on finished cases" in shown
    assert "To do: 0 of 2 cases." in typed.good(*what, "--dry-run", command=experiment)


@pytest.mark.parametrize("price", ["0", "-1", "cheap"])
def test_an_impossible_price_is_refused(price):
    ended = CliRunner().invoke(experiment, ["figure13", "--price", price])
    assert ended.exit_code == 2 and "--price" in ended.output


def test_progress_without_a_forecast_has_no_time():
    told = []
    course = _Course(SimpleNamespace(print=lambda text, **_: told.append(text)))
    course.tell("drawing")
    assert told == ["[0 of 0] drawing"]
