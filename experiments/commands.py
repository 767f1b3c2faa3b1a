"""The commands of `python -m experiments`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from evolve.jobs.options import Number
from experiments import categories
from ui.cli import OneLineErrors
from ui.options import all_of, keep, model_option, preset_option, ranged, steps_option

PETS = "pet, fruit and musical instrument"
PLANTS, TEN = (f"{', '.join(of[:-1])} and {of[-1]}" for of in (categories.PAPERS, categories.TEN))
SEEDS = "Repetitions with different seeds."

pair_option = click.option(
    "--pair",
    "pairs",
    multiple=True,
    metavar="CATEGORY:NEGATIVE,NEGATIVE",
    help="Negatives of a category, such as pet:cat,dog. By default the experiment's own.",
)
diffusion_option = click.option(
    "--stable-diffusion", metavar="FOLDER|ID", help="A Stable Diffusion (1 or 2) to compare with; by default none."
)


def number(name: str, least: int, most: int, default: int, text: str) -> Callable[[Any], Any]:
    return ranged(name, Number(least, most, text, default))


def several(name: str, into: str, text: str, **more: Any) -> Callable[[Any], Any]:
    """An option that may be given several times."""
    return click.option(name, into, multiple=True, help=text, **more)


def conducted(
    *own: Callable[[Any], Any], categories: str = "", seeds: int = 0
) -> Callable[[Callable[[], None]], click.Command]:
    """A command for an experiment: its own options between those of every experiment. The function has its help.

    categories, seeds: the defaults of --category and --seeds; without them it has no such option.
    """

    def decorate(described: Callable[[], None]) -> click.Command:
        name = described.__name__

        def conduct(**given: Any) -> None:
            from experiments import run
            from ui.console import new_console

            run.CONDUCT.get(name, run.conduct_experiment)(name, out=new_console(), **given)

        of = f"A category; may be given several times. By default {categories}."
        first = [several("--category", "categories", of)] if categories else []
        first += [number("--seeds", 1, 1000, seeds, SEEDS)] if seeds else []
        options = all_of(*_folder_options(name), *first, *own, steps_option, *_cost_options(), model_option)
        return experiment.command(name, help=described.__doc__)(options(conduct))

    return decorate


def _cost_options() -> list[Callable[[Any], Any]]:
    """--price: of an hour; --dry-run: only count."""
    return [
        click.option(
            "--price",
            type=click.FloatRange(0, 1e6, min_open=True),
            metavar="NUMBER",
            help="Price of an hour of a device, in any currency: print what the experiment costs.",
            expose_value=False,
            callback=keep,
        ),
        click.option(
            "--dry-run",
            is_flag=True,
            help="Print what the experiment does and what it takes, and stop.",
            expose_value=False,
            callback=keep,
        ),
    ]


def _folder_options(name: str) -> list[Callable[[Any], Any]]:
    """--to: the folder for results; --judge: the model that measures them."""
    return [
        click.option(
            "--to",
            "folder",
            type=click.Path(path_type=Path, file_okay=False),
            default=Path("results") / name,
            show_default=True,
            help="Folder for tables, summary and figures.",
        ),
        click.option(
            "--judge",
            metavar="FOLDER|ID",
            help="An independent judge: a CLIP-like model of transformers. By default the one beside the stack.",
            expose_value=False,
            callback=keep,
        ),
    ]


@click.group(cls=OneLineErrors, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def experiment() -> None:
    """Conduct an experiment, and write its table, summary and figures into a folder. After a stop, it continues.

    Each says first how many concepts, drawings and questions it takes, and how long, here and on an H100.

    \b
    Example: python -m experiments evolution --category pet --seeds 1
    """


@conducted(
    click.option(
        "--select",
        type=click.Choice(["tournament", "nsga2", "novelty"]),
        default="tournament",
        show_default=True,
        help="Selection to compare with chance; see `conceptree evolve`.",
    ),
    number("--generations", 2, 1000, 5, "Generations, including the founders."),
    number("--population", 2, 1000, 24, "Concepts of each generation."),
    categories=TEN,
    seeds=1,
)
def evolution() -> None:
    """Measure whether selection improves generations, by an independent judge.

    Compared with random parents and survivors, and with equally many steps spent on founders alone.

    \b
    Example: python -m experiments evolution --category pet --seeds 1
    """


@conducted(
    pair_option,
    number("--pictures", 1, 10_000, 8, "Drawings of each seed, pair of negatives and method."),
    diffusion_option,
    click.option(
        "--adaptive/--no-adaptive",
        default=True,
        show_default=True,
        help="Compare with negatives that the stack's question answerer adds while a picture is drawn.",
    ),
    preset_option,
    categories=TEN,
    seeds=1,
)
def figure11() -> None:
    """Figure 11: similarity to a category and to two negatives, against negative prompts.

    Measured on drawings by the stack's own CLIP and by an independent judge.

    \b
    Example: python -m experiments figure11 --category pet --seeds 1
    """


@conducted(
    several("--lambda", "lambdas", "A λ of Eq. 3; give two or more. By default 0, 0.1, 0.3, 1, 3 and 10.", type=float),
    categories=PETS,
    seeds=5,
)
def figure13() -> None:
    """Figure 13: the balance of category and members by λ, with and without clamps.

    \b
    Example: python -m experiments figure13 --category pet --seeds 1
    """


@conducted(number("--every", 1, 10**6, 10, "Steps between two measurements."), categories=PLANTS, seeds=5)
def figure14() -> None:
    """Figure 14: similarity to the category and to adaptive negatives over steps.

    \b
    Example: python -m experiments figure14 --category pet --seeds 1
    """


@conducted(
    click.option(
        "--figure",
        type=click.Choice(["1", "5", "6", "7", "8", "9", "16", "17"]),
        default="5",
        show_default=True,
        help="The figure of the paper whose layout it has.",
    ),
    several("--category", "categories", "A category; may be given several times. By default the figure's own."),
    click.option(
        "--seeds", type=click.IntRange(1, 1000), help="Concepts of each category. By default the figure's own."
    ),
    several("--prompt", "prompts", "A prompt with {} for the concept. By default the figure's own.", metavar="TEXT"),
    several(
        "--mixture",
        "mixtures",
        "Words to mix, for Figure 9, such as lobster,turtle; may be given several times.",
        metavar="WORD,WORD",
    ),
    preset_option,
)
def gallery() -> None:
    """Figures 1, 5, 6, 7, 8, 9, 16 and 17: galleries in the paper's layout.

    By seed, category, prompt, style, family or mixture. Nothing is measured, and no drawing is chosen.

    \b
    Example: python -m experiments gallery --figure 8 --category pet
    """


@conducted(diffusion_option, categories=TEN, seeds=2)
def ablations() -> None:
    """Measure the method without one of its parts.

    The parts: the prior (CLIP-ConceptLab), adaptive negatives, all negatives, S_max, clamps. Also on Stable Diffusion.

    \b
    Example: python -m experiments ablations --category pet --seeds 1
    """


@conducted(
    number("--longer", 2, 100, 4, "Factor on the usual number of segments."),
    categories="pet, fruit, aircraft and sea animal",
    seeds=5,
)
def limitations() -> None:
    """Measure long runs: negatives that are too specific, and concepts that lose their category.

    \b
    Example: python -m experiments limitations --category aircraft --seeds 1
    """


@conducted(
    number("--founders", 2, 1000, 6, "Founders of each arm."),
    number("--wave", 1, 1000, 3, "Founders that learn together."),
    categories=TEN,
    seeds=1,
)
def negatives() -> None:
    """Measure how many members adaptive negatives name, and how far from all members concepts end.

    Compared with random negatives and none; and the diversity of waves with that of independent founders.

    \b
    Example: python -m experiments negatives --category pet --seeds 1
    """


@conducted(
    several(
        "--share",
        "shares",
        "A weight of the first parent; give two or more, from small to large. By default 0.1, 0.3, 0.5, 0.7, 0.9.",
        type=float,
    ),
    number("--pictures", 1, 1000, 3, "Drawings of each child and each parent."),
    categories=TEN,
    seeds=1,
)
def mixing() -> None:
    """Measure how children resemble their parents by weight and method of mixing.

    Parents are pairs, triples, grandparents, photographs and words. Compared with means of vectors and of image
    embeddings, the paper's presets, and words in one prompt.

    \b
    Example: python -m experiments mixing --category pet --seeds 1
    """


@conducted(
    several(
        "--prompt",
        "prompts",
        "A prompt with {} for the concept; give two or more. By default Figure 12's and others.",
        metavar="TEXT",
    ),
    number("--pictures", 1, 1000, 1, "Drawings of each concept in each prompt."),
    categories=TEN,
    seeds=1,
)
def prompts() -> None:
    """Figure 12 and further prompts: whether a concept stays the same, with and without the prior.

    \b
    Example: python -m experiments prompts --category pet --seeds 1
    """


@conducted(number("--pictures", 2, 1000, 6, "Drawings of each concept and description."), categories=PETS, seeds=3)
def figure15() -> None:
    """Figure 15: describe concepts in words, and draw them from these words.

    Compared with known members of the category, described in the same way.

    \b
    Example: python -m experiments figure15 --category pet --seeds 1
    """


@conducted(
    pair_option,
    several(
        "--rater",
        "raters",
        "A person who rates: gets a session for each category on the workbench's page Rate.",
        metavar="LABEL",
    ),
    number("--sets", 1, 30, 2, "Sets of each method and category."),
    number("--pictures", 1, 100, 4, "Drawings of each set."),
    diffusion_option,
    preset_option,
    categories=PLANTS,
)
def table1() -> None:
    """Table 1: people rate drawings without knowing the method.

    Run it once to draw the sets, then with --rater for each person, and again when people have rated.

    \b
    Example: python -m experiments table1 --rater ann --rater ben
    """


@conducted(
    number("--styles", 2, 1000, 6, "Styles to learn."),
    several(
        "--object",
        "objects",
        "An object with its article; give two or more. Not one that styles learn on. By default a car and others.",
        metavar="TEXT",
    ),
    seeds=3,
)
def styles() -> None:
    """Measure new art styles on other objects: whether they stay the same, and how far they are from named ones.

    \b
    Example: python -m experiments styles --seeds 1 --styles 2
    """


@conducted(
    number("--people", 2, 1000, 20, "Simulated people of each category and seed."),
    number("--pool", 20, 10_000, 120, "Concepts that each of them chooses from."),
    categories=PETS,
    seeds=1,
)
def taste() -> None:
    """Measure how many ratings it takes to find what a person likes, with and without a model of the taste.

    Simulated people rate hybrids of two members; nothing is bred.

    \b
    Example: python -m experiments taste --category pet --people 5
    """


@conducted(
    number("--pairs", 1, 2, 2, "Pairs of axes of each category."),
    number("--cells", 2, 32, 8, "Columns, and as many rows."),
    number("--founders", 2, 1000, 12, "Founders that all arms share."),
    number("--generations", 1, 1000, 4, "Generations after the founders."),
    number("--children", 1, 1000, 13, "Children of each generation."),
    categories=PETS,
    seeds=5,
)
def map() -> None:
    """Measure how much of a category a map fills: coverage and QD score, by the stack and by the judge.

    Compared with random breeding, and with as many independent founders.

    \b
    Example: python -m experiments map --category pet --seeds 1 --pairs 1 --cells 5
    """


@conducted(
    number("--pictures", 1, 1000, 3, "Drawings of each thing, way of taking, and child."),
    number("--founders", 3, 1000, 6, "Founders of each category and seed; the pairs are chosen from them."),
    categories=PETS,
    seeds=2,
)
def aspects() -> None:
    """Measure how well one aspect of another concept is taken, and what weights below 0 do.

    Colours and shapes are taken before any learning, and compared with IP-Composer's subspace. Children move away from
    founders that are most and least like their parent; --category and --seeds are of these.

    \b
    Example: python -m experiments aspects --category pet --seeds 1
    """
