"""Opening a stack for a command: whatever is wrong with it is said before anything is learned."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from rich.console import Console

from core.backbone import EMOJI, Backbone
from core.calibration import reservation
from core.concept import checked_word
from core.errors import ConceptreeError, StackError
from core.namers import vqa_namer
from core.negatives import Namer, says_again
from core.settings import Settings, SettingsError
from core.wordbank import members
from evolve import Run
from ui.console import say


class WordError(ConceptreeError):
    """A word that the stack cannot understand, or cannot do with what is asked."""


def open_stack(where: str, out: Console | None = None) -> Backbone:
    """A stack with its parts in memory, those that learn and, if it can draw, those that draw.

    out: given by commands that learn, to say there where its caps and floors were measured on other weights.
    """
    backbone = Backbone.load(where)
    try:
        parts = [backbone.tokenizer, backbone.text_encoder, backbone.prior, backbone.scheduler]
        if can_draw(backbone):
            parts += [backbone.image_encoder, backbone.image_processor, backbone.decoder]
    except ConceptreeError:
        raise
    except Exception as error:  # damaged weights fail in whatever library reads them
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise StackError(f"the weights of the stack {where!r} cannot be read: {reason}") from error
    if out and (text := reservation(backbone)):
        say(out, f"Note: {text}.")
    return backbone


def open_stack_of(run: Run, where: str | None, out: Console | None = None) -> Backbone:
    """The stack that a run was made on, from where it was then or from `where` it is now; out: as for `open_stack`."""
    backbone = open_stack(where or run.about["stack"]["where"], out)
    check_made_on(run, backbone)
    return backbone


def check_made_on(run: Run, backbone: Backbone) -> None:
    """Refuse another stack than the one that a run was made on."""
    made_on = run.about["stack"]
    if backbone.fingerprint != made_on["fingerprint"]:
        raise StackError(
            f"the run {run.folder.name!r} needs the stack {made_on['version']} ({made_on['fingerprint']}),"
            f" and {backbone.where!r} is {backbone.version} ({backbone.fingerprint}): name its folder with --model"
        )


def folder_of(backbone: Backbone) -> Path:
    return EMOJI if backbone.where == "emoji" else Path(backbone.where).expanduser()


def can_draw(backbone: Backbone) -> bool:
    return (folder_of(backbone) / "decoder" / "model_index.json").is_file()


def namer_of(backbone: Backbone) -> Namer | None:
    """The stack's question answerer; without one, or without drawings to ask about, its vocabulary names."""
    folder = folder_of(backbone) / "vqa"
    if not folder.is_dir() or not can_draw(backbone):
        return None
    return vqa_namer(folder, backbone.device)


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
        check_words(backbone, words, "negative", members(backbone, category, kind) if kind == "style" else ())
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
        raise SettingsError(f"λ = {given['lam']}: give --lambda a number of at least 0")
    settings = Settings.for_stack(backbone, preset, kind, mixing, category, **given)
    if steps is None:
        return settings
    segment = settings.segment if "segment" in given else min(settings.segment, _scaled(settings, steps))
    return Settings.for_stack(backbone, preset, kind, mixing, category, **{**given, "steps": steps, "segment": segment})


def _scaled(settings: Settings, steps: int) -> int:
    return max(1, round(settings.segment * steps / max(1, settings.steps)))


def _known(backbone: Backbone, word: str, instead: Sequence[str] = ()) -> str:
    categories = sorted(backbone.vocabulary.get("categories", {}))
    # A dict: some categories are names as well.
    known = list(dict.fromkeys([*instead, *categories, *backbone.vocabulary.get("words", ())]))
    near = get_close_matches(word.lower(), known, n=4, cutoff=0.6)
    if near:
        return f"did you mean {', '.join(near)}?"
    if instead:
        return f"it knows such as {', '.join(instead[:12])}"
    return f"it knows categories such as {', '.join(categories[:12])}" if categories else "choose another"
