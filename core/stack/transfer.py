"""Copies from main memory to a device without waiting for the device."""

from __future__ import annotations

import torch
from torch import Tensor


def sent(values: Tensor, device: torch.device | str) -> Tensor:
    """A tensor on a device. A GPU reads it from pinned memory in stream order, while Python continues."""
    device = torch.device(device)
    if device.type == "cuda" and values.device.type == "cpu":
        values = values.pin_memory()
    return values.to(device, non_blocking=True)
