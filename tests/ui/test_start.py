"""Commands that only read a run start at once: they import none of the libraries that take seconds to load."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.families import family

ROOT = Path(__file__).parents[2]
HEAVY = {"accelerate", "deap", "diffusers", "huggingface_hub", "ray", "streamlit", "torch", "transformers"}
# Runs each command, and prints the heavy modules that are loaded after it.
SCRIPT = """
import contextlib, io, json, sys
from ui.cli import main
heavy, commands = json.loads(sys.stdin.read())
for command in commands:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        code = main(command, standalone_mode=False)
    print(json.dumps([code, bool(out.getvalue().strip()), sorted(set(heavy) & set(sys.modules))]))
"""


def after(commands: list[list[str]], heavy: set[str]) -> list[list]:
    """(exit code, whether it printed anything, heavy modules loaded so far) of each command, all in one new process."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input=json.dumps([sorted(heavy), commands]),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_reading_commands_import_nothing_heavy(tmp_path):
    run = family(tmp_path / "pets")
    a, b = (each.name for each in run.entries()[:2])
    commands = [
        ["list"],
        ["list", "pets", "--json"],
        ["show", "pets", a],
        ["check", "pets"],
        ["kin", "pets"],
        ["kin", "pets", a, b],
        ["tree", "pets"],
        ["tree", "pets", "--format", "dot"],
        ["note", "pets", a, "--favourite", "--name", "Whiskerfin"],
    ]
    found = after([[*command, "--runs", str(tmp_path)] for command in commands], HEAVY)
    for command, (code, told, heavy) in zip(commands, found, strict=True):
        assert not code and told and not heavy, f"conceptree {' '.join(command)} imports {', '.join(heavy)}"


def test_tables_need_no_graph_library(tmp_path):
    family(tmp_path / "pets")
    commands = [["list"], ["list", "pets"], ["check", "pets"]]
    for code, told, heavy in after([[*c, "--runs", str(tmp_path)] for c in commands], HEAVY | {"networkx"}):
        assert not code and told and not heavy


def test_help_imports_the_command_line_alone():
    from ui.cli import main

    commands = [["--help"], *([name, "--help"] for name in main.commands)]
    for code, told, heavy in after(commands, HEAVY | {"networkx", "numpy", "pyarrow", "rich", "PIL"}):
        assert not code and told and not heavy


@pytest.mark.parametrize("statement", ["import core, evolve", "from core import Settings", "from evolve import Run"])
def test_importing_the_library_is_cheap(statement):
    code = f"{statement}; import sys; print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"
