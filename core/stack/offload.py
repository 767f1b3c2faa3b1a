"""Models that take turns on a device, for those that are too large for it together.

Weights are frozen, so what leaves the device needs no way back: its tensors at home, which may still be the mapped
files themselves, take their places again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor


class Turns:
    """Groups of models by name, of which at most one is on `device`; the others are where they were loaded."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.present: str | None = None
        self._homes: dict[str, list[tuple[Tensor, Tensor]]] = {}

    def add(self, group: str, models: Iterable[Any]) -> None:
        """Let further models take their turn with a group."""
        tensors = [t for model in models for t in (*model.parameters(), *model.buffers())]
        self._homes.setdefault(group, []).extend((tensor, tensor.data) for tensor in tensors)
        if self.present == group:
            self.present = None  # what was added is still at home

    def bring(self, group: str) -> None:
        """Put a group on the device, unless it is there, after whatever else is there has left."""
        if self.present == group:
            return
        if self.present is not None:
            self._leave(self.present)
        for tensor, home in self._homes.get(group, ()):
            tensor.data = moved(home, self.device)
        self.present = group

    def clear(self) -> None:
        """Leave the device to others."""
        for group in self._homes:
            self._leave(group)
        self.present = None
        if self.device.type == "cuda":
            torch.cuda.empty_cache()  # for what is not PyTorch's of this process, such as another process' model

    def _leave(self, group: str) -> None:
        for tensor, home in self._homes.get(group, ()):
            tensor.data = home


def moved(home: Tensor, device: torch.device) -> Tensor:
    """A copy of a tensor on a device."""
    return home.to(device)
