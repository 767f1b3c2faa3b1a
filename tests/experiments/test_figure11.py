"""A short Figure 11: its table has all drawings and figures, and it continues after a stop at any place."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from core.baselines import adaptive_negation, imagine_apart, imagine_with_negation, stable_diffusion_negation
from core.emoji.judge import Judge
from core.errors import ConceptreeError
from core.namers import from_function
from core.stack.backbone import Backbone
from core.stack.diffusion import StableDiffusion
from core.streams import stream_seed
from evolve import Run
from experiments import figure11
from experiments.categories import TEN
from experiments.conduct import Bench, conduct
from experiments.drawing import draw_concepts, draw_many, half_precision
from experiments.figure11 import METHODS, PAIRS, SCHEMA, Protocol, cases, figures, nearest_pairs, summary
from tests.diffusion import save_sd
from tests.protocols import TinyJudge, killed_at
from tests.stacks import save_stack

QUICK = {"steps": 2, "segment": 1, "learning_rate": 1e-2}
TWO, ONE = ("cat", "dog"), ("dog",)
LITTLE = Protocol(
    categories=("pet",), seeds=2, pairs={"pet": (TWO, ONE)}, pictures=3, scales=(3.0, 4.0), swept=1, settings=QUICK
)
DRAWN = [method for method in METHODS if method != "Stable Diffusion"]
SEEDS = [stream_seed(1, number, "figure 11") for number in range(3)]  # of the protocol's second seed


@from_function
def dogs(images, question):
    return [[("dog", 1.0)] for _ in images]


def conducted(protocol, backbone, folder, tell=lambda _: None, judge=None):
    bench = Bench(backbone, judge or TinyJudge(), folder, tell, dogs)
    return conduct(cases(protocol, bench), SCHEMA, folder, bench.about("figure11", **protocol.of_each()))


@pytest.fixture(scope="module")
def whole(backbone, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return conducted(LITTLE, backbone, folder), folder


def of(table, seed=1, **wanted):
    """The rows of one method, pair and pair of eyes, in the order of their drawings; not those of other guidance."""
    wanted = {"swept": False, **wanted, "seed": seed}
    return [row for row in table.to_pylist() if all(row[name] == value for name, value in wanted.items())]


def test_both_see_every_drawing_of_every_method_pair_and_seed(whole):
    table, _ = whole
    assert table.schema == SCHEMA
    for method in DRAWN:
        for negatives in ("cat, dog", "dog"):
            for seed in range(2):
                for eyes in ("stack", "judge"):
                    rows = of(table, seed, method=method, negatives=negatives, eyes=eyes)
                    assert [row["drawing"] for row in rows] == [0, 1, 2]
                    assert all(row["margin"] == row["belongs"] - row["nearest"] for row in rows)
                    assert {row["nearest_word"] for row in rows} <= set(negatives.split(", "))
                    assert len({row["concept"] for row in rows}) == 1 and bool(rows[0]["concept"]) == ("ours" in method)
    assert table.num_rows == len(DRAWN) * 2 * 2 * 2 * 3 + 3 * 2 * 2 * 2, "and three swept, with one drawing each"


def test_negations_are_swept_with_fewer_drawings(whole, backbone):
    swept = [row for row in whole[0].to_pylist() if row["swept"]]
    assert {(row["method"], row["guidance"]) for row in swept} == {
        ("prior negation", 3.0),
        ("decoder negation", 3.0),
        ("decoder negation", 4.0),
    }
    assert {row["drawing"] for row in swept} == {0} and not any(row["picture"] for row in swept)
    [row] = of(whole[0], method="prior negation", swept=True, negatives="cat, dog", eyes="judge")
    embeds = imagine_with_negation(backbone, "pet", TWO, SEEDS[:1], guidance_scale=3.0)
    seen = TinyJudge().similarity(draw_many(backbone, embeds, SEEDS[:1]), ["pet"])
    assert row["belongs"] == pytest.approx(float(seen), abs=1e-5)
    embeds, unlike = imagine_apart(backbone, "pet", TWO, SEEDS[:1])
    pictures = draw_many(backbone, embeds, SEEDS[:1], unlike, guidance_scale=4.0)
    [row] = of(whole[0], method="decoder negation", swept=True, guidance=4.0, negatives="cat, dog", eyes="judge")
    assert row["belongs"] == pytest.approx(float(TinyJudge().similarity(pictures, ["pet"])), abs=1e-5)


def test_without_a_question_answerer_nothing_is_added(whole, backbone, tmp_path):
    bench = Bench(backbone, TinyJudge(), tmp_path, lambda _: None)
    rows = [row for case in cases(Protocol(**{**vars(LITTLE), "seeds": 1}), bench) for row in case.rows()]
    assert {row["method"] for row in rows} == set(DRAWN) - {"adaptive negation"}
    added = {row["named"] for row in of(whole[0], method="adaptive negation", negatives="dog", eyes="judge")}
    assert added == {0}, "dog is a negative already"


@pytest.mark.parametrize("method", DRAWN)
def test_a_row_is_what_its_eyes_see_in_its_drawing(whole, backbone, method):
    table, folder = whole
    rows = {eyes: of(table, method=method, negatives="cat, dog", eyes=eyes) for eyes in ("stack", "judge")}
    prompt = ["A photo of a {}"] * 3
    if "ours" in method:
        concept = Run.open(folder / "runs" / "pet").find(rows["stack"][0]["concept"]).concept
        assert concept.request.negatives == (TWO if method == "ours" else ())
        pictures = draw_concepts(backbone, [concept], prompt, [SEEDS])[0]
    elif method == "prior negation":
        pictures = draw_many(backbone, imagine_with_negation(backbone, "pet", TWO, SEEDS), SEEDS)
    elif method == "decoder negation":
        embeds, unlike = imagine_apart(backbone, "pet", TWO, SEEDS)
        pictures = draw_many(backbone, embeds, SEEDS, unlike)
    elif method == "adaptive negation":
        with half_precision(backbone.device):
            pictures, _ = adaptive_negation(backbone, "pet", dogs, SEEDS, TWO)
    else:
        pictures = draw_many(backbone, backbone.imagine("A photo of a pet", seeds=SEEDS), SEEDS)
    unit = torch.nn.functional.normalize
    texts = unit(backbone.encode_text([f"a photo of a {word}" for word in ("pet", *TWO)]), dim=1)
    seen = {"stack": unit(backbone.encode_images(pictures), dim=1) @ texts.T}
    seen["judge"] = TinyJudge().similarity(pictures, ["pet", *TWO])
    for eyes, similarities in seen.items():
        assert [row["belongs"] for row in rows[eyes]] == pytest.approx(similarities[:, 0].tolist(), abs=1e-4)
        highest = similarities[:, 1:].amax(1).tolist()
        assert [row["nearest"] for row in rows[eyes]] == pytest.approx(highest, abs=1e-4)
        assert [row["nearest_word"] for row in rows[eyes]] == [TWO[i] for i in similarities[:, 1:].argmax(1)]


def test_what_knows_of_no_negatives_is_drawn_once_for_all_pairs(whole):
    for method in ("plain prompt", "ours, no negatives"):
        first, other = (of(whole[0], method=method, negatives=each, eyes="judge") for each in ("cat, dog", "dog"))
        assert [row["belongs"] for row in first] == [row["belongs"] for row in other]
        assert [row["concept"] for row in first] == [row["concept"] for row in other]
    ours = {row["concept"] for row in whole[0].to_pylist() if row["method"] == "ours"}
    assert len(ours) == 2 * 2, "one for each pair and seed"


@pytest.mark.slow
@pytest.mark.parametrize("after", [1, 2, 4, 6, 8])
def test_a_killed_experiment_goes_on_to_the_same_table(whole, backbone, tmp_path, after):
    with killed_at(after) as kill:
        conducted(LITTLE, backbone, tmp_path, kill)
    assert conducted(LITTLE, backbone, tmp_path).equals(whole[0])


def test_another_seed_leaves_the_first_as_it_was(whole, backbone, tmp_path):
    def without(table):
        return table.filter([row["seed"] == 0 for row in table.to_pylist()]).to_pylist()

    one = conducted(Protocol(**{**vars(LITTLE), "seeds": 1}), backbone, tmp_path)
    assert without(conducted(LITTLE, backbone, tmp_path)) == one.to_pylist()
    assert {row["concept"] for row in one.to_pylist()} == {row["concept"] for row in without(whole[0])}


@pytest.mark.slow
def test_the_real_stable_diffusion_is_one_more_method(whole, backbone, tmp_path):
    folder = save_sd(tmp_path / "sd")
    protocol = Protocol(**{**vars(LITTLE), "stable_diffusion": str(folder), "pictures": 1, "pairs": {"pet": (TWO,)}})
    table = conducted(protocol, backbone, tmp_path / "to")
    [row] = of(table, method="Stable Diffusion", eyes="judge")
    pictures = stable_diffusion_negation(StableDiffusion.load(folder, backbone), "pet", TWO, SEEDS[:1])
    assert row["belongs"] == pytest.approx(float(TinyJudge().similarity(pictures, ["pet"])), abs=1e-5)
    assert "| Stable Diffusion |" in summary(table)


@pytest.mark.parametrize(
    ("category", "pair", "said"),
    [
        ("fruit", ("cat",), "the category 'fruit' has no negatives: add --pair 'fruit:ONE,TWO'"),
        ("pet", ("cat", "unicorn"), "the stack tiny-1 does not know the word 'unicorn'"),
        ("pet", ("goldfish",), "the judge does not know the word 'goldfish'"),
        ("pet", ("cat", "pet"), "'pet' is a negative and a positive"),
        ("pet", ("cat",) * 20, "but only 20 fit"),
    ],
)
def test_a_wrong_value_is_said_before_anything_is_learned(backbone, tmp_path, category, pair, said):
    protocol = Protocol(categories=(category,), pairs={"pet": (pair,)})
    with pytest.raises(ConceptreeError) as error:
        conducted(protocol, backbone, tmp_path, judge=Judge.load())
    assert said in str(error.value) and "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_stack_that_cannot_draw_says_so(tmp_path):
    folder = save_stack(tmp_path / "stack")
    alone = Backbone.load(folder / "prior", device="cpu")
    with pytest.raises(ConceptreeError, match="compares drawings: choose another with --model"):
        conducted(LITTLE, alone, tmp_path / "to")


def test_the_stack_alone_chooses_three_pairs_for_each_of_ten_categories():
    stack, judge = Backbone.load("emoji", device="cpu"), Judge.load()
    assert {category: nearest_pairs(stack, category) for category in TEN} == PAIRS
    for category, pairs in PAIRS.items():
        assert len({word for pair in pairs for word in pair}) == 6
        assert set(judge.categories[category]) == set(stack.vocabulary.categories[category])
    assert len(cases(Protocol(), Bench(stack, judge, None, print))) == 10


def told(values):
    """A table of three categories, in which every drawing of a method has about these (belongs, nearest)."""
    rows = []
    for place, category in enumerate(("pet", "fruit", "bird")):
        for method, (belongs, nearest) in values.items():
            name, _, scale = method.partition(" at ")
            for eyes in ("stack", "judge"):
                for seed in range(2):
                    own = belongs + 0.1 * place + 0.2 * seed - (0.5 if eyes == "judge" else 0)
                    row = dict.fromkeys(SCHEMA.names) | {"category": category, "negatives": "cat, dog", "seed": seed}
                    row |= {"method": name, "eyes": eyes, "drawing": 0, "belongs": own, "nearest": nearest}
                    row |= {"swept": bool(scale), "guidance": float(scale) if scale else None}
                    rows.append(row | {"margin": own - nearest})
    return pa.Table.from_pylist(rows, SCHEMA)


def test_the_summary_says_first_where_ours_is_ahead_and_then_by_how_much():
    values = {"ours": (0.5, 0.2), "prior negation": (0.4, 0.05), "decoder negation": (0.45, 0.3)}
    values |= {"prior negation at 8": (0.3, 0.05), "prior negation at 2": (0.6, 0.1)}
    text = summary(told(values | {"plain prompt": (0.6, 0.5), "ours, no negatives": (0.55, 0.3)}))
    yes, no = "in 3 of 3 categories", "in 0 of 3 categories"
    assert text.index(f"| prior negation | {yes} | {no} | {yes} | {no} |") < text.index("By the stack's own CLIP")
    assert f"| decoder negation | {yes} | {yes} | {yes} | {yes} |" in text
    low, high = (0.7 + sign * 4.30265 * 0.1 / 3**0.5 for sign in (-1, 1))
    assert f"| ours | 0.700 ({low:.3f} … {high:.3f}) | 0.200 (0.200 … 0.200) |" in text, "Student's, of categories"
    apart = "+0.100 (+0.100 … +0.100), 3 of 3 | -0.050 (-0.050 … -0.050), 3 of 3 |"
    assert f"| {apart}" in next(line for line in text.splitlines() if line.startswith("| prior negation | 0.600 ("))
    labels = [line.split(" | ")[0] for line in text[text.index("By the stack") :].splitlines() if "negation" in line]
    assert labels[:3] == ["| prior negation", "| prior negation at 2", "| prior negation at 8"]
    assert "| pet | +0.100 | -0.050 | +0.050 | +0.150 | -0.100 | +0.200 |" in text


def test_the_scatter_has_each_category_and_a_curve_of_each_swept_negation(whole):
    figure = figures(whole[0])["scatter"]
    for axis, eyes in zip(figure.axes, ("stack", "judge"), strict=True):
        lines = [line for line in axis.lines if line.get_marker() not in ("None", None)]
        assert sorted(len(line.get_xdata()) for line in lines)[-3:] == [1, 2, 3], "two negations at 2 and 3 scales"
        assert len(lines) == 2 * len(DRAWN), "of one category: its points, and the means"
        found = {(round(float(line.get_xdata()[0]), 6), round(float(line.get_ydata()[0]), 6)) for line in lines}
        rows = [row for seed in range(2) for row in of(whole[0], seed, method="ours", eyes=eyes)]
        assert tuple(round(float(np.mean([row[name] for row in rows])), 6) for name in ("belongs", "margin")) in found
    assert figure.get_size_inches()[0] * 110 <= 1400


def test_the_examples_are_the_first_drawings(whole, backbone):
    figure = figures(whole[0])["examples"]
    shown = [axis for axis in figure.axes if axis.images]
    assert [axis.get_title() for axis in shown] == DRAWN and shown[0].get_ylabel() == "pet,\nnot cat, dog"
    seeds = [stream_seed(0, number, "figure 11") for number in range(3)]
    drawn = draw_many(backbone, backbone.imagine("A photo of a pet", seeds=seeds), seeds)
    expected = np.concatenate([np.asarray(each) for each in drawn], axis=1)
    assert np.abs(shown[DRAWN.index("plain prompt")].images[0].get_array().astype(int) - expected).max() <= 1
    kept = [row["picture"] for row in whole[0].to_pylist()]
    assert sum(each is not None for each in kept) == len(DRAWN) * 2 * figure11.SHOWN, "of the first seed alone"
    with Image.open(io.BytesIO(next(filter(None, kept)))) as picture:
        assert picture.size == (16, 16)
