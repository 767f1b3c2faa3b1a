"""The commands that learn and draw, as they are typed. What they do is imported when they run."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from ui.options import (
    SEEDS,
    STEPS,
    candidates_option,
    model_now_option,
    model_option,
    preset_option,
    runs_option,
    steps_option,
    word_option,
    workers_options,
)


@click.command()
@click.argument("category")
@click.option("--founders", "count", type=click.IntRange(1, 1000), default=6, show_default=True, help="How many.")
@click.option(
    "--wave",
    type=click.IntRange(1, 1000),
    help="How many learn side by side. Later waves keep away from earlier ones, which is slower. By default all at once"
    " where founders start between two members of the category, or else one by one.",
)
@click.option("--run", "name", help="The new run's name; by default the category, with a number if it is taken.")
@runs_option
@model_option
@click.option(
    "--negatives",
    default="adaptive",
    show_default=True,
    help="What they shall not be. adaptive: whatever their drawings are taken for, found on the way; gradual: the"
    " members that the stack knows, one more at each look; none; or words with commas between, all from the start:"
    " cat,dog.",
)
@click.option(
    "--vlm",
    metavar="MODEL",
    help="Who is asked what a drawing shows: a folder, ORG/NAME, or none, for the stack's vocabulary; by default the"
    " stack's own, or BLIP-2 with Kandinsky.",
)
@click.option("--question", help='What it is asked, instead of "What kind of {} is in this photo?".')
@click.option("--style", is_flag=True, help="The category is one of styles, such as painting, not of objects.")
@steps_option
@click.option("--segment", type=STEPS, help="Steps between two looks at a concept, when new negatives are found.")
@click.option("--seed", type=SEEDS, default=0, show_default=True, help="Another seed gives other founders.")
@preset_option
@click.option("--lambda", "lam", type=float, help="Weight of belonging against differing (λ of Eq. 3).")
@click.option("--ask", is_flag=True, help="Ask about each new negative: agree, choose other words, drop, go back.")
@candidates_option
@workers_options
def seed(style: bool, **given: Any) -> None:
    """Invent members of CATEGORY that do not exist: "pet", "musical instrument", "fruit".

    They are stored as a new run, drawn, and shown on one sheet.

    \b
    Example:
      conceptree seed pet --founders 6 --run pets
      conceptree seed pet --negatives cat,dog
    """
    from ui.console import new_console
    from ui.seed import seed

    seed(kind="style" if style else "object", out=new_console(), **given)


@click.command()
@click.argument("name", metavar="RUN")
@click.option(
    "--parent",
    "parents",
    multiple=True,
    metavar="NAME:WEIGHT",
    help="A parent; give one or more. OTHERRUN/NAME:WEIGHT takes one of another run.",
)
@click.option("--photo", "photos", multiple=True, metavar="FILE:WEIGHT", help="A photograph as one more parent.")
@click.option("--cutout", is_flag=True, help="Photographs without their background, if that is plain.")
@click.option("--category", help="What the children are; by default what the heaviest parent is.")
@click.option("--children", type=click.IntRange(1, 100), default=1, show_default=True, help="How many.")
@click.option(
    "--images",
    type=click.IntRange(4, 1000),
    default=8,
    show_default=True,
    help="Pictures drawn of each parent the first time, of which the four truest are kept.",
)
@word_option
@click.option(
    "--inherit/--no-inherit",
    default=None,
    help="They shall also be of their category, and none of what the parents shall not be; by default yes, but with"
    " --word or the paper's presets no.",
)
@click.option(
    "--spread",
    type=click.FloatRange(0, 0.9),
    default=0.25,
    show_default=True,
    help="How far further children differ, by their weights and by the pictures that they see; 0: by chance alone.",
)
@click.option("--seed", type=SEEDS, help="By default another one each time.")
@runs_option
@model_now_option
@preset_option
@steps_option
@candidates_option
@workers_options
def breed(**given: Any) -> None:
    """Breed children of RUN's concepts, which resemble each parent by its weight.

    \b
    Example:
      conceptree breed pets --parent moku:0.7 --parent vasi:0.3 --children 2
      conceptree breed pets --parent moku:0.6 --photo snail.jpg:0.4
      conceptree breed pets --parent moku --parent vasi --word blue
    """
    from ui.breed import breed
    from ui.console import new_console

    breed(out=new_console(), **given)


@click.command()
@click.argument("name", metavar="RUN")
@click.argument("concept", metavar="NAME")
@click.option("--children", type=click.IntRange(1, 100), default=3, show_default=True, help="How many.")
@click.option(
    "--strength",
    type=click.FloatRange(0.1, 1),
    default=0.5,
    show_default=True,
    help="How far they may go from it.",
)
@word_option
@click.option("--seed", type=SEEDS, help="By default another one each time.")
@runs_option
@model_now_option
@candidates_option
@workers_options
def vary(**given: Any) -> None:
    """Learn variations of a concept of RUN: they begin where it is, and go away from it.

    \b
    Example:
      conceptree vary pets moku --children 3
      conceptree vary pets moku --strength 0.3 --word blue
    """
    from ui.breed import vary
    from ui.console import new_console

    vary(out=new_console(), **given)


@click.command()
@click.argument("name", metavar="RUN")
@click.option("--generations", type=click.IntRange(1, 10_000), default=5, show_default=True, help="How many.")
@click.option(
    "--population", type=click.IntRange(2, 10_000), default=12, show_default=True, help="How many stay after each."
)
@click.option("--children", type=click.IntRange(1, 1000), help="Of each generation; by default as many as stay.")
@click.option(
    "--select",
    type=click.Choice(["nsga2", "tournament", "novelty", "random", "user"]),
    default="tournament",
    show_default=True,
    help="Who has children and who stays. tournament: by the mean rank over all objectives; nsga2: whoever is better in"
    " one respect and not worse in others; novelty: what is unlike all others; user: you choose after each generation.",
)
@click.option("--parents", type=click.IntRange(2, 16), default=2, show_default=True, help="Of each child.")
@click.option("--weights", metavar="W,W", help="The parents' weights, as in 0.7,0.3; by default drawn for each child.")
@click.option(
    "--mutation",
    type=click.FloatRange(0, 1),
    default=0.2,
    show_default=True,
    help="How likely a child is a variation of one parent instead.",
)
@click.option(
    "--strength", type=click.FloatRange(0.1, 1), default=0.5, show_default=True, help="How far variations may go."
)
@click.option("--word", "words", multiple=True, metavar="WORD", help="What some variations shall be besides.")
@click.option(
    "--inherit/--no-inherit",
    default=True,
    show_default=True,
    help="Children shall also be of their category, and none of what their parents shall not be.",
)
@click.option(
    "--parent", "chosen", multiple=True, metavar="NAME", help="With --select user: a parent of the first generation."
)
@click.option("--seed", type=SEEDS, help="By default another one each time.")
@steps_option
@runs_option
@model_now_option
@candidates_option
@workers_options
def evolve(children: int | None, population: int, **given: Any) -> None:
    """Evolve RUN: in each generation the fittest have children, and the fittest of all stay.

    Fitness has several objectives: belonging to the category, differing from its known members, novelty in the run,
    looking alike in different prompts, and your ratings, if you gave any. Favourites and locked concepts always stay,
    hidden ones are retired. It goes on with `resume` after a stop.

    \b
    Example:
      conceptree evolve pets --generations 3
      conceptree evolve pets --select user --parent moku --parent vasi
    """
    from ui.console import new_console
    from ui.evolve import evolve

    evolve(out=new_console(), population=population, children=children or population, **given)


@click.command()
@click.argument("name", metavar="RUN")
@click.argument("concepts", metavar="NAME...", nargs=-1, required=True)
@runs_option
@model_now_option
@candidates_option
@workers_options
def choose(**given: Any) -> None:
    """Choose the parents of the next generation of RUN, where `evolve --select user` waits for that, and learn it.

    \b
    Example: conceptree choose pets moku vasi
    """
    from ui.console import new_console
    from ui.evolve import choose

    choose(out=new_console(), **given)


@click.command()
@click.argument("name", metavar="RUN")
@click.argument("concepts", metavar="NAME...", nargs=-1, required=True)
@click.option("--favourite/--no-favourite", default=None, help="It always stays in an evolution.")
@click.option("--lock/--unlock", "locked", default=None, help="The same, without being a favourite.")
@click.option("--retire/--no-retire", "hidden", default=None, help="Leave it out of lists, and of who has children.")
@click.option("--rate", "rating", type=click.IntRange(0, 5), help="1 to 5; 0 takes it back.")
@click.option("--comment", help="Any text.")
@runs_option
def mark(**given: Any) -> None:
    """Say something of concepts of RUN: favourite, rating, locked, retired. The workbench can take it back.

    \b
    Example:
      conceptree mark pets moku vasi --favourite
      conceptree mark pets moku --rate 5 --comment "the one with the tail"
    """
    from ui.console import new_console
    from ui.notes import mark

    mark(out=new_console(), **given)


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
    """Draw a concept of RUN in any prompt; the pictures are kept in the run.

    \b
    Example: conceptree draw pets moku --prompt "a pencil sketch of a {}"
    """
    from ui.breed import draw
    from ui.console import new_console

    draw(out=new_console(), **given)


@click.command()
@click.argument("name", metavar="RUN")
@click.option("--job", metavar="JOB", help="Only this one, such as 0003-breed.")
@runs_option
@model_now_option
@candidates_option
@workers_options
def resume(**given: Any) -> None:
    """Go on with what was stopped or killed in RUN, to the very result it would have had.

    \b
    Example:
      conceptree resume pets
      conceptree resume pets --job 0003-breed
    """
    since = time.time()  # before what takes seconds to load
    from ui.console import new_console
    from ui.resume import resume

    resume(out=new_console(), since=since, **given)


@click.command()
@click.argument("name", metavar="RUN")
@click.option("--job", metavar="JOB", help="Only this one, such as 0003-breed.")
@runs_option
def stop(**given: Any) -> None:
    """Stop what is being learned in RUN, whoever began it; resume goes on with it.

    \b
    Example: conceptree stop pets
    """
    from ui.console import new_console
    from ui.resume import stop

    stop(out=new_console(), **given)


@click.command()
@click.option(
    "--out",
    "runs",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs"),
    show_default=True,
    help="The folder in which the demo's run is made.",
)
@candidates_option
@model_option
@steps_option
@click.option("--seed", type=SEEDS, default=0, show_default=True, help="Another seed gives other pets.")
def demo(**given: Any) -> None:
    """Six pets that do not exist, two children and a grandchild, their sheet and tree, and what a judge says.

    \b
    Example: conceptree demo --out runs
    """
    from ui.console import new_console
    from ui.demo import demo

    demo(out=new_console(), **given)


COMMANDS = (seed, breed, vary, evolve, choose, mark, draw, resume, stop, demo)
