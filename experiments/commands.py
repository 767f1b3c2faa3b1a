"""`python -m experiments …`, as it is typed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ui.cli import OneLineErrors
from ui.options import keep, model_option, preset_option, steps_option


def seeds_option(default: int) -> Callable[[Any], Any]:
    return click.option(
        "--seeds", type=click.IntRange(1, 1000), default=default, show_default=True, help="Repetitions of everything."
    )


def categories_option(default: str) -> Callable[[Any], Any]:
    """--category: which ones, several times; by default those named."""
    return click.option("--category", "categories", multiple=True, help=f"By default {default}.")


def folder_option(name: str) -> Callable[[Any], Any]:
    """--to: where an experiment of this name leaves what it finds; with --judge: who says what (`experiments.run`)."""
    to = click.option(
        "--to",
        "folder",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path("results") / name,
        show_default=True,
        help="The folder for tables, summary and figures.",
    )
    judge = click.option(
        "--judge",
        metavar="FOLDER|ID",
        help="An independent judge: a CLIP-like model of transformers. The embedded stack has one of its own.",
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
    """Conduct an experiment, and write its table, summary and figures into a folder; it goes on after a stop.

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
    help="The selection that is compared with chance; see `conceptree evolve`.",
)
@click.option(
    "--generations", type=click.IntRange(2, 1000), default=5, show_default=True, help="Founders are the first."
)
@click.option("--population", type=click.IntRange(2, 1000), default=24, show_default=True, help="Of each generation.")
@steps_option
@model_option
def evolution(**given: Any) -> None:
    """Does selection improve generations, as an independent judge sees them?

    Against parents and survivors by chance, and against as many steps spent on founders alone.

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
    help="Negatives instead of the embedded stack's three pairs for each category, as in pet:cat,dog.",
)
@seeds_option(5)
@click.option(
    "--pictures",
    type=click.IntRange(1, 10_000),
    default=32,
    show_default=True,
    help="Drawings of each seed, for each pair of negatives by each method.",
)
@click.option(
    "--stable-diffusion", metavar="FOLDER|ID", help="A Stable Diffusion (1 or 2) to compare with; the paper has 2."
)
@preset_option
@steps_option
@model_option
def figure11(**given: Any) -> None:
    """Figure 11: how well a category and two negatives are kept, against negative prompts.

    As the stack's own CLIP and an independent judge see the drawings.

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
    help="λ of Eq. 3, two or more; by default 0, 0.1, 0.3, 1, 3 and 10.",
)
@steps_option
@model_option
def figure13(**given: Any) -> None:
    """Figure 13: how the category and its members balance by λ (Eq. 3), with the clamps and without.

    \b
    Example: python -m experiments figure13 --category pet --seeds 1
    """
    _conduct("figure13", **given)


@experiment.command()
@folder_option("figure14")
@categories_option("pet, plant, fruit, furniture and musical instrument")
@seeds_option(5)
@click.option(
    "--every",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="Steps between two measurements.",
)
@steps_option
@model_option
def figure14(**given: Any) -> None:
    """Figure 14: similarity to the category and to each negative over steps, as adaptive negatives arrive.

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
    help="A Stable Diffusion (1 or 2), for SD-ConceptLab; without, no such row.",
)
@steps_option
@model_option
def ablations(**given: Any) -> None:
    """What each part of the method is worth: the whole, and the same without one of them.

    Without the prior (CLIP-ConceptLab), adaptive negatives, any negatives, S_max, clamps; on Stable Diffusion.

    \b
    Example: python -m experiments ablations --category pet --seeds 1
    """
    _conduct("ablations", **given)


@experiment.command()
@folder_option("limitations")
@categories_option("pet, fruit, aircraft and sea animal")
@seeds_option(5)
@click.option(
    "--longer", type=click.IntRange(2, 100), default=4, show_default=True, help="Times the usual number of segments."
)
@steps_option
@model_option
def limitations(**given: Any) -> None:
    """What goes wrong in long runs: negatives too specific to push, and the category lost, with the guard and without.

    \b
    Example: python -m experiments limitations --category aircraft --seeds 1
    """
    _conduct("limitations", **given)


@experiment.command()
@folder_option("negatives")
@categories_option("pet, fruit and musical instrument")
@seeds_option(3)
@click.option("--founders", "founders", type=click.IntRange(2, 1000), default=6, show_default=True, help="Of each arm.")
@click.option(
    "--wave", type=click.IntRange(1, 1000), default=3, show_default=True, help="How many of a wave learn side by side."
)
@steps_option
@model_option
def negatives(**given: Any) -> None:
    """How many members adaptive negatives name, and how far from all members concepts end; waves of founders.

    Against a list by chance and no negatives; diversity of waves against independent founders.

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
    help="The first parent's weight, two or more, from small to large; by default 0.1, 0.3, 0.5, 0.7 and 0.9.",
)
@click.option(
    "--pictures", type=click.IntRange(1, 1000), default=3, show_default=True, help="Of each child and each parent."
)
@steps_option
@model_option
def mixing(**given: Any) -> None:
    """How children resemble their parents as weights change: by Eq. 5, by means, and by words.

    Pairs, triples, grandparents, photographs and words; against means of vectors and of image embeddings, the presets
    of the paper, and words in one prompt.

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
    help="With {} where the concept stands, two or more; by default Figure 12's and others.",
)
@click.option(
    "--pictures", type=click.IntRange(1, 1000), default=2, show_default=True, help="Of each concept in each prompt."
)
@steps_option
@model_option
def prompts(**given: Any) -> None:
    """Figure 12 and further prompts: whether a concept stays itself, with the prior and without, against words.

    \b
    Example: python -m experiments prompts --category pet --seeds 1
    """
    _conduct("prompts", **given)


@experiment.command()
@folder_option("figure15")
@categories_option("pet, fruit and musical instrument")
@seeds_option(3)
@click.option(
    "--pictures", type=click.IntRange(2, 1000), default=6, show_default=True, help="Of each concept and description."
)
@steps_option
@model_option
def figure15(**given: Any) -> None:
    """Figure 15: what concepts look like in words, and whether these words draw them again.

    Against known members of the category, described in the same way.

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
    help="Negatives instead of Figure 11's first pair of each category, as in pet:cat,dog.",
)
@click.option(
    "--rater",
    "raters",
    multiple=True,
    metavar="LABEL",
    help="A person who is to rate: a session for each category, on the workbench's page Rate.",
)
@click.option(
    "--sets", type=click.IntRange(1, 30), default=2, show_default=True, help="Of drawings, by each method and category."
)
@click.option("--pictures", type=click.IntRange(1, 100), default=4, show_default=True, help="Drawings of each set.")
@click.option(
    "--stable-diffusion", metavar="FOLDER|ID", help="A Stable Diffusion (1 or 2) to compare with; the paper has 2."
)
@preset_option
@steps_option
@model_option
def table1(**given: Any) -> None:
    """Table 1: people rate drawings of each method, blindly; the table is made of the ratings there are.

    Once to draw what is asked; then with --rater for each person; and again when people have rated.

    \b
    Example: python -m experiments table1 --rater ann --rater ben
    """
    from experiments.run import table1
    from ui.console import new_console

    table1(out=new_console(), **given)


@experiment.command()
@folder_option("styles")
@seeds_option(3)
@click.option(
    "--styles", "styles", type=click.IntRange(2, 1000), default=6, show_default=True, help="That are learned."
)
@click.option(
    "--object",
    "objects",
    multiple=True,
    metavar="TEXT",
    help="What is painted, with its article; two or more that styles do not learn on, by default a car and others.",
)
@steps_option
@model_option
def styles(**given: Any) -> None:
    """New art styles on other objects: whether they stay themselves, and how far they are from the named ones.

    \b
    Example: python -m experiments styles --seeds 1 --styles 2
    """
    _conduct("styles", **given)
