"""Learn founders and children of several categories, as `conceptree seed` and `breed` do, and measure them.

Writes core/emoji/inventions.json, which the card reads, and a sheet of each category's founders into docs/images/. All
founders that `seed` keeps are measured, and those of the first seed are shown; no person selects. Existing figures of
the same stack, calibration, answerer, judge and seeds stay, unless their category is named. `make inventions` runs
this; so does `make card`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from core.emoji.judge import FOLDER, Judge
from core.files import write_atomically
from core.stack.backbone import Backbone
from evolve import Individual, Portraits, Run, likeness
from evolve.jobs.choices import chosen_settings
from evolve.jobs.options import IMAGES, KEEP, SeedOptions
from evolve.jobs.planning import plan_founders
from evolve.jobs.stored import new_job
from training.exam import true_hybrids
from training.figures import as_images, crispness
from training.inventions import CATEGORIES, PAIRS, SHOWN, judged
from training.pictures import BARE, PictureSource
from training.render import Drawings, render
from training.train import cache_folder
from ui.console import new_console, say
from ui.demo import breed
from ui.learning import carry_out
from ui.pictures import PROMPTS, portrait_in
from ui.sheet import Card, opened, sheet
from ui.stack import open_stack
from ui.webp import webp_bytes

ROOT = Path(__file__).parent.parent
FIGURES, SHEETS = ROOT / "core" / "emoji" / "inventions.json", ROOT / "docs" / "images"
FOUNDERS, SEEDS = 6, "0,1,2"
TILE, COLUMNS = 256, 3  # of a sheet
TRUE = 200  # drawings of the category's members that portraits are compared with, at most
HYBRIDS = 48  # true hybrids of two members
OF_HYBRIDS = ("category", "broad", "known")  # their figures that the card has


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.inventions", description=__doc__)
    parser.add_argument("--model", default="emoji", help="a stack with the layout of the embedded one (emoji)")
    parser.add_argument("--judge", type=Path, help="the folder of a judge (the stack's own)")
    parser.add_argument("--categories", help=f"separated by commas (of {','.join(SHOWN)}, the ones without figures)")
    parser.add_argument("--founders", type=int, default=FOUNDERS, help=f"founders of each category ({FOUNDERS})")
    parser.add_argument("--of", type=int, help="founders learned, for a trial (the stack's surplus)")
    parser.add_argument("--steps", type=int, help="of each concept, for a trial (the stack's own number)")
    parser.add_argument("--seeds", default=SEEDS, help=f"of the populations of each category ({SEEDS})")
    parser.add_argument("--figures", type=Path, default=FIGURES, help="file for the figures (core/emoji)")
    parser.add_argument("--sheets", type=Path, default=SHEETS, help="folder for the sheets (docs/images)")
    given = parser.parse_args()
    categories = given.categories.split(",") if given.categories else SHOWN
    if unknown := [category for category in categories if category not in SHOWN]:
        parser.error(f"unknown category {unknown[0]!r}: choose from {', '.join(SHOWN)}")
    try:
        seeds = [int(each) for each in given.seeds.split(",")]
    except ValueError:
        parser.error(f"--seeds {given.seeds!r}: give numbers separated by commas, such as {SEEDS}")
    if len(set(seeds)) < len(seeds):
        parser.error(f"--seeds {given.seeds!r}: a seed is given twice, and would count twice")
    out, backbone = new_console(), open_stack(given.model)
    own = backbone.beside / "judge"
    judge = Judge.load(given.judge or (own if own.is_dir() else FOLDER))
    drawings = render(cache_folder())
    about = {
        "version": backbone.version,
        "stack": [backbone.fingerprint, backbone.drawing_fingerprint],
        "learns": digest(backbone.beside / name for name in ("calibration.json", "vqa/model.safetensors")),
        "judge": judge.version,
        "seeds": seeds,
        "steps": given.steps,
        "count": given.founders,
        "of": given.of,
        "aimed": list(CATEGORIES),
    }
    measured = kept(given.figures, about)
    given.sheets.mkdir(parents=True, exist_ok=True)
    for category in categories:
        file = given.sheets / f"inventions-{category.replace(' ', '-')}.webp"
        if not given.categories and category in measured["categories"] and file.is_file():
            continue
        members = PictureSource(drawings, rows_of(drawings, judge.categories[category]), backbone.drawing["size"])
        true = true_pictures(members)
        (first, shown), *others = [invent(backbone, judge, category, true, seed, given, out) for seed in seeds]
        joined = true_hybrids(members, HYBRIDS, lambda one, other: one != other).images
        populations = [first, *(figures for figures, _ in others)]
        rows = [{name: row[name] for name in OF_HYBRIDS} for row in judged(judge, joined, category)]
        measured["categories"][category] = {"populations": populations, "true_hybrids": rows}
        # After each category, so that an error in the next one loses nothing.
        write_atomically(given.figures, (json.dumps(measured) + "\n").encode())
        cards = [Card(name, (), [picture]) for name, picture in shown]
        page = sheet(f"{category} · {backbone.version} · seed {seeds[0]}", (), cards, TILE, COLUMNS)
        write_atomically(file, webp_bytes(page))
        say(out, f"{category}: {file}")
    say(out, f"figures: {given.figures}")


def digest(files: Iterable[Path]) -> str:
    """Twelve hex digits of the files' content: what founders depend on besides the stack's fingerprints."""
    content = b"".join(file.read_bytes() if file.is_file() else b"" for file in files)
    return hashlib.sha256(content).hexdigest()[:12]


def kept(file: Path, about: dict[str, Any]) -> dict[str, Any]:
    """The figures in a file if they are of the same stack, calibration, answerer, judge and seeds; else no figures."""
    stored = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    same = {name: stored.get(name) for name in about} == about
    return {**about, "categories": stored["categories"] if same else {}}


def rows_of(drawings: Drawings, things: list[str]) -> Any:
    """The rows of all drawings of some things."""
    return np.flatnonzero([drawings.things[thing].name in things for thing in drawings.thing])


def true_pictures(members: PictureSource) -> list[Any]:
    """Drawings of a category's members in all sets, at most `TRUE`, evenly chosen."""
    count = len(members.indices)
    places = np.unique(np.linspace(0, count - 1, min(TRUE, count)).round().astype(int))
    return as_images(members.vary(members.indices[places], torch.Generator().manual_seed(0), BARE).pixels)


def invent(
    backbone: Backbone, judge: Judge, category: str, true: list[Any], seed: int, given: argparse.Namespace, out: Console
) -> tuple[dict[str, Any], list[tuple[str, Any]]]:
    """A population's figures, and its founders' (name, portrait). The run is stored in .cache/inventions."""
    folder = ROOT / ".cache" / "inventions" / backbone.version / f"{category.replace(' ', '-')}-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    run = Run.create(folder, category, backbone)
    options = SeedOptions(category=category, count=given.founders, of=given.of, seed=seed, steps=given.steps)
    plan = plan_founders(backbone, options)
    founders = carry_out(new_job(run, plan), run, backbone, out)
    portraits = portraits_of(run, founders)
    rows = judged(judge, portraits, category)
    figures = {
        "seed": seed,
        "similarity": likeness([each.concept for each in founders]),
        "crispness": crispness(portraits, true),
        "founders": [about(each) | row for each, row in zip(founders, rows, strict=True)],
        "children": [],
    }
    pairs = [pair for pair in PAIRS if max(pair) < len(founders)]
    if category in CATEGORIES and pairs:
        settings = chosen_settings(backbone, category=category, mixing=True, steps=given.steps)
        # As `conceptree breed` without options, but with the children of all pairs in one batch.
        looks = Portraits(IMAGES.default, KEEP)
        how = {"portraits": looks, "settings": settings, "category": category, "inherit": True}
        families = [[(founders[i], 0.5), (founders[j], 0.5)] for i, j in pairs]
        children = breed(run, backbone, families, seed, how, out)
        portraits_of_children = portraits_of(run, children)
        figures["children_crispness"] = crispness(portraits_of_children, true)
        rows = judged(judge, portraits_of_children, category)
        parents = [[one.name for one, _ in family] for family in families]
        figures["children"] = [
            about(each) | {"parents": names} | row for each, names, row in zip(children, parents, rows, strict=True)
        ]
    return figures, [(each.name, picture) for each, picture in zip(founders, portraits, strict=True)]


def portraits_of(run: Run, individuals: list[Individual]) -> list[Any]:
    """The portrait of each concept, as the product shows it."""
    found = [portrait_in(run.drawings(each.id), PROMPTS["object"][0]) for each in individuals]
    return [opened(drawing.file) for drawing in found if drawing is not None]


def about(each: Individual) -> dict[str, Any]:
    return {"name": each.name, "seed": each.concept.request.seed}


if __name__ == "__main__":
    main()
