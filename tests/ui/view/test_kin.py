"""Pedigree statistics: founder shares, relatedness, generations."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from evolve import Run
from tests.families import by_letter, concept, family, new_run
from tests.pages import text
from ui.view import kin


@pytest.fixture
def pets(tmp_path, monkeypatch) -> Run:
    monkeypatch.setenv("CONCEPTREE_RUNS", str(tmp_path))
    return family(tmp_path / "pets")


def shown(function: str, *concepts: str) -> AppTest:
    """A page with nothing else on it."""
    source = f"from ui.view import kin, store\nkin.{function}(store.opened('pets'), *{concepts!r})"
    app = AppTest.from_string(source, default_timeout=30).run()
    assert not app.exception
    return app


def test_a_concepts_founders_with_their_shares(pets):
    letters = by_letter(pets)
    (table,) = (each.value.to_dict("list") for each in shown("show_founders", letters["i"].id).dataframe)
    assert table["founder"] == ["01234567", letters["a"].name, letters["b"].name]
    assert table["share"] == pytest.approx([0.75, 0.1875, 0.0625])
    assert not shown("show_founders", letters["a"].id).dataframe, "a founder is its own"


def test_many_founders_are_summed_up(pets, monkeypatch):
    monkeypatch.setattr(kin, "MOST", 1)
    assert "and 2 more founders with 25 %" in text(shown("show_founders", by_letter(pets)["i"].id))


def test_what_two_have_in_common(pets):
    letters = by_letter(pets)
    name = {letter: each.name for letter, each in letters.items()}
    said = text(shown("show_common", letters["h"].id, letters["i"].id))
    assert f"Relatedness of {name['h']} and {name['i']}: 14.1 %. Nearest common ancestor: {name['e']}." in said
    assert "have no common ancestor" in text(shown("show_common", letters["e"].id, letters["g"].id))
    assert "ancestor" not in text(shown("show_common", letters["a"].id, letters["d"].id)), "founders have none"


def test_generations_in_figures_and_lines_that_ended(pets):
    letters = by_letter(pets)
    pets.note(letters["d"].id, name="Tiger Fin")
    app = shown("show_generations")
    (table,) = (each.value.to_dict("list") for each in app.dataframe)
    assert table["generation"] == [0, 1, 2] and table["concepts"] == [4, 3, 2] and table["founders"] == [4, 4, 4]
    assert table["best belongs"] == [0.25] * 3 and table["effective founders"][0] == pytest.approx(4)
    assert f"Founder with most descendants: {letters['b'].name} (4 concepts)." in text(app)
    assert "Extinct lines (no descendant in the latest generation): Tiger Fin." in text(app)


def test_small_and_empty_families(tmp_path, monkeypatch):
    monkeypatch.setenv("CONCEPTREE_RUNS", str(tmp_path))
    run = new_run(tmp_path / "pets")
    assert not shown("show_generations").dataframe
    run.add([concept(1)])
    app = shown("show_generations")
    assert app.dataframe[0].value.to_dict("list")["concepts"] == [1] and "most descendants" not in text(app)
