"""Commands that learn concepts: seed, breed, evolve, map; and resume and stop for their jobs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from evolve.jobs.options import (
    BATCH,
    BROOD,
    CHILDREN,
    FIRST,
    FOUNDERS,
    GENERATIONS,
    IMAGES,
    MUTATION,
    OF,
    PARENTS,
    POPULATION,
    SEED,
    SEGMENT,
    SPREAD,
    STEPS,
    STRENGTH,
    TRAITS,
    WAVE,
    SeedOptions,
)
from ui.options import (
    candidates_option,
    model_now_option,
    model_option,
    model_then_option,
    option,
    positive_option,
    preset_option,
    ranged,
    runs_option,
    steps_option,
    workers_options,
)

NOT_OF_MUTATIONS = ("takes", "photos", "cutout", "category", "images", "inherit", "spread", "preset", "steps")
MUTANTS = 3  # variations, by default

seed_option = ranged("--seed", SEED, default=None, help="Random seed; by default another one each time.")


@click.command(short_help="Invent new members of a category.")
@click.argument("category")
@ranged("--founders", FOUNDERS, "count")
@ranged("--of", OF, "of")
@ranged("--wave", WAVE)
@option("--run", "name", help="Name of the new run; by default the category, with a number if it is taken.")
@runs_option
@model_option
@option(
    "--negatives",
    default="adaptive",
    show_default=True,
    help="Concepts to move away from. adaptive: found while learning, from drawings; gradual: one more known member of"
    " the category after each segment; none; or words such as cat,dog, all from the start.",
)
@option("--traits", default="", help=TRAITS)
@option(
    "--vlm",
    metavar="MODEL",
    help="Model that proposes negatives: a folder, ORG/NAME, or none for the stack's vocabulary. By default the stack's"
    " own, or BLIP-2 with Kandinsky.",
)
@option("--question", help='Question for that model; by default "What kind of {} is in this photo?".')
@option(
    "--templates",
    metavar="FILE",
    help="Text file of prompts to learn in, one a line with {} for the concept, such as those of the authors' code. By"
    " default our own list.",
)
@option("--style", is_flag=True, help="CATEGORY is a kind of style, such as painting; by default a kind of object.")
@steps_option
@ranged("--segment", SEGMENT)
@ranged("--seed", SEED)
@preset_option
@option("--lambda", "lam", type=float, help="Weight λ of the positives (Eq. 3); by default the stack's.")
@option("--ask", is_flag=True, help="Ask about each new negative: accept it, choose other words, drop it, go back.")
@candidates_option
@workers_options
def seed(name: str | None, runs: Path, model: str, style: bool, ask: bool, templates: str | None, **given: Any) -> None:
    """Invent new members of CATEGORY, such as "pet", "musical instrument" or "fruit".

    They are stored as a new run, drawn, and shown on one sheet.

    \b
    Example:
      conceptree seed pet --founders 6 --run pets
      conceptree seed pet --negatives cat,dog
      conceptree seed pet --founders 4 --of 24
    """
    from core.prompts import read_templates
    from ui.console import new_console
    from ui.learning import seed

    given["templates"] = () if templates is None else read_templates(templates)
    options = SeedOptions(kind="style" if style else "object", ask="terminal" if ask else "", **given)
    seed(options, name, runs, model, new_console())


@click.command(short_help="Breed children of concepts, or variations of one.")
@click.argument("name", metavar="RUN")
@option(
    "--parent",
    "parents",
    multiple=True,
    metavar="NAME:WEIGHT",
    help="A parent; can be given several times. OTHERRUN/NAME:WEIGHT is a parent from another run. Children move away"
    " from a parent with a WEIGHT below 0.",
)
@option(
    "--take",
    "takes",
    multiple=True,
    metavar="ASPECT=NAME",
    help="Take one aspect of another concept: colour, pattern, shape, part, look, background, or words such as striped;"
    " can be given several times. By default none.",
)
@option("--photo", "photos", multiple=True, metavar="FILE:WEIGHT", help="A photograph as a parent. By default none.")
@option(
    "--remove-background",
    "cutout",
    old=["--cutout"],
    is_flag=True,
    help="Remove the background of photographs, which must be plain or transparent.",
)
@option("--mutate", is_flag=True, help="Learn variations of one parent: they start at its vectors and move away.")
@ranged(
    "--strength",
    STRENGTH,
    default=None,
    help=f"With --mutate: how far variations may move; by default {STRENGTH.default}.",
)
@option("--category", help="Category of the children; by default that of the parent with the largest weight.")
@ranged(
    "--children",
    CHILDREN,
    default=None,
    help=f"Number of children; by default {CHILDREN.default}, and {MUTANTS} with --mutate.",
)
@ranged("--images", IMAGES)
@positive_option
@option(
    "--inherit/--no-inherit",
    default=None,
    help="Keep children in their category and away from their parents' negatives. By default yes, but no with"
    " --positive or the paper's presets.",
)
@ranged("--spread", SPREAD)
@seed_option
@runs_option
@model_now_option
@preset_option
@steps_option
@candidates_option
@workers_options
@click.pass_context
def breed(context: click.Context, mutate: bool, strength: float | None, children: int | None, **given: Any) -> None:
    """Breed children of RUN's concepts, which resemble their parents by weight; or variations of one parent.

    \b
    Example:
      conceptree breed pets --parent moku:0.7 --parent vasi:0.3 --children 2
      conceptree breed pets --parent moku:0.6 --photo snail.jpg:0.4
      conceptree breed pets --parent moku --parent vasi --positive blue
      conceptree breed pets --parent moku --parent vasi:-0.5
      conceptree breed pets --parent moku --take colour=vasi
      conceptree breed pets --parent moku --mutate --strength 0.3
    """
    from ui.console import new_console

    if mutate:
        from ui.learning import vary

        concept = _one_parent(context, given)
        given = {key: value for key, value in given.items() if key not in ("parents", *NOT_OF_MUTATIONS)}
        strength = STRENGTH.default if strength is None else strength
        return vary(concept=concept, strength=strength, children=children or MUTANTS, out=new_console(), **given)
    if strength is not None:
        raise click.UsageError("--strength needs --mutate", context)
    from ui.learning import breed

    breed(children=children or CHILDREN.default, out=new_console(), **given)


def _one_parent(context: click.Context, given: dict[str, Any]) -> str:
    """The parent of variations. Raises UsageError for several, and for options that variations do not have."""
    for parameter in context.command.params:
        if parameter.name in NOT_OF_MUTATIONS and context.get_parameter_source(parameter.name) not in (
            ParameterSource.DEFAULT,
            None,
        ):
            raise click.UsageError(f"{parameter.opts[0]} and --mutate exclude each other", context)
    if len(given["parents"]) != 1:
        raise click.UsageError(f"--mutate needs one --parent, and {len(given['parents'])} are given", context)
    parent: str = given["parents"][0]
    return parent


@click.command(short_help="Evolve a run over generations.")
@click.argument("name", metavar="RUN")
@ranged("--generations", GENERATIONS)
@ranged("--population", POPULATION)
@ranged("--children", BROOD, default=None)
@option(
    "--select",
    type=click.Choice(["nsga2", "tournament", "novelty", "random", "user", "taste"]),
    default="tournament",
    show_default=True,
    help="Selection of parents and survivors. tournament: mean rank over all objectives; nsga2: Pareto front; novelty:"
    " distance to other concepts; user: you choose after each generation; taste: you say which of six concepts you like"
    " before each generation.",
)
@option(
    "--objective",
    "objectives",
    multiple=True,
    metavar="NAME",
    help="Objective of fitness: belongs, differs, novel, consistent, or taste, the rating that you would give; can be"
    " given several times. By default all, and taste once three concepts are judged.",
)
@ranged("--parents", PARENTS)
@option("--weights", metavar="W,W", help="Weights of the parents, such as 0.7,0.3; by default random for each child.")
@ranged("--mutation-rate", MUTATION, "mutation", old=["--mutation"])
@ranged("--strength", STRENGTH)
@ranged("--spread", SPREAD)
@option(
    "--positive",
    "words",
    old=["--word"],
    multiple=True,
    metavar="WORD",
    help="Extra positive word for some variations; can be given several times. By default none.",
)
@option(
    "--inherit/--no-inherit",
    default=True,
    show_default=True,
    help="Keep children in their category and away from their parents' negatives.",
)
@option(
    "--parent",
    "chosen",
    multiple=True,
    metavar="NAME",
    help="With --select user: a parent of the first generation; can be given several times.",
)
@seed_option
@steps_option
@runs_option
@model_now_option
@candidates_option
@workers_options
def evolve(children: int | None, population: int, **given: Any) -> None:
    """Evolve RUN: in each generation the fittest have children, and the fittest of all survive.

    Fitness has several objectives: belonging to the category, difference from its known members, novelty in the run,
    consistency in different prompts, and your ratings if there are any. Favourites and locked concepts always survive;
    hidden ones have no children. After a stop, `conceptree resume` continues.

    \b
    Example:
      conceptree evolve pets --generations 3
      conceptree evolve pets --select taste
      conceptree evolve pets --objective taste --objective novel
      conceptree evolve pets --select user --parent moku --parent vasi
    """
    from ui.console import new_console
    from ui.learning import evolve

    evolve(out=new_console(), population=population, children=children or population, **given)


@click.command("map", short_help="Fill a map of a category with concepts, or draw it.")
@click.argument("name", metavar="CATEGORY|RUN")
@option(
    "--axes",
    nargs=2,
    metavar="LOW:HIGH LOW:HIGH",
    help="The axes, across and up: two phrases each, or the name of a measured number, such as consistent. By default"
    " those of the run's last map.",
)
@option("--cells", metavar="NxM", help="Columns and rows; by default 8x8, or those of the run's last map.")
@option("--run", "run_name", help="Name of a new run; by default the category, if there is no run of that name.")
@ranged("--founders", FIRST)
@ranged("--generations", GENERATIONS)
@ranged("--children", BATCH)
@option(
    "--negatives",
    default="adaptive",
    show_default=True,
    help="Concepts that founders move away from, as for seed. Children inherit their parents' negatives.",
)
@ranged("--steps", STEPS, help="Optimizer steps of each child; by default two of the stack's segments.")
@ranged("--seed", SEED, default=None, help="Random seed; by default 0 for a new run, otherwise another one each time.")
@option(
    "--to",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Only draw the map of RUN into this .png, and learn nothing. By default it is drawn to map.png in the run's"
    " folder when all is learned.",
)
@runs_option
@model_then_option
@candidates_option
@workers_options
def map_(**given: Any) -> None:
    """Fill a map of CATEGORY: the best concept for each place between two pairs of phrases.

    A new run begins with founders. Then children are bred for the empty cells, between their neighbours or from the
    nearest concept. A cell keeps the concept that belongs to the category and is least like its known members. If there
    is a RUN of that name, all its concepts are on the map, and more are bred. After a stop, `conceptree resume`
    continues.

    \b
    Example:
      conceptree map pet --axes bird:mammal black:white --cells 6x6 --run mapped
      conceptree map mapped --generations 2
      conceptree map mapped --axes fish:bird brown:green --to map.png
    """
    from ui.console import new_console
    from ui.mapping import map_

    map_(out=new_console(), **given)


@click.command(short_help="Resume stopped jobs.")
@click.argument("name", metavar="RUN")
@option("--job", metavar="JOB", help="One job, such as 0003-breed; by default all unfinished jobs.")
@option(
    "--parent",
    "parents",
    multiple=True,
    metavar="NAME",
    help="A parent of the next generation, if evolve --select user waits for you; can be given several times.",
)
@option(
    "--like",
    "liked",
    multiple=True,
    metavar="NAME",
    help="A shown concept that you like, by name or number, if evolve --select taste waits for you; can be given"
    " several times.",
)
@option("--like-none", is_flag=True, help="You like none of the shown ones, if evolve --select taste waits for you.")
@runs_option
@model_now_option
@candidates_option
@workers_options
@click.pass_context
def resume(
    context: click.Context,
    job: str | None,
    parents: tuple[str, ...],
    liked: tuple[str, ...],
    like_none: bool,
    **given: Any,
) -> None:
    """Resume the stopped jobs of RUN. The result is the same as without the stop.

    \b
    Example:
      conceptree resume pets
      conceptree resume pets --job 0003-breed
      conceptree resume pets --parent moku --parent vasi
      conceptree resume pets --like moku
    """
    since = time.time()  # before imports that take seconds
    from ui.console import new_console

    ways = {"--job": job, "--parent": parents, "--like": liked, "--like-none": like_none}
    if len(used := [way for way, value in ways.items() if value]) > 1:
        raise click.UsageError(f"{used[0]} and {used[1]} exclude each other", context)
    if liked or like_none:
        from ui.resume import like

        return like(concepts=liked, out=new_console(), **given)
    if parents:
        from ui.resume import choose

        return choose(concepts=parents, out=new_console(), **given)
    from ui.resume import resume

    resume(job=job, out=new_console(), since=since, **given)


@click.command(short_help="Stop jobs that are learning.")
@click.argument("name", metavar="RUN")
@option("--job", metavar="JOB", help="One job, such as 0003-breed; by default all that are learning.")
@runs_option
def stop(**given: Any) -> None:
    """Stop the jobs of RUN that are learning, in any process; `conceptree resume` continues them.

    \b
    Example: conceptree stop pets
    """
    from ui.console import new_console
    from ui.resume import stop

    stop(out=new_console(), **given)


COMMANDS = (seed, breed, evolve, map_, resume, stop)
