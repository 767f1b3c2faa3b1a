"""`conceptree experiment …`: an experiment is conducted, and its table, summary and figures are written."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console

from core.emoji.judge import Judge
from core.errors import ConceptreeError
from core.files import write_atomically
from ui.console import duration, say
from ui.stack import open_stack


def evolution(
    *,
    folder: Path,
    categories: Sequence[str],
    seeds: int,
    generations: int,
    population: int,
    steps: int | None,
    model: str,
    out: Console,
) -> None:
    """Does it evolve? See `evolve.experiments.evolution`."""
    try:
        import matplotlib  # noqa: F401
        import scipy  # noqa: F401
    except ImportError as missing:
        raise ConceptreeError(
            f"{missing.name} is missing, which the experiments need: pip install 'conceptree[experiments]'"
        ) from missing
    from evolve.experiments.evolution import ARMS, Protocol, conduct, curves, summary

    began = time.monotonic()
    backbone = open_stack(model, out)
    protocol = Protocol(
        **({"categories": tuple(categories)} if categories else {}),
        seeds=seeds,
        generations=generations,
        population=population,
        settings={"steps": steps, "segment": max(1, steps // 6)} if steps else {},
    )
    folder.mkdir(parents=True, exist_ok=True)
    cases = len(list(protocol.cases())) * len(ARMS)

    def tell(text: str) -> None:
        done = len(list(folder.glob("*-*-*.parquet")))
        say(out, f"[{done} of {cases}, {duration(time.monotonic() - began)}] {text}")

    table = conduct(protocol, folder, backbone, Judge.load(), tell)
    write_table(table, folder / "results.parquet")
    write_atomically(folder / "summary.md", summary(table).encode())
    write_figure(curves(table), folder / "curves.png")
    say(out, summary(table))
    say(out, f"Table, summary and curves are in {folder}; this took {duration(time.monotonic() - began)}.")


def write_table(table: pa.Table, file: Path) -> None:
    content = pa.BufferOutputStream()
    pq.write_table(table, content, compression="zstd")
    write_atomically(file, content.getvalue().to_pybytes())


def write_figure(figure: Any, file: Path) -> None:
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=110)
    write_atomically(file, content.getvalue())
