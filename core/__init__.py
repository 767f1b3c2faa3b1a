"""The ConceptLab optimizer: a request in, a concept out.

    from core import Backbone, ConceptLab, Request

    [concept] = ConceptLab(Backbone.load("emoji")).run([Request("pet", negatives=("cat", "dog"))])
    concept.save("pet.safetensors")

Names are imported when they are first used, so that code that only reads runs does not import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.concept import Avoid, Concept, Negative, Parent, Positive, Request
    from core.errors import ConceptreeError
    from core.exchange import Embedding, read_embedding, write_embedding
    from core.namers import namer_of
    from core.negatives import Namer
    from core.optimizer import ConceptLab
    from core.settings import Settings
    from core.stack.backbone import Backbone
    from core.stack.protocols import Draws, Learns, Vocabulary

_HOMES = {
    "core.concept": ("Avoid", "Concept", "Negative", "Parent", "Positive", "Request"),
    "core.errors": ("ConceptreeError",),
    "core.exchange": ("Embedding", "read_embedding", "write_embedding"),
    "core.namers": ("namer_of",),
    "core.negatives": ("Namer",),
    "core.optimizer": ("ConceptLab",),
    "core.settings": ("Settings",),
    "core.stack.backbone": ("Backbone",),
    "core.stack.protocols": ("Draws", "Learns", "Vocabulary"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Avoid",
    "Backbone",
    "Concept",
    "ConceptLab",
    "ConceptreeError",
    "Draws",
    "Embedding",
    "Learns",
    "Namer",
    "Negative",
    "Parent",
    "Positive",
    "Request",
    "Settings",
    "Vocabulary",
    "namer_of",
    "read_embedding",
    "write_embedding",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'core' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
