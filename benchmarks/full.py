"""The optimizer's step at Kandinsky's full size, the published one against ours: `python -m benchmarks.full`.

Random weights of the published shapes (benchmarks/shapes.py), on the available device, one stack at a time. Each row is
a process of its own, so that its peak memory, with weights, is its own. Ratios are per concept and step. Processor time
counts the work of all threads; on a busy machine it is steadier than the clock. `--count` takes no step: it counts the
operations of one, on any device. `--profile` shows the time of each operation.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import raw
from benchmarks.published import as_published, length, start
from benchmarks.shapes import TOWERS, random_stack
from core.prompts import TEMPLATES
from core.stack.backbone import Backbone
from core.state import State
from core.step import make_step

PUBLISHED = 0  # the row of the published step, as a population
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def stepping(backbone: Backbone, population: int) -> tuple[State, Callable[[], Tensor]]:
    """Where a row begins, and its step, which gives the vectors after it."""
    state = start(backbone, max(1, population))
    if population == PUBLISHED:
        return state, lambda: as_published(backbone, state)
    step = make_step(backbone, state.requests[0].chosen)
    return state, lambda: step(state)[0].vectors


def measured(stack: str, population: int, device: str, dtype: str, repeats: int) -> dict[str, Any]:
    """One row: wall and processor seconds for a concept and step, the median of `repeats` steps, and the most memory
    that this process had, in bytes.
    """
    backbone = random_stack(stack, device, DTYPES[dtype])
    state, step = stepping(backbone, population)

    def clocks() -> tuple[float, float]:
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter(), time.process_time()

    if population != PUBLISHED:
        step()  # reads the templates; the published step does all of its work each time
    taken = []
    for _ in range(repeats):
        before = clocks()
        vectors = step()
        taken.append([after - began for after, began in zip(clocks(), before, strict=True)])
    wall, processor = (median(column) / max(1, population) for column in zip(*taken, strict=True))
    row = {"wall": wall, "processor": processor, "memory": most_memory(device)}
    if population == PUBLISHED:
        _, ours = stepping(backbone, 1)
        row["differ"] = float((ours()[0] - vectors).norm() / (vectors - state.vectors[0]).norm())
        row["tokens"] = length(backbone, TEMPLATES["object"])
    return row


def most_memory(device: str) -> int:
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def compare(stack: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Print a table of one stack, and return its rows."""
    published: dict[str, Any] = {}
    rows = []
    for dtype in options.dtype.split(","):
        print(f"\nshaped like {stack}, {dtype}", flush=True)
        print(f"{'':26}{'wall s':>9}{'less':>8}{'processor s':>14}{'less':>8}{'memory MB':>12}{'each further':>14}")
        first = None
        for population in [PUBLISHED, *(int(n) for n in options.batches.split(","))]:
            name = f"ours, population {population}" if population else "as published"
            print(f"  {name} …", end="\r", file=sys.stderr, flush=True)
            row = in_process(stack, population, dtype, options)
            if row is None:
                print(f"  {name:24}does not fit")
                continue
            step = "ours" if population else "as published"
            about = {"stack": stack, "dtype": dtype, "device": options.device, "step": step}
            rows.append({**about, "population": population or 1, **row})
            published = row if population == PUBLISHED else published
            less = ["", ""]
            if published and population:
                less = [f"{published[clock] / row[clock]:.1f} ×" for clock in ("wall", "processor")]
            further = ""
            if population and first:
                further = f"{(row['memory'] - first[1]) / (population - first[0]) / 1e6:.0f}"
            first = first or ((population, row["memory"]) if population else None)
            print(
                f"  {name:24}{row['wall']:9.3f}{less[0]:>8}{row['processor']:14.3f}{less[1]:>8}"
                f"{row['memory'] / 1e6:12.0f}{further:>14}",
                flush=True,
            )
        if published:
            prior = "one pass" if stack.endswith("eclipse") else "5 steps, guidance 4"
            print(
                f"  the two steps differ by {published['differ']:.1e} of how far the vector moves; prompts of up to"
                f" {published['tokens']} tokens, {prior}, 1 + 4 constraints"
            )
    return rows


def in_process(stack: str, population: int, dtype: str, options: argparse.Namespace) -> dict[str, Any] | None:
    """A row from a process of its own; None where it died, for lack of memory."""
    asked = ["--stack", stack, "--batches", str(population), "--dtype", dtype, "--row"]
    rest = ["--repeats", str(options.repeats), "--device", options.device, "--threads", str(options.threads)]
    ended = subprocess.run([sys.executable, "-m", "benchmarks.full", *asked, *rest], capture_output=True, text=True)
    if ended.returncode == 0:
        return dict(json.loads(ended.stdout.splitlines()[-1]))
    if ended.returncode in (-9, 137) or "OutOfMemory" in ended.stderr or "not enough memory" in ended.stderr:
        return None
    sys.exit(ended.stderr or ended.returncode)


class Launches(TorchDispatchMode):
    """Counts operations that a GPU would run: all except views."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        looks = func.is_view or func.overloadpacket.__name__ in ("detach", "empty", "_unsafe_view", "lift_fresh")
        self.count += not looks
        return func(*args, **(kwargs or {}))


def count(stack: str, populations: Sequence[int]) -> None:
    """Print the cost of a step on any machine: multiplications and additions, weights read, operations started."""
    print(f"\nshaped like {stack}, counted for one step")
    print(f"{'':26}{'TFLOP a concept':>18}{'weights read':>15}{'operations':>13}")
    narrow, full = random_stack(stack, narrow=True), random_stack(stack, "meta")
    for population in (PUBLISHED, *populations):
        _, step = stepping(full, population)
        step()  # reads the templates
        with FlopCounterMode(display=False) as counted:
            step()
        _, step = stepping(narrow, population)
        step()
        passes = [(part, *passes_of(part, narrow, step)) for part in ("prior", "text_encoder")]
        # Each pass reads the weights of all layers; so does the way back, where it leads to the vector.
        read = sum(weights_of(full, part) * (there + back) for part, there, back in passes)
        with Launches() as launches:
            step()
        name = f"ours, population {population}" if population else "as published"
        flop = counted.get_total_flops() / max(1, population)
        print(f"  {name:24}{flop / 1e12:18.3f}{read / 1e9:13.1f} G{launches.count:13}", flush=True)


def profile(stack: str, population: int, device: str, dtype: str) -> None:
    """Print which operations one step of ours spends its time in, as shares of all."""
    _, step = stepping(random_stack(stack, device, DTYPES[dtype]), population)
    step()
    on_gpu = device == "cuda"
    with torch.profiler.profile() as profiled:
        step()
    clock = "self_device_time_total" if on_gpu else "self_cpu_time_total"
    found = sorted(profiled.key_averages(), key=lambda each: -getattr(each, clock))
    whole = sum(getattr(each, clock) for each in found)
    print(f"\nshaped like {stack}, {dtype}, population {population}: where a step spends its time")
    print(f"  {'share':>6}{'calls':>8}")
    for each in found[:12]:
        print(f"  {getattr(each, clock) / whole:6.1%}{each.count:8}  {each.key}")


def layers_of(backbone: Backbone, part: str) -> Any:
    model = getattr(backbone, part)
    return model.transformer_blocks if part == "prior" else model.text_model.encoder.layers


def weights_of(backbone: Backbone, part: str) -> int:
    """How many weights the layers have that are multiplied with each token."""
    return sum(weight.numel() for weight in layers_of(backbone, part).parameters() if weight.ndim == 2)


def passes_of(part: str, backbone: Backbone, step: Callable[[], Tensor]) -> tuple[int, int]:
    """How often a step goes through the layers of a part, and how often back."""
    found: list[bool] = []
    norm = next(module for name, module in layers_of(backbone, part)[0].named_modules() if "norm" in name)
    hook = norm.register_forward_hook(lambda module, inputs, output: found.append(output.requires_grad))
    step()
    hook.remove()
    return len(found), sum(found)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.full", description=__doc__)
    parser.add_argument("--stack", choices=["all", *TOWERS], default="all", help="which shape")
    parser.add_argument("--batches", default="1,4,8,16,32", help="how many concepts learn side by side")
    parser.add_argument("--repeats", type=int, default=1, help="steps that count; the median of them")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--dtype", default="float32", help=f"of the frozen parts, one or more of {', '.join(DTYPES)}")
    parser.add_argument("--threads", type=int, default=0, help="of the processor; 0: as many as it has")
    parser.add_argument("--count", action="store_true", help="count operations, which needs neither time nor device")
    parser.add_argument(
        "--profile", action="store_true", help="where one step of the first of --batches spends its time"
    )
    parser.add_argument("--row", action="store_true", help=argparse.SUPPRESS)
    raw.option(parser)
    options = parser.parse_args(arguments)
    if options.device == "auto":
        options.device = "cuda" if torch.cuda.is_available() else "cpu"
    if unknown := set(options.dtype.split(",")) - set(DTYPES):
        parser.error(f"--dtype {sorted(unknown)[0]}: choose of {', '.join(DTYPES)}")
    if not all(n.isdecimal() and (int(n) or options.row) for n in options.batches.split(",")):
        parser.error(f"--batches {options.batches}: expected whole numbers, as in 1,8,32")
    if options.to and (options.count or options.profile):
        parser.error("--to: --count and --profile measure no times; leave it out")
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.row:
        row = measured(options.stack, int(options.batches), options.device, options.dtype, options.repeats)
        print(json.dumps(row))
        return
    where = torch.cuda.get_device_name() if options.device == "cuda" else f"{torch.get_num_threads()} threads"
    print(f"{where}, PyTorch {torch.__version__}")
    rows = []
    for stack in TOWERS if options.stack == "all" else (options.stack,):
        populations = [int(n) for n in options.batches.split(",")]
        if options.count:
            count(stack, populations)
        elif options.profile:
            profile(stack, populations[0], options.device, options.dtype.split(",")[0])
        else:
            rows += compare(stack, options)
            raw.write(options.to, rows)  # after each stack: the next one may take long


if __name__ == "__main__":
    main()
