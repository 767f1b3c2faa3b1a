"""Stacks of the workbench: loaded once, one at a time, and again after their files change."""

from __future__ import annotations

import gc
import os
import shutil
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.errors import StackError
from evolve import Run
from ui.view import model


@pytest.fixture
def copies(stack_folder, tmp_path, monkeypatch):
    """Two stacks that are not loaded yet."""
    monkeypatch.setattr(model, "_loaded", {})
    return [shutil.copytree(stack_folder, tmp_path / name) for name in ("one", "two")]


def test_sessions_that_load_at_the_same_time_all_get_whole_stacks(copies):
    wanted = [str(copy) for copy in copies] * 3
    with ThreadPoolExecutor(len(wanted)) as sessions:
        found = list(sessions.map(model.stack, wanted))
    assert found[0] is found[2] is found[4] and found[1] is found[3] is found[5]
    for backbone in found[:2]:
        assert not any(parameter.is_meta for parameter in backbone.prior.parameters())
        assert backbone.draw(backbone.imagine(["a photo of a dog"], seeds=[1]), seeds=[1])


def test_a_stack_whose_files_changed_is_loaded_anew(copies):
    where = str(copies[0])
    first = model.stack(where)
    assert model.stack(where) is first
    os.utime(copies[0] / "prior" / "model_index.json", (1, 1))
    assert model.stack(where) is not first


def test_collections_skip_what_is_loaded_and_free_what_is_not(copies, stack_folder):
    first = weakref.ref(model.stack(str(copies[0])))
    assert gc.get_freeze_count() > 0
    for where in (copies[1], stack_folder):
        model.stack(str(where))
    assert first() is None


def test_only_the_last_few_are_kept(copies, stack_folder):
    for where in (*copies, stack_folder):
        model.stack(str(where))
    assert [where for where, _ in model._loaded] == [str(copies[1]), str(stack_folder)]


def test_a_run_is_given_the_stack_that_it_was_made_on_and_no_other(copies, tmp_path, backbone):
    run = Run.create(tmp_path / "pets", "pet", model.stack(str(copies[0])))
    assert model.backbone(run).fingerprint == backbone.fingerprint
    run.about["stack"]["fingerprint"] = "another"
    with pytest.raises(StackError, match="needs the stack"):
        model.backbone(run)


def test_a_stack_that_is_gone_is_one_line_and_tried_again(copies):
    away = copies[0].rename(copies[0].with_name("away"))
    with pytest.raises(StackError):
        model.stack(str(copies[0]))
    away.rename(copies[0])
    assert model.stack(str(copies[0])).knows("dog")
