"""The commands of `python -m experiments`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ui.cli import OneLineErrors
from ui.options import keep, model_option, preset_option, steps_option


def number_option(name: str, allowed: click.IntRange, default: int, text: str) -> Callable[[Any], Any]:
    return click.option(name, type=allowed, default=default, show_default=True, help=text)


def seeds_option(default: int) -> Callable[[Any], Any]:
    return number_option("--seeds", click.IntRange(1, 1000), default, "Repetitions with different seeds.")


def categories_option(default: str) -> Callable[[Any], Any]:
    """--category, which may be given several times."""
    text = f"A category; may be given several times. By default {default}."
    return click.option("--category", "categories", multiple=True, help=text)


def folder_option(name: str) -> Callable[[Any], Any]:
    """--to: the folder for results; --judge: the model that measures them."""
    to = click.option(
        "--to",
        "folder",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path("results") / name,
        show_default=True,
        help="Folder for tables, summary and figures.",
    )
    judge = click.option(
        "--judge",
        metavar="FOLDER|ID",
        help="An independent judge: a CLIP-like model of transformers. By default the one beside the stack.",
        expose_value=False,
        callback=keep,
    )
    return lambda command: to(judge(command))


def _conduct(name: str, **given: Any) -> None:
    from experiments.run import conduct_experiment
    from ui.console import new_console

    conduct_experiment(name, out=new_console(), **given)


@click.group(cls=OneLineErrors, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def experiment() -> None:
    """Conduct an experiment, and write its table, summary and figures into a folder. After a stop, it continues.

    \b
    Example: python -m experiments evolution --category pet --seeds 1
    """


@experiment.command()
@folder_option("evolution")
@categories_option("pet, fruit and musical instrument")
@seeds_option(5)
@click.option(
    "--select",
    type=click.Choice(["tournament", "nsga2", "novelty"]),
    default="tournament",
    show_default=True,
    help="Selection to compare with chance; see `conceptree evolve`.",
)
@number_option("--generations", click.IntRange(2, 1000), 5, "Generations, including the founders.")
@number_option("--population", click.IntRange(2, 1000), 24, "Concepts of each generation.")
@steps_option
@model_option
def evolution(**given: Any) -> None:
    """Measure whether selection improves generations, by an independent judge.

    Compared with random parents and survivors, and with equally many steps spent on founders alone.

    \b
    Example: python -m experiments evolution --category pet --seeds 1
    """
    _conduct("evolution", **given)


@experiment.command()
@folder_option("figure11")
@categories_option("pet, plant, fruit, furniture and musical instrument")
@click.option(
    "--pair",
    "pairs",
    multiple=True,
    metavar="CATEGORY:NEGATIVE,NEGATIVE",
    help="Negatives of a category, such as pet:cat,dog. By default three pairs for each category.",
)
@seeds_option(5)
@number_option("--pictures", click.IntRange(1, 10_000), 32, "Drawings of each seed, pair of negatives and method.")
@click.option(
    "--stable-diffusion", metavar="FOLDER|ID", help="A Stable Diffusion (1 or 2) to compare with; the paper uses 2."
)
@preset_option
@steps_option
@model_option
def figure11(**given: Any) -> None:
    """Figure 11: similarity to a category and to two negatives, against negative prompts.

    Measured on drawings by the stack's own CLIP and by an independent judge.

    \b
    Example: python -m experiments figure11 --category pet --seeds 1
    """
    from experiments.run import figure11
    from ui.console import new_console

    figure11(out=new_console(), **given)


@experiment.command()
@folder_option("figure13")
@categories_option("pet, fruit and musical instrument")
@seeds_option(5)
@click.option(
    "--lambda",
    "lambdas",
    multiple=True,
    type=float,
    help="A λ of Eq. 3; give two or more. By default 0, 0.1, 0.3, 1, 3 and 10.",
)
@steps_option
@model_option
def figure13(**given: Any) -> None:
    """Figure 13: the balance of category and members by λ, with and without clamps.

    \b
    Example: python -m experiments figure13 --category pet --seeds 1
    """
    _conduct("figure13", **given)


@experiment.command()
@folder_option("figure14")
@categories_option("pet, plant, fruit, furniture and musical instrument")
@seeds_option(5)
@number_option("--every", click.IntRange(1), 10, "Steps between two measurements.")
@steps_option
@model_option
def figure14(**given: Any) -> None:
    """Figure 14: similarity to the category and to adaptive negatives over steps.

    \b
    Example: python -m experiments figure14 --category pet --seeds 1
    """
    _conduct("figure14", **given)


@experiment.command()
@folder_option("ablations")
@categories_option("pet, plant, fruit, furniture and musical instrument")
@seeds_option(5)
@click.option(
    "--stable-diffusion",
    metavar="FOLDER|ID",
    help="A Stable Diffusion (1 or 2), for SD-ConceptLab. By default none.",
)
@steps_option
@model_option
def ablations(**given: Any) -> None:
    """Measure the method without one of its parts.

    The parts: the prior (CLIP-ConceptLab), adaptive negatives, all negatives, S_max, clamps. Also on Stable Diffusion.

    \b
    Example: python -m experiments ablations --category pet --seeds 1
    """
    _conduct("ablations", **given)


@experiment.command()
@folder_option("limitations")
@categories_option("pet, fruit, aircraft and sea animal")
@seeds_option(5)
@number_option("--longer", click.IntRange(2, 100), 4, "Factor on the usual number of segments.")
@steps_option
@model_option
def limitations(**given: Any) -> None:
    """Measure long runs: negatives that are too specific, and concepts that lose their category.

    \b
    Example: python -m experiments limitations --category aircraft --seeds 1
    """
    _conduct("limitations", **given)


@experiment.command()
@folder_option("negatives")
@categories_option("pet, fruit and musical instrument")
@seeds_option(3)
@number_option("--founders", click.IntRange(2, 1000), 6, "Founders of each arm.")
@number_option("--wave", click.IntRange(1, 1000), 3, "Founders that learn together.")
@steps_option
@model_option
def negatives(**given: Any) -> None:
    """Measure how many members adaptive negatives name, and how far from all members concepts end.

    Compared with random negatives and none; and the diversity of waves with that of independent founders.

    \b
    Example: python -m experiments negatives --category pet --seeds 1
    """
    _conduct("negatives", **given)


@experiment.command()
@folder_option("mixing")
@categories_option("pet, fruit and musical instrument")
@seeds_option(3)
@click.option(
    "--share",
    "shares",
    multiple=True,
    type=float,
    help="A weight of the first parent; give two or more, from small to large. By default 0.1, 0.3, 0.5, 0.7, 0.9.",
)
@number_option("--pictures", click.IntRange(1, 1000), 3, "Drawings of each child and each parent.")
@steps_option
@model_option
def mixing(**given: Any) -> None:
    """Measure how children resemble their parents by weight and method of mixing.

    Parents are pairs, triples, grandparents, photographs and words. Compared with means of vectors and of image
    embeddings, the paper's presets, and words in one prompt.

    \b
    Example: python -m experiments mixing --category pet --seeds 1
    """
    _conduct("mixing", **given)


@experiment.command()
@folder_option("prompts")
@categories_option("pet, fruit and musical instrument")
@seeds_option(3)
@click.option(
    "--prompt",
    "prompts",
    multiple=True,
    metavar="TEXT",
    help="A prompt with {} for the concept; give two or more. By default Figure 12's and others.",
)
@number_option("--pictures", click.IntRange(1, 1000), 2, "Drawings of each concept in each prompt.")
@steps_option
@model_option
def prompts(**given: Any) -> None:
    """Figure 12 and further prompts: whether a concept stays the same, with and without the prior.

    \b
    Example: python -m experiments prompts --category pet --seeds 1
    """
    _conduct("prompts", **given)


@experiment.command()
@folder_option("figure15")
@categories_option("pet, fruit and musical instrument")
@seeds_option(3)
@number_option("--pictures", click.IntRange(2, 1000), 6, "Drawings of each concept and description.")
@steps_option
@model_option
def figure15(**given: Any) -> None:
    """Figure 15: describe concepts in words, and draw them from these words.

    Compared with known members of the category, described in the same way.

    \b
    Example: python -m experiments figure15 --category pet --seeds 1
    """
    _conduct("figure15", **given)


@experiment.command()
@folder_option("table1")
@categories_option("pet, plant, fruit, furniture and musical instrument")
@click.option(
    "--pair",
    "pairs",
    multiple=True,
    metavar="CATEGORY:NEGATIVE,NEGATIVE",
    help="Negatives of a category, such as pet:cat,dog. By default Figure 11's first pair.",
)
@click.option(
    "--rater",
    "raters",
    multiple=True,
    metavar="LABEL",
    help="A person who rates: gets a session for each category on the workbench's page Rate.",
)
@number_option("--sets", click.IntRange(1, 30), 2, "Sets of each method and category.")
@number_option("--pictures", click.IntRange(1, 100), 4, "Drawings of each set.")
@click.option(
    "--stable-diffusion", metavar="FOLDER|ID", help="A Stable Diffusion (1 or 2) to compare with; the paper uses 2."
)
@preset_option
@steps_option
@model_option
def table1(**given: Any) -> None:
    """Table 1: people rate drawings without knowing the method.

    Run it once to draw the sets, then with --rater for each person, and again when people have rated.

    \b
    Example: python -m experiments table1 --rater ann --rater ben
    """
    from experiments.run import table1
    from ui.console import new_console

    table1(out=new_console(), **given)


@experiment.command()
@folder_option("styles")
@seeds_option(3)
@number_option("--styles", click.IntRange(2, 1000), 6, "Styles to learn.")
@click.option(
    "--object",
    "objects",
    multiple=True,
    metavar="TEXT",
    help="An object with its article; give two or more. Not one that styles learn on. By default a car and others.",
)
@steps_option
@model_option
def styles(**given: Any) -> None:
    """Measure new art styles on other objects: whether they stay the same, and how far they are from named ones.

    \b
    Example: python -m experiments styles --seeds 1 --styles 2
    """
    _conduct("styles", **given)
