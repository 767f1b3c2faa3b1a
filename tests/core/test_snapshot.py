"""Learning that is killed at any boundary and resumed gives the same concept, bit for bit."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load

from core import ConceptLab, Request, Settings
from core.concept import Parent
from core.namers import canned_namer, from_function
from core.options import Options
from core.snapshot import SnapshotError, ids_of, marked, marks_of, unpack

SETTINGS = Settings(steps=6, segment=2, learning_rate=1e-2, max_cosine=0.9, min_cosine=-0.9)


def requests(width):
    images = np.random.default_rng(0).normal(size=(3, width)).astype(np.float32)
    return [
        Request("pet", seed=1, settings=SETTINGS),
        Request(
            "pet", negatives=("cat", "dog", "parrot"), schedule="gradual", seed=2, settings=replace(SETTINGS, steps=4)
        ),
        Request("pet", parents=(Parent("one", 1.0, images),), seed=3, settings=SETTINGS),
    ]


def new_lab(backbone):
    return ConceptLab(backbone)


def same(one, other):
    return replace(one, seconds=0.0) == replace(other, seconds=0.0)


@pytest.fixture(scope="module")
def course(backbone):
    """Snapshots at all boundaries of an undisturbed course, the reports' steps there, and its concepts."""
    kept, concepts = [], ()
    for report in new_lab(backbone).learn(requests(backbone.width)):
        if report.snapshot:
            kept.append((report.step, report.snapshot()))
        concepts = report.concepts
    return kept, concepts


def test_there_is_a_snapshot_at_each_boundary_but_the_last(course):
    assert [step for step, _ in course[0]] == [0, 2, 4]


@pytest.mark.parametrize("place", range(3))
def test_what_goes_on_gives_the_same_concepts(backbone, course, place):
    kept, undisturbed = course
    step, snapshot = kept[place]
    reports = list(new_lab(backbone).learn(requests(backbone.width), snapshots=[snapshot]))
    assert reports[0].step == step + 1 and reports[-1].step == reports[-1].steps == 6
    for one, other in zip(reports[-1].concepts, undisturbed, strict=True):
        assert same(one, other)
        assert one.vectors.tobytes() == other.vectors.tobytes()


@dataclass
class At:
    """As much of a batch's state as a snapshot restores."""

    vectors: torch.Tensor
    exp_avg: torch.Tensor | None = None
    exp_avg_sq: torch.Tensor | None = None
    step: tuple[int, ...] = ()
    steps: tuple[int, ...] = ()


def test_no_flipped_bit_goes_on_to_another_concept(course):
    content = course[0][1][1]
    start = At(torch.zeros_like(load(content)["vectors"]))

    def restored(snapshot):
        courses = [SimpleNamespace() for _ in ids_of(snapshot)]
        return repr((unpack(snapshot, start, courses), courses))

    torch.set_printoptions(precision=20, threshold=10**9)
    expected, refused = restored(content), 0
    assert restored(marked(content, ["one"])) == expected
    for bit in random.Random(19).sample(range(8 * len(content)), 200):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        try:
            if ids_of(bytes(changed)) == ids_of(content):  # else it is of another batch
                assert restored(bytes(changed)) == expected, bit
        except SnapshotError:
            refused += 1
    torch.set_printoptions(profile="default")
    assert refused > 100


def test_a_namers_answers_are_not_asked_for_again(backbone):
    @from_function
    def namer(images, question):
        asked.append(question)
        return canned_namer(["cat"])(images, question)

    lab, options = ConceptLab(backbone), Options(namer=namer)
    asked, kept = [], []
    for report in lab.learn(requests(backbone.width)[:1], options):
        kept += [report.snapshot()] if report.snapshot else []
    whole = len(asked)
    asked.clear()
    lab.run(requests(backbone.width)[:1], options)
    assert len(asked) == whole
    asked.clear()
    list(lab.learn(requests(backbone.width)[:1], options, kept[-1:]))
    assert asked == []


def test_of_several_snapshots_each_batch_takes_its_own(backbone, course):
    kept, undisturbed = course
    other = new_lab(backbone).learn([replace(request, seed=90) for request in requests(backbone.width)])
    strange = next(report.snapshot() for report in other if report.snapshot)
    reports = list(new_lab(backbone).learn(requests(backbone.width), snapshots=[strange, b"torn", kept[1][1]]))
    assert all(map(same, undisturbed, reports[-1].concepts)) and not any(r.events for r in reports if r.step == 0)


def test_marks_are_written_into_a_snapshot_and_nothing_else_changes(backbone, course):
    kept, undisturbed = course
    content = marked(kept[1][1], ["one", "two"])
    assert marks_of(content) == ["one", "two"] and ids_of(content) == ids_of(kept[1][1])
    (*_, last) = new_lab(backbone).learn(requests(backbone.width), snapshots=[content])
    assert all(map(same, undisturbed, last.concepts))
    assert marks_of(marked(content, [])) == []


def test_a_snapshot_of_other_concepts_is_as_good_as_none(backbone, course):
    other = [replace(request, seed=request.seed + 10) for request in requests(backbone.width)]
    plain = new_lab(backbone).run(other)
    (*_, last) = new_lab(backbone).learn(other, snapshots=[course[0][1][1]])
    assert all(map(same, plain, last.concepts))


@pytest.mark.parametrize("cut", [0, 4, 100, -1])
def test_a_cut_snapshot_is_as_good_as_none(backbone, course, cut):
    kept, undisturbed = course
    (*_, last) = new_lab(backbone).learn(requests(backbone.width), snapshots=[kept[1][1][:cut]])
    assert all(map(same, undisturbed, last.concepts))


def test_what_cannot_be_read_says_so():
    for content in (b"", b"hello", b"\xff" * 40, b"\x02\0\0\0\0\0\0\0{}"):
        with pytest.raises(SnapshotError, match="cannot be read: start again"):
            ids_of(content)
        with pytest.raises(SnapshotError, match="cannot be read: start again"):
            unpack(content, None, [])
