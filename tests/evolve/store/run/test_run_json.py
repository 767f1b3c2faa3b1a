"""A folder that is no run, or the run of another version, is one line."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from core.errors import ConceptreeError
from evolve.store.run import Run, RunError
from tests.evolve.store.run.seen import refused
from tests.families import STACK, new_run


def test_folders_that_are_no_runs_say_so(run, tmp_path):
    with pytest.raises(RunError, match="there is no run in"):
        Run.open(tmp_path / "nowhere")
    with pytest.raises(RunError, match="there is a run in"):
        Run.create(run.folder, "pet", STACK)
    (run.folder / "run.json").write_text("{")
    with pytest.raises(RunError, match="cannot be read: it is not JSON"):
        Run.open(run.folder)
    (tmp_path / "file").touch()
    with pytest.raises(ConceptreeError, match="no run can be made in"):
        Run.create(tmp_path / "file" / "run", "pet", STACK)


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({"schema": 99, "written_by": None}, "has schema 99, this version reads 1: a newer Conceptree wrote it"),
        ({"schema": 2, "written_by": "9.1"}, "this version reads 1: Conceptree '9.1' wrote it, and reads it; this is"),
        ({"schema": 2, "written_by": "\x1b[31m"}, "'\\x1b[31m'"),
        ({"schema": True}, "has schema True"),
        ({"schema": None}, "was it made by Conceptree?"),
    ],
)
def test_another_schema_says_which_version_reads_it(run, about, said):
    (run.folder / "run.json").write_text(json.dumps(run.about | about))
    assert said in refused(Run.open, run.folder)


@pytest.mark.parametrize("key", ["category", "kind", "stack", "created_at", "stack.where", "stack.fingerprint"])
@pytest.mark.parametrize("value", [None, 5])
def test_a_key_that_is_missing_or_wrong_is_named(run, key, value):
    about = json.loads(json.dumps(run.about))
    place, name = (about["stack"], key.removeprefix("stack.")) if "." in key else (about, key)
    place[name] = value
    if value is None:
        del place[name]
    (run.folder / "run.json").write_text(json.dumps(about))
    assert (f"lacks the key {key!r}" if value is None else f"has {key} = 5: expected") in refused(Run.open, run.folder)


def test_a_run_of_another_kind_is_refused(run):
    (run.folder / "run.json").write_text(json.dumps(run.about | {"kind": "sound"}))
    assert "has kind 'sound': expected object or style" in refused(Run.open, run.folder)


@pytest.mark.parametrize("content", ["[]", "null", '"run"', "[" * 100_000, b"\xff\xfe"])
def test_a_run_json_of_something_else_is_one_line(run, content):
    (run.folder / "run.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    assert "cannot be read" in refused(Run.open, run.folder)


def test_a_stack_is_found_again_from_another_folder(tmp_path, monkeypatch):
    (tmp_path / "stack").mkdir()
    (tmp_path / "emoji").mkdir()
    monkeypatch.chdir(tmp_path)
    for where, stored in (("stack", str(tmp_path / "stack")), ("emoji", "emoji"), ("someone/stack", "someone/stack")):
        stack = SimpleNamespace(where=where, version="1", fingerprint="f")
        assert new_run(Path(where.replace("/", "-") + "-run"), stack).about["stack"]["where"] == stored
