"""Options that several commands share."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from core.settings import PRESETS
from evolve.jobs.options import STEPS, Number, Range


class Option(click.Option):
    """An option that is also understood by its old names, which help does not show."""

    def __init__(self, param_decls: Sequence[str], *, old: Sequence[str] = (), **attrs: Any) -> None:
        super().__init__([*param_decls, *old], **attrs)
        self.old = {name for each in old for name in each.split("/")}

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        return click.Option.get_help_record(self._shown(), ctx)

    def get_error_hint(self, ctx: click.Context | None) -> str:
        return click.Option.get_error_hint(self._shown(), ctx)

    def _shown(self) -> Option:
        shown = copy.copy(self)
        shown.opts = [name for name in self.opts if name not in self.old]
        shown.secondary_opts = [name for name in self.secondary_opts if name not in self.old]
        return shown


option = partial(click.option, cls=Option)


def ranged(name: str, numbers: Range[Any], *names: str, **more: Any) -> Callable[[Any], Any]:
    """An option with the limits, the help and, if it has one, the default of `numbers`. more: other values of these."""
    kind: Any = click.IntRange if isinstance(numbers.least, int) else click.FloatRange
    default = numbers.default if isinstance(numbers, Number) else None
    bounds = (int(each) if each == int(each) else each for each in numbers.bounds)  # help shows 1, not 1.0
    told = {"type": kind(*bounds), "default": default, "help": numbers.help, **more}
    return option(name, *names, show_default=told["default"] is not None, **told)


runs_option = option(
    "--runs",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs"),
    show_default=True,
    help="Folder of the runs.",
)


def keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Keep a value for the code that opens the stack (ui/stack.py `asked`)."""
    context.meta[f"conceptree.{parameter.name}"] = value


_kept = partial(option, expose_value=False, callback=keep)


def all_of(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """One decorator for several options, which help shows in this order."""

    def decorate(command: Any) -> Any:
        for each in reversed(options):
            command = each(command)
        return command

    return decorate


_machine = (
    _kept("--device", help="Device: auto, cpu or cuda; by default auto."),
    _kept(
        "--dtype",
        type=click.Choice(["float32", "bfloat16", "float16"]),
        help="Precision of the frozen weights; by default float32.",
    ),
    _kept("--offload", is_flag=True, help="Keep each model on the GPU only while it is used: less memory, more time."),
)
model_option = all_of(
    option(
        "--model",
        default="emoji",
        show_default=True,
        help="Stack: emoji, kandinsky-2.1, kandinsky-2.2, kandinsky-2.2-eclipse, karlo, a folder, or PRIOR+DECODER,"
        " each a folder or ORG/NAME.",
    ),
    *_machine,
    _kept("--revision", help="Commit, tag or branch of the stack's repositories; by default a known commit, or main."),
)
model_now_option = all_of(
    option("--model", help="Folder of the run's stack, if it was moved; by default where it was."), *_machine
)
model_then_option = all_of(
    option("--model", help="Stack of a new run, as for seed, by default emoji; of a run, its folder if it was moved."),
    *_machine,
)
workers_options = all_of(
    _kept("--workers", metavar="ray[:N]", help="Learn in N processes; N is by default one per GPU or core."),
    _kept(
        "--address",
        "cluster",
        metavar="HOST:PORT",
        help="Ray cluster, which must demand a token (RAY_AUTH_MODE=token); by default a local one.",
    ),
    _kept(
        "--batch-size",
        "at_once",
        old=["--at-once"],
        type=click.IntRange(1, 1000),
        help="Concepts learned in one batch at most; by default 32, and 8 in a worker.",
    ),
)
candidates_option = _kept(
    "--candidates",
    type=click.IntRange(1, 100),
    help="Drawings made for each portrait; the best is kept: close to the imagined embedding, and whole. By default 6,"
    " and 1 on a large stack.",
)
steps_option = ranged("--steps", STEPS)
preset_option = option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    default="default",
    show_default=True,
    help="Variant of the losses and their settings.",
)
positive_option = option(
    "--positive",
    "words",
    old=["--word"],
    multiple=True,
    metavar="WORD",
    help="Extra positive word, such as blue; can be given several times. By default none.",
)
json_option = option("--json", "as_json", is_flag=True, help="Print JSON.")
