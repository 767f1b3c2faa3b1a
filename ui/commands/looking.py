"""Commands that look at runs: list, show, tree, kin, taste, draw, mixtures, publish.

`draw`, `mixtures` and `taste --why` load a stack.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from core.renderers import NAMES
from evolve.jobs.options import SEED
from ui.options import json_option, model_now_option, option, ranged, runs_option

PROMPTS = ("a photo of a {}",)  # that `draw` draws by default


@click.command("list", short_help="List runs, or the concepts of a run.")
@click.argument("name", metavar="[RUN]", required=False)
@option("--all", "hidden", is_flag=True, help="With RUN: hidden concepts too.")
@option(
    "--search",
    metavar="TEXT",
    help="With RUN: concepts with TEXT in their names, positives, negatives, tags, comments or prompts, and where. All"
    " words must match; not:cat searches the negatives alone, tag:cat the tags.",
)
@json_option
@runs_option
@click.pass_context
def list_(
    context: click.Context, name: str | None, hidden: bool, search: str | None, as_json: bool, runs: Path
) -> None:
    """List all runs, or the concepts of RUN with their fitness.

    \b
    Example:
      conceptree list
      conceptree list pets
      conceptree list pets --search cat
    """
    from ui.console import new_console
    from ui.listing import list_concepts, list_runs

    if name is not None:
        list_concepts(name, runs, hidden, search, as_json, new_console())
    elif search is not None:
        raise click.UsageError("--search is for the concepts of a run: name the RUN", context)
    else:
        list_runs(runs, as_json, new_console())


@click.command(short_help="Show one concept.")
@click.argument("name", metavar="RUN")
@click.argument("concept", metavar="NAME")
@json_option
@runs_option
def show(**given: Any) -> None:
    """Show one concept of RUN: parents, children, negatives, scores, drawings.

    \b
    Example: conceptree show pets moku
    """
    from ui.console import new_console
    from ui.listing import show

    show(out=new_console(), **given)


@click.command(short_help="Draw the family tree, or write it as a graph.")
@click.argument("name", metavar="RUN")
@click.argument("concepts", metavar="[NAME]...", nargs=-1)
@option("--of", multiple=True, hidden=True, help="NAME, as earlier versions spelled it.")
@option("--all", "hidden", is_flag=True, help="Draw hidden concepts too; a graph has them in any case.")
@option("--depth", type=click.IntRange(0), help="With NAMEs: generations from them; by default all.")
@option(
    "--format",
    "form",
    type=click.Choice(["graphml", "dot", "json", "gexf"]),
    help="Write a graph instead of a picture; by default by the ending of --to.",
)
@option(
    "--to",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A .png or .svg picture, or a .graphml, .dot, .json or .gexf graph. By default tree.png and tree.svg in the"
    " run's folder; a graph is printed.",
)
@runs_option
def tree(
    concepts: tuple[str, ...], of: tuple[str, ...], hidden: bool, form: str | None, to: Path | None, **given: Any
) -> None:
    """Draw RUN's family tree, or write it as a graph; with NAMEs only their ancestors and descendants.

    Generations are rows; an edge is as thick as the parent's weight. Graphs are for Gephi, Graphviz, networkx and d3.

    \b
    Example:
      conceptree tree pets
      conceptree tree pets moku --depth 2 --to moku.svg
      conceptree tree pets --to pets.graphml
      conceptree tree pets moku --format dot | dot -Tpdf -o moku.pdf
    """
    from ui.family import draw_tree, graph_format, write_graph

    named = [*concepts, *of]
    if graph := graph_format(form, to):
        return write_graph(of=named, form=graph, to=to, **given)
    from ui.console import new_console

    draw_tree(of=named, to=to, out=new_console(), hidden=hidden, **given)


@click.command(short_help="Show pedigree statistics.")
@click.argument("name", metavar="RUN")
@click.argument("concepts", metavar="[NAME [NAME]]", nargs=-1)
@json_option
@runs_option
def kin(**given: Any) -> None:
    """Show pedigree statistics of RUN, of one concept, or of a pair.

    RUN: diversity and founders of each generation, fertile founders, extinct lines. One concept: its founders' shares,
    ancestors and descendants. A pair: relatedness and common ancestors.

    \b
    Example:
      conceptree kin pets
      conceptree kin pets moku
      conceptree kin pets moku vasi --json
    """
    from ui.console import new_console
    from ui.kin import kin

    kin(out=new_console(), **given)


@click.command(short_help="Draw a concept in any prompt, or a morph of two.")
@click.argument("name", metavar="RUN")
@click.argument("concept", metavar="[NAME]", required=False)
@option(
    "--prompt",
    "prompts",
    multiple=True,
    default=PROMPTS,
    show_default=True,
    help="Prompt, with {} in place of the concept; can be given several times.",
)
@option(
    "--images",
    "count",
    old=["--count"],
    type=click.IntRange(1, 100),
    help="Pictures per prompt; by default 1.",
)
@ranged("--seed", SEED, default=1, help="Random seed of the first picture; of all frames of a morph.")
@option("--morph", nargs=2, metavar="NAME NAME", help="Draw the mixtures from one concept to another, as an animation.")
@option("--frames", type=click.IntRange(2, 120), help="With --morph: frames from one to the other; by default 24.")
@option(
    "--to",
    type=click.Path(path_type=Path, dir_okay=False),
    help="With --morph: the .webp file, by default morph-NAME-NAME.webp in the run's folder. With --cutout or"
    " --upscale: the .png file, by default NAME-cutout-x4.png there.",
)
@option("--animate", "animated", is_flag=True, help="Write the drafts from its learning as an animated WebP.")
@option("--cutout", is_flag=True, help="Write a copy without the plain background, as PNG with transparency.")
@option(
    "--upscale", type=click.Choice(["2", "4"]), help="Write a copy that is 2 or 4 times as large, with sharp edges."
)
@option(
    "--decoder",
    metavar="DECODER",
    help=f"Another decoder: {', '.join(NAMES)}, or the folder or ORG/NAME of such a pipeline; by default the stack's"
    " own.",
)
@option("--text", help="With --decoder: a prompt beside the concept; {} is its category. By default that of --prompt.")
@option("--scale", type=float, help="With --decoder sdxl or flux: how much the concept counts; by default 0.8 or 1.")
@option("--steps", type=int, help="With --decoder: its denoising steps, 20 to 30 by default.")
@option("--guidance", type=float, help="With --decoder: its guidance; 0 for Turbo and Lightning models.")
@option("--size", type=int, help="With --decoder: pixels of a side; by default as its model was trained.")
@option(
    "--adapter",
    type=click.Path(path_type=Path, dir_okay=False),
    help="With --decoder sdxl or flux: IP-Adapter weights (.safetensors); by default the published ones.",
)
@runs_option
@model_now_option
def draw(
    concept: str | None,
    count: int | None,
    morph: tuple[str, str] | None,
    frames: int | None,
    to: Path | None,
    animated: bool,
    cutout: bool,
    upscale: str | None,
    decoder: str | None,
    adapter: Path | None,
    **given: Any,
) -> None:
    """Draw a concept of RUN in any prompt; the pictures are kept in the run. Or draw a morph of two concepts.

    A morph is an animated WebP of the mixtures on the way from one concept to the other and back. Nothing is learned.
    --animate shows the drafts of a concept instead, from its first checkpoint to its last, and draws nothing.

    Another decoder draws the image embedding that the stack imagines. It changes nothing that was learned.

    \b
    Example:
      conceptree draw pets moku --prompt "a pencil sketch of a {}"
      conceptree draw pets moku --cutout --upscale 4 --to moku.png
      conceptree draw pets moku --decoder sdxl --text "a {} in the snow" --scale 0.7
      conceptree draw pets moku --animate
      conceptree draw pets --morph moku vasi --to moku-vasi.webp
    """
    from ui.console import new_console
    from ui.copies import Copies
    from ui.morphing import FRAMES, check_options, draw_morph
    from ui.pictures import draw
    from ui.rendering import check_decoder, render

    look = {name: given.pop(name) for name in ("text", "scale", "steps", "guidance", "size")}
    if animated:
        from ui.growing import animate

        drawn = {"morph": morph, "images": count, "frames": frames, "decoder": decoder, "adapter": adapter, **look}
        drawn |= {
            "cutout": cutout,
            "upscale": upscale,
            "prompt": given["prompts"] != PROMPTS,
            "seed": given["seed"] != 1,
        }
        unfit = [option for option, value in drawn.items() if value]
        return animate(given["name"], concept, unfit, to=to, runs=given["runs"], out=new_console())
    copies = Copies(cutout, int(upscale or 1), to)
    check_options(concept, morph, copies, images=count, frames=frames)
    check_decoder(decoder, morph, {**look, "adapter": adapter}, copies)
    if morph:
        draw_morph(concepts=morph, frames=frames or FRAMES, to=to, out=new_console(), **given)
    elif concept is not None:
        given |= {"concept": concept, "count": count or 1, "out": new_console()}
        if decoder is None:
            draw(copies=copies, **given)
        else:
            render(decoder=decoder, adapter=adapter, asked=look, **given)


@click.command(short_help="Draw the mixtures of two or three concepts.")
@click.argument("name", metavar="RUN")
@click.argument("concepts", metavar="NAME NAME [NAME]", nargs=-1, required=True)
@option(
    "--cells",
    metavar="N[xM]",
    help="Two concepts: N weights by M seeds, by default 7x3. Three: N cells at each side of a triangle, by default 5.",
)
@ranged("--seed", SEED, default=1, help="Random seed of the first row.")
@option(
    "--to",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The .png picture; by default mixtures-NAME-NAME.png in the run's folder.",
)
@runs_option
@model_now_option
def mixtures(**given: Any) -> None:
    """Draw the mixtures of two or three concepts of RUN as one picture, before anything is learned.

    Each cell is the mean of the concepts' imagined embeddings by the weights under it. Breed with the weights of a cell
    that you like.

    \b
    Example:
      conceptree mixtures pets moku vasi
      conceptree mixtures pets moku vasi buso --cells 5
    """
    from ui.console import new_console
    from ui.mixing_map import draw_map

    draw_map(out=new_console(), **given)


@click.command(short_help="Show what you seem to like.")
@click.argument("name", metavar="RUN")
@option(
    "--with",
    "files",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    help="Your answers about another run of the same stack, as --to wrote them; can be given several times.",
)
@option(
    "--keep", "keeps", is_flag=True, help="Keep the answers of --with in RUN: evolve and the workbench count them too."
)
@option("--to", type=click.Path(path_type=Path, dir_okay=False), help="Write your answers about RUN to this file.")
@option("--why", is_flag=True, help="Name the words that your taste goes by; needs the run's stack.")
@json_option
@runs_option
@model_now_option
@click.pass_context
def taste(context: click.Context, **given: Any) -> None:
    """Show the rating that you would give each concept of RUN, and which comparison would teach most.

    It learns from your ratings, favourites, hidden concepts and blind comparisons. evolve uses the same ratings for
    concepts that you have not rated.

    \b
    Example:
      conceptree taste pets
      conceptree taste pets --why
      conceptree taste pets --with birds.safetensors --to pets.safetensors
    """
    from ui.console import new_console
    from ui.taste import taste

    if given["keeps"] and not given["files"]:
        raise click.UsageError("--keep needs --with FILE: the answers to keep", context)
    taste(out=new_console(), **given)


@click.command(short_help="Write the family as web pages.")
@click.argument("name", metavar="RUN")
@click.argument("concepts", metavar="[NAME]...", nargs=-1)
@option(
    "--to",
    type=click.Path(path_type=Path),
    help="Folder of the site, by default RUN-site. An earlier site of RUN is replaced; anything else is refused.",
)
@option("--all", "hidden", is_flag=True, help="Publish hidden concepts too.")
@option("--photos", is_flag=True, help="Publish parent photographs too: small copies, and the names of their files.")
@json_option
@runs_option
def publish(**given: Any) -> None:
    """Write RUN as a static site: the family tree, a gallery, and a page for each concept. With NAMEs only these and
    their ancestors.

    It is one folder that works without a server and loads nothing from anywhere else. Names, comments, ratings, words
    and drawings are in it. Hidden concepts and photographs are left out; a hidden parent is named with its children.

    \b
    Example:
      conceptree publish pets --to site
      conceptree publish pets moku
    """
    from ui.console import new_console
    from ui.publish import publish

    publish(out=new_console(), **given)


COMMANDS = (list_, show, tree, kin, taste, draw, mixtures, publish)
