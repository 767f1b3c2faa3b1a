"""The first seconds of a command: `python -m benchmarks.first`.

New processes do what `conceptree draw` does for one picture, part by part: import the command and PyTorch, import the
parts of diffusers and transformers that a stack needs, load the embedded stack, and draw a concept of the example run.
Each part's seconds, and its seconds of processor time, which other work on the machine changes less. Medians over some
processes; the first one, which also reads the files from the disk, is left out. The last line is the command itself.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

EXAMPLE = Path(__file__).parent.parent / "runs" / "example"
CONCEPT = "feza"
_PARTS = """
import json, time
parts, before = [], (time.perf_counter(), time.process_time())
def done(name):
    global before
    now = (time.perf_counter(), time.process_time())
    parts.append((name, now[0] - before[0], now[1] - before[1]))
    before = now
import torch
done("import PyTorch")
import ui.cli, ui.copies
done("import Conceptree")
from diffusers import KandinskyV22Pipeline, PriorTransformer, UnCLIPScheduler
from transformers import CLIPTextModelWithProjection, CLIPVisionModelWithProjection
done("import diffusers and transformers")
from ui.stack import open_stack
stack = open_stack("emoji")
done("load the stack")
from core.depict import draw_concept
from evolve import Run
[concept] = [each.concept for each in Run.open({run!r}).individuals() if each.name == {name!r}]
draw_concept(stack, concept, ["a photo of a {{}}"], [1])
done("draw the first picture")
draw_concept(stack, concept, ["a photo of a {{}}"], [2])
done("draw the second picture")
print(json.dumps(parts))
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.first", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="processes that count (5)")
    rounds = parser.parse_args().rounds
    code = _PARTS.format(run=str(EXAMPLE), name=CONCEPT)
    told = [json.loads(_run([sys.executable, "-c", code]).splitlines()[-1]) for _ in range(rounds + 1)][1:]
    for parts in zip(*told, strict=True):
        name = parts[0][0]
        wall, cpu = (median(part[i] for part in parts) for i in (1, 2))
        print(f"{name:36} {wall:6.2f} s {cpu:6.2f} s of processor time", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(EXAMPLE, Path(folder) / "example")
        command = [sys.executable, "-m", "ui.cli", "draw", "example", CONCEPT, "--runs", folder]
        seconds = []
        for seed in range(rounds):
            began, before = time.perf_counter(), os.times()
            _run([*command, "--seed", str(100 + seed)])
            after = os.times()
            cpu = sum(after[2:4]) - sum(before[2:4])
            seconds.append((time.perf_counter() - began, cpu))
    wall, cpu = (median(each[i] for each in seconds) for i in (0, 1))
    print(f"{'conceptree draw, the whole command':36} {wall:6.2f} s {cpu:6.2f} s of processor time")


def _run(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
