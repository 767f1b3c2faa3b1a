"""Attack the store: failing disks, kills at random moments, and damaged files. Prints a table of tries and failures.

Each attack takes its share of the time. The same seed tries the same things in the same order; only how far it gets
depends on the machine. It prints each failure with the values that repeat it, and then exits with 1.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch

from core.errors import ConceptreeError
from core.stack.backbone import Backbone
from tests import faults, fuzz
from tests.stacks import save_stack
from ui import runs as ui_runs
from ui.cli import main as conceptree

SHARES = {"kills": 0.4, "faults": 0.4, "fuzz": 0.2}  # of the time; kills first: a process that has learned cannot fork
HANGS = 600.0  # seconds
FILES = 50  # damaged files of a kind in one try
NIGHTLY_KILLS = 200  # kills, at least
Try = tuple[str, Callable[[], tuple[int, str]]]  # its name, and the attack: (number of tries, "" or how it failed)


@dataclass
class Table:
    """Counts of tries and failures by attack."""

    tried: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)

    def run(self, tries: Iterator[Try], seconds: float, least: int = 0) -> None:
        """Attack for so many seconds, and until there were so many tries."""
        end, number = time.monotonic() + seconds, 0
        for what, attack in tries:
            many, told = attack()
            number += many
            self.tried[what] += many
            self.failed[what] += bool(told)
            if told:
                print(f"{what}: {told}", file=sys.stderr, flush=True)
            if time.monotonic() > end and number >= least:
                return

    def print(self) -> None:
        print(f"{'attack':36}{'tried':>8}{'failed':>8}")
        for what in self.tried:
            print(f"{what:36}{self.tried[what]:8}{self.failed[what]:8}")
        print(f"{'all':36}{self.tried.total():8}{self.failed.total():8}")


def failing_disks(folder: Path, stack: Backbone, rng: random.Random, every: bool) -> Iterator[Try]:
    """Every story with every fault: at every operation in turn, or at random ones without end."""
    stories = faults.stories(folder, stack)
    sizes = {story.name: faults.operations(story, folder) for story in stories}
    cases = [(story, fault) for story in stories for fault in faults.FAULTS]
    places = [(at, case) for case in cases for at in range(1, sizes[case[0].name] + 1)]
    if not every:
        rng.shuffle(places)
    for at, (story, fault) in places:
        yield f"{story.name}, disk {fault}", lambda at=at, s=story, f=fault: (1, faults.disturbed(s, folder, at, f)[0])


def kills(folder: Path, model: Path, rng: random.Random) -> Iterator[Try]:
    """`conceptree seed`, killed at a random moment and resumed, until it ends; compared with an undisturbed run."""
    options = {"founders": 2, "wave": 1, "negatives": "cat", "steps": 6, "segment": 2, "run": "pets", "model": model}
    words = ["seed", "pet", *(f"--{key}={value}" for key, value in options.items())]
    began = time.monotonic()
    if told := command(folder / "whole", words)[1]:
        raise RuntimeError(f"the undisturbed run fails: {told}")
    longest = time.monotonic() - began
    expected = faults.told(folder / "whole")
    while True:
        yield "seed, killed", lambda: (1, killed(folder / "killed", words, rng, longest, expected))


def killed(runs: Path, words: list[str], rng: random.Random, longest: float, expected: object) -> str:
    shutil.rmtree(runs, ignore_errors=True)
    moments = [rng.random() * longest for _ in range(rng.randint(1, 3))]
    done = False
    for moment in [*moments, None]:
        begun = (runs / "pets" / "run.json").is_file() and any(runs.glob("pets/jobs/*/job.json"))
        done, told = command(runs, ["resume", "pets"] if begun else words, moment)
        if told:
            return f"after kills at {moments} the command ends with: {told}"
        if done:
            break
    try:
        return "" if faults.told(runs) == expected else f"after kills at {moments} the run differs"
    except ConceptreeError as error:
        return f"after kills at {moments}: {error}"


def command(runs: Path, words: list[str], kill_after: float | None = None) -> tuple[bool, str]:
    """(whether a command ended, "" or how it failed), in a process of its own, which is killed after so many seconds.

    The process is a fork, so that no time goes into imports.
    """
    runs.mkdir(parents=True, exist_ok=True)
    log = runs.with_name("log.txt")
    process = multiprocessing.get_context("fork").Process(target=conduct, args=([*words, "--runs", str(runs)], log))
    process.start()
    process.join(HANGS if kill_after is None else kill_after)
    if process.exitcode is None:
        process.kill()
        process.join()
        return False, "" if kill_after is not None else f"no end after {HANGS} s"
    return True, f"{process.exitcode}, {log.read_text()[-500:]!r}" if process.exitcode else ""


def conduct(words: list[str], log: Path) -> None:
    with log.open("w") as output:
        os.dup2(output.fileno(), 1), os.dup2(output.fileno(), 2)
    ui_runs.UNASKED = 0.0  # no other process makes a run here: one without a job was left by a kill
    conceptree(words)


def damaged_files(folder: Path, seed: int) -> Iterator[Try]:
    """Every reader of files in turn, each time with other damaged files."""
    folder.mkdir()
    readers, number = fuzz.readers(folder), seed
    while True:
        for reader in readers:
            yield f"{reader.name}, damaged", lambda r=reader, n=number: fuzz.tried(r, FILES, n)
        number += 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120, help="Time for all attacks (default: 120).")
    parser.add_argument("--seed", type=int, default=0, help="Seed of the order and of the damage (default: 0).")
    parser.add_argument("--only", choices=SHARES, help="One attack alone.")
    parser.add_argument("--every", action="store_true", help="Fail at every operation in turn, whatever time it takes.")
    help = f"A night: every operation in turn, and at least {NIGHTLY_KILLS} kills."
    parser.add_argument("--nightly", action="store_true", help=help)
    told = parser.parse_args()
    told.every |= told.nightly
    rng, table = random.Random(told.seed), Table()
    torch.set_num_threads(1)  # threads do not live on in a fork
    os.environ["CONCEPTREE_CANDIDATES"] = "1"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        model = save_stack(folder / "stack")
        stack = Backbone.load(model, device="cpu")
        attacks = {
            "kills": kills(folder / "kills", model, rng),
            "faults": failing_disks(folder / "faults", stack, rng, told.every),
            "fuzz": damaged_files(folder / "files", told.seed),
        }
        for attack, tries in attacks.items():
            if told.only in (None, attack):
                share = 1.0 if told.only else SHARES[attack]
                seconds = float("inf") if told.every and attack == "faults" else share * told.seconds
                table.run(tries, seconds, NIGHTLY_KILLS if told.nightly and attack == "kills" else 0)
    table.print()
    return int(bool(table.failed.total()))


if __name__ == "__main__":
    sys.exit(main())
