"""The commands that look at runs, hand concepts on and open the workbench, as they are typed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from ui.options import (
    depth_option,
    json_option,
    model_now_option,
    of_option,
    runs_option,
)


@click.command("list")
@click.argument("name", metavar="[RUN]", required=False)
@click.option("--all", "everybody", is_flag=True, help="With RUN: also the concepts that somebody has hidden.")
@json_option
@runs_option
def list_(name: str | None, everybody: bool, as_json: bool, runs: Path) -> None:
    """List the runs, or the concepts of RUN.

    \b
    Example:
      conceptree list
      conceptree list pets
    """
    from ui.console import new_console
    from ui.listing import list_concepts, list_runs

    if name is None:
        list_runs(runs, as_json, new_console())
    else:
        list_concepts(name, runs, everybody, as_json, new_console())


@click.command()
@click.argument("name", metavar="RUN")
@click.argument("concept", metavar="NAME")
@json_option
@runs_option
def show(**given: Any) -> None:
    """Show all that is known of a concept of RUN: parents, children, negatives, scores, drawings.

    \b
    Example:
      conceptree show pets moku
    """
    from ui.console import new_console
    from ui.listing import show

    show(out=new_console(), **given)


@click.command()
@click.argument("name", metavar="RUN")
@click.argument("concepts", metavar="[NAME [NAME]]", nargs=-1)
@json_option
@runs_option
def kin(**given: Any) -> None:
    """Tell who is how much of whom: of RUN its generations, the most fertile founders and the lines that ended; of a
    concept its founders' shares, ancestors and descendants; of two concepts what they have in common by descent.

    \b
    Example:
      conceptree kin pets
      conceptree kin pets moku
      conceptree kin pets moku vasi --json
    """
    from ui.console import new_console
    from ui.kin import kin

    kin(out=new_console(), **given)


@click.command()
@click.argument("name", metavar="RUN")
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@runs_option
def name(**given: Any) -> None:
    """Call a concept of RUN by another name; the one it was born with still finds it.

    \b
    Example:
      conceptree name pets moku Whiskerfin
    """
    from ui.console import new_console
    from ui.notes import rename

    rename(out=new_console(), **given)


@click.command()
@click.argument("name", metavar="RUN")
@of_option
@depth_option
@click.option(
    "--to",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A .png or .svg file; by default tree.png and tree.svg in the run's folder.",
)
@runs_option
def tree(**given: Any) -> None:
    """Draw RUN's family as one picture: generations as rows, edges as thick as the parents' weights.

    \b
    Example:
      conceptree tree pets
      conceptree tree pets --of moku --depth 2 --to moku.svg
    """
    from ui.console import new_console
    from ui.family import draw_tree

    draw_tree(out=new_console(), **given)


@click.command()
@click.argument("name", metavar="RUN")
@of_option
@depth_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["graphml", "dot", "json", "gexf"]),
    help="By default what the ending of --to says, or else graphml.",
)
@click.option("--to", type=click.Path(path_type=Path, dir_okay=False), help="A file; by default the graph is printed.")
@runs_option
def lineage(**given: Any) -> None:
    """Write RUN's family as a graph, for Gephi, Graphviz, networkx or d3.

    \b
    Example:
      conceptree lineage pets --to pets.graphml
      conceptree lineage pets --of moku --format dot | dot -Tpdf -o moku.pdf
    """
    from ui.family import write_lineage

    write_lineage(**given)


@click.command()
@click.argument("name", metavar="RUN")
@json_option
@runs_option
def check(**given: Any) -> None:
    """Check whether RUN is whole: every table and picture is what was written. Exits with 1 where something is lost.

    \b
    Example:
      conceptree check pets
    """
    from ui.console import new_console
    from ui.wholeness import check_run

    if not check_run(out=new_console(), **given):
        sys.exit(1)


@click.command()
@click.argument("folders", metavar="[FOLDER]...", nargs=-1)
@json_option
def models(folders: tuple[str, ...], as_json: bool) -> None:
    """Say which stacks can be named with --model, what each is and can do; also of those in FOLDERs.

    \b
    Example:
      conceptree models
      conceptree models ~/stacks/kandinsky-2-2 --json
    """
    from ui.console import new_console
    from ui.models import list_models

    list_models(folders, as_json, new_console())


@click.command()
@click.argument("name", metavar="RUN")
@click.argument("concepts", metavar="NAME...", nargs=-1, required=True)
@click.option(
    "--format",
    "form",
    type=click.Choice(["safetensors", "diffusers", "a1111", "conceptlab", "npz"]),
    default="safetensors",
    show_default=True,
    help="Who shall read it; safetensors is diffusers' layout too, and the safest.",
)
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("."),
    help="A folder; by default the one you are in.",
)
@click.option("--force", is_flag=True, help="Replace files that are there already.")
@json_option
@runs_option
@model_now_option
def export(**given: Any) -> None:
    """Write concepts of RUN as embeddings for other tools: NAME.safetensors, a sidecar NAME.json, a sheet NAME.png.

    \b
    Example:
      conceptree export pets moku --to exports
      conceptree export pets moku vasi --format a1111 --to embeddings
    """
    from ui.console import new_console
    from ui.exchange import export

    export(out=new_console(), **given)


@click.command("import")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--run", "run_name", help="The run it comes into, new or not; by default a new one, by its category.")
@click.option("--name", help="The concept's name; by default the one it has in the file.")
@click.option("--category", help="What it is, as in --category pet; by default what its sidecar, or the run, says.")
@click.option("--style", is_flag=True, help="It is a style, not an object.")
@json_option
@runs_option
@click.option("--model", help="The stack: emoji, or a folder; by default the run's, or emoji.")
def import_(**given: Any) -> None:
    """Take embeddings from FILEs into a run: .safetensors, .npz, .pt or .bin, made here or by other tools.

    \b
    Example:
      conceptree import exports/moku.safetensors
      conceptree import learned_embeds.bin --run pets --category pet --name Whiskerfin
    """
    from ui.console import new_console
    from ui.exchange import bring

    bring(out=new_console(), **given)


@click.command()
@click.argument("name", metavar="RUN")
@click.argument("concepts", metavar="NAME...", nargs=-1, required=True)
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    help="The file; by default NAME.family.zip in the folder you are in.",
)
@click.option("--force", is_flag=True, help="Replace a file that is there already.")
@json_option
@runs_option
def share(**given: Any) -> None:
    """Write concepts of RUN with all their ancestors into one file: a family that others can open.

    \b
    Example:
      conceptree share pets moku
      conceptree share pets moku vasi --to ours.family.zip
    """
    from ui.console import new_console
    from ui.share import share

    share(out=new_console(), **given)


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--run", "run_name", help="The run it comes into, new or not; by default a new one, called as it was.")
@json_option
@runs_option
@click.option("--model", help="Where the family's stack is; by default it is looked for among those of the runs here.")
def adopt(**given: Any) -> None:
    """Take a family from FILE, which `conceptree share` has written, into a run: concepts, drawings, lineage.

    \b
    Example:
      conceptree adopt moku.family.zip
      conceptree adopt moku.family.zip --run pets
    """
    from ui.console import new_console
    from ui.share import bring_in

    bring_in(out=new_console(), **given)


@click.command()
@runs_option
@click.option("--port", type=click.IntRange(1, 65535), help="By default the first free one from 8501.")
@click.option(
    "--address",
    default="localhost",
    show_default=True,
    help="Where it listens; at another address others can read the runs and start jobs.",
)
@click.option("--browser/--no-browser", default=None, help="Open a browser; by default where there is a screen.")
def view(**given: Any) -> None:
    """Open the workbench in a browser: seed, breed, browse and export with the mouse or the keyboard.

    It says at which address it listens, and ends with Ctrl-C; what is being learned goes on.

    \b
    Example:
      conceptree view
      conceptree view --runs ~/designs --port 8600 --no-browser
    """
    from ui.console import new_console
    from ui.view.command import view

    if code := view(out=new_console(), **given):
        sys.exit(code)


COMMANDS = (list_, show, name, tree, lineage, kin, check, models, export, import_, share, adopt, view)
