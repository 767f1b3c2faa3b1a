"""One sign and one name for one thing on all pages."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from core.settings import Settings
from evolve.fitness import OBJECTIVES, RATINGS
from ui import labels
from ui.view.downloads import FORMS

VIEW = Path(labels.__file__).parent / "view"


def test_every_setting_score_and_objective_has_a_name_of_its_own():
    assert set(labels.SETTING_NAMES) >= {field.name for field in fields(Settings)}
    assert not any("_" in name or name == "lam" for name in labels.SETTING_NAMES.values())
    assert set(labels.SCORE_NAMES) == set(labels.SCORES) and set(labels.OBJECTIVE_NAMES) >= {*OBJECTIVES, RATINGS}
    for names in (labels.SETTING_NAMES, labels.SCORE_NAMES, labels.OBJECTIVE_NAMES):
        assert len(set(names.values())) == len(names)


def test_a_name_of_a_score_and_of_an_objective_means_the_same_number():
    """The score `belongs` is the similarity to the positives, the objective `belongs` that to the category."""
    same = {
        (s, o) for s, one in labels.SCORE_NAMES.items() for o, other in labels.OBJECTIVE_NAMES.items() if one == other
    }
    assert same == {("category", "belongs"), ("differs", "differs"), ("consistency", "consistent")}


def test_a_favourite_is_a_heart_and_a_star_is_a_rating():
    tree, cards = (VIEW / "family" / "family.js").read_text(), (VIEW / "cards" / "cards.js").read_text()
    assert 'if (favourite) found.push([badge("♥"' in tree and '"♥"' in cards
    assert "★" not in tree and "★ ${item.rating}" in cards
    screens = "\n".join(file.read_text() for file in (VIEW / "screens").glob("*.py"))
    assert "Favourite" in screens and not any("star" in line for line in screens.splitlines() if "avourite" in line)


def test_a_format_promises_no_tool_that_the_line_below_it_denies():
    assert not any(tool in label for label in FORMS.values() for tool in ("InvokeAI", "SDXL and", "IP-Adapter"))
