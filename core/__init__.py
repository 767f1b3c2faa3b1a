"""The ConceptLab optimizer: a request in, a concept out."""

from core.concept import Concept, Request
from core.errors import ConceptreeError
from core.optimizer import ConceptLab
from core.settings import Settings
from core.stack.backbone import Backbone

__all__ = ["Backbone", "Concept", "ConceptLab", "ConceptreeError", "Request", "Settings"]
