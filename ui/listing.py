"""`list`, `show` and names: runs and concepts as tables, text or JSON."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from core.errors import ConceptreeError
from core.wording import counted
from evolve.fitness import OBJECTIVES, of_run
from evolve.store.parts import Damage
from evolve.store.rows import Entry
from evolve.store.run import Run
from ui.console import add_row, new_table, print_json, rounded, say, warn
from ui.descent import descent
from ui.runs import all_runs, names_beside, open_run
from ui.search import reasons, terms_of
from ui.wholeness import tell_unfinished, warn_of, warn_of_missing

IN_FITNESS = ("category", "differs", "consistency")  # scores that are shown as fitness, under its names


def list_runs(runs: Path, as_json: bool, out: Console) -> None:
    """Print all runs, one per line; on stderr those that cannot be opened."""
    found = []
    for name, run in all_runs(runs):
        if isinstance(run, ConceptreeError):
            warn(str(run))
            continue
        damage: list[Damage] = []
        entries = run.entries(damage)
        warn_of(damage, run)
        found.append(
            {
                "run": name,
                "category": run.about["category"],
                "kind": run.about["kind"],
                "concepts": len(entries),
                "hidden": sum(each.note.hidden for each in entries),
                "generations": len({each.generation for each in entries}),
                "stack": run.about["stack"],
                "created_at": run.about["created_at"],
            }
        )
    if as_json:
        return print_json(found)
    if not found:
        return say(out, f"There are no runs in {runs} yet: conceptree seed makes one.")
    table = new_table("run", "category", "concepts", "generations", "stack", "made")
    for each in found:
        hidden = f", {each['hidden']} hidden" if each["hidden"] else ""
        counts = f"{each['concepts'] - each['hidden']}{hidden}", str(each["generations"])
        add_row(table, each["run"], each["category"], *counts, each["stack"]["version"], each["created_at"][:10])
    out.print(table)


def list_concepts(name: str, runs: Path, hidden: bool, search: str | None, as_json: bool, out: Console) -> None:
    """Print a run's concepts, one per line. hidden: hidden ones too. search: those that it finds, and where."""
    run = open_run(runs, name)
    damage: list[Damage] = []
    entries = run.entries(damage)
    warn_of(damage, run)
    warn_of_missing(run, entries)
    found = _found(run, entries, search)
    there = [each for each in entries if each.id in found]
    shown = [each for each in there if hidden or not each.note.hidden]
    names = names_beside(run)
    fitness, words = of_run(run), run.words()
    if as_json:
        where = {id_: {} if search is None else {"found": why} for id_, why in found.items()}
        return print_json([as_values(each, names, fitness[each.id]) | where[each.id] for each in shown])
    if search is not None and not there:
        return say(out, f"Nothing in {name} matches {search!r}.")
    table = new_table("concept", "gen.", "born", *OBJECTIVES, "noted", *(["found"] if search is not None else []))
    for each in shown:
        values = (rounded(fitness[each.id][name]) for name in OBJECTIVES)
        why = [", ".join(found[each.id]) or "name"] if search is not None else []
        add_row(table, each.name, str(each.generation), descent(each, names, words), *values, noted(each), *why)
    out.print(table)
    if any(None in fitness[each.id].values() for each in shown):
        say(
            out,
            "– means not measured: learned by an earlier version, or on a stack without a vocabulary",
        )
    if len(shown) < len(there):
        more = len(there) - len(shown)
        say(out, counted(more, "more is hidden: --all shows it", "more are hidden: --all shows them"))
    tell_unfinished(run, out)


def _found(run: Run, entries: Sequence[Entry], search: str | None) -> dict[str, list[str]]:
    """The concepts (ids) that a search finds, with the reasons; without a search all."""
    terms = terms_of(search or "")
    if not terms:
        return {each.id: [] for each in entries}
    words, prompts = run.words(), defaultdict[str, list[str]](list)
    for drawing in (*run.drawings(), *run.renderings()):
        prompts[drawing.concept].append(drawing.prompt)
    found = {each.id: reasons(terms, each, words.get(each.id, ((), ())), prompts[each.id]) for each in entries}
    return {id_: why for id_, why in found.items() if why is not None}


def show(name: str, concept: str, runs: Path, as_json: bool, out: Console) -> None:
    """Print everything about a concept except its vectors."""
    run = open_run(runs, name)
    entry = run.entry(concept)
    each = run.find(entry.id).concept
    damage: list[Damage] = []
    entries = run.entries(damage)
    drawings = run.drawings(entry.id, damage) + run.renderings(entry.id, damage)
    warn_of(damage, run)
    warn_of_missing(run, entries, [entry.id])
    names = names_beside(run)
    children = [other.name for other in entries if any(parent.id == entry.id for parent in other.parents)]
    request, fitness = each.request, of_run(run, [entry.id])[entry.id]
    if as_json:
        values = as_values(entry, names, fitness) | {
            "born_as": entry.born,
            "children": children,
            "kind": entry.kind,
            "seed": request.seed,
            "positives": [vars(positive) for positive in request.positives],
            "negatives": [vars(negative) for negative in each.negatives],
            "history": [vars(measurement) for measurement in each.history],
            "steps": each.steps,
            "kept_step": each.kept_step,
            "seconds": each.seconds,
            "settings": request.chosen.to_dict(),
            "stack": {"version": each.version, "fingerprint": each.fingerprint},
            "vectors_shape": list(each.vectors.shape),
            "drawings": [
                {"file": str(d.file), "prompt": d.prompt, "seed": d.seed}
                | ({"rendered": d.rendered.told} if d.rendered else {})
                for d in drawings
            ],
        }
        return print_json(values)
    born = f" (born as {entry.born})" if entry.born != entry.name else ""
    say(out, f"{entry.name}{born}, {entry.id}")
    belongs = [f"{p.word or request.category}{f' × {p.weight:g}' if p.weight != 1 else ''}" for p in request.positives]
    born_of = descent(entry, names, run.words())
    lines = {
        "born": f"{born_of}, generation {entry.generation}, {entry.created_at:%Y-%m-%d %H:%M}",
        "children": ", ".join(children),
        "noted": noted(entry),
        "category": f"{entry.category} ({entry.kind})",
        "positives": ", ".join(belongs),
        "negatives": ", ".join(f"{n.word} (step {n.step}, {n.by})" for n in each.negatives),
        "fitness": ", ".join(f"{key} {rounded(fitness[key])}" for key in OBJECTIVES),
        "scores": ", ".join(f"{key} {value:.2f}" for key, value in each.scores.items() if key not in IN_FITNESS),
        "learned": f"step {each.kept_step} of {each.steps} kept, {each.seconds:.0f} s, seed {request.seed}",
        "preset": request.chosen.preset,
        "stack": f"{each.version} ({each.fingerprint}), {' × '.join(map(str, each.vectors.shape))} numbers",
    }
    for title, text in lines.items():
        if text:
            say(out, f"  {title:<11}{text}")
    for drawing in drawings:
        how = f", {drawing.rendered.brief}" if drawing.rendered else ""
        prompt = drawing.prompt.replace("{}", entry.name)
        say(out, f"  {'drawing':<11}{drawing.file}  {prompt}, seed {drawing.seed}{how}")


def as_values(each: Entry, names: Mapping[str, str], fitness: Mapping[str, float | None]) -> dict[str, Any]:
    """A concept for the JSON of `list` and `show`."""
    return {
        "id": each.id,
        "name": each.name,
        "generation": each.generation,
        "category": each.category,
        "birth": each.birth,
        "parents": [
            {"id": p.id, "name": names.get(p.id), "run": p.run, "weight": p.weight, "kind": p.kind}
            for p in each.parents
        ],
        "fitness": dict(fitness),
        "scores": dict(each.scores),
        "note": vars(each.note),
        "created_at": each.created_at.isoformat(),
    }


def noted(each: Entry) -> str:
    """Notes on a concept, except its name."""
    note = each.note
    said = [word for word in ("favourite", "hidden", "locked") if getattr(note, word)]
    said += [f"{note.rating} of 5"] if note.rating else []
    said += [f"tagged {', '.join(note.tags)}"] if note.tags else []
    return ", ".join([*said, *([f'"{note.comment}"'] if note.comment else [])])
