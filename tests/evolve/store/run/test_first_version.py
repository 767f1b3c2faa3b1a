"""A run of the first version is read to the last note, and written as any other."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from evolve.family.lineage import lineage
from evolve.fitness import of_run
from evolve.jobs.stored import unfinished
from evolve.store.check import check
from evolve.store.parts import Damage
from evolve.store.run import Note, Run
from tests.evolve.store.run.seen import PHOTO
from tests.families import concept, picture

FIRST = Path(__file__).parents[3] / "data" / "run-of-schema-1"  # written by the first version, and never again


def test_a_run_of_the_first_version_is_read_to_the_last_note():
    run = Run.open(FIRST)
    damage: list[Damage] = []
    a, b, c, d = run.individuals(damage)
    assert [each.concept for each in (a, b)] == [concept(1), concept(2)]
    assert c.concept == concept(3, {a.id: 3.0, b.id: 1.0}) and (c.generation, d.generation) == (1, 1)
    assert [(parent.id, parent.kind) for parent in run.entry(d.id).parents] == [(a.id, "image"), (PHOTO, "image")]
    assert run.notes(damage) == {
        a.id: Note(favourite=True, rating=4, name="Whisker [Fin]", comment="like a 猫"),
        b.id: Note(hidden=True),
    }
    assert [list(change.changed) for change in run.changes(damage)] == [
        ["rating", "name"],
        ["favourite", "comment"],
        ["hidden"],
    ]
    for drawing, seed in zip(run.drawings(damage=damage), (1, 2), strict=True):
        assert np.array_equal(Image.open(drawing.file), picture(seed))
    assert run.photos(damage) == {} and not damage and unfinished(run) == []
    graph = lineage(run)
    assert graph.nodes[PHOTO]["name"] == PHOTO[:14] and graph.edges[a.id, c.id]["weight"] == 0.75
    found = check(run)
    assert found.whole and not found.findings and (found.concepts, found.notes) == (4, 2)
    assert {value["differs"] for value in of_run(run).values()} == {None}
    assert all(value["novel"] for value in of_run(run).values())


def test_a_run_of_the_first_version_is_written_as_any_other(tmp_path):
    shutil.copytree(FIRST, tmp_path / "run")
    run = Run.open(tmp_path / "run")
    a, b, *_ = run.individuals()
    assert run.undo(b.id) == Note() and run.undo(a.id) == Note(rating=4, name="Whisker [Fin]")
    run.note(b.id, name="Tail Fin")
    assert run.undo(b.id) == Note(), "what was taken back before undo was known stays so"
    run.add_photo(PHOTO, picture(), "dog.jpg")
    run.add([concept(9)])
    assert check(run).whole and len(Run.open(run.folder).entries()) == 5
