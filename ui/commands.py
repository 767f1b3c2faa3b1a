"""The commands that learn and draw, as they are typed. What they do is imported when they run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

PRESETS = click.Choice(["default", "paper", "published"])
SEEDS = click.IntRange(0, 10**9)
STEPS = click.IntRange(1, 10**6)

runs_option = click.option(
    "--runs",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs"),
    show_default=True,
    help="The folder in which runs are kept.",
)
model_option = click.option("--model", default="emoji", show_default=True, help="The stack: emoji, or a folder.")
model_now_option = click.option("--model", help="Where the run's stack is now, if it was moved.")
steps_option = click.option("--steps", type=STEPS, help="Steps for each concept; by default what the stack needs.")
preset_option = click.option(
    "--preset", type=PRESETS, default="default", show_default=True, help="Whose version of the losses."
)


@click.command()
@click.argument("category")
@click.option("--founders", "count", type=click.IntRange(1, 1000), default=6, show_default=True, help="How many.")
@click.option(
    "--wave",
    type=click.IntRange(1, 1000),
    default=2,
    show_default=True,
    help="How many learn side by side; later waves keep away from earlier ones.",
)
@click.option("--run", "name", help="The new run's name; by default the category, with a number if it is taken.")
@runs_option
@model_option
@click.option(
    "--negatives",
    default="adaptive",
    show_default=True,
    help="adaptive, none, gradual, or words with commas between: cat,dog.",
)
@click.option("--style", is_flag=True, help="The category is one of styles, such as painting, not of objects.")
@steps_option
@click.option("--segment", type=STEPS, help="Steps between two looks at a concept, when new negatives are found.")
@click.option("--seed", type=SEEDS, default=0, show_default=True, help="Another seed gives other founders.")
@preset_option
@click.option("--lambda", "lam", type=float, help="Weight of belonging against differing (λ of Eq. 3).")
def seed(style: bool, **given: Any) -> None:
    """Invent members of CATEGORY that do not exist: "pet", "musical instrument", "fruit".

    They are stored as a new run, drawn, and shown on one sheet.
    """
    from ui.console import new_console
    from ui.seed import seed

    seed(kind="style" if style else "object", out=new_console(), **given)


@click.command()
@click.argument("name", metavar="RUN")
@click.option(
    "--parent", "parents", multiple=True, required=True, metavar="NAME:WEIGHT", help="A parent; give one or more."
)
@click.option("--children", type=click.IntRange(1, 100), default=1, show_default=True, help="How many.")
@click.option(
    "--images",
    type=click.IntRange(4, 1000),
    default=32,
    show_default=True,
    help="Pictures drawn of each parent, of which the four truest are kept.",
)
@click.option("--seed", type=SEEDS, help="By default another one each time.")
@runs_option
@model_now_option
@preset_option
@steps_option
def breed(**given: Any) -> None:
    """Breed children of RUN's concepts, which resemble each parent by its weight."""
    from ui.breed import breed
    from ui.console import new_console

    breed(out=new_console(), **given)


@click.command()
@click.argument("name", metavar="RUN")
@click.argument("concept", metavar="NAME")
@click.option(
    "--prompt",
    "prompts",
    multiple=True,
    default=("a photo of a {}",),
    show_default=True,
    help="What to draw, with {} where the concept stands; can be given several times.",
)
@click.option("--count", type=click.IntRange(1, 100), default=1, show_default=True, help="Pictures of each prompt.")
@click.option("--seed", type=SEEDS, default=1, show_default=True, help="The first picture's seed.")
@runs_option
@model_now_option
def draw(**given: Any) -> None:
    """Draw a concept of RUN in any prompt; the pictures are kept in the run."""
    from ui.breed import draw
    from ui.console import new_console

    draw(out=new_console(), **given)


@click.command()
@click.option(
    "--out",
    "runs",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs"),
    show_default=True,
    help="The folder in which the demo's run is made.",
)
@model_option
@steps_option
@click.option("--seed", type=SEEDS, default=0, show_default=True, help="Another seed gives other pets.")
def demo(**given: Any) -> None:
    """Six pets that do not exist and two children of them, with a sheet and what a judge says of it."""
    from ui.console import new_console
    from ui.demo import demo

    demo(out=new_console(), **given)


COMMANDS = (seed, breed, draw, demo)
