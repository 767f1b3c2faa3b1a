"""Contact sheets: pictures fill the room, and labels stay in their rows."""

from __future__ import annotations

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from experiments.sheets import contact_sheet


@pytest.mark.parametrize("size", [(8, 8), (32, 8), (8, 32)])
def test_pictures_of_any_shape_fill_the_sheet(size):
    picture = Image.new("RGB", size)
    figure = contact_sheet([[picture, picture], [None, picture]], ["one", "two"], ["left", "right"], "sheet")
    FigureCanvasAgg(figure).draw()
    height = figure.get_size_inches()[1]
    shown = figure.axes[1].get_window_extent().height / figure.dpi
    assert shown > 0.3 * height


def test_a_long_label_stays_in_its_row():
    label = "musical instrument / a digital cartoon art of an award, clothing and a musical instrument on white / " * 2
    pictures = [[Image.new("RGB", (8, 8))] * 12 for _ in range(2)]
    figure = contact_sheet(pictures, [label, "short"], ["a"] * 12, "sheet")
    FigureCanvasAgg(figure).draw()
    row, label = figure.axes[0], figure.axes[0].yaxis.label
    assert label.get_window_extent().height <= 1.1 * row.get_window_extent().height
    assert figure.axes[12].yaxis.label.get_fontsize() == 7
