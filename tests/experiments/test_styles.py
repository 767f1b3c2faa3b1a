"""A short experiment on styles: new and named styles on objects that no style learns on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from core.errors import ConceptreeError
from core.metrics import imagine_panel, word_similarity
from core.namers import canned_namer
from core.stack.wordbank import WordBank
from core.streams import stream_seed
from evolve import Run
from experiments.conduct import Bench, conduct
from experiments.drawing import draw_concepts, draw_many
from experiments.styles import ARMS, SCHEMA, TEMPLATE, Protocol, cases, figures, nearest_known, summary
from tests.protocols import TinyJudge, killed_at, rows_of
from tests.stacks import CATEGORIES

QUICK = {"steps": 2, "segment": 1, "learning_rate": 1e-2}
NAMED = [style for style in CATEGORIES["style"] if style != "painting"]
LITTLE = Protocol(seeds=2, styles=3, wave=2, objects=("a sofa", "a zeppelin", "a lemon"), settings=QUICK)


def conducted(protocol, backbone, folder, tell=lambda _: None):
    bench = Bench(backbone, TinyJudge(), folder, tell)
    return conduct(cases(protocol, bench), SCHEMA, folder, bench.about("styles", **protocol.of_each()))


@pytest.fixture(scope="module")
def whole(backbone, tmp_path_factory):
    folder = tmp_path_factory.mktemp("styles")
    return conducted(LITTLE, backbone, folder), folder


def test_every_style_is_on_every_object_that_the_stack_knows(whole):
    table, folder = whole
    known = ("a sofa", "a lemon")
    assert table.schema == SCHEMA and table.num_rows == 2 * 2 * len(known) * (3 + 3 + len(NAMED))
    assert tuple(dict.fromkeys(table.column("object").to_pylist())) == known
    assert [row["style"] for row in rows_of(table, arm="named", seed=0, eyes="stack", object="a sofa")] == NAMED
    assert {row["style"] for row in rows_of(table, arm="no style")} == {""}
    for row in rows_of(table, arm="ConceptLab", eyes="stack"):
        run = Run.open(folder / "runs" / f"painting-{row['seed']}")
        request = run.find(row["style"]).concept.request
        assert run.about["kind"] == request.kind == "style" and [p.word for p in request.positives] == [""]
        assert request.schedule == "adaptive" and len(request.avoid) == 2 * (row["number"] // 2)
        assert request.initializer is None, "as in the paper, styles start at the category's word"


def test_the_question_answerer_names_negatives_of_styles(backbone, tmp_path):
    namer = canned_namer(["sketch"], ["mosaic"])
    bench = Bench(backbone, TinyJudge(), tmp_path, lambda _: None, namer)
    [case] = cases(replace(LITTLE, seeds=1), bench)
    styles = case.learned()
    assert len(styles) == 3 and "canned" in {n.by for each in styles for n in each.negatives}


def test_the_nearest_known_style_is_another_one():
    unit = np.eye(4, dtype=np.float32)
    mine = np.stack([unit[[0, 1]], unit[[2, 2]]])  # [styles, objects, width]
    named = np.stack([unit[[3, 1]], unit[[0, 1]], unit[[2, 3]]])
    known, which = nearest_known(mine, named, False)
    assert which.tolist() == [1, 2] and known.tolist() == [[1, 1], [1, 0]]
    known, which = nearest_known(named, named, True)
    assert which.tolist()[:2] == [1, 0] and known[0].tolist() == [0, 1]


def test_a_row_can_be_measured_again(whole, backbone):
    table, folder = whole
    rows = rows_of(table, arm="ConceptLab", eyes="judge", seed=0, object="a lemon")
    run = Run.open(folder / "runs" / "painting-0")
    concepts = [run.find(row["style"]).concept for row in rows]
    seeds = [stream_seed(0, number, "styles") for number in range(2)]
    prompts = [TEMPLATE.format(thing) for thing in ("a sofa", "a lemon")]
    judge = TinyJudge()
    own = [judge.embed(pictures) for pictures in draw_concepts(backbone, concepts, prompts, [seeds] * 3)]
    (row,) = [row for row in rows if row["number"] == 1]
    assert row["same"] == pytest.approx(float(own[1][1] @ own[1][0]), abs=1e-3)
    assert row["others"] == pytest.approx(float(np.mean([own[1][1] @ own[n][1] for n in (0, 2)])), abs=1e-3)
    said = [prompt.format(row["known_style"]) for prompt in prompts]
    drawn = judge.embed(draw_many(backbone, backbone.imagine(said, seeds=seeds), seeds))
    assert row["known"] == pytest.approx(float(own[1][1] @ drawn[1]), abs=1e-3)
    panel = imagine_panel(backbone, "style", torch.from_numpy(concepts[1].vectors.copy())[None])
    texts = WordBank(backbone.encode_text, backbone.width).panels("style", ["", *NAMED])
    painting, *near = word_similarity(panel, texts)[0].tolist()
    (seen,) = rows_of(table, arm="ConceptLab", eyes="stack", seed=0, object="a lemon", number=1)
    assert seen["painting"] == pytest.approx(painting, abs=1e-4) and seen["name"] == pytest.approx(max(near), abs=1e-4)
    assert seen["nearest_name"] == NAMED[int(np.argmax(near))]
    assert row["name"] is None  # the judge is asked for no style by its name


@pytest.mark.parametrize("after", [2, 5])
def test_a_killed_experiment_goes_on_to_the_same_table(whole, backbone, tmp_path, after):
    protocol = replace(LITTLE, seeds=1)
    with killed_at(after) as kill:
        conducted(protocol, backbone, tmp_path, kill)
    assert conducted(protocol, backbone, tmp_path).to_pylist() == rows_of(whole[0], seed=0)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"category": "zeppelin"}, "does not know the word 'zeppelin'"),
        ({"styles": 1}, "styles = 1: give at least 2"),
        ({"objects": ("a dog", "a sofa")}, "object = 'a dog': styles learn on it"),
        ({"objects": ("a {}", "a sofa")}, "object = 'a {}'"),
        ({"objects": ("a sofa", "a zeppelin")}, "1 object that the stack .* knows: give at least 2"),
    ],
)
def test_what_cannot_be_compared_is_said_at_once(backbone, tmp_path, wrong, said):
    with pytest.raises(ConceptreeError, match=said):
        conducted(replace(LITTLE, **wrong), backbone, tmp_path)
    assert not list(tmp_path.iterdir())


def test_summary_and_sheets_show_every_style(whole):
    table, _ = whole
    text = summary(table)
    for arm in ARMS:
        assert text.count(f"| {arm} |") == (2 if arm == "no style" else 3)
    mean = np.mean([row["known"] for row in rows_of(table, arm="ConceptLab", eyes="judge")])
    assert f"and {mean:.3f} to the judge" in text
    sheets = figures(table)
    assert len(sheets["sheet"].axes) == (1 + 3) * 2 and len(sheets["named"].axes) == len(NAMED) * 2
    labels = [axis.get_ylabel() for axis in sheets["sheet"].axes[::2]]
    assert labels == ["no style", "style 1", "style 2", "style 3"]
