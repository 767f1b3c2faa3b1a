"""Loading a stack of models: text, prior, decoder; `Learns` and `Draws` say what the optimizer needs of one."""

from core.stack.protocols import Draws, Learns, Vocabulary

__all__ = ["Draws", "Learns", "Vocabulary"]
