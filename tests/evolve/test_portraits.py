"""Parents are drawn once: remembered by all that their portraits depend on, and forgotten without harm."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import evolve.portraits
from core import Request, Settings
from core.errors import StackError
from evolve import Run, develop
from evolve.operators import parent_images
from evolve.portraits import are_known, portraits


@pytest.fixture(scope="module")
def parent(backbone):
    settings = Settings(steps=2, segment=1, learning_rate=1e-2)
    return develop([Request("pet", negatives=("cat",), settings=settings)], backbone)[0]


@pytest.fixture
def run(tmp_path, backbone):
    return Run.create(tmp_path / "run", "pet", backbone)


@pytest.fixture
def drawn(monkeypatch):
    """How many times parents were drawn."""
    calls = []

    def counting(*arguments):
        calls.append(arguments)
        return parent_images(*arguments)

    monkeypatch.setattr(evolve.portraits, "parent_images", counting)
    return calls


def test_they_are_drawn_once_and_the_same_ever_after(run, backbone, parent, drawn):
    assert not are_known(run, parent, backbone, 4, 2)
    first = portraits(run, parent, backbone, 4, 2)
    assert are_known(run, parent, backbone, 4, 2)
    again = portraits(Run.open(run.folder), parent, backbone, 4, 2)
    assert first.tobytes() == again.tobytes() == parent_images(parent, backbone, 4, 2).tobytes()
    assert len(drawn) == 1


@pytest.mark.parametrize("change", ["images", "keep", "drawn", "vectors", "drawing"])
def test_what_they_depend_on_counts(run, backbone, parent, drawn, monkeypatch, change):
    portraits(run, parent, backbone, 4, 2)
    images, keep, really = 4 + (change == "images"), 2 - (change == "keep"), change != "drawn"
    if change == "vectors":
        parent = replace(parent, vectors=parent.vectors + 1)
    if change == "drawing":
        monkeypatch.setitem(vars(backbone), "drawing_fingerprint", "another")
    assert not are_known(run, parent, backbone, images, keep, really)
    assert portraits(run, parent, backbone, images, keep, really).shape == (keep, 16)
    assert len(drawn) == 2


@pytest.mark.parametrize("content", [b"", b"x" * 100, None])
def test_what_is_torn_or_gone_is_drawn_again(run, backbone, parent, drawn, content):
    first = portraits(run, parent, backbone, 4, 2)
    (file,) = (run.folder / "portraits").iterdir()
    file.unlink() if content is None else file.write_bytes(content)
    assert np.array_equal(portraits(run, parent, backbone, 4, 2), first) and len(drawn) == 2
    assert are_known(run, parent, backbone, 4, 2)


def test_a_disk_that_takes_nothing_costs_only_time(run, backbone, parent, drawn):
    (run.folder / "portraits").write_text("no folder")
    for _ in range(2):
        assert portraits(run, parent, backbone, 4, 2).shape == (2, 16)
    assert len(drawn) == 2


def test_another_stack_is_refused_whatever_is_known(run, backbone, parent):
    portraits(run, parent, backbone, 4, 2)
    with pytest.raises(StackError, match="needs the stack"):
        portraits(run, replace(parent, fingerprint="other"), backbone, 4, 2)
