"""Short ablations: each variant lacks one part and nothing else."""

from __future__ import annotations

import pyarrow as pa
import pytest
import torch

import core.sd_conceptlab
from core.errors import ConceptreeError
from core.metrics import consistency, imagine_panel
from core.namers import from_function
from evolve import Run
from experiments.ablations import (
    ALL,
    FIXED,
    NONE,
    PROMPTS,
    SCHEMA,
    SD,
    SETTINGS,
    WHOLE,
    Protocol,
    cases,
    figures,
    summary,
)
from experiments.conduct import Bench, conduct
from experiments.drawing import draw_concepts
from experiments.looking import (
    EYES,
    Eyes,
    drawing_bytes,
    drawing_of,
    known_members,
    nearest_members,
    resemblance,
)
from tests.diffusion import save_sd
from tests.protocols import AnyJudge, killed_at

QUICK = {"steps": 4, "segment": 2, "learning_rate": 1e-2}
LITTLE = Protocol(categories=("pet",), seeds=1, settings=QUICK)


@from_function
def cats(images, question):
    return [[("cat", 0.9), ("dog", 0.1)] for _ in images]


def bench_in(folder, backbone, tell=lambda _: None):
    return Bench(backbone, AnyJudge(), folder, tell, cats)


def conducted(protocol, bench):
    return conduct(cases(protocol, bench), SCHEMA, bench.folder, bench.about("ablations", **protocol.of_each()))


@pytest.fixture(scope="module")
def whole(backbone, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ablations")
    return conducted(LITTLE, bench_in(folder, backbone)), folder


def concepts_of(folder):
    return [each.concept for each in Run.open(folder / "runs" / "pet-0").individuals()]


def test_every_eye_sees_every_variant(whole):
    rows = whole[0].to_pylist()
    assert [(r["variant"], r["eyes"]) for r in rows] == [(v, e) for v in SETTINGS for e in EYES]
    assert all(r["drawing"] is None for r in rows if r["eyes"] != "stack")


def test_each_variant_lacks_what_its_name_says_and_nothing_else(whole):
    found = {each.id: each for each in concepts_of(whole[1])}
    assert len(found) == len(SETTINGS)
    plain = {(True, True, True): 0, (False, True, True): 0, (True, False, True): 0, (True, True, False): 0}
    for each in found.values():
        chosen = each.request.chosen
        plain[chosen.through_prior, chosen.s_max, chosen.clamp] += 1
        assert {name: getattr(chosen, name) for name in QUICK} == QUICK and chosen.keep == "best"
        assert each.request.initializer is None and each.request.seed == 0 and not chosen.patience
    assert plain == {(True, True, True): 3, (False, True, True): 1, (True, False, True): 1, (True, True, False): 1}
    assert sorted(each.request.schedule for each in found.values()) == ["adaptive"] * 4 + ["list", "none"]


def test_negatives_by_chance_are_as_many_as_those_found(whole, backbone, tmp_path):
    of = {row["variant"]: row["negatives"] for row in whole[0].to_pylist() if row["eyes"] == "judge"}
    assert len(set(of[FIXED])) == max(1, len(of[WHOLE])) and of[NONE] == []
    assert set(of[FIXED]) <= set(known_members(bench_in(tmp_path, backbone), "pet"))


def test_a_row_says_what_is_measured(whole, backbone):
    table, folder = whole
    bench = bench_in(folder, backbone)
    eyes = Eyes(bench)
    (concept,) = [each for each in concepts_of(folder) if not each.request.chosen.s_max]
    row, stack, judge = [r for r in table.to_pylist() if (r["variant"], r["seed"]) == ("no S_max", 0)]
    panel = imagine_panel(backbone, "object", torch.tensor(concept.vectors)[None])
    words = ["pet", *known_members(bench, "pet")]
    expected = {**resemblance(eyes.imagined(panel, words)[0]), "consistent": float(consistency(panel))}
    assert {name: row[name] for name in ALL} == pytest.approx(expected, abs=1e-5)
    assert drawing_of(stack["drawing"]).size == (16 * len(PROMPTS), 16)
    (case, *_) = cases(LITTLE, bench)
    concepts = case.learn()  # which are in the run
    seeds = [[case._seed_of_drawings()] * len(PROMPTS)] * len(concepts)
    images = draw_concepts(backbone, list(concepts.values()), PROMPTS, seeds)[list(concepts).index("no S_max")]
    assert stack["drawing"] == drawing_bytes(images)
    seen = resemblance(eyes.drawn(images, words)["judge"])
    assert {name: judge[name] for name in seen} == pytest.approx(seen, abs=1e-5)
    assert judge["consistent"] == pytest.approx(eyes.likeness(images)["judge"], abs=1e-5)


@pytest.mark.parametrize("after", [3, 9])
def test_a_killed_ablation_goes_on_to_the_same_table(whole, backbone, tmp_path, after):
    with killed_at(after) as kill:
        conducted(LITTLE, bench_in(tmp_path, backbone, kill))
    assert conducted(LITTLE, bench_in(tmp_path, backbone)).equals(whole[0])


@pytest.mark.slow
def test_stable_diffusion_avoids_pictures_of_the_nearest_members(whole, backbone, tmp_path, monkeypatch):
    made = []
    real = core.sd_conceptlab.image_request
    monkeypatch.setattr(core.sd_conceptlab, "image_request", lambda *a, **b: made.append(real(*a, **b)) or made[-1])
    monkeypatch.setattr("experiments.ablations.NEAREST", 2)
    quick = {"steps": 1, "segment": 1, "prior_steps": 2}
    folder = str(save_sd(tmp_path / "sd"))
    bench = bench_in(tmp_path, backbone)
    _, case = cases(Protocol(categories=("pet",), seeds=1, settings=quick, stable_diffusion=folder), bench)
    rows = case.rows()
    assert [row["eyes"] for row in rows] == ["stack", "judge"], "it imagines nothing"
    near = nearest_members(bench, Eyes(bench), "pet", 2)
    assert rows[0]["negatives"] == near and rows[0]["variant"] == SD
    assert {avoid.id.rsplit(" ", 1)[0] for avoid in made[0].avoid} == set(near)
    text = summary(pa.concat_tables([whole[0], pa.Table.from_pylist(rows, SCHEMA)]))
    assert f"| judge | {SD} |" in text and "not measured" not in text


def test_a_folder_that_holds_no_stable_diffusion_is_said_at_once(backbone, tmp_path, stack_folder):
    protocol = Protocol(**{**vars(LITTLE), "stable_diffusion": str(stack_folder / "prior")})
    with pytest.raises(ConceptreeError, match="a StableDiffusionPipeline"):
        conducted(protocol, bench_in(tmp_path / "to", backbone))
    assert not (tmp_path / "to").exists()


def test_summary_and_figures_compare_with_the_whole(whole):
    text = summary(whole[0])
    assert f"{SD} (SD-ConceptLab): not measured, it needs a folder of it" in text
    found = {row["variant"]: row["belongs"] for row in whole[0].to_pylist() if row["eyes"] == "judge"}
    ahead = found["no prior"] - found[WHOLE]
    differences = text[text.index("variant − whole") :]
    assert f"| judge | no prior | {ahead:+.3f}" in differences and f"| judge | {WHOLE} |" not in differences
    assert "Of one category alone" in text
    drawn = figures(whole[0])
    assert [axis.get_title() for axis in drawn["differences"].axes] == list(ALL)
    assert len(drawn["drawings"].axes) == len(SETTINGS) * 2


def test_the_finding_names_what_differs_beyond_chance():
    rows = [
        {"category": category, "seed": seed, "variant": variant, "eyes": "judge", **dict.fromkeys(ALL, 0.5)}
        for category in ("pet", "fruit", "bird")
        for seed in range(2)
        for variant in SETTINGS
    ]
    for row in rows:
        row["margin"] += {"no prior": -0.2, "no clamps": 0.1}.get(row["variant"], 0)
        row["margin"] += 0.01 * (row["category"] == "pet" and row["variant"] != WHOLE)
        # As much within a category as it is small between categories: only these count.
        row["belongs"] += (-1) ** row["seed"] * 0.1
        row["consistent"] += {"pet": 0.3, "fruit": -0.1, "bird": 0.0}[row["category"]] * (row["variant"] == "no S_max")
    text = summary(pa.Table.from_pylist(rows, SCHEMA))
    assert "| judge | no prior | +0.000 (+0.000 … +0.000), 3 of 3 | " in text
    assert "margin, less than the whole: no prior; more: no clamps. Consistent, less than the whole: none" in text
