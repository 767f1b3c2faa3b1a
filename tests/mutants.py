"""Deliberate faults; each must make a test fail: `make mutants`.

mutants.toml lists them: each replaces one text in one file and names the tests that must fail. They are applied one at
a time to a copy of the tree in a temporary folder.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIST = Path(__file__).with_suffix(".toml")
LOG = "pytest.log"
TIMEOUT = 300  # seconds of computing, not of waiting, for the tests of one fault
ROOMS = ("core", "evolve", "ui", "training", "experiments", "tests", "pyproject.toml")
FAILED, BROKEN = 1, 70  # pytest's exit code for tests that ran and failed; a file that does not import gives another


@dataclass(frozen=True)
class Mutant:
    """A fault: `new` in place of `old` in `file`; one of `tests` must fail."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def applied(self, root: Path) -> str:
        """The text of the file with the fault; `old` must occur exactly once."""
        text = (root / self.file).read_text(encoding="utf-8")
        found = text.count(self.old)
        if found != 1:
            raise ValueError(f"{self.name}: its text occurs {found} times in {self.file}, expected once")
        return text.replace(self.old, self.new)


def load_libraries() -> None:
    from diffusers import PriorTransformer, UNet2DConditionModel, VQModel  # noqa: F401
    from transformers import CLIPTextModelWithProjection  # noqa: F401


def listed() -> list[Mutant]:
    mutants = tomllib.loads(LIST.read_text(encoding="utf-8"))["mutant"]
    return [Mutant(**{**each, "tests": tuple(each["tests"])}) for each in mutants]


def failing(tree: Path, tests: Sequence[str]) -> int:
    """pytest's exit code for these tests in this tree, in a fork of its own: the libraries are loaded once for all."""
    process = os.fork()
    if not process:
        code = BROKEN
        try:
            code = in_fork(tree, tests)
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    return FAILED if code == -signal.SIGPROF else code  # a test that no longer ends counts as failed


def in_fork(tree: Path, tests: Sequence[str]) -> int:
    signal.setitimer(signal.ITIMER_PROF, TIMEOUT)
    log = os.open(tree / LOG, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    for stream in (0, 1, 2):
        os.dup2(log, stream)
    # Python would not reload a file whose fault keeps its size and second.
    sys.dont_write_bytecode = True
    for name in [name for name in sys.modules if name.partition(".")[0] in ROOMS]:
        del sys.modules[name]
    os.chdir(tree)
    sys.path.insert(0, str(tree))
    return int(pytest.main(["-x", "-q", "--slow", "-p", "no:cacheprovider", *tests]))


def verdict(code: int) -> str:
    return {FAILED: "killed", 0: "SURVIVED"}.get(code, f"NOT TESTED (pytest ends with {code})")


def main(wanted: Sequence[str]) -> int:
    mutants = [m for m in listed() if not wanted or any(word in f"{m.file} {m.name}" for word in wanted)]
    if not mutants:
        print(f"no fault or file has the name {' or '.join(wanted)}", file=sys.stderr)
        return 2
    try:
        faulty = [mutant.applied(ROOT) for mutant in mutants]
    except ValueError as stale:
        print(stale, file=sys.stderr)
        return 1
    load_libraries()
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        for room in ROOMS:
            copy = shutil.copytree if (ROOT / room).is_dir() else shutil.copy2
            copy(ROOT / room, tree / room)
        before = failing(tree, sorted({test for mutant in mutants for test in mutant.tests}))
        if before:
            print((tree / LOG).read_text(encoding="utf-8", errors="replace"), file=sys.stderr)
            print("the tests fail without a fault", file=sys.stderr)
            return 1
        verdicts = []
        for mutant, text in zip(mutants, faulty, strict=True):
            start = time.monotonic()
            file = tree / mutant.file
            original = file.read_text(encoding="utf-8")
            file.write_text(text, encoding="utf-8")
            verdicts.append(verdict(failing(tree, mutant.tests)))
            file.write_text(original, encoding="utf-8")
            print(f"{verdicts[-1]:10} {time.monotonic() - start:4.0f} s  {mutant.file:22} {mutant.name}", flush=True)
    killed = verdicts.count("killed")
    print(f"{killed} of {len(mutants)} faults made a test fail")
    return 0 if killed == len(mutants) else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
