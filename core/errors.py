"""Errors that a person can cause and fix. Each message is one line: what failed, the value, what to do."""

from __future__ import annotations


class ConceptreeError(Exception):
    """A mistake that a person can fix; the command prints it as one line and exits with code 2."""


class StackError(ConceptreeError):
    """A model that is missing or incomplete, or whose parts do not fit together."""


class PromptError(ConceptreeError):
    """A prompt, or a list of prompts and seeds, that cannot be used."""


class VectorError(ConceptreeError):
    """Vectors or embeddings whose shape does not fit the stack."""


class FileError(ConceptreeError):
    """A file that is not read; the message goes on after the file's name, as in `is 5 MB: at most 4 are read`."""
