"""Opening a stack for a command: whatever is wrong with it is said before anything is learned."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from core.calibration import reservation
from core.errors import ConceptreeError, StackError
from core.stack import fingerprint
from core.stack.backbone import EMOJI, Backbone
from evolve import Run
from evolve.store.about import lasting
from ui.console import say

SMALL = 1e9  # bytes of weights


def open_stack(where: str, out: Console | None = None) -> Backbone:
    """A stack that is whole: a small one with its parts in memory, those that learn and, if it can draw, those that
    draw; of a large one each part is loaded when it is first needed.

    Where and in which precision it runs, a person says by --device, --dtype and --offload, or by variables of the
    environment, which a job's own process inherits. out: given by commands that learn, to say there where its caps and
    floors were measured on other weights.
    """
    backbone = Backbone.load(
        where, asked("device"), asked("dtype"), revision=asked("revision"), offload=asked("offload") in (True, "1")
    )
    try:
        backbone.check()
        if not is_small(backbone):
            return _told(backbone, out)
        parts = [backbone.tokenizer, backbone.text_encoder, backbone.prior, backbone.scheduler]
        if can_draw(backbone):
            parts += [backbone.image_encoder, backbone.image_processor, backbone.decoder]
    except ConceptreeError:
        raise
    except Exception as error:  # damaged weights fail in whatever library reads them
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise StackError(f"the weights of the stack {where!r} cannot be read: {reason}") from error
    return _told(backbone, out)


def _told(backbone: Backbone, out: Console | None) -> Backbone:
    if out and (text := reservation(backbone)):
        say(out, f"Note: {text}.")
    return backbone


def is_small(backbone: Backbone) -> bool:
    """Whether all of a stack's parts fit into any memory together."""
    folders = [folder for folder in (backbone.prior_folder, backbone.decoder_folder) if folder is not None]
    return sum(file.stat().st_size for folder in folders for file in folder.rglob("*.safetensors")) < SMALL


def asked(option: str) -> Any:
    """What a person said by an option of the command that is running, or by CONCEPTREE_<OPTION>; None for neither."""
    context = click.get_current_context(silent=True)
    given = context.meta.get(f"conceptree.{option}") if context else None
    return given or os.environ.get(f"CONCEPTREE_{option.upper()}") or None


def open_stack_of(run: Run, where: str | None, out: Console | None = None) -> Backbone:
    """The stack that a run was made on, from where it was then or from `where` it is now; out: as for `open_stack`."""
    backbone = open_stack(where or run.about["stack"]["where"], out)
    check_made_on(run, backbone)
    return backbone


def check_made_on(run: Run, backbone: Backbone) -> None:
    """Refuse another stack than the one that a run was made on."""
    if text := made_on_another(run, backbone):
        raise StackError(f"{text}: name its folder with --model")


def made_on_another(run: Run, backbone: Backbone) -> str:
    """One line that says which stack a run needs, or '' if it was made on this one."""
    made_on = run.about["stack"]
    return fingerprint.made_on_another(
        f"the run {run.folder.name!r}", made_on["version"], made_on["fingerprint"], backbone
    )


def options_for(run: Run, backbone: Backbone) -> list[str]:
    """The options with which a later command opens a run's stack as it is open now."""
    where = lasting(backbone.where)
    found = ["--model", where] if where != run.about["stack"]["where"] else []
    for option in ("device", "dtype"):
        found += [f"--{option}", str(given)] if (given := asked(option)) else []
    return [*found, *(["--offload"] if asked("offload") in (True, "1") else [])]


def folder_of(backbone: Backbone) -> Path:
    """Where its files are: of a pair or a repository, the prior's."""
    where = EMOJI if backbone.where == "emoji" else Path(backbone.where).expanduser()
    return where if where.is_dir() else backbone.prior_folder


def can_draw(backbone: Backbone) -> bool:
    return backbone.draws


def words_unknown_in(backbone: Backbone, prompt: str) -> list[str]:
    """The words of a prompt that mean nothing to the stack."""
    return [word for word in prompt.replace("{}", " ").split() if not backbone.knows(word)]
