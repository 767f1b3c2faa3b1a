"""Names of runs that a killed process left behind are free again."""

from __future__ import annotations

import os
import time

import pytest

from evolve.store.run import Run, RunError
from tests.families import STACK
from ui.runs import UNASKED, new_run


def begun(runs, *files: str):
    """A folder as a process leaves it that was killed before it wrote run.json."""
    folder = runs / "pets"
    for name in ("concepts", "drawings"):
        (folder / name).mkdir(parents=True)
    for name in files:
        (folder / name).write_bytes(b"")
    os.utime(folder, (time.time() - 2 * UNASKED,) * 2)
    return folder


def made(runs):
    return new_run(runs, "pets", "pet", lambda folder: Run.create(folder, "pet", STACK))


def test_a_folder_without_a_run_is_taken_over(tmp_path):
    begun(tmp_path, ".lock", ".lock.by", ".conceptree-x.tmp")
    assert made(tmp_path).entries() == []


@pytest.mark.parametrize("file", ["notes.txt", ".git", "concepts/part.parquet"])
def test_a_folder_with_anything_else_stays(tmp_path, file):
    folder = begun(tmp_path, file)
    with pytest.raises(RunError, match="choose another name"):
        made(tmp_path)
    assert (folder / file).exists()


def test_a_folder_that_another_process_has_just_begun_stays(tmp_path):
    os.utime(begun(tmp_path))
    with pytest.raises(RunError, match="choose another name"):
        made(tmp_path)
