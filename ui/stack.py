"""Opening a stack for a command, checked before anything is learned."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from core.calibration import reservation
from core.errors import ConceptreeError, StackError
from core.stack.backbone import EMOJI, Backbone
from evolve import Run
from evolve.developing import check_made_on
from evolve.store.about import lasting
from ui.console import say

ELSEWHERE = ": name its folder with --model"  # where a run's stack is
SMALL = 1e9  # bytes of weights


def open_stack(where: str, out: Console | None = None) -> Backbone:
    """A checked stack. The parts of a small one are loaded at once, those of a large one when they are first used.

    Device and precision are those of --device, --dtype and --offload, or of the environment variables CONCEPTREE_…,
    which the process of a job inherits. out: print a warning there if caps and floors were measured on other weights;
    for commands that learn.

    Raises:
        StackError: a part is missing or damaged.
    """
    stack = Backbone.load(
        where, asked("device"), asked("dtype"), revision=asked("revision"), offload=asked("offload") in (True, "1")
    )
    try:
        stack.check()
        if not is_small(stack):
            return _told(stack, out)
        parts = [stack.tokenizer, stack.text_encoder, stack.prior, stack.scheduler]
        if can_draw(stack):
            parts += [stack.image_encoder, stack.image_processor, stack.decoder]
    except ConceptreeError:
        raise
    except Exception as error:  # damaged weights may fail in any library
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise StackError(f"the weights of the stack {where!r} cannot be read: {reason}") from error
    return _told(stack, out)


def _told(stack: Backbone, out: Console | None) -> Backbone:
    if out and (text := reservation(stack)):
        say(out, f"Note: {text}.")
    return stack


def is_small(stack: Backbone) -> bool:
    """Whether a stack is small enough to load all its parts at once."""
    folders = (stack.prior_folder, stack.part_folder("prior"), stack.decoder_folder)
    files = {file for folder in folders if folder is not None for file in folder.rglob("*.safetensors")}
    return sum(file.stat().st_size for file in files) < SMALL


def asked(option: str) -> Any:
    """The value of an option of the running command, or of CONCEPTREE_<OPTION>; None for neither."""
    context = click.get_current_context(silent=True)
    given = context.meta.get(f"conceptree.{option}") if context else None
    return given or os.environ.get(f"CONCEPTREE_{option.upper()}") or None


def open_stack_of(run: Run, where: str | None, out: Console | None = None) -> Backbone:
    """The stack that a run was made on, from its stored place or from `where`. out: see `open_stack`."""
    stack = open_stack(where or run.about["stack"]["where"], out)
    check_made_on(run, stack, ELSEWHERE)
    return stack


def options_for(run: Run, stack: Backbone) -> list[str]:
    """The options with which a later command opens the run's stack in the same way."""
    where = lasting(stack.where)
    found = ["--model", where] if where != run.about["stack"]["where"] else []
    for option in ("device", "dtype"):
        found += [f"--{option}", str(given)] if (given := asked(option)) else []
    return [*found, *(["--offload"] if asked("offload") in (True, "1") else [])]


def folder_of(stack: Backbone) -> Path:
    """The folder of a stack's files; for a pair or a repository, the prior's."""
    where = EMOJI if stack.where == "emoji" else Path(stack.where).expanduser()
    return where if where.is_dir() else stack.prior_folder


def can_draw(stack: Backbone) -> bool:
    return stack.draws


def words_unknown_in(stack: Backbone, prompt: str) -> list[str]:
    """The words of a prompt that the stack does not know."""
    return [word for word in prompt.replace("{}", " ").split() if not stack.knows(word)]
