"""docs/python.md and the README's example in Python, run as they are typed, on the tests' small stack."""

from __future__ import annotations

import re
from typing import Any

import networkx
import pytest

from core import Backbone, Concept, Settings, read_embedding
from evolve import Run
from tests.test_house import ROOT

SHORT = Settings(steps=2, segment=2, prior_steps=2)


def snippets(document: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", (ROOT / document).read_text("utf-8"), re.DOTALL | re.MULTILINE)


@pytest.fixture
def typed(backbone, tmp_path, monkeypatch):
    """Runs snippets one after the other in an empty folder, with few steps; returns their names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Backbone, "load", lambda name: backbone)
    monkeypatch.setattr(Settings, "for_stack", lambda stack, *args, **named: SHORT)

    def run(code: list[str]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for snippet in code:
            exec(snippet, made)
        return made

    return run


def test_the_page_does_the_four_jobs(typed, tmp_path):
    made = typed(snippets("docs/python.md"))
    assert len(made["pets"]) == 3 and len(made["children"]) == 2
    assert len(Run.open(tmp_path / "runs" / "pets").entries()) == 3 + 2 + 2 * 2
    assert isinstance(made["family"], networkx.DiGraph)
    learned = made["children"][0]
    assert {parent.id for parent in learned.request.parents} == {made["pets"][0].id, made["pets"][1].id}
    assert read_embedding(f"{made['name']}.safetensors").vectors.tobytes() == learned.vectors.tobytes()
    assert Concept.load("pet.safetensors").id == made["pet"].id


def test_the_readmes_example_draws_a_picture(typed, tmp_path):
    typed(snippets("README.md"))
    assert (tmp_path / "pet.png").exists()
