"""Models that take turns on a device that is too small for all of them.

Weights are frozen, so nothing is copied back from the device: the original tensors, which may still be mapped files,
take their places again.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class Turns:
    """Groups of models by name. At most one is on `device`; the others are where they were loaded."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.present: str | None = None
        self._homes: dict[str, list[tuple[Tensor, Tensor]]] = {}

    def add(self, group: str, models: Iterable[nn.Module]) -> None:
        """Add models to a group."""
        tensors = [t for model in models for t in (*model.parameters(), *model.buffers())]
        self._homes.setdefault(group, []).extend((tensor, tensor.data) for tensor in tensors)
        if self.present == group:
            self.present = None  # the added models are not on the device yet

    def bring(self, group: str) -> None:
        """Put a group on the device and take the present one off."""
        if self.present == group:
            return
        if self.present is not None:
            self._leave(self.present)
        for tensor, home in self._homes.get(group, ()):
            tensor.data = moved(home, self.device)
        self.present = group

    def clear(self) -> None:
        """Take everything off the device."""
        for group in self._homes:
            self._leave(group)
        self.present = None
        if self.device.type == "cuda":
            torch.cuda.empty_cache()  # for other processes

    def _leave(self, group: str) -> None:
        for tensor, home in self._homes.get(group, ()):
            tensor.data = home


def moved(home: Tensor, device: torch.device) -> Tensor:
    """A copy of a tensor on a device."""
    return home.to(device)
