"""A run on disk gives back exactly what was stored, and a batch is there as a whole or not at all."""

from __future__ import annotations

import json
import os
import random

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from core.concept import Avoid, Concept, Measurement, Negative, Parent, Positive, Request, concept_id
from core.errors import ConceptreeError
from core.files import write_atomically
from core.settings import Settings
from evolve.names import name_for
from evolve.run import Run, RunError

RNG = np.random.default_rng(0)


def concept(seed=0, parents=(), kind="object"):
    request = Request(
        "pet",
        kind,
        positives=(Positive("pet", 2.0),),
        negatives=("cat",),
        schedule="adaptive",
        parents=tuple(Parent(p.id, 0.5, RNG.normal(size=(2, 4)), "mix", "elsewhere") for p in parents),
        avoid=(Avoid("early", RNG.normal(size=4)),),
        seed=seed,
        tokens=2,
        settings=Settings(steps=5),
    )
    return Concept(
        concept_id(request, "f"),
        request,
        vectors=RNG.normal(size=(2, 4)),
        image_embed=RNG.normal(size=4),
        negatives=(Negative("cat", 0, "request"), Negative("dog", 5, "vqa", "'boeing' does not push")),
        history=(Measurement(0, "pet", 0.25), Measurement(5, "pet", 0.5)),
        kept_step=5,
        scores={"score": 0.5, "belongs": 0.25},
        fingerprint="f",
        version="tiny-1",
        steps=5,
        seconds=1.5,
    )


@pytest.fixture
def run(tmp_path, backbone):
    return Run.create(tmp_path / "run", "pet", backbone)


def test_what_is_stored_comes_back_exactly(run):
    mother, father = concept(1), concept(2)
    child = concept(3, [mother, father])
    first, second = run.add([mother, father]), run.add([child])
    again = Run.open(run.folder)
    assert again.individuals() == first + second
    assert [each.generation for each in again.individuals()] == [0, 0, 1]
    assert again.individuals()[2].concept == child
    assert again.about["stack"]["version"] == "tiny-1"


def test_a_child_and_grandchild_in_one_batch_have_their_generations(run):
    mother = concept(1)
    child = concept(2, [mother])
    assert [each.generation for each in run.add([mother, child, concept(3, [child, mother])])] == [0, 1, 2]


def test_each_batch_is_one_part_that_other_tools_read(run):
    run.add([concept(1), concept(2)])
    run.add([concept(3)])
    parts = sorted((run.folder / "concepts").iterdir())
    assert [part.name[:7] for part in parts] == ["000001-", "000002-"]
    table = pq.read_table(parts[0]).to_pylist()
    assert table[0]["negatives"][1] == {"word": "dog", "step": 5, "by": "vqa", "note": "'boeing' does not push"}
    assert np.shape(table[0]["vectors"]) == (2, 4) and table[0]["preset"] == "default"


def test_names_are_unique_pronounceable_and_not_words_of_the_stack(run):
    concepts = [concept(seed) for seed in range(30)]
    would_be = name_for(concepts[0].id)
    names = [each.name for each in run.add(concepts, taken=[would_be])]
    assert len(set(names)) == 30 and would_be not in names
    assert all(len(name) % 2 == 0 and set(name[1::2]) <= set("aeiou") for name in names)
    assert run.find(names[4]).id == concepts[4].id and run.find(concepts[4].id).name == names[4]
    with pytest.raises(RunError, match="there is no concept 'nobody'"):
        run.find("nobody")


def test_names_grow_when_the_short_ones_are_taken():
    taken = set()
    for number in range(6000):
        taken.add(name_for(str(number), taken))
    assert len(taken) == 6000 and max(map(len, taken)) <= 8


def test_a_concept_is_stored_once(run):
    one = concept(1)
    run.add([one])
    with pytest.raises(RunError, match="is in the run already"):
        run.add([concept(2), one])
    assert len(run.individuals()) == 1


def test_drawings_are_stored_by_content_with_their_index(run):
    picture = Image.fromarray(RNG.integers(0, 255, (8, 8, 3), dtype=np.uint8))
    stored = run.add_drawings([("a", "a photo of a {}", 1, picture), ("b", "a photo of a {}", 2**63 - 1, picture)])
    assert stored[0].file == stored[1].file and np.array_equal(Image.open(stored[0].file), picture)
    assert run.drawings() == stored and run.drawings("b") == stored[1:]


def test_an_interrupted_write_leaves_nothing(run, monkeypatch):
    run.add([concept(1)])
    before = sorted(run.folder.rglob("*"))
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(ConceptreeError, match="disk full"):
        run.add([concept(2)])
    assert sorted(run.folder.rglob("*")) == before
    assert len(run.individuals()) == 1


def test_unfinished_files_are_not_read(run):
    run.add([concept(1)])
    (run.folder / "concepts" / ".000002-x.parquet.tmp").write_bytes(b"half")
    assert len(run.individuals()) == 1


def test_a_torn_part_is_named(run):
    run.add([concept(1)])
    part = next((run.folder / "concepts").glob("*.parquet"))
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(RunError, match=rf"the part .*{part.name}' cannot be read"):
        run.individuals()


def test_folders_that_are_no_runs_say_so(run, tmp_path, backbone):
    with pytest.raises(RunError, match="there is no run in"):
        Run.open(tmp_path / "nowhere")
    with pytest.raises(RunError, match="there is a run in"):
        Run.create(run.folder, "pet", backbone)
    (run.folder / "run.json").write_text("{")
    with pytest.raises(RunError, match="cannot be read"):
        Run.open(run.folder)
    (run.folder / "run.json").write_text(json.dumps({"schema": 99}))
    with pytest.raises(RunError, match="has schema 99, this version reads 1"):
        Run.open(run.folder)


def test_nothing_here_touches_the_global_random_state(run):
    random.seed(1)
    np.random.seed(1)
    before = random.getstate(), np.random.get_state()[1].tolist()
    run.add([concept(1)])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before


def test_files_are_replaced_as_a_whole(tmp_path):
    path = tmp_path / "new" / "file"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two" and os.listdir(path.parent) == ["file"]
    assert path.stat().st_mode & 0o777 == 0o644
