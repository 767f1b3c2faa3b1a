"""Pictures of documents: charts stay exact, drawings get small."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFilter

from ui.webp import figure_bytes, webp_bytes

TOOL = Path(__file__).parents[2] / "tools" / "webp.py"


def opened(content):
    picture = Image.open(io.BytesIO(content))
    assert picture.format == "WEBP"
    return np.asarray(picture.convert("RGB")).astype(int)


def chart():
    picture = Image.new("RGBA", (200, 100), "white")
    ImageDraw.Draw(picture).line((0, 99, 199, 0), fill="red")
    return picture


def drawing():
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    return Image.fromarray(noise).filter(ImageFilter.GaussianBlur(4))


def test_a_chart_is_exact_and_a_drawing_nearly():
    assert np.array_equal(opened(webp_bytes(chart())), np.asarray(chart().convert("RGB")))
    difference = np.abs(opened(webp_bytes(drawing())) - np.asarray(drawing()))
    assert 0 < difference.mean() < 3


def test_a_figure_keeps_its_size():
    assert opened(figure_bytes(Figure(figsize=(2, 1)))).shape == (110, 220, 3)


def test_the_tool_copies_a_picture(tmp_path):
    drawing().save(tmp_path / "sheet.png")
    subprocess.run([sys.executable, TOOL, tmp_path / "sheet.png", tmp_path / "sheet.webp"], check=True)
    assert (tmp_path / "sheet.webp").read_bytes() == webp_bytes(drawing())
