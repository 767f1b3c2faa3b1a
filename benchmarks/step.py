"""Ratios of the optimizer's step as published to ours: `python -m benchmarks.step`.

Both take the same step from the same state (benchmarks/published.py); the resulting vectors are compared.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import torch

from benchmarks import raw
from benchmarks.published import as_published, length, start
from benchmarks.shapes import TOWERS, random_stack
from core.errors import ConceptreeError
from core.prompts import TEMPLATES
from core.stack.backbone import EMOJI, Backbone
from core.step import make_step


def seconds(run: Callable[[], Any]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def compare(name: str, backbone: Backbone, batches: Sequence[int], repeats: int) -> list[dict[str, Any]]:
    """Measure one stack, print its ratios and return the seconds a concept of each run.

    The runs alternate, so that a slow moment of the machine affects all.
    """
    states = {n: start(backbone, n) for n in batches}
    step = make_step(backbone, next(iter(states.values())).requests[0].chosen)
    first = states[batches[0]]
    ours, _ = step(first)
    plain = as_published(backbone, first)
    moved = (plain - first.vectors[0]).norm()
    tokens = length(backbone, TEMPLATES["object"])
    shaped = f"shaped like {name}" if name in TOWERS else name
    print(f"\n{shaped}: prior {_shape(backbone)}, prompts of {tokens} tokens, 5 steps, guidance 4, 1 + 4 constraints")
    print(f"  the two steps differ by {(ours.vectors[0] - plain).norm() / moved:.1e} of how far the vector moves")
    taken: dict[int, list[float]] = {n: [] for n in (0, *batches)}
    for _ in range(repeats):
        taken[0].append(seconds(lambda: as_published(backbone, first)))
        for n, state in states.items():
            taken[n].append(seconds(lambda state=state: step(state)) / n)
    published = median(taken[0])
    print(f"  as published, batch 1    {published:8.3f} s a concept and step")
    for n in batches:
        print(
            f"  ours, batch {n:<3}          {median(taken[n]):8.3f} s   {published / median(taken[n]):6.1f} times less"
        )
    return [
        {"stack": name, "step": "ours" if n else "as published", "batch": n or 1, "seconds": of}
        for n, runs in taken.items()
        for of in runs
    ]


def _shape(backbone: Backbone) -> str:
    config = backbone.prior.config
    return f"{config.num_layers} layers × {config.num_attention_heads * config.attention_head_dim}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.step", description=__doc__)
    parser.add_argument(
        "--stack", default="all", help="emoji, kandinsky-2.1 or -2.2 (random weights), a folder, or all"
    )
    parser.add_argument("--batches", default="1,8,16", help="how many concepts learn side by side")
    parser.add_argument("--repeats", type=int, help="how often each is run; the median counts")
    raw.option(parser)
    options = parser.parse_args(arguments)
    rows: list[dict[str, Any]] = []
    batches = [int(n) for n in options.batches.split(",")]
    print(f"{torch.get_num_threads()} threads, PyTorch {torch.__version__}, float32")
    for stack in ("emoji", "kandinsky-2.1") if options.stack == "all" else (options.stack,):
        if stack in TOWERS:
            rows += compare(stack, random_stack(stack), batches, options.repeats or 2)
        elif stack == "emoji" and not EMOJI.is_dir():
            print("\nemoji: the embedded stack is not there yet; make train-emoji builds it")
        else:
            try:
                rows += compare(stack, Backbone.load(stack, device="cpu"), batches, options.repeats or 10)
            except ConceptreeError as error:
                parser.exit(2, f"{error}\n")
        raw.write(options.to, rows)  # after each stack: the next one may take long


if __name__ == "__main__":
    main()
