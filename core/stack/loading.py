"""Loading the parts of a stack when they are first used, without the libraries' progress bars."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, overload

from core.errors import StackError
from core.stack import folders
from core.stack.sizes import check_sizes
from core.wording import counted

if TYPE_CHECKING:
    import torch

    from core.stack.offload import Turns

# Where the classes of diffusers' pipelines lie, by the library that a model_index.json names.
_MODULES = {
    "kandinsky": "diffusers.pipelines.kandinsky",
    "stable_diffusion": "diffusers.pipelines.stable_diffusion.stable_unclip_image_normalizer",
    "unclip": "diffusers.pipelines.deprecated.unclip.text_proj",
}

S = TypeVar("S", bound="HasParts")
T = TypeVar("T")


class HasParts(Protocol):
    """A stack that loads its models as `Part`s."""

    loading: RLock
    turns: Turns | None
    device: torch.device


class Part(Generic[S, T]):
    """A model of the stack, loaded when it is first used.

    Where models take turns on the device, each use brings it there together with the others of its group.
    """

    def __init__(self, group: str, load: Callable[[S], T]) -> None:
        self.group, self.load, self.__doc__ = group, load, load.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, stack: None, owner: type | None = None) -> Part[S, T]: ...
    @overload
    def __get__(self, stack: S, owner: type | None = None) -> T: ...
    def __get__(self, stack: S | None, owner: type | None = None) -> Part[S, T] | T:
        if stack is None:
            return self
        with stack.loading:  # a page uses one stack from several threads
            if self.name not in vars(stack):
                model = self.load(stack)
                modules = _modules(model)
                if stack.turns is None:
                    for module in modules:
                        module.to(stack.device)
                else:
                    stack.turns.add(self.group, modules)
                vars(stack)[self.name] = model
            if stack.turns is not None:
                stack.turns.bring(self.group)
            loaded: T = vars(stack)[self.name]
            return loaded

    def __set__(self, stack: S, model: T) -> None:
        vars(stack)[self.name] = model


def _modules(model: Any) -> list[torch.nn.Module]:
    """The model, or those of a pipeline."""
    import torch

    parts = model.components.values() if hasattr(model, "components") else [model]
    return [part for part in parts if isinstance(part, torch.nn.Module)]


def part_of(group: str) -> Callable[[Callable[[S], T]], Part[S, T]]:
    """A decorator: the method loads a `Part`, which takes its turn on the device with all of its group."""
    return lambda load: Part(group, load)


def load_part(what: str, folder: Path, library: str, name: str, **options: Any) -> Any:
    """A part of a pipeline, of the class that its model_index.json names, as diffusers loads it.

    what: the part, for errors.

    Raises:
        StackError: it does not load, or needs code of its own.
    """
    folders.refuse_code(folder)
    check_sizes(folder)
    try:
        with quietly():
            return getattr(import_module(_MODULES.get(library, library)), name).from_pretrained(folder, **options)
    except Exception as error:  # a stranger's configuration may fail anywhere in a library
        raise StackError(f"the {what} in {folder} does not load: {load_failure(error, folder)}") from error


def load_model(what: str, folder: Path, library: str, name: str, dtype: torch.dtype, but: Sequence[str] = ()) -> Any:
    """A part that has weights, frozen, in evaluation mode. but: modules of it that have none.

    Raises:
        StackError: it does not load, or lacks weights.
    """
    options = {"use_safetensors": True, "dtype": dtype, "output_loading_info": True}
    model, told = load_part(what, folder, library, name, **options)
    # The libraries fill these at random.
    if missing := sorted(key for key in told["missing_keys"] if key.split(".")[0] not in but):
        raise StackError(
            f"the {what} in {folder} lacks {counted(len(missing), 'tensor')}, such as {missing[0]}: fetch it again"
        )
    return model.eval().requires_grad_(False)


def load_failure(error: Exception, folder: Path) -> str:
    """Why the weights in `folder` do not load, in one line; names the damaged file, which safetensors omits."""
    for file in sorted(folder.rglob("*.safetensors")):
        if damage := folders.damage_of(file):
            return damage
    return (str(error).strip() or type(error).__name__).splitlines()[0]


@contextmanager
def quietly() -> Iterator[None]:
    """Switch off the libraries' progress bars and warnings: the command has its own, and errors are checked here."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    libraries = [each for each in (diffusers_logging, transformers_logging) if each.is_progress_bar_enabled()]
    for each in libraries:
        each.disable_progress_bar()
    loud = {each: each.get_verbosity() for each in (diffusers_logging, transformers_logging)}
    for each in loud:
        each.set_verbosity(max(logging.ERROR, each.get_verbosity()))
    try:
        yield
    finally:
        for each, before in loud.items():
            each.set_verbosity(before)
        for each in libraries:
            each.enable_progress_bar()
