"""Time and memory of a run by its size: opening, relatives, a part of the tree, one more generation.

`python -m benchmarks.store` makes runs of 1,000, 10,000 and 100,000 concepts, in parts of 24 as evolution stores them
(`tests.populations`), and measures each in a process of its own: seconds on the clock and, in brackets, of the
processor, which are steadier on a busy machine. The files have just been written, so they come from memory, not from
the disk. Importing our modules does not count.

    open        open the run and read the list of its concepts
    family      build the lineage graph
    ancestors   all ancestors of the last concept, from that graph
    like        the nine concepts with the most similar imagined embeddings, with reading all embeddings
    like again  the same for another concept
    tree        the picture of the last concept, its parents and grandparents, from opening the run to the file
    append      open the run and store a generation of 24
    again       store one more with the same Run; the median of three
    memory      the peak of the process in MB, and its memory before it opened the run
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from io import StringIO
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console

from benchmarks import raw
from evolve.family.lineage import ancestors, lineage
from evolve.store.run import Run
from tests.populations import BATCH, drawn, grown, population
from ui.family import draw_tree
from ui.view.nearness import relatives

SIZES = (1_000, 10_000, 100_000)
MEASURED = ("open", "family", "ancestors", "like", "like again", "tree", "append", "again")
NEAREST, GENERATIONS = 9, 2


def measure(folder: Path) -> dict[str, Any]:
    """What each takes on the run in `folder`: (seconds on the clock, seconds of the processor), and `memory`."""
    found: dict[str, Any] = {}
    before = memory()

    def timed(name: str, call: Callable[[], Any]) -> Any:
        clock, processor = time.perf_counter(), time.process_time()
        result = call()
        found.setdefault(name, []).append((time.perf_counter() - clock, time.process_time() - processor))
        return result

    run = Run.open(folder)
    entries = timed("open", run.entries)
    last, other = entries[-1], entries[-2]
    graph = timed("family", lambda: lineage(run))
    timed("ancestors", lambda: ancestors(graph, [last.id]))
    timed("like", lambda: relatives(run.image_embeds(), last.id, NEAREST))
    timed("like again", lambda: relatives(run.image_embeds(), other.id, NEAREST))
    out = Console(file=StringIO())
    timed("tree", lambda: draw_tree(folder.name, [last.name], GENERATIONS, folder / "tree.png", folder.parent, out))
    batches = [[grown(BATCH * k + n, entries[-n - 1].id) for n in range(BATCH)] for k in range(5)]
    run.add(batches.pop())  # which imports what appending needs
    timed("append", lambda: Run.open(folder).add(batches.pop()))
    while batches:
        timed("again", lambda: run.add(batches.pop()))
    taken = {name: tuple(median(each) for each in zip(*found[name], strict=True)) for name in MEASURED}
    return taken | {"memory": (memory(), before)}


def memory() -> float:
    """The most that this process has had so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # kB, on macOS bytes
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.store", description=__doc__)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="concepts in a run")
    raw.option(parser)
    parser.add_argument("--run", type=Path, help="measure this run, which grows by it, and print JSON")
    options = parser.parse_args(arguments)
    if options.run:
        print(json.dumps(measure(options.run)))
        return
    print(f"seconds (of the processor), for runs in parts of {BATCH} concepts; memory in MB (before)")
    print(f"{'concepts':>8}" + "".join(f"{name:>17}" for name in (*MEASURED, "memory")), flush=True)
    rows: list[dict[str, Any]] = []
    for size in map(int, options.sizes.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            drawn(population(Path(folder) / "run", size))
            command = [sys.executable, "-m", "benchmarks.store", "--run", f"{folder}/run"]
            done = subprocess.run(command, capture_output=True, text=True)  # Streamlit warns that it has no server
            if done.returncode:
                sys.exit(done.stderr)
            found = json.loads(done.stdout)
        for name in MEASURED:
            clock, processor = found[name]
            rows.append({"concepts": size, "measured": name, "clock": clock, "processor": processor})
        most, before = found["memory"]
        rows.append({"concepts": size, "measured": "memory", "most MB": most, "before MB": before})
        cells = [f"{clock:.4f} ({processor:.4f})" for clock, processor in (found[name] for name in MEASURED)]
        cells.append("{:.0f} ({:.0f})".format(*found["memory"]))
        print(f"{size:>8}" + "".join(f"{cell:>17}" for cell in cells), flush=True)
        raw.write(options.to, rows)  # after each size: the next one takes ten times as long


if __name__ == "__main__":
    main()
