"""How near a preview of the mixing pad is to the child that is then learned: `python -m benchmarks.previews`.

One child each of six mixtures of concepts of the example run, learned in a copy of it as by `conceptree breed`. Printed
are the similarities of the child's imagined embedding to the preview's, and to the mean of the parents alone.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import torch

from core.constraints import normalise
from core.prompts import PORTRAIT
from evolve import Run
from evolve.jobs.choices import chosen_settings
from evolve.jobs.options import BreedOptions
from evolve.jobs.planning import WORD_LAMBDA, plan_children
from evolve.jobs.stored import new_job
from evolve.mixtures import direction_of, mixture
from ui.console import new_console
from ui.learning import carry_out
from ui.stack import open_stack

EXAMPLE = Path(__file__).parent.parent / "runs" / "example"
SEEDS = tuple(range(1, 9))
# Places of the parents in the run with their weights, below 0 to move away; and a word.
MIXES: tuple[tuple[tuple[tuple[int, float], ...], str], ...] = (
    (((0, 0.5), (2, 0.3), (5, 0.2)), ""),
    (((0, 0.5), (3, 0.5)), "blue"),
    (((0, 0.5), (5, 0.5)), "striped"),
    (((4, 0.6), (2, 0.4)), "bird"),
    (((0, 1.0), (3, -0.5)), ""),
    (((0, 0.6), (6, 0.4), (3, -1.0)), ""),
)


def main() -> None:
    out, stack = new_console(), open_stack("emoji")
    with tempfile.TemporaryDirectory() as folder:
        run = Run.open(shutil.copytree(EXAMPLE, Path(folder) / "example"))
        concepts = run.individuals()
        category = run.about["category"]
        lines = []
        for mix, word in MIXES:
            named = [(concepts[place], weight) for place, weight in mix]
            options = BreedOptions(
                parents=[(each.name, weight) for each, weight in named], words=[word] if word else [], seed=0
            )
            (child,) = carry_out(new_job(run, plan_children(run, stack, options)), run, stack, out)
            near = [(each.concept.image_embed, weight) for each, weight in named if weight > 0]
            away = [(each.concept.image_embed, -weight) for each, weight in named if weight < 0]
            floor = chosen_settings(stack, mixing=True, category="" if word else category).avoid_floor
            push = None
            if word:
                prompts = [PORTRAIT.format(text) for text in (f"{word} {category}", category)]
                seen = stack.imagine([each for each in prompts for _ in SEEDS], seeds=[*SEEDS, *SEEDS]).cpu().numpy()
                push = WORD_LAMBDA * direction_of(seen[: len(SEEDS)], seen[len(SEEDS) :])
            shares = [weight for _, weight in near]
            parents = [embed for embed, _ in near]
            preview = mixture(parents, shares, away=away, floor=floor, push=push)
            own = torch.from_numpy(child.concept.image_embed.copy())
            found = [
                float(normalise(own) @ normalise(torch.from_numpy(each)))
                for each in (preview, mixture(parents, shares))
            ]
            told = ", ".join(f"{weight:g} {each.name}" for each, weight in named) + (f', "{word}"' if word else "")
            lines.append(f"| {told} | {found[0]:.2f} | {found[1]:.2f} |")
    print("| parents | preview | mean of the parents alone |", "|---|---|---|", *lines, sep="\n")


if __name__ == "__main__":
    main()
