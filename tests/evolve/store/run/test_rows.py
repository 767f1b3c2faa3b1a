"""A run gives back exactly what was stored, part by part."""

from __future__ import annotations

import random

import numpy as np
import pyarrow.parquet as pq
import pytest

from evolve.store.run import Run, RunError
from tests.evolve.store.run.seen import parts
from tests.families import concept


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


def test_a_concept_is_stored_once(run):
    one = concept(1)
    run.add([one])
    with pytest.raises(RunError, match="is in the run already"):
        run.add([concept(2), one])
    assert len(run.individuals()) == 1


def test_parts_are_read_in_the_order_of_their_numbers(run):
    run.add([concept(1)])
    (part,) = parts(run)
    part.rename(part.with_name(part.name.replace("000001", "999999")))
    run.add([concept(2)])
    run.add([concept(3)])
    assert [part.name.split("-")[0] for part in run.rooms["concepts"].parts()] == ["999999", "1000000", "1000001"]
    assert [each.id for each in run.entries()] == [concept(number).id for number in (1, 2, 3)]


def test_nothing_here_touches_the_global_random_state(run):
    random.seed(1)
    np.random.seed(1)
    before = random.getstate(), np.random.get_state()[1].tolist()
    run.add([concept(1)])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before
