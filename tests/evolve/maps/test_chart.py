"""A chart says where a concept stands and how good it is, and it is numbers alone."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from evolve.maps.chart import MEASURES, Axis, Chart, MapError, Measure, parsed_cells, placed, register
from tests.evolve.maps.charts import a_chart
from tests.families import by_letter


def test_a_place_is_the_share_of_knots_below_and_stays_on_the_map():
    axis = Axis(low="a", high="b", knots=(0.0, 0.1, 0.2, 1.0), direction=(1.0,))
    assert axis.places(np.array([-9, 0, 0.1, 0.6, 1, 9])) == pytest.approx([0, 0, 1 / 3, 5 / 6, 1, 1])
    assert [axis.value_at(place) for place in (0, 1 / 3, 5 / 6, 1)] == pytest.approx([0, 0.1, 0.6, 1])
    assert axis.name == "a:b"


@pytest.mark.parametrize(
    ("belongs", "differs", "quality"),
    [
        (0.5, -0.1, 0.0),  # a known member
        (0.5, 0.0, 1 / 6),
        (0.9, 0.0, 1 / 6),  # more than the cap is no gain
        (0.25, 0.0, 1 / 12),
        (0.5, 0.5, 1.0),
        (-0.5, 0.5, 0.0),
    ],
)
def test_quality_is_membership_up_to_the_cap_times_the_margin(run, belongs, differs, quality):
    entry = replace(run.entries()[0], scores={"category": belongs, "differs": differs})
    assert a_chart().quality(entry) == pytest.approx(quality)
    assert a_chart().quality(replace(entry, scores={})) == 0


def test_concepts_of_a_run_are_placed_by_their_embeddings_without_hidden_ones(run):
    width = len(next(iter(run.image_embeds().values())))
    axes = tuple(
        Axis(low=name, high=f"more {name}", knots=(-1.0, 1.0), direction=tuple(np.eye(width)[number].tolist()))
        for number, name in enumerate(("one", "two"))
    )
    chart = replace(a_chart(), axes=axes)
    hidden = by_letter(run)["b"].id
    run.note(hidden, hidden=True)
    found = placed(run, chart)
    assert set(found.ids) == {each.id for each in run.entries()} - {hidden} and len(found) == 8
    embed = run.image_embeds()[found.ids[3]]
    assert found.values[3] == pytest.approx((embed / np.linalg.norm(embed))[:2], abs=1e-6)
    assert found.places[3] == pytest.approx((found.values[3] + 1) / 2)
    assert hidden in placed(run, chart, [hidden], hidden=True).ids
    assert len(placed(run, replace(chart, axes=a_chart().axes))) == (0 if width != 4 else 8), "another stack's width"


def test_a_measured_number_is_an_axis(run, monkeypatch):
    monkeypatch.setattr("evolve.maps.chart.MEASURES", dict(MEASURES))
    register("generation", Measure(lambda entry: entry.generation, 0, 4, "early", "late"))
    axis = Axis(low="early", high="late", knots=(0.0, 4.0), measure="generation")
    assert axis.values(run.entries(), np.zeros((9, 4))).tolist() == [each.generation for each in run.entries()]
    assert axis.name == "generation"
    for name, measure in (("generation", Measure(len, 0, 1, "a", "b")), ("new", Measure(len, 1, 1, "a", "b"))):
        with pytest.raises(MapError, match=name):
            register(name, measure)


def test_a_chart_is_written_as_json_and_read_again():
    chart = a_chart()
    told = json.loads(json.dumps(chart.to_json()))
    assert Chart.from_json(told) == chart
    told["axes"][0] |= {"measure": "grrr"}
    with pytest.raises(MapError, match="unknown axis 'grrr'"):
        Chart.from_json(told)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"cells": (1, 4)}, "1 cells in a row"),
        ({"cells": (8, 33)}, "33 cells"),
        ({"cap": 0.0}, "cap = 0.0"),
        ({"floor": 0.5}, "floor = 0.5"),
    ],
)
def test_a_chart_that_cannot_be_is_refused(values, said):
    with pytest.raises(MapError, match=said):
        replace(a_chart(), **values)


def test_directions_of_two_widths_are_refused():
    across, up = a_chart().axes
    with pytest.raises(MapError, match="different widths"):
        replace(a_chart(), axes=(across, replace(up, direction=(0.0, 1.0))))


def test_an_axis_needs_rising_knots_and_a_direction():
    with pytest.raises(MapError, match="do not rise"):
        Axis(low="a", high="b", knots=(0.0, 0.0), direction=(1.0,))
    with pytest.raises(MapError, match="neither a direction nor a measure"):
        Axis(low="a", high="b", knots=(0.0, 1.0))


def test_cells_are_typed_as_columns_and_rows():
    assert parsed_cells("8x6") == (8, 6)
    for text in ("8", "x", "1x8", "8x33", "8x8x8", ""):
        with pytest.raises(MapError, match="--cells"):
            parsed_cells(text)
