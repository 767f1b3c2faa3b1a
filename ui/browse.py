"""What `list`, `show`, `name`, `tree`, `lineage`, `check` and `models` do: they read, and go on with what is whole."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import networkx as nx
from PIL import Image
from rich import box
from rich.console import Console
from rich.table import Table

from core.errors import ConceptreeError
from core.files import write_atomically
from core.stack.backbone import Backbone
from core.stack.hub import ALIASES
from core.wording import counted
from evolve import Run
from evolve.family.lineage import FORMATS, lost_ancestors, relatives
from evolve.fitness import OBJECTIVES, of_run
from evolve.jobs.job import Job, jobs
from evolve.store.captions import run_told
from evolve.store.check import check
from evolve.store.parts import Damage
from evolve.store.rows import brief
from evolve.store.run import Entry
from ui.console import printable, say, to_type
from ui.descent import descent
from ui.pictures import opened
from ui.runs import all_runs, family, names_beside, open_run
from ui.stack import can_draw, folder_of
from ui.tree import MOST, save_tree, scene

NAMED = ("emoji", *ALIASES)  # stacks that can be named instead of giving a folder
PRIOR_PARTS = ("tokenizer", "text_encoder", "image_encoder", "prior", "scheduler")
IN_FITNESS = ("category", "differs", "consistency")  # scores that are shown as fitness, under its names
MB = 1e6
MOST_MISSING = 6  # ancestors that are named


def list_runs(runs: Path, as_json: bool, out: Console) -> None:
    """The runs that there are, one line each; those that cannot be opened are told on stderr."""
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
        counts = str(each["concepts"]), str(each["generations"])
        add_row(table, each["run"], each["category"], *counts, each["stack"]["version"], each["created_at"][:10])
    out.print(table)


def list_concepts(name: str, runs: Path, everybody: bool, as_json: bool, out: Console) -> None:
    """A run's concepts, one line each, without those that somebody has hidden."""
    run = open_run(runs, name)
    damage: list[Damage] = []
    entries = run.entries(damage)
    warn_of(damage, run)
    warn_of_missing(run, entries)
    shown = [each for each in entries if everybody or not each.note.hidden]
    names = names_beside(run)
    fitness = of_run(run)
    if as_json:
        return print_json([as_values(each, names, fitness[each.id]) for each in shown])
    table = new_table("concept", "gen.", "born", *OBJECTIVES, "noted")
    for each in shown:
        values = (rounded(fitness[each.id][name]) for name in OBJECTIVES)
        add_row(table, each.name, str(each.generation), descent(each, names), *values, noted(each))
    out.print(table)
    if any(None in fitness[each.id].values() for each in shown):
        say(
            out,
            "– is what was not measured when it was learned, by an earlier version or on a stack without a vocabulary",
        )
    if len(shown) < len(entries):
        hidden = len(entries) - len(shown)
        say(out, counted(hidden, "more is hidden: --all shows it", "more are hidden: --all shows them"))
    tell_unfinished(run, out)


def show(name: str, concept: str, runs: Path, as_json: bool, out: Console) -> None:
    """All that is known of a concept, but for its vectors."""
    run = open_run(runs, name)
    entry = run.entry(concept)
    each = run.find(entry.id).concept
    damage: list[Damage] = []
    entries = run.entries(damage)
    drawings = run.drawings(entry.id, damage)
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
            "drawings": [{"file": str(d.file), "prompt": d.prompt, "seed": d.seed} for d in drawings],
        }
        return print_json(values)
    born = f" (born as {entry.born})" if entry.born != entry.name else ""
    say(out, f"{entry.name}{born}, {entry.id}")
    belongs = [f"{p.word or request.category}{f' × {p.weight:g}' if p.weight != 1 else ''}" for p in request.positives]
    lines = {
        "born": f"{descent(entry, names)}, generation {entry.generation}, {entry.created_at:%Y-%m-%d %H:%M}",
        "children": ", ".join(children),
        "noted": noted(entry),
        "category": f"{entry.category} ({entry.kind})",
        "is": ", ".join(belongs),
        "is not": ", ".join(f"{n.word} (step {n.step}, {n.by})" for n in each.negatives),
        "fitness": ", ".join(f"{key} {rounded(fitness[key])}" for key in OBJECTIVES),
        "scores": ", ".join(f"{key} {value:.2f}" for key, value in each.scores.items() if key not in IN_FITNESS),
        "learned": f"step {each.kept_step} of {each.steps} kept, {each.seconds:.0f} s, seed {request.seed}",
        "preset": request.chosen.preset,
        "stack": f"{each.version} ({each.fingerprint}), {' × '.join(map(str, each.vectors.shape))} numbers",
    }
    for title, text in lines.items():
        if text:
            say(out, f"  {title:<10}{text}")
    for drawing in drawings:
        say(out, f"  {'drawing':<10}{drawing.file}  {drawing.prompt.replace('{}', entry.name)}, seed {drawing.seed}")


def rename(name: str, old: str, new: str, runs: Path, out: Console) -> None:
    """Give a concept another name; the run remembers the old one."""
    run = open_run(runs, name)
    entry = run.entry(old)
    if new == entry.name:
        return say(out, f"{entry.name} is its name already")
    run.note(entry.id, name=None if new == entry.born else new)
    still = "" if new == entry.born else f"; the name {entry.born} still finds it"
    say(out, f"{entry.name} is called {new} {'now' if still else 'again'}{still}")


def draw_tree(name: str, of: Sequence[str], depth: int | None, to: Path | None, runs: Path, out: Console) -> None:
    """A run's family as a picture: beside its tables as PNG and as SVG, or into the file that is named."""
    run = open_run(runs, name)
    damage: list[Damage] = []
    graph = part_of_family(run, of, depth, damage)
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


def write_lineage(
    name: str, of: Sequence[str], depth: int | None, form: str | None, to: Path | None, runs: Path
) -> None:
    """A run's family as a graph, printed or, with `to`, written into a file whose ending may say the format."""
    run = open_run(runs, name)
    damage: list[Damage] = []
    graph = part_of_family(run, of, depth, damage)
    warn_of(damage, run)
    ending = to.suffix[1:].lower() if to else ""
    text = FORMATS[form or (ending if ending in FORMATS else "graphml")](graph)
    if to:
        there = os.path.lexists(to)
        write_atomically(to, text.encode())
        click.echo(printable(f"{to}{' (replaced)' if there else ''}"))
    else:
        click.echo(text.rstrip("\n"))


def part_of_family(run: Run, of: Sequence[str], depth: int | None, damage: list[Damage]) -> nx.DiGraph:
    """The whole family, or some concepts' ancestors and descendants as far as `depth` generations from them."""
    graph = family(run, damage)
    return relatives(graph, [run.entry(each).id for each in of], depth) if of else graph


def check_run(name: str, runs: Path, as_json: bool, out: Console) -> bool:
    """Say whether a run is whole, and what is lost if it is not; whether it is."""
    run = open_run(runs, name)
    found = check(run)
    if as_json:
        counts = {"concepts": found.concepts, "drawings": found.drawings, "notes": found.notes}
        counts |= {"photos": found.photos, "parts": found.parts}
        pending = {"schema": run.about["schema"], "pending_migrations": list(found.pending)}
        left = [job.name for job in unfinished(run)]
        findings = [vars(each) for each in found.findings]
        print_json({"run": name, "whole": found.whole, **counts, **pending, "findings": findings, "unfinished": left})
        return found.whole
    read = [counted(found.concepts, "concept"), counted(found.drawings, "drawing"), counted(found.notes, "note")]
    read += [counted(found.photos, "photograph")] if found.photos else []
    say(out, f"{run.folder}: {', '.join(read)} in {counted(found.parts, 'part')} can be read")
    say(out, f"Schema {run.about['schema']}, pending migrations: {', '.join(found.pending) or 'none'}")
    for each in found.findings:
        where = f"{each.where}: " if each.where else ""
        say(out, f"  {'lost' if each.lost else 'note'}  {where}{each.text}")
    if found.whole:
        say(out, "The run is whole.")
    else:
        say(out, "The run is not whole. What can be read stays so; put lost files back from a copy, if there is one.")
    tell_unfinished(run, out)
    return found.whole


def tell_unfinished(run: Run, out: Console) -> None:
    """Say what was asked of a run and is not learned yet: stopped, killed, or still at work."""
    left = unfinished(run)
    if left:
        names = ", ".join(job.name for job in left)
        call = to_type("resume", run.folder.name, runs=run.folder.parent)
        goes = "goes on with it" if len(left) == 1 else "goes on with them"
        say(out, f"Not finished: {names}. Unless a process is still at it, {call} {goes}.")


def unfinished(run: Run) -> list[Job]:
    """The jobs that are not finished; of one that cannot be read it is said so."""
    damage: list[Damage] = []
    left = [job for job in jobs(run, damage) if not job.finished]
    for each in damage:
        warn(each.reason)
    return left


def list_models(folders: Sequence[str], as_json: bool, out: Console) -> None:
    """The stacks that can be named, and those in the folders given: what each is and can do."""
    found = [described(where) for where in (*NAMED, *folders)]
    if as_json:
        return print_json(found)
    for each in found:
        say(out, each["name"])
        if "error" in each:
            say(out, f"  {'amiss':<10}{each['error']}")
            continue
        does = [word for word, can in (("learn", True), ("draw", each["draws"]), ("answer", each["answers"])) if can]
        there = [part for part, present in each["parts"].items() if present]
        missing = ", ".join(part for part, present in each["parts"].items() if not present)
        say(out, f"  {'version':<10}{each['version']}, fingerprint {each['fingerprint']}")
        say(out, f"  {'can':<10}{', '.join(does)}{'' if each['calibrated'] else '; not calibrated'}")
        say(out, f"  {'size':<10}{each['megabytes']} MB, vectors of {each['width']} numbers")
        say(out, f"  {'parts':<10}{', '.join(there)}{f'; without {missing}' if missing else ''}")


def described(where: str) -> dict[str, Any]:
    """A stack by what lies in its folders; nothing of it is loaded, and nothing downloaded."""
    try:
        backbone = Backbone.load(where, device="cpu", fetch=False)
        folder = folder_of(backbone)
        prior = folder / "prior" if (folder / "prior" / "model_index.json").is_file() else folder
        parts = {part: (prior / part).is_dir() for part in PRIOR_PARTS}
        parts |= {"decoder": backbone.decoder_folder is not None}
        parts |= {part: (folder / part).is_dir() for part in ("vqa", "judge")}
        files = {file for each in (folder, backbone.decoder_folder or folder) for file in each.rglob("*")}
        size = sum(file.stat().st_size for file in files if file.is_file())
        return {
            "name": where,
            "version": backbone.version,
            "fingerprint": backbone.fingerprint,
            "width": backbone.width,
            "parts": parts,
            "megabytes": round(size / MB, 1),
            "draws": can_draw(backbone),
            "answers": parts["vqa"] and can_draw(backbone),
            "calibrated": backbone.calibration is not None,
        }
    except (ConceptreeError, OSError) as error:
        return {"name": where, "error": (str(error) or type(error).__name__).splitlines()[0]}


def as_values(each: Entry, names: Mapping[str, str], fitness: Mapping[str, float | None]) -> dict[str, Any]:
    """A concept as JSON has it in `list` and `show`."""
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


def rounded(value: float | None) -> str:
    """`0.48`, or a dash for what nobody measured."""
    return "–" if value is None or not math.isfinite(value) else f"{value:.2f}"


def noted(each: Entry) -> str:
    """What a person has said of a concept, but for its name."""
    note = each.note
    said = [word for word in ("favourite", "hidden", "locked") if getattr(note, word)]
    said += [f"{note.rating} of 5"] if note.rating else []
    return ", ".join([*said, *([f'"{note.comment}"'] if note.comment else [])])


def warn_of(damage: Sequence[Damage], run: Run) -> None:
    """Say in one line that something of a run cannot be read."""
    if damage:
        places = {(each.part, each.row) for each in damage}
        what = counted(len(places), "part or row", "parts or rows")
        call = to_type("check", run.folder.name, runs=run.folder.parent)
        warn(f"{what} of the run {run.folder.name!r} cannot be read; {call} says what is lost")


def warn_of_missing(run: Run, entries: Sequence[Entry], of: Collection[str] | None = None) -> None:
    """Say in one line which ancestors, of all concepts or of some (ids), the run has lost; guests live elsewhere."""
    lost = lost_ancestors(entries, of).values()
    if told := told_missing([(parent.id, "") for parent in lost if not parent.run], run):
        warn(f"{told}; {to_type('check', run.folder.name, runs=run.folder.parent)} says what is lost")


def told_missing(missing: Sequence[tuple[str, str]], run: Run | None = None) -> str:
    """`2 ancestors are missing: Whisker (1f2e3d4c), 9a8b7c6d of the run 'others'`; '' for none.

    missing: (id, the run where it should be, "" for this one) each. run: whose notes know what people called them.
    """
    notes = run.notes() if run and missing else {}
    here = ("", run.folder.name) if run else ("",)
    told = []
    for id_, home in missing[:MOST_MISSING]:
        name = notes[id_].name if id_ in notes else None
        told.append(
            f"{f'{name} ({brief(id_)})' if name else brief(id_)}{'' if home in here else f' of the run {home!r}'}"
        )
    more = f" and {len(missing) - MOST_MISSING:,} more" if len(missing) > MOST_MISSING else ""
    many = counted(len(missing), "ancestor is missing", "ancestors are missing")
    return f"{many}: {', '.join(told)}{more}" if missing else ""


def warn(text: str) -> None:
    click.echo(f"conceptree: {printable(' '.join(text.split()))}", err=True)


def print_json(values: Any) -> None:
    # ASCII: a terminal obeys nothing of it.
    click.echo(json.dumps(_finite(values), indent=1, allow_nan=False))


def _finite(values: Any) -> Any:
    """The same with null for NaN and infinity, which JSON does not know."""
    if isinstance(values, Mapping):
        return {key: _finite(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [_finite(value) for value in values]
    return None if isinstance(values, float) and not math.isfinite(values) else values


def new_table(*heads: str) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False)
    for head in heads:
        table.add_column(head, overflow="fold")
    return table


def add_row(table: Table, *cells: str) -> None:
    table.add_row(*map(printable, cells))
