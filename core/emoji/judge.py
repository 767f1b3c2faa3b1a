"""The judge: a second image–text model, for evaluation only.

It is a small convolutional network over a table of word vectors. Its seed, split and shape differ from those of the
stack's models, so that it does not share their blind spots.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file, save
from torch import Tensor

from core.emoji.networks import SIDE, JudgeNet, WordNet
from core.errors import ConceptreeError
from core.files import write_atomically
from core.stack.fingerprint import content_hash

FOLDER = Path(__file__).parent / "weights" / "judge"


class Judge:
    """Names pictures. It knows the names of things and of categories, and refuses other words."""

    def __init__(
        self, net: WordNet | JudgeNet, things: Sequence[str], categories: dict[str, list[str]], version: str = "judge"
    ):
        self.version = version
        self.net = net.eval().requires_grad_(False)
        self.things = tuple(things)
        self.categories = categories
        # "bird" and "train" are names and categories; alone, such a word means the category.
        self._thing = {word: i for i, word in enumerate(things)}
        self._row = {word: i for i, word in enumerate((*things, *categories))}

    @classmethod
    def load(cls, folder: str | Path = FOLDER) -> Judge:
        """The judge in a folder: ``config.json`` and ``model.safetensors``.

        Raises:
            ConceptreeError: the folder holds no judge.
        """
        folder = Path(folder)
        try:
            about = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            tensors = load_file(folder / "model.safetensors")
        except FileNotFoundError as missing:
            raise ConceptreeError(f"no judge in {folder}: {missing.filename} is missing; make train-emoji") from missing
        kind = WordNet if about.get("architecture") is None else JudgeNet
        net = kind(tuple(about["channels"]), about["width"], tensors["words"].shape[0])
        net.load_state_dict(whole(tensors))
        return cls(net, about["things"], about["categories"], f"judge {content_hash({'judge': folder})}")

    def save(self, folder: Path, channels: Sequence[int]) -> None:
        """Write the weights, with matrices in eight-bit integers, and the meaning of the table's rows."""
        folder.mkdir(parents=True, exist_ok=True)
        about = {
            "architecture": "convnext" if isinstance(self.net, JudgeNet) else None,
            "channels": list(channels),
            "width": self.net.words.shape[1],
            "things": list(self.things),
            "categories": self.categories,
        }
        (folder / "config.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
        write_atomically(folder / "model.safetensors", save(small(self.net.state_dict())))

    @torch.no_grad()
    def embed(self, images: Sequence[Image.Image]) -> Tensor:
        """Unit embeddings ``[n, width]``."""
        if not images:
            return torch.empty(0, self.net.words.shape[1])
        pixels = [
            np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS), dtype=np.float32) / 255
            for image in images
        ]
        return self.net(torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2))

    @torch.no_grad()
    def probabilities(self, images: Sequence[Image.Image]) -> Tensor:
        """``[n, things]``: the probability of each name."""
        table = F.normalize(self.net.words[: len(self.things)], dim=1)
        return (self.embed(images) @ table.T * self.net.scale.exp().clamp_max(40)).softmax(1)

    def name(self, images: Sequence[Image.Image], k: int = 5) -> list[list[tuple[str, float]]]:
        """The ``k`` most probable names of each picture with their probabilities, best first."""
        values, indices = self.probabilities(images).topk(k, dim=1)
        return [
            [(self.things[i], v) for i, v in zip(row, each, strict=True)]
            for row, each in zip(indices.tolist(), values.tolist(), strict=True)
        ]

    def category(self, images: Sequence[Image.Image], word: str) -> list[float]:
        """The probability that each picture shows a member of the category: the sum over its members."""
        if word not in self.categories:
            known = ", ".join(self.categories)
            raise ConceptreeError(f"the judge does not know the category {word!r}; it knows {known}")
        members = [self._thing[thing] for thing in self.categories[word]]
        return self.probabilities(images)[:, members].sum(1).tolist()

    @torch.no_grad()
    def similarity(self, images: Sequence[Image.Image], words: Sequence[str]) -> Tensor:
        """``[n, words]``: cosine between pictures and names or categories."""
        unknown = [word for word in words if word not in self._row]
        if unknown:
            raise ConceptreeError(f"the judge does not know the word {unknown[0]!r}")
        table = F.normalize(self.net.words[[self._row[word] for word in words]], dim=1)
        return self.embed(images) @ table.T


SCALE = ".scale"  # suffix of a matrix's name: the scale of each row


def small(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Matrices and kernels as eight-bit integers with a scale for each row, which halves the file."""
    tensors: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        if tensor.ndim < 2 or not tensor.is_floating_point():
            tensors[name] = (
                tensor.half() if tensor.is_floating_point() and "running" not in name else tensor
            ).contiguous()
            continue
        unit = tensor.flatten(1).abs().amax(1).clamp_min(1e-6) / 127
        by_row = unit.view(-1, *[1] * (tensor.ndim - 1))
        tensors[name] = (tensor / by_row).round().to(torch.int8).contiguous()
        tensors[name + SCALE] = unit.float().contiguous()
    return tensors


def whole(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights that `small` stored, in single precision."""
    weights: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if name.endswith(SCALE):
            continue
        unit = tensors.get(name + SCALE)
        if unit is not None:
            tensor = tensor.float() * unit.view(-1, *[1] * (tensor.ndim - 1))
        weights[name] = tensor.float() if tensor.is_floating_point() else tensor
    return weights
