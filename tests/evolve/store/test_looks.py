"""The looks of a job: each once, in order, also after torn lines, repetitions and steps back."""

from __future__ import annotations

import json

import pytest

from core import Request, Settings
from core.concept import Negative
from core.options import Options
from core.segments import Event
from evolve import Run, develop
from evolve.jobs.stored import write_job
from evolve.jobs.work import learned
from evolve.store.looks import EVENTS, add_looks, add_names, looks_in
from tests.families import picture

REQUEST = Request("pet", settings=Settings(steps=6, segment=2, learning_rate=1e-2, max_cosine=0.9, min_cosine=-0.9))
CAT, DOG = Negative("cat", 0, "vqa"), Negative("dog", 2, "user")


def event(step, *negatives, images=(), note="", draft=False):
    return Event(0, step, REQUEST, {"pet": 0.25}, images, (), negatives[-1:], negatives, note, draft)


def test_a_look_says_all_that_there_was_to_see(tmp_path):
    add_looks(tmp_path, [(3, event(2, CAT, DOG, images=(picture(1), picture(2)), note="nearest of 2"))])
    (look,) = looks_in(tmp_path)
    assert (look.number, look.step, look.similarities, look.note) == (3, 2, {"pet": 0.25}, "nearest of 2")
    assert look.negatives == (("dog", "user"),) and look.all_negatives == ("cat", "dog")
    assert look.image.parent == tmp_path / "looks" and look.image.read_bytes().startswith(b"\x89PNG")
    assert (look.name, look.concept) == ("", "")
    add_names(tmp_path, {3: ("0" * 16, "moku")})
    assert [(each.name, each.concept) for each in looks_in(tmp_path)] == [("moku", "0" * 16)]


def test_boundaries_told_twice_appear_once_and_the_later_line_counts(tmp_path):
    for step in (0, 2, 4):
        add_looks(tmp_path, [(0, event(step)), (1, event(step))])
    add_looks(tmp_path, [(0, event(2, note="again"))])  # as after a kill, or when a person went back
    assert [(each.number, each.step, each.note) for each in looks_in(tmp_path)] == [
        (0, 0, ""), (0, 2, "again"), (1, 0, ""), (1, 2, ""), (1, 4, ""),
    ]  # fmt: skip


@pytest.mark.parametrize("torn", [b'{"number": 0, "st', b"\xff\xfe", b"[]", b'{"number": 0, "step": 2}', b"[" * 99_999])
def test_a_torn_line_is_passed_over_and_the_next_is_not_lost_with_it(tmp_path, torn):
    add_looks(tmp_path, [(0, event(0))])
    with open(tmp_path / EVENTS, "ab") as file:
        file.write(torn)
    assert [each.step for each in looks_in(tmp_path)] == [0]
    add_looks(tmp_path, [(0, event(2))])
    assert [each.step for each in looks_in(tmp_path)] == [0, 2]


def test_a_strangers_line_leads_to_no_file_elsewhere(tmp_path):
    add_looks(tmp_path, [(0, event(0, images=(picture(),)))])
    line = json.loads((tmp_path / EVENTS).read_text())
    (tmp_path / EVENTS).write_text(json.dumps({**line, "image": "../../run.json"}))
    (look,) = looks_in(tmp_path)
    assert look.image is None


def test_a_job_tells_each_boundary_before_its_snapshot_and_then_the_names(tmp_path, backbone, monkeypatch):
    run = Run.create(tmp_path / "run", "pet", backbone)
    job = write_job(run, "seed", {})
    told_by_then = []
    keep = type(job).keep

    def counted(self, content, of):
        told_by_then.append(len(looks_in(self.folder)))
        keep(self, content, of)

    monkeypatch.setattr(type(job), "keep", counted)
    requests = [REQUEST, Request("pet", seed=1, settings=REQUEST.settings)]
    concepts = learned(job, requests, run, backbone, Options(draw=True, drafts=(1, 2)), first=4)
    looks = job.looks()
    assert [(look.number, look.step, look.draft) for look in looks] == [
        (n, step, step == 1) for n in (4, 5) for step in (0, 1, 2, 4, 6)
    ]
    assert told_by_then == [2, 3, 4, 6, 8] and all(look.image.is_file() for look in looks)
    assert [look.concept for look in looks[::5]] == [concept.id for concept in concepts]
    assert {look.name for look in looks} == {each.name for each in run.individuals()}
    assert looks[-1].all_negatives == tuple(negative.word for negative in concepts[1].negatives)
    assert job.kept() == [], "what is stored needs no snapshot"
    before = (job.folder / EVENTS).read_bytes()
    learned(job, requests, run, backbone, first=4)
    assert (job.folder / EVENTS).read_bytes() == before, "what is known is not told again"


def test_drafts_change_nothing_of_what_is_learned(backbone):
    from dataclasses import replace

    plain, drafted = (develop([REQUEST], backbone, options=Options(drafts=drafts))[0] for drafts in ((), (1, 3, 5)))
    assert replace(plain, seconds=0.0) == replace(drafted, seconds=0.0)
