"""Attack the store: failing disks, kills at random moments, and damaged files. Prints a table of tries and failures.

Each attack takes its share of the time. The same seed tries the same things in the same order; only how far it gets
depends on the machine. A failure is printed with what is needed to repeat it, and gives exit code 1.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import ConceptreeError
from core.stack.backbone import Backbone
from tests import faults, fuzz
from tests.stacks import save_stack

ROOT = Path(__file__).parents[1]
SHARES = {"faults": 0.5, "kills": 0.3, "fuzz": 0.2}  # of the time
LONGEST = 20.0  # seconds until a kill
Try = tuple[str, Callable[[], str]]  # what is attacked, and the attack: "" or how it failed


@dataclass
class Table:
    """Counts by what was attacked."""

    tried: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)

    def run(self, tries: Iterator[Try], seconds: float) -> None:
        end = time.monotonic() + seconds
        for what, attack in tries:
            told = attack()
            self.tried[what] += 1
            self.failed[what] += bool(told)
            if told:
                print(f"{what}: {told}", file=sys.stderr, flush=True)
            if time.monotonic() > end:
                return

    def print(self) -> None:
        print(f"{'attack':24}{'tried':>8}{'failed':>8}")
        for what in self.tried:
            print(f"{what:24}{self.tried[what]:8}{self.failed[what]:8}")
        print(f"{'all':24}{self.tried.total():8}{self.failed.total():8}")


def failing_disks(folder: Path, stack: Backbone, rng: random.Random, every: bool) -> Iterator[Try]:
    """Every story with every fault: at every operation in turn, or at random ones without end."""
    stories = faults.stories(folder, stack)
    sizes = {story.name: faults.operations(story, folder) for story in stories}
    cases = [(story, fault) for story in stories for fault in faults.FAULTS]
    places = [(at, case) for case in cases for at in range(1, sizes[case[0].name] + 1)]
    if not every:
        rng.shuffle(places)
    for at, (story, fault) in places:
        yield f"{story.name}, disk {fault}", lambda at=at, s=story, f=fault: faults.disturbed(s, folder, at, f)[0]


def kills(folder: Path, model: Path, rng: random.Random) -> Iterator[Try]:
    """`conceptree seed`, killed at a random moment and resumed, until it ends; compared with an undisturbed run."""
    seed = ["seed", "pet", "-n", "2", "--wave", "1", "--negatives", "cat", "--steps", "20", "--run", "pets"]
    words = [*seed, "--model", str(model)]
    began = time.monotonic()
    assert command(folder / "whole", words) == 0, "the undisturbed run fails"
    longest = min(LONGEST, time.monotonic() - began)
    expected = comparable(folder / "whole")
    while True:
        yield "seed, killed", lambda: killed(folder / "killed", words, rng, longest, expected)


def killed(runs: Path, words: list[str], rng: random.Random, longest: float, expected: object) -> str:
    shutil.rmtree(runs, ignore_errors=True)
    moments = [rng.uniform(0.2, 1) * longest for _ in range(rng.randint(1, 3))]
    for moment in [*moments, None]:
        there = (runs / "pets" / "run.json").is_file() and any(runs.glob("pets/jobs/*/job.json"))
        code = command(runs, ["resume", "pets"] if there else words, moment)
        if code not in (0, -signal.SIGKILL):
            return f"after kills at {moments} the command ends with {code}"
    try:
        return "" if comparable(runs) == expected else f"after kills at {moments} the run differs"
    except ConceptreeError as error:
        return f"after kills at {moments}: {error}"


def comparable(runs: Path) -> object:
    return {key: value for key, value in faults.told(runs).items() if key == "pets"}


def command(runs: Path, words: list[str], kill_after: float | None = None) -> int:
    """Exit code of a command; negative if it was killed."""
    environment = os.environ | {"CONCEPTREE_CANDIDATES": "1", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "ui.cli", *words, "--runs", str(runs)],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        return process.wait(kill_after)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def damaged_files(folder: Path, seed: int) -> Iterator[Try]:
    """Every reader of files in turn, each time with another damaged file."""
    folder.mkdir()
    readers, number = fuzz.readers(folder), 0
    while True:
        for reader in readers:
            yield f"{reader.name}, damaged", lambda r=reader, n=number: named(fuzz.fault(r, fuzz.nth(r, n, seed)), n)
        number += 1


def named(told: str, number: int) -> str:
    return told and f"file {number}: {told}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120, help="Time for all attacks (default: 120).")
    parser.add_argument("--seed", type=int, default=0, help="Seed of the order and of the damage (default: 0).")
    parser.add_argument("--only", choices=SHARES, help="One attack alone.")
    parser.add_argument("--every", action="store_true", help="Fail at every operation in turn, whatever time it takes.")
    told = parser.parse_args()
    rng, table = random.Random(told.seed), Table()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        model = save_stack(folder / "stack")
        stack = Backbone.load(model, device="cpu")
        attacks = {
            "faults": failing_disks(folder / "faults", stack, rng, told.every),
            "kills": kills(folder / "kills", model, rng),
            "fuzz": damaged_files(folder / "files", told.seed),
        }
        for attack, tries in attacks.items():
            if told.only in (None, attack):
                share = 1.0 if told.only else SHARES[attack]
                table.run(tries, float("inf") if told.every and attack == "faults" else share * told.seconds)
    table.print()
    return int(bool(table.failed.total()))


if __name__ == "__main__":
    sys.exit(main())
