"""Copy weights of an earlier version into a later one's shapes, so that training does not start from nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Rows = Mapping[str, tuple[Sequence[str], Sequence[str]]]


@torch.no_grad()
def inherit(model: nn.Module, earlier: Mapping[str, Tensor], rows: Rows | None = None) -> float:
    """Copy into ``model`` the tensors of the same name and shape, and the common rows of those named in ``rows``.

    Args:
        rows: for tables whose rows stand for words: the name of the tensor → (earlier words, words now). A row is
            copied by its word; a new word keeps the row that the model has.

    Position embeddings of another number of patches are interpolated.

    Returns:
        The share of the model's numbers that were copied, 0 … 1.
    """
    copied = total = 0
    for name, tensor in model.state_dict().items():
        if not tensor.is_floating_point():
            continue
        total += tensor.numel()
        old = earlier.get(name)
        if old is None:
            continue
        old = old.to(tensor)
        if rows and name in rows:
            before, now = rows[name]
            place = {word: i for i, word in enumerate(before)}
            to = [i for i, word in enumerate(now) if word in place]
            tensor[to] = old[[place[now[i]] for i in to]]
            copied += tensor[to].numel()
        elif old.shape == tensor.shape:
            tensor.copy_(old)
            copied += tensor.numel()
        elif name.startswith(("conv_in.", "conv_out.")) and all(
            a <= b for a, b in zip(old.shape, tensor.shape, strict=True)
        ):
            # More latent channels, the earlier ones first: the new ones start without effect.
            tensor.zero_()
            tensor[tuple(slice(length) for length in old.shape)] = old
            copied += tensor.numel()
        elif "position_embedding" in name and old.shape[-1] == tensor.shape[-1]:
            tensor.copy_(_resampled(old, tensor.shape))
            copied += tensor.numel()
    return copied / max(total, 1)


def _resampled(table: Tensor, shape: torch.Size) -> Tensor:
    """``[…, 1 + a², width]`` → ``shape`` ``[…, 1 + b², width]``: the class token's row, then patches on a square."""
    flat = table.view(-1, table.shape[-1])
    side, wanted = round((len(flat) - 1) ** 0.5), round((shape[-2] - 1) ** 0.5)
    grid = flat[1:].view(1, side, side, -1).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, (wanted, wanted), mode="bicubic", align_corners=False)
    return torch.cat([flat[:1], grid.flatten(2)[0].T]).view(shape)
