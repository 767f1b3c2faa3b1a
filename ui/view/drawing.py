"""Drawing concepts for a page: at once with a small stack, by a process of its own with a large one."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from core.backbone import Backbone
from core.errors import ConceptreeError, PromptError
from core.prompts import TEMPLATES
from evolve import Run
from evolve.run import Entry
from ui.pictures import PROMPTS, checked_prompt, drawings_of
from ui.stack import can_draw
from ui.view import model, preview

LARGEST = 200e6  # parameters of a stack that draws while a person waits
Wanted = tuple[str, str, int]  # a concept's id, a prompt, a seed


@dataclass
class Errand:
    """A process that draws. log: what it says, of which the last line tells why it failed."""

    process: subprocess.Popen[bytes]
    log: IO[bytes] = field(repr=False)

    @property
    def problem(self) -> str:
        """Why it ended without drawing; "" while it draws, or if all went well."""
        if not self.process.poll():
            return ""
        self.log.seek(0)
        lines = self.log.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"it ended with code {self.process.returncode}"


# Those that this server began, by run and concept: to tell a person how they are, and to wait for those that ended.
_errands: dict[tuple[Path, str], Errand] = {}


def is_quick(backbone: Backbone) -> bool:
    """Whether a stack draws a picture in about a second, so that nobody minds waiting."""
    parts = (backbone.prior, backbone.decoder.unet)
    return sum(parameter.numel() for part in parts for parameter in part.parameters()) <= LARGEST


def draw(run: Run, wanted: Sequence[Wanted]) -> bool:
    """Draw what is wanted and not there yet; whether it is there now, or else being drawn by a process.

    Raises:
        ConceptreeError: the stack is not here, or cannot draw; a prompt is none.
    """
    for _, prompt, _ in wanted:
        checked_prompt(prompt)
    backbone = model.backbone(run)
    if not can_draw(backbone):
        raise ConceptreeError(f"the stack {backbone.version} has no decoder, so it cannot draw")
    by_concept: dict[str, list[tuple[str, int]]] = {}
    for id_, prompt, seed in wanted:
        by_concept.setdefault(id_, []).append((prompt, seed))
    if not is_quick(backbone):
        for id_, pairs in by_concept.items():
            _send(run, id_, pairs)
        return False
    for id_, pairs in by_concept.items():
        each = run.find(id_)
        with preview.drawing:
            drawings_of(run, backbone, each, [prompt for prompt, _ in pairs], [seed for _, seed in pairs])
    return True


def errand(run: Run, id_: str) -> Errand | None:
    """The process that draws a concept, or has drawn it."""
    return _errands.get((run.folder.resolve(), id_))


def prompt_from(text: str, entry: Entry) -> str:
    """A prompt as a person types it, with {} or with the concept's own name where it stands.

    Raises:
        PromptError: it has neither.
    """
    text = " ".join(text.split())
    if "{}" not in text:
        names = "|".join(re.escape(name) for name in sorted({entry.name, entry.born}, key=len, reverse=True))
        text = re.sub(rf"(?<!\w)(?:{names})(?!\w)", "{}", text, flags=re.IGNORECASE)
    if "{}" not in text:
        raise PromptError(f"prompt = {text[:200]!r}: say {entry.name}, or {{}}, where it stands")
    return checked_prompt(text)


def ideas(kind: str) -> list[str]:
    """Prompts that the stack's concepts are learned in, one of each sort."""
    first = [prompt for prompt in TEMPLATES[kind] if kind == "style" or " a {}" in prompt]
    return list(dict.fromkeys([*PROMPTS[kind], *first]))


def _send(run: Run, id_: str, pairs: Sequence[tuple[str, int]]) -> None:
    """`conceptree draw` for one concept, unless that is at it already. It draws each prompt with its first seed."""
    key = (run.folder.resolve(), id_)
    before = _errands.get(key)
    if before and before.process.poll() is None:
        return
    seed = pairs[0][1]
    prompts = [f"--prompt={prompt}" for prompt, each in pairs if each == seed]
    command = [sys.executable, "-m", "ui.cli", "draw", f"--seed={seed}", f"--runs={run.folder.parent}", *prompts]
    log = tempfile.TemporaryFile()  # noqa: SIM115 – it lives as long as the errand
    try:
        process = subprocess.Popen(
            [*command, "--", run.folder.name, id_],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
        )
    except OSError as error:
        raise ConceptreeError(f"no process can be started that draws: {error.strerror or error}") from error
    _errands[key] = Errand(process, log)
