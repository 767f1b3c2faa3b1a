"""A command that was killed, at whatever moment, is gone on with to the very result it would have had."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from evolve import Run
from evolve.jobs import unfinished
from tests.typed import good
from ui.cli import main

SEED = ("seed", "pet", "--founders", "3", "--wave", "2", "--steps", "60", "--segment", "6", "--run", "pets")
BREED = ("breed", "pets", "--children", "2", "--images", "4", "--steps", "40", "--seed", "5")


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-c", "from ui.cli import main; main()", *map(str, arguments)]


def killed(seconds: float, folder: Path, *arguments: object) -> None:
    """Start a command and kill it so long after its job has begun."""
    before = len(list(folder.glob("pets/jobs/*/job.json")))
    process = subprocess.Popen(
        command(*arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        limit = time.monotonic() + 120
        while process.poll() is None and len(list(folder.glob("pets/jobs/*/job.json"))) == before:
            if "resume" in arguments or time.monotonic() > limit:
                break
            time.sleep(0.01)
        time.sleep(seconds)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def concepts(runs: Path) -> list:
    return [replace(each.concept, seconds=0.0) for each in Run.open(runs / "pets").individuals()]


@pytest.fixture(scope="module")
def undisturbed(stack_folder, tmp_path_factory):
    """A run that nothing happened to: three founders, two children."""
    runs = tmp_path_factory.mktemp("undisturbed")
    good(*SEED, "--runs", runs, "--model", stack_folder)
    names = [each.name for each in Run.open(runs / "pets").individuals()]
    parents = ("--parent", f"{names[0]}:0.7", "--parent", f"{names[2]}:0.3")
    good(*BREED, *parents, "--runs", runs)
    return runs, parents


def test_killed_at_random_moments_and_gone_on_with(stack_folder, undisturbed, tmp_path):
    whole, parents = undisturbed
    moments = random.Random(1)
    where = ("--runs", tmp_path)
    killed(moments.uniform(0.0, 1.5), tmp_path, *SEED, *where, "--model", stack_folder)
    killed(5 + moments.uniform(0.0, 2.0), tmp_path, "resume", "pets", *where)  # importing takes some seconds
    good("resume", "pets", *where)
    assert unfinished(Run.open(tmp_path / "pets")) == []
    assert concepts(tmp_path) == concepts(whole)[:3]
    killed(moments.uniform(0.0, 1.0), tmp_path, *BREED, *parents, *where)
    assert "resembles them" in good("resume", "pets", *where) or len(concepts(tmp_path)) == 5
    for one, other in zip(concepts(tmp_path), concepts(whole), strict=True):
        assert one == other
        assert one.vectors.tobytes() == other.vectors.tobytes()
        assert (one.negatives, one.history) == (other.negatives, other.history)
    assert "all that was asked has been learned" in good("resume", "pets", *where)


def test_interrupted_by_a_person_it_says_how_to_go_on(stack_folder, undisturbed, tmp_path, monkeypatch):
    import ui.seed

    develop, calls = ui.seed.develop, []

    def stopped(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return develop(*arguments, **options)

    monkeypatch.setattr(ui.seed, "develop", stopped)
    arguments = [*SEED, "--runs", str(tmp_path), "--model", str(stack_folder)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 130
    assert f"resume pets --runs {tmp_path}" in result.output
    monkeypatch.undo()
    good("resume", "pets", "--runs", tmp_path)
    assert concepts(tmp_path) == concepts(undisturbed[0])[:3]


def test_a_job_that_another_process_learns_is_left_to_it(stack_folder, tmp_path, monkeypatch):
    import ui.seed

    monkeypatch.setattr(ui.seed, "develop", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    CliRunner().invoke(main, [*SEED, "--runs", str(tmp_path), "--model", str(stack_folder)])
    (job,) = unfinished(Run.open(tmp_path / "pets"))
    with job.working():
        result = CliRunner().invoke(main, ["resume", "pets", "--runs", str(tmp_path)])
    assert result.exit_code == 2 and "is being learned by another process" in result.output


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"command": "evolve"}, "is of a newer version"),
        ({"plan": {}}, "cannot be read: remove that folder to go on without it"),
        ({"plan": {"settings": {"steps": -1}, "request": {}}}, "steps"),
    ],
)
def test_a_strangers_job_is_one_line(stack_folder, tmp_path, monkeypatch, change, told):
    import ui.seed

    monkeypatch.setattr(ui.seed, "develop", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    CliRunner().invoke(main, [*SEED, "--runs", str(tmp_path), "--model", str(stack_folder)])
    (file,) = tmp_path.glob("pets/jobs/*/job.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    result = CliRunner().invoke(main, ["resume", "pets", "--runs", str(tmp_path)])
    assert result.exit_code == 2 and told in result.output and result.exception.__class__ is SystemExit
