"""`draw --morph`: the mixtures from one concept to another as an animated picture, before anything is learned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile

from rich.console import Console

from core.errors import ConceptreeError
from core.files import write_atomically
from core.prompts import checked_prompt
from evolve.jobs.batches import found_parent
from evolve.mixtures import weights_of_line
from evolve.operators import check_parents
from evolve.store.captions import run_told
from ui.console import say
from ui.copies import Copies
from ui.mixing_map import Cell, mixed_pictures
from ui.runs import open_run
from ui.stack import can_draw, open_stack_of
from ui.webp import animation_bytes

FRAMES = 24  # from one to the other
LONGEST = 110  # bytes of a name in the name of a file, of which most disks allow 255


class MorphError(ConceptreeError):
    """A morph that cannot be drawn as asked."""


def check_options(concept: str | None, morph: Sequence[str] | None, copies: Copies, **given: object) -> None:
    """Raise MorphError if `draw` has neither a concept nor a morph, both, or options of the other.

    copies: `to` is the file of a morph too.
    """
    if morph:
        if any(name.startswith("-") for name in morph):  # no name does: it is the next option
            raise MorphError(f"--morph {' '.join(morph)}: --morph needs two names")
        if concept is not None:
            raise MorphError(
                f"{concept!r} and --morph {' '.join(morph)}: a morph has only the two concepts after --morph"
            )
        if given["images"] is not None:
            raise MorphError("--images is not for a morph: give --frames")
        if copies.any:
            raise MorphError("--cutout and --upscale are not for a morph: they are for single drawings")
        return
    if concept is None:
        raise MorphError("no concept: name one, or two after --morph")
    if given["frames"] is not None:
        raise MorphError("--frames needs --morph NAME NAME")
    if copies.to is not None and not copies.any:
        raise MorphError("--to needs --morph NAME NAME, --cutout or --upscale")
    if copies.to is not None and copies.to.suffix.lower() != ".png":
        raise MorphError(f"{str(copies.to)!r}: a copy of a drawing is written as .png")


def draw_morph(
    name: str,
    concepts: Sequence[str],
    *,
    prompts: Sequence[str],
    frames: int,
    seed: int,
    to: Path | None,
    runs: Path,
    model: str | None,
    out: Console,
) -> None:
    """Draw the morph of two concepts into `to`, by default morph-NAME-NAME.webp in the run's folder (long names cut).

    Every frame has the same noise, so equal calls write equal files.
    """
    if len(prompts) != 1:
        raise MorphError(f"{len(prompts)} prompts: a morph has one")
    prompt = checked_prompt(prompts[0])
    if to is not None and to.suffix.lower() != ".webp":
        raise MorphError(f"{str(to)!r}: a morph is written as .webp")
    run = open_run(runs, name)
    found = [found_parent(run, called) for called in concepts]
    one, other = (each for each, _ in found)
    if one.id == other.id:
        raise MorphError(f"--morph {concepts[0]} {concepts[1]}: both are {one.name}: name two concepts")
    check_parents([one.concept, other.concept])
    within = run.folder if to is None else None
    to = to or run.folder / f"morph-{_cut(one.name)}-{_cut(other.name)}.webp"
    _check_target(to)
    stack = open_stack_of(run, model)
    if not can_draw(stack):
        raise MorphError(f"the stack {stack.version} has no decoder: it cannot draw a morph")
    say(out, f"Drawing {frames} frames from {one.name} to {other.name} …")
    cells = [Cell(weights, seed) for weights in weights_of_line(frames)]
    (pictures,) = mixed_pictures(stack, [one, other], [cells], prompt)
    names = [f"{home}/{each.name}" if home else each.name for each, home in found]
    told: dict[str, object] = {"title": f"{one.name} to {other.name}", "concepts": ", ".join(names), "prompt": prompt}
    told |= {"seed": seed, "frames": frames} | run_told(run.folder.resolve().name, run.about)
    write_atomically(to, animation_bytes(pictures, told), within)
    say(out, str(to))


def _cut(name: str) -> str:
    """The first LONGEST bytes of a name, without half a character."""
    return name.encode()[:LONGEST].decode(errors="ignore").rstrip()


def _check_target(file: Path) -> None:
    """Raise MorphError if the file cannot be written, before frames are drawn."""
    try:
        file.exists()  # raises if the name is too long
        folder = next(each for each in file.absolute().parents if each.exists())
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise MorphError(f"{str(file)!r} cannot be written: {error.strerror or error}: choose another --to") from error
