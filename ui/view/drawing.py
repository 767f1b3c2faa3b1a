"""Draw concepts for a page: at once with a small stack, in a separate process with a large one."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock, Thread
from typing import IO

from core.errors import ConceptreeError, PromptError
from core.prompts import TEMPLATES
from evolve import Run
from evolve.jobs.drawings import is_quick
from evolve.store.run import Entry
from ui.pictures import PROMPTS, checked_prompt, drawings_of
from ui.stack import can_draw
from ui.view import model, preview

Wanted = tuple[str, str, int]  # a concept's id, a prompt, a seed


@dataclass
class Errand:
    """One drawing process: a concept in some prompts, with one seed.

    Errands run one after the other, since each loads a large stack. options: of another decoder, for `conceptree draw`.
    log: output of the process; its last line is the reason of a failure. failure: why the process could not start.
    """

    run: Run
    concept: str
    prompts: tuple[str, ...]
    seed: int
    options: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    log: IO[bytes] | None = field(default=None, repr=False)
    failure: str = ""

    @property
    def at_work(self) -> bool:
        """Whether it draws or waits for its turn."""
        return not self.failure and (self.process is None or self.process.poll() is None)

    @property
    def problem(self) -> str:
        """Why it failed; "" while it draws, and after a success."""
        if self.failure or not self.process or not self.process.poll() or not self.log:
            return self.failure
        self.log.seek(0)
        lines = self.log.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"the process ended with code {self.process.returncode}"


# Errands of this server by run and concept, oldest first; the queue, and the thread that starts them.
_errands: dict[tuple[Path, str], list[Errand]] = {}
_waiting: deque[Errand] = deque()
_lock = Lock()
_thread: Thread | None = None


def draw(run: Run, wanted: Sequence[Wanted]) -> bool:
    """Make missing drawings. True if everything is drawn now, False if a process is drawing it.

    Raises:
        ConceptreeError: the stack is missing or cannot draw, or a prompt is invalid.
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


def render(run: Run, wanted: Wanted, options: Sequence[str]) -> None:
    """Draw a concept with another decoder, in a process. options: of it, for `conceptree draw`.

    Raises:
        PromptError: the prompt is invalid.
    """
    id_, prompt, seed = wanted
    checked_prompt(prompt)
    _send(run, id_, [(prompt, seed)], tuple(options))


def errand(run: Run, id_: str) -> Errand | None:
    """The errand of a concept that is running or queued, else the last one."""
    found = _errands.get((run.folder.resolve(), id_), [])
    return next((each for each in found if each.at_work), found[-1] if found else None)


def typed_from(prompt: str, entry: Entry) -> str:
    """The prompt as a person types it, with the concept's name instead of {}, as far as `prompt_from` gives it back."""
    text = prompt.replace("{}", entry.name)
    try:
        return text if prompt_from(text, entry) == prompt else prompt
    except PromptError:
        return prompt


def prompt_from(text: str, entry: Entry) -> str:
    """The prompt that was typed, with {} in place of the concept's name.

    Raises:
        PromptError: it has neither {} nor the name.
    """
    text = " ".join(text.split())
    if "{}" not in text:
        names = "|".join(re.escape(name) for name in sorted({entry.name, entry.born}, key=len, reverse=True))
        text = re.sub(rf"(?<!\w)(?:{names})(?!\w)", "{}", text, flags=re.IGNORECASE)
    if "{}" not in text:
        raise PromptError(f"prompt = {text[:200]!r}: write {entry.name}, or {{}}, where the concept stands")
    return checked_prompt(text)


def ideas(kind: str) -> list[str]:
    """Suggested prompts: the usual ones, and those of the training templates that fit any concept."""
    first = [prompt for prompt in TEMPLATES[kind] if kind == "style" or " a {}" in prompt]
    return list(dict.fromkeys([*PROMPTS[kind], *first]))


def _send(run: Run, id_: str, pairs: Sequence[tuple[str, int]], options: tuple[str, ...] = ()) -> None:
    """Queue an errand for each seed, unless it is queued or running already."""
    global _thread
    with _lock:
        mine = _errands.setdefault((run.folder.resolve(), id_), [])
        same = [each for each in mine if each.at_work and each.options == options]
        coming = {(prompt, each.seed) for each in same for prompt in each.prompts}
        for seed in dict.fromkeys(seed for _, seed in pairs):
            prompts = tuple(prompt for prompt, own in pairs if own == seed and (prompt, seed) not in coming)
            if prompts:
                mine.append(Errand(run, id_, prompts, seed, options))
                _waiting.append(mine[-1])
        if _waiting and (_thread is None or not _thread.is_alive()):
            _thread = Thread(target=_run_errands, daemon=True)
            _thread.start()


def _run_errands() -> None:
    global _thread
    while True:
        with _lock:
            if not _waiting:
                _thread = None
                return
            errand = _waiting.popleft()
            _begin(errand)
        if errand.process:
            errand.process.wait()


def _begin(errand: Errand) -> None:
    """Start `conceptree draw` for one concept, in its own session, so that it outlives the server."""
    prompts = [f"--prompt={prompt}" for prompt in errand.prompts]
    where = [f"--seed={errand.seed}", f"--runs={errand.run.folder.parent}", *errand.options]
    command = [sys.executable, "-m", "ui.cli", "draw", *where, *prompts, "--", errand.run.folder.name, errand.concept]
    try:
        errand.log = tempfile.TemporaryFile()  # noqa: SIM115 – open as long as the errand lives
        errand.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errand.log,
            start_new_session=True,
        )
    except OSError as error:
        errand.failure = f"cannot start a drawing process: {error.strerror or error}"
