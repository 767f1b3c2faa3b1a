"""Mistakes that a person can make and put right. Each message is one line: what, which value, what to do."""

from __future__ import annotations


class ConceptreeError(Exception):
    """Something a person can put right; the command prints it as one line and ends with exit code 2."""


class StackError(ConceptreeError):
    """A model folder that is missing, incomplete, or whose parts do not fit together."""


class PromptError(ConceptreeError):
    """A prompt, or the list of prompts and seeds, that cannot be used as it is."""


class VectorError(ConceptreeError):
    """A concept's vectors have another shape than this stack's token embeddings."""
