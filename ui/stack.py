"""Opening a stack for a command: whatever is wrong with it is said before anything is learned."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from core.calibration import reservation
from core.concept import checked_word
from core.errors import ConceptreeError, StackError
from core.negatives import says_again
from core.settings import Settings, SettingsError
from core.stack import fingerprint
from core.stack.backbone import EMOJI, Backbone
from core.stack.wordbank import members
from core.wording import did_you_mean
from evolve import Run
from evolve.store.about import lasting
from ui.console import say

SMALL = 1e9  # bytes of weights
QUICK = 200e6  # parameters of a stack that draws while a person waits


class WordError(ConceptreeError):
    """A word that the stack cannot understand, or cannot do with what is asked."""


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


def precision_of(backbone: Backbone) -> str:
    """What --dtype was, or would have been."""
    return str(backbone.dtype).removeprefix("torch.")


def check_precision(begun: str, backbone: Backbone) -> None:
    """Refuse to go on with what was begun in another precision.

    Raises:
        StackError: says which option asks for it.
    """
    if begun != (now := precision_of(backbone)):
        raise StackError(f"this was begun in {begun}, and in {now} it would become something else: --dtype {begun}")


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


def is_quick(backbone: Backbone) -> bool:
    """Whether a stack draws a picture in about a second."""
    parts = (backbone.prior, backbone.decoder.unet)
    return sum(parameter.numel() for part in parts for parameter in part.parameters()) <= QUICK


def check_words(backbone: Backbone, words: Iterable[str], what: str, known: Sequence[str] = ()) -> None:
    """Refuse words that the stack has no tokens for, and name known ones that look like them.

    known: what to name where none does; by default the categories.
    """
    for given in words:
        word = checked_word(given, what)
        if not word.isprintable():
            raise WordError(f"{what} = {word!r}: expected a word without control characters")
        if not backbone.knows(word):
            near = _known(backbone, word, known)
            raise WordError(f"the stack {backbone.version} does not know the {what} {word!r}: {near}")


def words_unknown_in(backbone: Backbone, prompt: str) -> list[str]:
    """The words of a prompt that mean nothing to the stack."""
    return [word for word in prompt.replace("{}", " ").split() if not backbone.knows(word)]


def negatives_from(backbone: Backbone, category: str, kind: str, given: str) -> dict[str, Any]:
    """`--negatives` as arguments of Request: adaptive, none, gradual, or words with commas between."""
    if given in ("adaptive", "none"):
        return {"schedule": given}
    if given == "gradual":
        words = tuple(word for word in members(backbone, category, kind) if not says_again(word, category))
        if not words:
            raise WordError(f"the stack {backbone.version} lists no members of {category!r}: name negatives yourself")
    else:
        words = tuple(word.strip() for word in given.split(",") if word.strip())
        if not words:
            raise WordError(f"negatives = {given!r}: expected adaptive, none, gradual, or words with commas between")
        check_words(backbone, words, "negative", members(backbone, category, kind))
    return {"schedule": "gradual" if given == "gradual" else "list", "negatives": words}


def chosen_settings(
    backbone: Backbone,
    preset: str = "default",
    kind: str = "object",
    mixing: bool = False,
    category: str = "",
    steps: int | None = None,
    **others: Any,
) -> Settings:
    """The stack's calibrated settings, with what a person gave instead. A shorter training looks as often."""
    given = {name: value for name, value in others.items() if value is not None}
    if not 0 <= given.get("lam", 0) < math.inf:  # NaN is neither
        raise SettingsError(f"--lambda {given['lam']}: expected a number of at least 0")
    settings = Settings.for_stack(backbone, preset, kind, mixing, category, **given)
    if steps is None:
        return settings
    segment = settings.segment if "segment" in given else min(settings.segment, _scaled(settings, steps))
    return Settings.for_stack(backbone, preset, kind, mixing, category, **{**given, "steps": steps, "segment": segment})


def _scaled(settings: Settings, steps: int) -> int:
    return max(1, round(settings.segment * steps / max(1, settings.steps)))


def _known(backbone: Backbone, word: str, instead: Sequence[str] = ()) -> str:
    categories = sorted(backbone.vocabulary.categories)
    # A dict: some categories are names as well.
    known = list(dict.fromkeys([*instead, *categories, *backbone.vocabulary.words]))
    if near := did_you_mean(word, known):
        return near
    if instead:
        return f"it knows such as {', '.join(instead[:12])}"
    return f"it knows categories such as {', '.join(categories[:12])}" if categories else "choose another"
