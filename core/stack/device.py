"""The device and the precision that a person names."""

from __future__ import annotations

import torch

from core.errors import StackError

_PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def device_named(asked: torch.device | str | None) -> torch.device:
    """The device asked for; by default, or for "auto", the first GPU if there is one.

    Raises:
        StackError: this machine does not have it.
    """
    if asked in (None, "auto"):
        return torch.device(_best_device())
    try:
        device = torch.device(asked)
    except RuntimeError as error:
        raise StackError(f"there is no device {asked!r}: choose auto, cpu or cuda") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        build = "" if torch.version.cuda or torch.version.hip else ", and this PyTorch was built without it"
        raise StackError(f"there is no device {str(device)!r} here{build}: choose auto or cpu")
    return device


def precision_named(asked: torch.dtype | str | None) -> torch.dtype:
    """The precision asked for, by default float32.

    Raises:
        StackError: it is unknown.
    """
    if asked is None or isinstance(asked, torch.dtype):
        return asked or torch.float32
    if asked not in _PRECISIONS:
        raise StackError(f"dtype = {asked!r}: choose {', '.join(_PRECISIONS)}")
    return _PRECISIONS[asked]


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
