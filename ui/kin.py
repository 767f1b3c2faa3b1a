"""`kin`: pedigree statistics of a run, one concept, or a pair."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import networkx as nx
from rich.console import Console

from core.wording import counted
from evolve.family.kinship import (
    common_ancestors,
    extinct_lines,
    fertility,
    founder_shares,
    generations,
    nearest_common_ancestors,
    relatedness,
)
from evolve.family.lineage import ancestors, descendants
from evolve.store.parts import Damage, RunError
from evolve.store.run import Run
from ui.console import add_row, new_table, print_json, rounded, say
from ui.runs import family, open_run
from ui.wholeness import warn_of

IN_TABLE = ("belongs", "differs", "consistent")
MOST_NAMED = 20


def kin(name: str, concepts: Sequence[str], runs: Path, as_json: bool, out: Console) -> None:
    """Print the statistics of a run, of one of its concepts, or of a pair."""
    if len(concepts) > 2:
        raise RunError(f"{len(concepts)} concepts are named: kin takes none, one or two")
    run = open_run(runs, name)
    damage: list[Damage] = []
    graph = family(run, damage)
    warn_of(damage, run)
    named = [run.entry(each).id for each in concepts]
    told: Any
    if not named:
        told = of_run(run, graph)
    elif len(named) == 1:
        told = of_one(graph, *named)
    else:
        told = of_two(graph, *named)
    if as_json:
        return print_json(told)
    {0: _say_run, 1: _say_one, 2: _say_two}[len(named)](told, out)


def of_run(run: Run, graph: nx.DiGraph) -> dict[str, Any]:
    """Statistics of generations, founders by number of descendants, extinct lines."""
    entries = run.entries()
    hidden = {each.id for each in entries if each.note.hidden}
    return {
        "generations": [vars(each) for each in generations(graph, entries, run.image_embeds())],
        "founders": [person(graph, id_) | {"descendants": count} for id_, count in fertility(graph).items()],
        "extinct": people(graph, extinct_lines(graph, hidden)),
    }


def of_one(graph: nx.DiGraph, concept: str) -> dict[str, Any]:
    """A concept's founders with their shares, its ancestors and its descendants."""
    shares = founder_shares(graph, concept)
    return person(graph, concept) | {
        "founders": [person(graph, id_) | {"share": share} for id_, share in shares.items()],
        "ancestors": people(graph, ancestors(graph, [concept])),
        "descendants": people(graph, descendants(graph, [concept])),
    }


def of_two(graph: nx.DiGraph, one: str, other: str) -> dict[str, Any]:
    """Relatedness and common ancestors of two concepts."""
    return {
        "concepts": [person(graph, one), person(graph, other)],
        "relatedness": relatedness(graph, one, other),
        "nearest_common_ancestors": people(graph, nearest_common_ancestors(graph, one, other)),
        "common_ancestors": people(graph, common_ancestors(graph, one, other)),
    }


def person(graph: nx.DiGraph, id_: str) -> dict[str, Any]:
    node = graph.nodes[id_]
    return {"id": id_, "name": node["name"], "generation": node["generation"], "birth": node["birth"]}


def people(graph: nx.DiGraph, ids: Iterable[str]) -> list[dict[str, Any]]:
    """Concepts, latest generation first, then in the order in which they were stored."""
    wanted = set(ids)
    found = [person(graph, id_) for id_ in graph if id_ in wanted]
    return sorted(found, key=lambda each: -each["generation"])


def listed(found: Sequence[dict[str, Any]]) -> str:
    """`moku, vasi … and 3 more`"""
    names = ", ".join(each["name"] for each in found[:MOST_NAMED])
    return f"{names} … and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else names or "none"


def percent(share: float) -> str:
    """`12.5 %`; a tiny share is `< 0.05 %`, not 0."""
    return f"{100 * share:.3g} %" if share >= 0.0005 or not share else "< 0.05 %"


def _say_run(told: dict[str, Any], out: Console) -> None:
    looks = new_table("gen.", "concepts", "alike", *IN_TABLE)
    descent = new_table("gen.", "founders", "effective", "apart", "PD", "archive")
    for each in told["generations"]:
        number = str(each["number"])
        values = [f"{rounded(each['mean'].get(key))} / {rounded(each['best'].get(key))}" for key in IN_TABLE]
        add_row(looks, number, str(each["concepts"]), rounded(each["likeness"]), *values)
        counts = str(each["founders"]), f"{each['effective_founders']:.1f}", rounded(each["distance"])
        archive = "" if each["archive"] is None else str(each["archive"])
        add_row(descent, number, *counts, str(each["diversity"]), archive)
    out.print(looks)
    say(out, "alike: mean pairwise similarity; others: mean / best")
    out.print(descent)
    say(
        out,
        "founders: with a share; effective: with equal shares; apart: mean pairwise distance by descent; PD: concepts"
        " with all their ancestors; archive: concepts so far that were unlike all before them",
    )
    best = [each for each in told["founders"] if each["descendants"] == told["founders"][0]["descendants"]]
    if best and best[0]["descendants"]:
        many = counted(best[0]["descendants"], "concept")
        founders = "Most fertile founder" if len(best) == 1 else "Most fertile founders"
        say(out, f"{founders}: {listed(best)}, with {many} descended from {'each' if len(best) > 1 else 'it'}")
    say(out, f"Extinct lines: {listed(told['extinct'])}")


def _say_one(told: dict[str, Any], out: Console) -> None:
    say(out, f"{told['name']}, generation {told['generation']}, {told['id']}")
    table = new_table("founder", "share", "")
    for each in told["founders"][:MOST_NAMED]:
        outside = {"photo": "a photograph", "unknown": "of another run, or lost"}.get(each["birth"], "")
        add_row(table, each["name"], percent(each["share"]), outside)
    out.print(table)
    rest = told["founders"][MOST_NAMED:]
    if rest:
        say(out, f"and {counted(len(rest), 'founder')} more with {percent(sum(each['share'] for each in rest))}")
    for key in ("ancestors", "descendants"):
        say(out, f"{counted(len(told[key]), key[:-1])}: {listed(told[key])}")


def _say_two(told: dict[str, Any], out: Console) -> None:
    one, other = (each["name"] for each in told["concepts"])
    if not told["common_ancestors"]:
        return say(out, f"{one} and {other} have no ancestor in common")
    say(out, f"{one} and {other} have {percent(told['relatedness'])} in common by descent")
    nearest, common = told["nearest_common_ancestors"], told["common_ancestors"]
    say(out, f"nearest common ancestors: {listed(nearest)}")
    say(out, f"{counted(len(common), 'common ancestor')}: {listed(common)}")
