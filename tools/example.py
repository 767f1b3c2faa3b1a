"""Make runs/example again: six founders, four children, two grandchildren. Part of `make regenerate`.

Founders that `seed` hides are left out.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from PIL import Image

from evolve import Portraits, Run
from evolve.jobs.choices import chosen_settings
from evolve.jobs.options import SeedOptions
from evolve.jobs.planning import plan_founders
from evolve.jobs.stored import new_job
from ui.console import new_console
from ui.demo import breed
from ui.family import draw_tree
from ui.learning import carry_out, show_founders
from ui.pictures import usual_in
from ui.sheet import opened
from ui.stack import open_stack
from ui.webp import webp_bytes

ROOT = Path(__file__).parent.parent
CATEGORY, FOUNDERS, SEED = "pet", 6, 0
# With colours, one sees which parent a child takes after.
TRAITS = "blue,green,pink,purple,red,yellow,striped,spotted"
CHILDREN = (((0, 0.5), (1, 0.5)), ((2, 0.7), (3, 0.3)), ((4, 0.6), (5, 0.4)), ((0, 0.4), (3, 0.6)))
GRANDCHILDREN = (((6, 0.5), (7, 0.5)), ((8, 0.7), (1, 0.3)))


def main() -> None:
    """Learn the new run in .cache, then replace the old one."""
    out, backbone = new_console(), open_stack("emoji")
    fresh = ROOT / ".cache" / "example"
    shutil.rmtree(fresh, ignore_errors=True)
    run = Run.create(fresh / "learned", CATEGORY, backbone)
    plan = plan_founders(backbone, SeedOptions(category=CATEGORY, count=FOUNDERS, seed=SEED, traits=TRAITS))
    family = carry_out(new_job(run, plan), run, backbone, out)
    mixing = chosen_settings(backbone, category=CATEGORY, mixing=True)
    how = {"settings": mixing, "portraits": Portraits(), "category": CATEGORY, "inherit": True}
    for number, generation in enumerate((CHILDREN, GRANDCHILDREN)):
        parents = [[(family[place], weight) for place, weight in each] for each in generation]
        family += breed(run, backbone, parents, SEED + number, how, out)
    show_founders(run, backbone, out)
    run = visible_in(run, Run.create(fresh / "example", CATEGORY, backbone))
    draw_tree("example", (), None, None, fresh, out)
    with Image.open(run.folder / "tree.png") as tree:
        (ROOT / "docs" / "images" / "tree.webp").write_bytes(webp_bytes(tree))
    shutil.rmtree(ROOT / "runs" / "example", ignore_errors=True)
    # Pages are larger than everything in them, and quick to draw again.
    pages = shutil.ignore_patterns("sheet.png", "tree.*", ".lock*", ".index")
    shutil.copytree(run.folder, ROOT / "runs" / "example", ignore=pages)


def visible_in(run: Run, example: Run) -> Run:
    """The run `example` with the visible concepts of a run and their drawings, a part for each generation."""
    shown = [each for each in run.entries() if not each.note.hidden]
    for generation in sorted({each.generation for each in shown}):
        ids = [each.id for each in shown if each.generation == generation]
        example.add([run.find(id_).concept for id_ in ids])
        drawings = [drawing for id_ in ids for drawing in usual_in(run.drawings(id_), "object")]
        example.add_drawings((each.concept, each.prompt, each.seed, opened(each.file)) for each in drawings)
    return example


if __name__ == "__main__":
    main()
