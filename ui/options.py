"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
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


def keep(context: click.Context, option: click.Parameter, value: Any) -> None:
    """For whoever opens the stack (ui/stack.py `asked`)."""
    context.meta[f"conceptree.{option.name}"] = value


def _machine(model: Callable[[Any], Any], revision: bool) -> Callable[[Any], Any]:
    """--model, with what says where and how it runs."""
    options = [
        model,
        click.option("--device", help="auto, cpu or cuda.", expose_value=False, callback=keep),
        click.option(
            "--dtype",
            type=click.Choice(["float32", "bfloat16", "float16"]),
            help="Precision of the frozen parts; by default float32.",
            expose_value=False,
            callback=keep,
        ),
        click.option(
            "--offload",
            is_flag=True,
            help="Keep a part on the GPU only while it is used: less memory, more time.",
            expose_value=False,
            callback=keep,
        ),
    ]
    if revision:
        how = "Commit, tag or branch of the stack's repositories; by default main."
        options.append(click.option("--revision", help=how, expose_value=False, callback=keep))

    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


model_option = _machine(
    click.option(
        "--model",
        default="emoji",
        show_default=True,
        help="The stack: emoji, kandinsky-2.1, kandinsky-2.2, a folder, or PRIOR+DECODER by folder or ORG/NAME.",
    ),
    revision=True,
)
model_now_option = _machine(
    click.option("--model", help="Where the run's stack is now, if it was moved."), revision=False
)


def workers_options(command: Any) -> Any:
    """Who learns (ui/workers.py)."""
    kept: Any = {"expose_value": False, "callback": keep}
    options = [
        click.option(
            "--workers", metavar="ray[:N]", help="Learn in N processes at once, by default one a GPU or core.", **kept
        ),
        click.option(
            "--address",
            "cluster",
            metavar="HOST:PORT",
            help="Of a Ray cluster, which has to demand a token (RAY_AUTH_MODE=token); by default this machine.",
            **kept,
        ),
        click.option(
            "--at-once",
            type=click.IntRange(1, 1000),
            help="How many learn side by side at most; by default 32, and 8 in a worker.",
            **kept,
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


candidates_option = click.option(
    "--candidates",
    type=click.IntRange(1, 100),
    help="Drawings of each portrait, of which the one closest to what was imagined is kept; by default 6, and 1 with a"
    " large stack.",
    expose_value=False,
    callback=keep,
)
steps_option = click.option("--steps", type=STEPS, help="Steps for each concept; by default what the stack needs.")
preset_option = click.option(
    "--preset", type=PRESETS, default="default", show_default=True, help="Whose version of the losses."
)
word_option = click.option(
    "--word", "words", multiple=True, metavar="WORD", help="What they shall be besides, as in --word blue."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
of_option = click.option(
    "--of",
    multiple=True,
    metavar="NAME",
    help="Only this concept's ancestors and descendants; can be given several times.",
)
depth_option = click.option("--depth", type=click.IntRange(0), help="With --of: only so many generations from it.")
