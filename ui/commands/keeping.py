"""Commands for stored concepts: note, board, check, export, import."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from ui.options import json_option, model_now_option, option, runs_option

FAMILY, PICTURES, IMAGES = "family", "pictures", ("image", "comfyui")


@click.command(short_help="Name, rate, tag and comment on concepts.")
@click.argument("run", metavar="RUN")
@click.argument("concepts", metavar="NAME...", nargs=-1, required=True)
@option("--name", metavar="NEW", help="Rename the concept; its first name still finds it.")
@option("--favourite/--no-favourite", default=None, help="Favourites survive every generation of an evolution.")
@option("--lock/--unlock", "locked", default=None, help="Locked concepts survive as well, without being favourites.")
@option(
    "--hide/--unhide",
    "hidden",
    old=["--retire/--no-retire"],
    default=None,
    help="Hidden concepts are left out of lists and have no children.",
)
@option("--rating", old=["--rate"], type=click.IntRange(0, 5), help="Rating from 1 to 5; 0 removes it.")
@option("--tag", multiple=True, metavar="TAG", help="Tag to add; can be given several times.")
@option("--untag", multiple=True, metavar="TAG", help="Tag to remove; can be given several times.")
@option("--comment", help="Any text.")
@runs_option
def note(**given: Any) -> None:
    """Name, rate, tag or mark concepts of RUN, or comment on them. The workbench can undo it.

    An option that is not given keeps its value.

    \b
    Example:
      conceptree note pets moku vasi --favourite
      conceptree note pets moku --rating 5 --comment "the one with the tail"
      conceptree note pets moku vasi --tag forest --untag night
      conceptree note pets moku --name Whiskerfin
    """
    from ui.console import new_console
    from ui.notes import note

    note(out=new_console(), **given)


@click.command(short_help="Collect concepts of several runs.")
@click.argument("name", metavar="[BOARD]", required=False)
@option("--add", multiple=True, metavar="RUN/NAME", help="Concept to add; can be given several times.")
@option("--remove", multiple=True, metavar="RUN/NAME", help="Concept to remove; can be given several times.")
@option("--rename", metavar="NEW", help="Rename the board.")
@option("--delete", is_flag=True, help="Delete the board; its concepts stay in their runs.")
@json_option
@runs_option
def board(**given: Any) -> None:
    """List all boards, show one, or change it. A board is a collection of concepts of any runs.

    \b
    Example:
      conceptree board
      conceptree board Bedroom --add pets/moku --add birds/vasi
      conceptree board Bedroom --rename "Children's room"
    """
    from ui.boards import board
    from ui.console import new_console

    board(out=new_console(), **given)


@click.command(short_help="Check that a run is whole.")
@click.argument("name", metavar="RUN")
@json_option
@runs_option
def check(**given: Any) -> None:
    """Compare every file of RUN with its digest. Exits with 1 if anything is lost.

    \b
    Example: conceptree check pets
    """
    from ui.console import new_console
    from ui.wholeness import check_run

    if not check_run(out=new_console(), **given):
        sys.exit(1)


@click.command(short_help="Write embeddings, pictures, or a family file.")
@click.argument("name", metavar="RUN")
@click.argument("concepts", metavar="NAME...", nargs=-1, required=True)
@option(
    "--format",
    "form",
    type=click.Choice(["safetensors", "diffusers", "a1111", "conceptlab", "npz", *IMAGES, PICTURES, FAMILY]),
    default="safetensors",
    show_default=True,
    help="Layout of the embedding. image, comfyui: image embeddings, as IP-Adapters read them."
    " pictures: all drawings as PNG, and no embedding."
    " family: one file with all ancestors and drawings, which conceptree import reads.",
)
@option(
    "--to",
    type=click.Path(path_type=Path),
    help="Folder, by default the current one. With --format family: a file, by default NAME.family.zip.",
)
@option("--force", is_flag=True, help="Replace existing files.")
@json_option
@runs_option
@model_now_option
def export(form: str, to: Path | None, model: str | None, **given: Any) -> None:
    """Write concepts of RUN as embeddings for other tools, or with their ancestors as a family for other people.

    An embedding comes with a sidecar NAME.json and a sheet of drawings NAME.png. Image embeddings are what the prior
    imagines of a concept; other models draw them. Pictures carry their concept, parents, prompt and seed inside.

    \b
    Example:
      conceptree export pets moku --to exports
      conceptree export pets moku vasi --format a1111 --to embeddings
      conceptree export pets moku --format image
      conceptree export pets moku --format pictures --to pictures
      conceptree export pets moku --format family
    """
    from ui.console import new_console

    if form == FAMILY:
        from ui.share import share

        return share(to=to, out=new_console(), **given)
    from ui.exporting import Target, export

    target = Target(to or Path("."), form, given.pop("force"), given.pop("as_json"))
    export(given.pop("name"), given.pop("concepts"), target, model=model, out=new_console(), **given)


@click.command("import", short_help="Read embeddings or family files into a run, or find a drawing's concept.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@option("--run", "run_name", help="Run to import into, new or not; by default a new one.")
@option("--name", help="Name of the concept; by default the one in the file. Not for families.")
@option("--category", help="Category of the concept; by default that of its sidecar, or of the run. Not for families.")
@option("--style", is_flag=True, help="The concept is a style; by default an object. Not for families.")
@json_option
@runs_option
@option("--model", help="Stack: emoji, or a folder; by default that of the run, or the file's if it is found here.")
@click.pass_context
def import_(context: click.Context, files: tuple[Path, ...], **given: Any) -> None:
    """Import embeddings (.safetensors, .npz, .pt, .bin) or families (.family.zip) from FILEs into a run.

    A drawing (.png) made by Conceptree is not imported: the command finds its concept, prompt and seed.

    \b
    Example:
      conceptree import exports/moku.safetensors
      conceptree import learned_embeds.bin --run pets --category pet --name Whiskerfin
      conceptree import moku.family.zip
      conceptree import drawing.png
    """
    from core.errors import FileError
    from ui.console import new_console
    from ui.drawn import drawings_among, find_drawn
    from ui.share import bring_in, is_family

    if unnamed := next((file for file in files if not file.name), None):
        raise FileError(f"{str(unnamed)!r} is a folder: name a file in it")
    drawings = drawings_among(files)
    families = [file for file in files if file not in drawings and is_family(file)]
    embeddings = [file for file in files if file not in (*drawings, *families)]
    wrong = next((key for key in ("name", "category", "style") if given[key]), None)
    if families and wrong:
        raise click.UsageError(f"--{wrong} is not for families, such as {str(families[0])!r}", context)
    if drawings and wrong:
        raise click.UsageError(f"--{wrong} is not for drawings, such as {str(drawings[0])!r}", context)
    for file in families:
        how = {key: given[key] for key in ("run_name", "as_json", "runs", "model")}
        bring_in(file, out=new_console(), **how)
    if drawings:
        how = {key: given[key] for key in ("run_name", "as_json", "runs")}
        find_drawn(drawings, out=new_console(), **how)
    if embeddings:
        from ui.importing import bring

        bring(files=embeddings, out=new_console(), **given)


COMMANDS = (note, board, check, export, import_)
