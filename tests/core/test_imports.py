"""The core as a library: its public names, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import core

READS = (
    "core",
    "core.concept",
    "core.errors",
    "core.exchange",
    "core.files",
    "core.negatives",
    "core.png",
    "core.prompts",
    "core.renderers",
    "core.review",
    "core.settings",
    "core.stack",
    "core.wording",
)


def test_code_that_only_reads_imports_no_torch():
    script = f"""
import importlib, sys
for name in {READS}:
    importlib.import_module(name)
    if heavy := {{"torch", "diffusers", "transformers"}} & set(sys.modules):
        sys.exit(f"{{name}} imports {{heavy}}")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr


def test_public_names_are_there_and_others_are_not():
    assert all(getattr(core, name) is not None for name in core.__all__) and set(core.__all__) == set(dir(core))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = core.nothing
