"""Speed of two workers against one: `python -m benchmarks.workers`.

Eight founders on the embedded stack, two in a batch, learned by the same warm workers with one thread each, by one and
by two workers in turn. The first line is this process with one thread, which shows the cost of messages. The ratio
depends on the number of free cores, which is measured first by the same arithmetic in one process and in two.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from dataclasses import replace
from statistics import median

import torch

from core import Backbone, Request, Settings
from core.options import Options
from evolve import develop
from evolve.workers.pool import Workers

FOUNDERS, AT_ONCE = 8, 2
_SPIN = """
import time, torch
torch.set_num_threads(1)
a = torch.randn(512, 512)
for _ in range(20): a @ a
began = time.perf_counter()
for _ in range({rounds}): a @ a
print(time.perf_counter() - began)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=60, help="steps of each founder (60)")
    parser.add_argument("--pairs", type=int, default=5, help="measurements of each kind (5)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    backbone = Backbone.load("emoji", device="cpu")
    settings = Settings.for_stack(backbone, category="pet", steps=arguments.steps, segment=arguments.steps // 3)
    requests = [Request("pet", negatives=("cat", "dog"), seed=seed, settings=settings) for seed in range(FOUNDERS)]

    def learned(workers: Workers | None) -> float:
        began = time.perf_counter()
        develop(requests, workers, options=Options(at_once=AT_ONCE))
        return time.perf_counter() - began

    with Workers(backbone, 2, at_once=AT_ONCE) as workers:
        quick = [replace(request, settings=replace(settings, steps=3, segment=1)) for request in requests]
        for _ in range(2):  # until both are there and have encoded the words
            develop(quick, workers)
        develop(quick, backbone, options=Options(at_once=AT_ONCE))
        free, here, one, two = [], [], [], []
        for _ in range(arguments.pairs):
            free.append(cores())
            here.append(learned(None))
            for count, times in ((1, one), (2, two)):
                workers.count = count
                times.append(learned(workers))
    steps = FOUNDERS * arguments.steps
    print(f"{FOUNDERS} founders, {arguments.steps} steps, batches of {AT_ONCE}, one thread each; median of {len(one)}")
    print(f"two processes that multiply matrices do {spread(free)} of what one does")
    print(f"this process       {median(here):6.1f} s  {steps / median(here):6.1f} concept steps a second")
    print(f"one worker         {median(one):6.1f} s  {spread(ratios(one, here))} of this process's time")
    print(f"two workers        {median(two):6.1f} s  {spread(ratios(one, two))} × as fast as one")


def cores(rounds: int = 400) -> float:
    """Throughput of two processes relative to one, 1 to 2; other load on the machine lowers it."""
    (alone,) = at_the_same_time(1, rounds)
    return 2 * alone / max(at_the_same_time(2, rounds))


def at_the_same_time(count: int, rounds: int) -> list[float]:
    """Seconds of each of some processes."""
    command = [sys.executable, "-c", _SPIN.format(rounds=rounds)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    return [float(process.communicate()[0]) for process in processes]


def ratios(times: list[float], others: list[float]) -> list[float]:
    return [one / other for one, other in zip(times, others, strict=True)]


def spread(values: list[float]) -> str:
    return f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main()
