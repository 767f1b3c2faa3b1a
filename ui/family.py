"""`tree`: a run's family as a picture, or as a graph for other tools."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from PIL import Image
from rich.console import Console

from core.errors import ConceptreeError
from core.files import write_atomically
from core.wording import counted
from evolve.family.lineage import FORMATS, ancestors, relatives
from evolve.store.captions import run_told
from evolve.store.parts import Damage, RunError
from evolve.store.run import Run
from ui.console import printable, say, to_type, warn
from ui.runs import family, open_run
from ui.sheet import opened
from ui.tree import MOST, save_tree, scene
from ui.wholeness import warn_of

if TYPE_CHECKING:
    import networkx as nx


def draw_tree(
    name: str,
    of: Sequence[str],
    depth: int | None,
    to: Path | None,
    runs: Path,
    out: Console,
    hidden: bool = False,
) -> None:
    """Draw a run's family tree into `to`, by default as tree.png and tree.svg in the run's folder.

    hidden: hidden concepts too, also without visible descendants.
    """
    run = open_run(runs, name)
    damage: list[Damage] = []
    graph = part_of_family(run, of, depth, damage)
    if not hidden:
        whole, graph = graph, without_hidden(graph, run, of)
        if left := len(whole) - len(graph):
            say(out, counted(left, "more is hidden: --all draws it", "more are hidden: --all draws them"))
    pictures: dict[str, Image.Image] = {}
    torn = 0
    if len(graph) <= MOST:  # scene() says what is wrong with more
        shown = [(each.concept, each.file) for each in run.drawings(graph.nodes, damage)]
        shown += [(each.id, each.file) for each in run.photos().values()]
        for id_, file in shown:
            if id_ in graph and id_ not in pictures:
                try:
                    pictures[id_] = opened(file)
                except ConceptreeError:
                    torn += 1
    warn_of(damage, run)
    if torn:
        said = f"{counted(torn, 'picture')} of the run {name!r} cannot be read"
        warn(f"{said}: {to_type('check', name, runs=runs)} says which")
    stack = run.about["stack"]["version"]
    page = scene(f"{run.about['category']} · run {run.folder.name} · {stack}", graph, pictures)
    for path in [to] if to else [run.folder / "tree.png", run.folder / "tree.svg"]:
        there = os.path.lexists(path)
        say(
            out,
            f"{save_tree(page, path, run_told(run.folder.resolve().name, run.about))}{' (replaced)' if there else ''}",
        )


def graph_format(form: str | None, to: Path | None) -> str | None:
    """Format of a graph, from its name or the ending of its file; None for a picture."""
    ending = to.suffix[1:].lower() if to else ""
    return form or (ending if ending in FORMATS else None)


def write_graph(name: str, of: Sequence[str], depth: int | None, form: str, to: Path | None, runs: Path) -> None:
    """Print a run's family as a graph, or write it into the file `to`. form: one of `FORMATS`."""
    run = open_run(runs, name)
    damage: list[Damage] = []
    graph = part_of_family(run, of, depth, damage)
    warn_of(damage, run)
    text = FORMATS[form](graph)
    if to:
        there = os.path.lexists(to)
        write_atomically(to, text.encode())
        click.echo(printable(f"{to}{' (replaced)' if there else ''}"))
    else:
        click.echo(text.rstrip("\n"))


def without_hidden(graph: nx.DiGraph, run: Run, named: Sequence[str] = ()) -> nx.DiGraph:
    """A lineage without the hidden concepts that have no visible descendants in it. named: concepts that stay.

    Raises:
        RunError: no concept is left.
    """
    stay = {each.id for each in run.entries() if not each.note.hidden} | {run.entry(each).id for each in named}
    stay &= set(graph)
    if graph and not stay:
        raise RunError(f"all concepts of {run.folder.name!r} are hidden: --all draws them")
    stay |= ancestors(graph, stay)
    return graph.subgraph([node for node in graph if node in stay]).copy()


def part_of_family(run: Run, of: Sequence[str], depth: int | None, damage: list[Damage]) -> nx.DiGraph:
    """The lineage, or only ancestors and descendants of some concepts, up to `depth` generations from them."""
    graph = family(run, damage)
    return relatives(graph, [run.entry(each).id for each in of], depth) if of else graph
