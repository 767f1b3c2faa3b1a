"""A CLIP-like model of transformers as a judge: CLIP, SigLIP, ALIGN and others, by folder or hub id.

Do not use the stack's own CLIP: concepts are optimized for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from core.constraints import normalise
from core.errors import ConceptreeError
from core.stack import folders, hub
from core.stack.fingerprint import content_hash
from core.stack.loading import load_failure, quietly
from experiments.judging import PROMPTS

_ROWS_AT_ONCE = 32
_SIGLIP_LENGTH = 64  # SigLIP was trained on texts that are padded to it, and reads no others well


class JudgeError(ConceptreeError):
    """A model cannot judge."""


class ClipJudge:
    """A `judging.Judge` that knows any word; it compares pictures with "a photo of a …".

    model: with `get_image_features` and `get_text_features`. categories: which there are, with their members.
    """

    def __init__(self, model: Any, processor: Any, categories: Mapping[str, Sequence[str]], version: str) -> None:
        self.model = model.eval().requires_grad_(False)
        self.processor = processor
        self.categories = categories
        self.version = version
        self._texts: dict[str, Tensor] = {}

    @classmethod
    def load(
        cls, where: str | Path, categories: Mapping[str, Sequence[str]], device: str | torch.device = "cpu"
    ) -> ClipJudge:
        """Open a folder, or a hub's repository as ORG/NAME[@REVISION], in float32.

        Raises:
            JudgeError: it is nowhere, not whole, damaged, of another kind, or wants to run code of its own.
        """
        try:
            folder = hub.find_model(str(where), lacks=folders.lacks).folder
            folders.refuse_code(folder)
            folders.check_weights(folder)
            with quietly():
                model, processor = _loaded(folder)
        except (ConceptreeError, ImportError, OSError, ValueError, SafetensorError) as error:
            reason = error if isinstance(error, ConceptreeError) else load_failure(error, Path(where))
            raise JudgeError(f"no judge in {str(where)!r}: {reason}") from error
        name = folder.resolve().name if Path(where).is_dir() else str(where).split("@")[0].split("/")[-1]
        return cls(model.to(device), processor, categories, f"{name} {content_hash({'judge': folder})}")

    @torch.no_grad()
    def embed(self, images: Sequence[Any]) -> Tensor:
        """Unit embeddings [n, width] of PIL pictures."""
        found = []
        for start in range(0, len(images), _ROWS_AT_ONCE):
            chunk = [image.convert("RGB") for image in images[start : start + _ROWS_AT_ONCE]]
            inputs = self.processor(images=chunk, return_tensors="pt").to(self.model.device)
            found.append(_pooled(self.model.get_image_features(**inputs)))
        return torch.cat(found) if found else torch.empty(0, len(self._text("thing")))

    def similarity(self, images: Sequence[Any], words: Sequence[str]) -> Tensor:
        """[n, words]: cosines with "a photo of a …"."""
        return self.embed(images) @ torch.stack([self._text(word) for word in words]).T

    @torch.no_grad()
    def _text(self, word: str) -> Tensor:
        """[width], unit. Each word by itself, so that the result does not depend on other words."""
        if word not in self._texts:
            siglip = "siglip" in self.model.config.model_type
            padding = {"padding": "max_length", "max_length": _SIGLIP_LENGTH} if siglip else {"padding": True}
            inputs = self.processor(text=[PROMPTS[0].format(word)], return_tensors="pt", truncation=True, **padding).to(
                self.model.device
            )
            self._texts[word] = _pooled(self.model.get_text_features(**inputs))[0]
        return self._texts[word]


def _pooled(features: Any) -> Tensor:
    """Unit embeddings on the processor, from the model's output: a tensor, or an object that holds it."""
    embeds = features if isinstance(features, Tensor) else features.pooler_output
    return normalise(embeds.float().cpu())


def _loaded(folder: Path) -> tuple[Any, Any]:
    """(model, processor) by transformers' Auto classes."""
    from transformers import AutoConfig, AutoModelForZeroShotImageClassification, AutoProcessor

    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    kind = AutoModelForZeroShotImageClassification._model_mapping.get(type(config), None)
    if not all(hasattr(kind, name) for name in ("get_image_features", "get_text_features")):
        named = ", ".join(folders.read_json(folder / "config.json").get("architectures") or [config.model_type])
        raise JudgeError(f"a {named} does not compare pictures with words: choose a model such as CLIP or SigLIP")
    processor = AutoProcessor.from_pretrained(folder, trust_remote_code=False)
    model = kind.from_pretrained(folder, trust_remote_code=False, use_safetensors=True, dtype=torch.float32)
    return model, processor
