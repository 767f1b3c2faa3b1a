"""The family tree: concepts in rows, weights on the edges, and one drawing for PNG and SVG."""

from __future__ import annotations

import base64
import io
import random
from pathlib import Path
from xml.etree import ElementTree

import networkx as nx
import pytest
from PIL import Image

from core.errors import ConceptreeError
from ui.labels import BIRTH_COLOURS, BIRTHS
from ui.tree import (
    HIGH,
    MOST,
    PICTURE,
    STEP,
    THICK,
    THIN,
    WIDE,
    Box,
    Curve,
    Framed,
    Scene,
    Text,
    paint,
    point_at,
    save_tree,
    scene,
    svg,
)

SVG = "{http://www.w3.org/2000/svg}"


def add(graph: nx.DiGraph, id: str, generation: int, birth: str = "founder", name: str = "", run: str = "") -> None:
    graph.add_node(id, name=name or id, generation=generation, category="pet", birth=birth, run=run)


def small(name: str = "moku") -> nx.DiGraph:
    """Two founders, a guest, a child of two, a mutant of a founder, a grandchild of four."""
    graph = nx.DiGraph()
    for id_ in ("a", "b", "c"):
        add(graph, id_, 0, name=name if id_ == "a" else id_)
    add(graph, "guest", 0, "unknown", run="others")
    add(graph, "d", 1, "mix")
    add(graph, "e", 1, "mutate")
    add(graph, "f", 2, "image")
    graph.add_edge("a", "d", weight=0.7, kind="mix")
    graph.add_edge("b", "d", weight=0.3, kind="mix")
    graph.add_edge("c", "e", weight=1.0, kind="mutate")
    for id_ in ("a", "d", "e", "guest"):
        graph.add_edge(id_, "f", weight=0.25, kind="image")
    return graph


def large(count: int = 60, seed: int = 1) -> nx.DiGraph:
    draw, graph = random.Random(seed), nx.DiGraph()
    for number in range(count):
        parents = draw.sample(sorted(graph), min(len(graph), draw.choice([0, 1, 2, 3])))
        generation = 1 + max(graph.nodes[parent]["generation"] for parent in parents) if parents else 0
        add(graph, str(number), generation, "mix" if parents else "founder")
        for parent in parents:
            graph.add_edge(parent, str(number), weight=1 / len(parents), kind="mix")
    return graph


def coloured(graph: nx.DiGraph) -> dict[str, Image.Image]:
    return {id_: Image.new("RGB", (8, 8), (10 * n + 5, 3, 200)) for n, id_ in enumerate(sorted(graph))}


def of_kind(page: Scene, kind: type) -> list:
    return [shape for shape in page.shapes if isinstance(shape, kind)]


def cards(page: Scene) -> list[Box]:
    return [box for box in of_kind(page, Box) if (box.width, box.height) == (WIDE, HIGH)]


def test_everybody_has_a_card_with_a_name_and_their_picture():
    graph = small()
    page = scene("pet", graph, {id_: image for id_, image in coloured(graph).items() if id_ not in ("b", "guest")})
    assert len(cards(page)) == 7 and len(of_kind(page, Framed)) == 5
    texts = [text.text for text in of_kind(page, Text)]
    assert {"pet", "moku", "b", "c", "d", "e", "f", "guest", "not drawn", "of the run", "others"} <= set(texts)
    assert [text for text in texts if text.startswith("generation")] == ["generation 0", "generation 1", "generation 2"]
    assert {"3 concepts", "1 other parent", "2 concepts", "1 concept"} <= set(texts)


def test_photographs_are_shown_and_not_counted_among_the_concepts():
    graph = small()
    add(graph, "photo-0", 0, "photo", name="my very old dog in the garden, 2019 (2).jpg")
    graph.add_edge("photo-0", "f", weight=0.2, kind="image")
    add(graph, "photo-1", 0, "photo")
    graph.add_edge("photo-1", "f", weight=0.2, kind="image")
    page = scene("pet", graph, {"photo-0": Image.new("RGB", (8, 8), "red")})
    texts = [text.text for text in of_kind(page, Text)]
    assert {"3 concepts", "2 photographs", "photograph"} <= set(texts)
    assert any(text.startswith("my very old") and text.endswith("…") for text in texts)
    (shown,) = of_kind(page, Framed)
    assert shown.alt == "my very old dog in the garden, 2019 (2).jpg, photograph"


def test_a_row_of_photographs_alone_is_no_generation():
    graph = nx.DiGraph()
    add(graph, "photo-0", 0, "photo")
    add(graph, "a", 1, "image")
    graph.add_edge("photo-0", "a", weight=1.0, kind="image")
    texts = [text.text for text in of_kind(scene("pet", graph, {}), Text)]
    assert {"from outside", "1 photograph", "generation 1", "1 concept"} <= set(texts) and "generation 0" not in texts


def test_rows_are_generations_with_the_oldest_on_top():
    graph = small()
    page = scene("pet", graph, coloured(graph))
    tops = {frame.alt.split(",")[0]: frame.y for frame in of_kind(page, Framed)}
    assert tops["moku"] == tops["b"] == tops["guest"] < tops["d"] == tops["e"] < tops["f"]


def test_edges_are_as_thick_as_their_weight_which_stands_on_them():
    page = scene("pet", small(), {})
    assert sorted(curve.width for curve in of_kind(page, Curve)) == pytest.approx(
        sorted(THIN + (THICK - THIN) * weight for weight in (0.7, 0.3, 1.0, 0.25, 0.25, 0.25, 0.25))
    )
    said = sorted(text.text for text in of_kind(page, Text) if text.text.replace(".", "").isdigit())
    assert said == ["0.25"] * 4 + ["0.3", "0.7", "1"]


@pytest.mark.parametrize(("weight", "said"), [(1 / 3, "0.33"), (0.004, "<0.01"), (0.5, "0.5"), (0.999, "1")])
def test_weights_are_short(weight, said):
    graph = small()
    graph.edges["a", "d"]["weight"] = weight
    assert said in {text.text for text in of_kind(scene("pet", graph, {}), Text)}


def test_the_legend_names_the_births_that_there_are():
    texts = {text.text for text in of_kind(scene("pet", small(), {}), Text)}
    assert set(BIRTHS.values()) - texts == {BIRTHS["photo"], BIRTHS["imported"]}
    graph = nx.DiGraph()
    add(graph, "a", 0)
    texts = {text.text for text in of_kind(scene("pet", graph, {}), Text)}
    assert BIRTHS["founder"] in texts and BIRTHS["mix"] not in texts and "1 concept" in texts
    assert len(set(BIRTH_COLOURS.values())) == len(BIRTH_COLOURS)


@pytest.mark.parametrize("seed", range(4))
def test_cards_and_edges_keep_clear_of_each_other_and_on_the_page(seed):
    page = scene("pet", large(seed=seed), {})
    corners = [(box.x, box.y) for box in cards(page)]
    for x, y in corners:
        assert 0 <= x <= page.width - WIDE and 0 <= y <= page.height - HIGH
        near = [(u, v) for u, v in corners if abs(u - x) < WIDE and abs(v - y) < HIGH]
        assert near == [(x, y)]
    for curve in of_kind(page, Curve):
        points = [point_at(curve, number, t / 12) for number in range(len(curve.beziers)) for t in range(13)]
        for px, py in points:
            assert 0 <= px <= page.width
            inside = [(x, y) for x, y in corners if x - 1 < px < x + WIDE + 1 and y + 1 < py < y + HIGH - 1]
            assert not inside


def test_every_picture_is_painted_once():
    graph = small()
    page = scene("pet", graph, coloured(graph))
    image = paint(page)
    assert image.size == (page.width, page.height)
    counts = {colour: count for count, colour in image.getcolors(image.width * image.height) or []}
    for picture in coloured(graph).values():
        assert counts[picture.getpixel((0, 0))] == PICTURE**2


def test_png_and_svg_are_the_same_drawing():
    graph = small()
    page = scene("pet", graph, coloured(graph))
    root = ElementTree.fromstring(svg(page))
    assert (root.get("width"), root.get("height")) == (str(page.width), str(page.height))
    assert root.findtext(f"{SVG}title") == "pet"
    images = root.findall(f"{SVG}image")
    placed = {(float(each.get("x")), float(each.get("y"))) for each in images}
    assert placed == {(round(frame.x, 2), round(frame.y, 2)) for frame in of_kind(page, Framed)}
    painted = paint(page)
    for each in images:
        content = base64.b64decode(each.get("href").removeprefix("data:image/png;base64,"))
        with Image.open(io.BytesIO(content)) as shown:
            middle = round(float(each.get("x"))) + PICTURE // 2, round(float(each.get("y"))) + PICTURE // 2
            assert shown.getpixel((0, 0)) == painted.getpixel(middle)
    assert len(root.findall(f"{SVG}path")) == graph.number_of_edges()
    assert [each.text for each in root.findall(f"{SVG}text")] == [text.text for text in of_kind(page, Text)]


HOSTILE = [
    "</text><script>alert(1)</script>",
    '"&amp;<',
    "a\nb\x1b[31m\0",
    "]]>",
    "\ud800\uffff",
    "猫 🐈 ‮עברית",
    "x" * 999,
]


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_is_text(name):
    graph = small(name)
    graph.nodes["guest"]["run"] = name
    page = scene(name, graph, coloured(graph))
    root = ElementTree.fromstring(svg(page).encode())
    assert {each.tag for each in root.iter()} == {
        SVG + tag for tag in ("svg", "title", "rect", "path", "text", "image")
    }
    plain = scene("pet", small(), coloured(graph))
    assert [(box.x, box.y) for box in cards(page)] == [(box.x, box.y) for box in cards(plain)]
    assert paint(page).size == (page.width, page.height)


def test_a_generation_that_is_too_wide_is_broken():
    graph = nx.DiGraph()
    for number in range(60):
        add(graph, str(number), 0)
    page = scene("pet", graph, {})
    assert len({box.y for box in cards(page)}) > 1 and page.width < 14 * STEP
    assert len([text for text in of_kind(page, Text) if text.text.startswith("generation")]) == 1


def test_too_many_and_none_are_one_line():
    with pytest.raises(ConceptreeError, match="there are no concepts to draw yet"):
        scene("pet", nx.DiGraph(), {})
    graph = nx.DiGraph()
    for number in range(MOST + 1):
        add(graph, str(number), 0)
    with pytest.raises(ConceptreeError, match=f"{MOST + 1} concepts are too many .* name some of them"):
        scene("pet", graph, {})


def test_a_tree_is_written_by_its_ending(tmp_path):
    page = scene("pet", small(), {})
    with Image.open(save_tree(page, tmp_path / "tree.PNG")) as stored:
        assert stored.size == (page.width, page.height) and stored.format == "PNG"
    assert ElementTree.parse(save_tree(page, tmp_path / "tree.svg")).getroot().tag == f"{SVG}svg"
    for wrong in ("tree.pdf", "tree"):
        with pytest.raises(ConceptreeError, match=r"a tree is drawn as \.png or \.svg"):
            save_tree(page, tmp_path / wrong)
    assert sorted(file.name for file in Path(tmp_path).iterdir()) == ["tree.PNG", "tree.svg"]
