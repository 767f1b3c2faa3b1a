"""Commands that need no run: demo, view, doctor."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from evolve.jobs.options import SEED
from ui.options import candidates_option, json_option, model_option, option, ranged, runs_option, steps_option


@click.command(short_help="Learn six pets, two children and a grandchild.")
@option(
    "--runs",
    old=["--out"],
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs"),
    show_default=True,
    help="Folder of the runs, in which the demo makes one.",
)
@candidates_option
@model_option
@steps_option
@ranged("--seed", SEED)
def demo(**given: Any) -> None:
    """Learn six pets, two children and a grandchild; draw their sheet and family tree.

    \b
    Example: conceptree demo
    """
    from ui.console import new_console
    from ui.demo import demo

    demo(out=new_console(), **given)


@click.command(short_help="Open the workbench in a browser.")
@runs_option
@option("--port", type=click.IntRange(1, 65535), help="Port; by default the first free one from 8501.")
@option(
    "--address",
    default="localhost",
    show_default=True,
    help="Address to listen at. At any other address, other people can read the runs and start jobs.",
)
@option("--browser/--no-browser", default=None, help="Open a browser; by default where there is a screen.")
def view(**given: Any) -> None:
    """Open the workbench in a browser: every job with the mouse or the keyboard.

    It prints its address and ends with Ctrl-C. Its jobs continue.

    \b
    Example:
      conceptree view
      conceptree view --runs ~/designs --port 8600 --no-browser
    """
    from ui.console import new_console
    from ui.view.command import view

    if code := view(out=new_console(), **given):
        sys.exit(code)


@click.command(short_help="Check the installation; list stacks.")
@click.argument("folders", metavar="[FOLDER]...", nargs=-1)
@option("--model", default="emoji", show_default=True, help="Stack to check: emoji, or a folder.")
@option("--models", is_flag=True, help="Instead, list the stacks that --model accepts, and those in FOLDERs.")
@json_option
def doctor(folders: tuple[str, ...], model: str, models: bool, as_json: bool) -> None:
    """Check packages, device and stack, or list the stacks. Exits with 1 if something needed is missing.

    \b
    Example:
      conceptree doctor
      conceptree doctor --models ~/stacks/kandinsky-2-2
    """
    if models or folders:
        from ui.console import new_console
        from ui.models import list_models

        return list_models(folders, as_json, new_console())
    from ui.doctor import examine, show

    found = examine(model)
    show(found, as_json)
    if any(finding.needed for finding in found.findings):
        sys.exit(1)


COMMANDS = (demo, view, doctor)
