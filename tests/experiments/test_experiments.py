"""A short experiment on evolution: it continues after a stop at any place, and its table has all figures."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from scipy.stats import bootstrap

from core.errors import ConceptreeError
from evolve import Run
from experiments.conduct import Bench, conduct, seconds_of
from experiments.evolution import (
    MEASURES,
    SCHEMA,
    Case,
    Protocol,
    cases,
    figures,
    of_populations,
    summary,
    with_overall,
)
from experiments.judging import PROMPTS, StackEyes, diversity, judged
from experiments.statistics import interval, signed
from tests.protocols import TinyJudge, killed_at

QUICK = {"steps": 2, "segment": 1, "learning_rate": 1e-2}
LITTLE = Protocol(categories=("pet",), seeds=2, generations=3, population=3, settings=QUICK)
ARMS = LITTLE.arms


def conducted(protocol, backbone, folder, tell=lambda _: None):
    bench = Bench(backbone, TinyJudge(), folder, tell)
    return conduct(cases(protocol, bench), SCHEMA, folder, bench.about("evolution", **protocol.of_each()))


@pytest.fixture(scope="module")
def whole(backbone, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return conducted(LITTLE, backbone, folder), folder


def test_each_generation_of_each_arm_has_its_population(whole):
    table, folder = whole
    assert table.schema == SCHEMA
    rows = table.to_pylist()
    for seed in range(LITTLE.seeds):
        for arm in ARMS:
            for generation in range(LITTLE.generations):
                found = [r for r in rows if (r["seed"], r["arm"], r["generation"]) == (seed, arm, generation)]
                assert len({row["concept"] for row in found}) == len(found) == LITTLE.population
                assert all(np.isfinite(row[name]) for row in found for name in SCHEMA.names[5:])
    first = {(r["seed"], r["concept"]) for r in rows if r["generation"] == 0}
    assert len(first) == LITTLE.seeds * LITTLE.population  # all arms begin with the same
    assert len(list(folder.glob("cases/pet-*.parquet"))) == LITTLE.seeds * len(ARMS)


def test_founders_alone_may_take_as_many_steps_as_breeding(whole):
    rows = whole[0].to_pylist()
    steps = {(r["seed"], r["arm"], r["generation"]): r["steps"] for r in rows}
    for seed in range(LITTLE.seeds):
        for generation in range(1, LITTLE.generations):
            # A variation takes half the steps of a founder, a child at most as many.
            most = 2 * LITTLE.population * (generation + 1)
            assert 2 * LITTLE.population < steps[seed, LITTLE.select, generation] <= most
            assert steps[seed, "founders", generation] <= steps[seed, LITTLE.select, generation]
    run = Run.open(whole[1] / "runs" / "pet-0-founders")
    assert {each.birth for each in run.entries()} == {"founder"} and len(run.entries()) > LITTLE.population


@pytest.mark.parametrize("after", [1, 4, 9, 14])
def test_a_killed_experiment_goes_on_to_the_same_table(whole, backbone, tmp_path, after):
    protocol = Protocol(**{**vars(LITTLE), "seeds": 1})
    with killed_at(after) as kill:
        conducted(protocol, backbone, tmp_path, kill)
    table = conducted(protocol, backbone, tmp_path)
    assert table.equals(whole[0].filter([row["seed"] == 0 for row in whole[0].to_pylist()]))


def test_chance_that_comes_first_begins_with_the_same_founders(whole, backbone, tmp_path):
    bench = Bench(backbone, TinyJudge(), tmp_path, lambda _: None)
    (chance,) = [case for case in cases(LITTLE, bench) if (case.arm, case.seed) == ("random", 0)]
    found = conduct([chance], SCHEMA, tmp_path, bench.about("evolution", **LITTLE.of_each()))
    assert found.equals(whole[0].filter([(r["arm"], r["seed"]) == ("random", 0) for r in whole[0].to_pylist()]))


def test_what_is_there_is_not_learned_again(whole, backbone, monkeypatch):
    monkeypatch.setattr(Case, "learn", lambda _: pytest.fail("learned again"))
    assert conducted(LITTLE, backbone, whole[1]).equals(whole[0])


def test_a_category_that_the_judge_does_not_know_is_said_at_once(backbone, tmp_path):
    with pytest.raises(ConceptreeError, match="the judge does not know the category 'sofa'"):
        conducted(Protocol(categories=("sofa",)), backbone, tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_judge_looks_at_drawings(whole, backbone):
    concepts = [each.concept for each in Run.open(whole[1] / "runs" / "pet-0-tournament").individuals()[:2]]
    (found, mean), (other, _) = judged(concepts, backbone, TinyJudge())
    ((again, _),) = judged(concepts[:1], backbone, TinyJudge())
    assert (
        found == pytest.approx(again, abs=0.01)
        and found != other
        and set(found) == {"belongs", "differs", "consistent"}
    )
    assert np.linalg.norm(mean) == pytest.approx(1, abs=1e-5) and len(PROMPTS) > 1
    assert found["differs"] < found["belongs"] <= 1 and -1 <= found["consistent"] <= 1


def test_diversity_of_opposites_and_of_the_same():
    one = np.array([1.0, 0.0], dtype=np.float32)
    assert diversity([one, one]) == pytest.approx(0)
    assert diversity([one, -one]) == pytest.approx(2)
    assert np.isnan(diversity([one]))


def test_intervals_are_scipys_and_of_one_unit_there_is_none():
    values = np.array([0.1, 0.4, 0.2, 0.6])
    mean, low, high = interval(values)
    assert mean == pytest.approx(0.325) and low < mean < high
    said = bootstrap((values,), np.mean, n_resamples=4000, rng=np.random.default_rng(0)).confidence_interval
    assert (low, high) == pytest.approx((said.low, said.high))
    assert interval(np.array([0.5])) == (0.5, 0.5, 0.5)
    assert signed(np.array([0.45 - 0.3, 0.55 - 0.4])) == "+0.150 (+0.150 … +0.150)", "equal up to rounding"
    assert signed(np.array([0.5])) == "+0.500"
    assert signed(np.array([-0.1, -0.1])) == "-0.100 (-0.100 … -0.100)"


def test_a_category_is_the_mean_of_its_seeds_in_all_arms(whole):
    found = of_populations(whole[0], "belongs")
    assert {key: len(values) for key, values in found.items()} == {
        (arm, generation): 1 for arm in ARMS for generation in range(LITTLE.generations)
    }
    assert np.array_equal(found[LITTLE.select, 0], found["random", 0])
    rows = [r for r in whole[0].to_pylist() if (r["arm"], r["generation"]) == ("random", 2)]
    assert found["random", 2] == pytest.approx(np.mean([row["belongs"] for row in rows]))
    best = [max(row["belongs"] for row in rows if row["seed"] == seed) for seed in range(LITTLE.seeds)]
    assert of_populations(whole[0], "belongs", np.max)["random", 2] == pytest.approx(np.mean(best))


def test_differences_of_arms_are_paired_by_category_whatever_the_order_of_rows():
    belongs = {("pet", "random"): 0.1, ("fruit", "random"): 0.5, ("pet", "founders"): 0.3, ("fruit", "founders"): 0.8}
    rows = [
        {"category": category, "seed": 0, "arm": arm, "generation": 1, "belongs": value}
        for (category, arm), value in belongs.items()
    ]
    for order in (rows, rows[::-1], [rows[2], rows[1], rows[3], rows[0]]):
        found = of_populations(pa.Table.from_pylist(order), "belongs")
        assert found["founders", 1] - found["random", 1] == pytest.approx([0.3, 0.2])


def test_summary_and_curves_show_every_measure(whole):
    text = summary(whole[0])
    for measure in MEASURES:
        assert f"| {measure} |" in text
    figure = figures(whole[0])["curves"]
    assert [axis.get_title() for axis in figure.axes] == list(MEASURES)
    line = figure.axes[0].lines[0]
    assert line.get_ydata() == pytest.approx(
        [of_populations(whole[0], "belongs")[LITTLE.select, g].mean() for g in range(3)]
    )


def test_overall_is_the_mean_rank_among_all_arms(whole):
    table = with_overall(whole[0])
    rows = [r for r in table.to_pylist() if (r["seed"], r["generation"]) == (0, 2)]
    assert np.mean([row["overall"] for row in rows]) == pytest.approx(0.5)
    one = rows[0]
    shares = []
    for name in ("belongs", "differs", "novel", "consistent"):
        better = sum((one[name] > row[name]) + 0.5 * (one[name] == row[name]) for row in rows[1:])
        shares.append(better / (len(rows) - 1))
    assert one["overall"] == pytest.approx(np.mean(shares))


def test_chance_is_not_compared_with_itself(backbone, tmp_path):
    with pytest.raises(ConceptreeError, match="select = 'random': choose nsga2, tournament, novelty"):
        conducted(Protocol(categories=("pet",), select="random"), backbone, tmp_path)


def test_the_stack_sees_with_its_own_encoders(backbone):
    pictures = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    eyes = StackEyes(backbone)
    texts = torch.nn.functional.normalize(backbone.encode_text(["a photo of a cat"]), dim=1)
    seen = torch.nn.functional.normalize(backbone.encode_images(pictures), dim=1)
    assert eyes.embed(pictures) == pytest.approx(seen.numpy(), abs=1e-6)
    assert eyes.similarity(pictures, ["cat"]) == pytest.approx((seen @ texts.T).numpy(), abs=1e-6)


def test_a_folder_is_of_one_protocol_and_may_get_more_cases(whole, backbone):
    less = Protocol(**{**vars(LITTLE), "seeds": 1})
    assert conducted(less, backbone, whole[1]).num_rows * LITTLE.seeds == whole[0].num_rows
    with pytest.raises(ConceptreeError, match=r"another protocol .*choose another folder with --to"):
        conducted(Protocol(**{**vars(LITTLE), "population": 4}), backbone, whole[1])


class One:
    """A case whose rows are counted."""

    name, made = "one", 0

    def rows(self):
        self.made += 1
        return [{"value": 1.5}]


def test_a_case_leaves_a_table_that_is_not_made_again(tmp_path):
    one, told = One(), []
    schema = pa.schema([("value", pa.float64())])
    for _ in range(2):
        table = conduct([one], schema, tmp_path, {"experiment": "x"}, lambda *told_now: told.append(told_now))
        assert table.to_pylist() == [{"value": 1.5}] and seconds_of(table) >= 0
    assert one.made == 1 and told == [(0, 1)]


class Slow(One):
    """A case that waits to be let on."""

    def __init__(self, name, group):
        self.name, self.group = name, group
        self.begun, self.go_on = Event(), Event()

    def rows(self):
        self.begun.set()
        assert self.go_on.wait(60)
        return super().rows()


def test_several_conduct_one_experiment_and_none_does_what_another_has(tmp_path):
    schema, about = pa.schema([("value", pa.float64())]), {"experiment": "x"}
    slow, its_sister, other = Slow("slow", "both"), Slow("sister", "both"), Slow("other", "alone")
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(conduct, [slow, its_sister, other], schema, tmp_path, about)
        assert slow.begun.wait(60)
        second = pool.submit(conduct, [slow, its_sister, other], schema, tmp_path, about)
        assert other.begun.wait(60) and not its_sister.begun.is_set()
        for case in (other, slow, its_sister):
            case.go_on.set()
        assert first.result(60).equals(second.result(60).replace_schema_metadata(first.result().schema.metadata))
    assert (slow.made, its_sister.made, other.made) == (1, 1, 1)


def test_a_stack_may_get_another_name_but_not_other_weights(tmp_path):
    one, schema = One(), pa.schema([("value", pa.float64())])
    about = {"experiment": "x", "stack": "old", "fingerprint": "1", "namer": "somebody"}
    conduct([one], schema, tmp_path, about)
    conduct([one], schema, tmp_path, {**about, "stack": "new"})
    assert one.made == 1 and json.loads((tmp_path / "experiment.json").read_text())["stack"] == "new"
    with pytest.raises(ConceptreeError, match=r"another fingerprint \(\"1\" instead of \"2\"\)"):
        conduct([one], schema, tmp_path, {**about, "fingerprint": "2"})
    with pytest.raises(ConceptreeError, match="another namer"):
        conduct([one], schema, tmp_path, {name: about[name] for name in ("experiment", "stack", "fingerprint")})
    assert json.loads((tmp_path / "experiment.json").read_text())["fingerprint"] == "1"


@pytest.mark.parametrize(("damage", "said"), [(b"PAR1", "cannot be read"), (None, "has other columns")])
def test_a_damaged_table_is_said(tmp_path, damage, said):
    file = tmp_path / "cases" / "one.parquet"
    file.parent.mkdir()
    if damage:
        file.write_bytes(damage)
    else:
        pq.write_table(pa.table({"other": [1]}), file)
    with pytest.raises(ConceptreeError, match=f"{said}.*remove it"):
        conduct([One()], pa.schema([("value", pa.float64())]), tmp_path, {})
