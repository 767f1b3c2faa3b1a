"""How parts of a stack come into memory: when they are first asked for, without the libraries' own progress bars, and
with one line where their weights do not load.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.stack import hub


class Part:
    """A model of the stack: loaded when it is first asked for and, where models take turns on the device, brought there
    with the others of its group whenever it is asked for.
    """

    def __init__(self, group: str, load: Callable[[Any], Any]) -> None:
        self.group, self.load, self.__doc__ = group, load, load.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, stack: Any, owner: type | None = None) -> Any:
        if stack is None:
            return self
        with stack.loading:  # a page asks from several threads
            if self.name not in vars(stack):
                model = self.load(stack)
                modules = [model.unet, model.movq] if hasattr(model, "unet") else [model]
                if stack.turns is None:
                    for module in modules:
                        module.to(stack.device)
                else:
                    stack.turns.add(self.group, modules)
                vars(stack)[self.name] = model
            if stack.turns is not None:
                stack.turns.bring(self.group)
            return vars(stack)[self.name]

    def __set__(self, stack: Any, model: Any) -> None:
        vars(stack)[self.name] = model


def part_of(group: str) -> Callable[[Callable[[Any], Any]], Part]:
    """A decorator: the method loads a `Part`, which takes its turn on the device with all of the group."""
    return lambda load: Part(group, load)


def load_failure(error: Exception, folder: Path) -> str:
    """Why the weights in `folder` do not load, in one line, with the damaged file's name, which safetensors omits."""
    for file in sorted(folder.rglob("*.safetensors")):
        if damage := hub.damage_of(file):
            return damage
    return (str(error).strip() or type(error).__name__).splitlines()[0]


@contextmanager
def quietly() -> Iterator[None]:
    """Without the libraries' progress bars: a small stack loads in a blink, and the command has its own."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    libraries = [each for each in (diffusers_logging, transformers_logging) if each.is_progress_bar_enabled()]
    for each in libraries:
        each.disable_progress_bar()
    try:
        yield
    finally:
        for each in libraries:
            each.enable_progress_bar()
