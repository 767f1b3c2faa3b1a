"""The family tree as one picture, PNG or SVG: cards in rows of generations, edges as thick as weights."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import isqrt
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import networkx as nx
from PIL import Image, ImageDraw

from core.files import write_atomically
from core.png import png_bytes
from core.wording import counted
from evolve.family.layout import Layout, layout
from evolve.family.lineage import edge_label
from evolve.store.parts import RunError
from ui.console import printable
from ui.labels import BIRTH_COLOURS, BIRTHS
from ui.sheet import (
    CARD,
    FRAME,
    GREY,
    INK,
    MARGIN,
    MOST_LETTERS,
    PAPER,
    SMALL,
    TITLE,
    cut,
    fitted,
    font_of,
    text_length,
)

BAND = "#ecebe4"  # behind every other generation
MOST = 400  # concepts in one picture
NARROWEST = 10  # concepts in a row before it is broken
PICTURE, PAD, NAME = 96, 10, 16
WIDE, HIGH = PICTURE + 2 * PAD, PICTURE + PAD + 34  # of a card
STEP = WIDE + 28  # from one card to the next
BETWEEN, WITHIN = 104, 44  # pixels between rows: of two generations, of one
GUTTER = 118  # where generations are named
THIN, THICK = 1.5, 8.0
EMBEDDED = 2 * PICTURE  # the side of a picture in SVG, for screens of twice the resolution
FINE = 3  # curves are drawn this much larger, and made smaller again

Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    x: float
    y: float
    width: float
    height: float
    fill: str
    outline: str = ""
    radius: int = 0
    thick: int = 1
    concept: str = ""  # id of the concept whose card this is part of


@dataclass(frozen=True)
class Curve:
    """From `start`, vertically, through Béziers of (control, control, end) each."""

    start: Point
    beziers: Sequence[tuple[Point, Point, Point]]
    colour: str
    width: float


@dataclass(frozen=True)
class Text:
    """A line of text. x: left end, or middle if centred; y: middle."""

    x: float
    y: float
    text: str
    size: int
    colour: str = INK
    centred: bool = False
    concept: str = ""


@dataclass(frozen=True)
class Framed:
    """A picture in a square; `alt` says what it shows."""

    x: float
    y: float
    image: Image.Image
    alt: str
    concept: str = ""


@dataclass(frozen=True)
class Scene:
    """Shapes in painting order."""

    width: int
    height: int
    title: str
    shapes: list[Box | Curve | Text | Framed] = field(default_factory=list)


@dataclass(frozen=True)
class Web:
    """How a scene becomes part of a web page. pages, pictures: addresses by concept id. labels: of the links, by
    concept id. colours: CSS values that replace colours of the scene.
    """

    pages: Mapping[str, str]
    pictures: Mapping[str, str]
    labels: Mapping[str, str]
    colours: Mapping[str, str]


def scene(title: str, graph: nx.DiGraph, pictures: Mapping[str, Image.Image]) -> Scene:
    """Shapes of a lineage (`evolve.family.lineage`). pictures: by concept id; not every concept needs one.

    Raises:
        RunError: it is empty, or too large for one picture.
    """
    if not graph:
        raise RunError("there are no concepts to draw yet")
    if len(graph) > MOST:
        raise RunError(
            f"{len(graph)} concepts are too many for one picture, which shows {MOST}:"
            " name some of them, and with --depth how many generations from them"
        )
    places = layout(graph, columns=max(NARROWEST, isqrt(2 * len(graph))))  # so that a page is about as high as wide
    tops = _tops(places.generations)
    births = [birth for birth in BIRTHS if birth in set(nx.get_node_attributes(graph, "birth").values())]
    legend = sum(text_length(BIRTHS[birth], SMALL) + 44 for birth in births)
    inner = max(places.width * STEP, legend - GUTTER, 3 * STEP)
    page = Scene(round(2 * MARGIN + GUTTER + inner), tops[-1] + HIGH + 2 * MARGIN, title)
    _add_frame(page, graph, places, tops, births)
    left = MARGIN + GUTTER + (inner - places.width * STEP) / 2
    middles = {concept: (left + x * STEP, tops[row]) for concept, (x, row) in places.places.items()}
    _add_edges(page, graph, middles, places, tops, left)
    for concept, (x, y) in middles.items():
        _add_card(page, x - WIDE / 2, y, concept, graph.nodes[concept], pictures.get(concept))
    return page


def _tops(generations: Sequence[int]) -> list[int]:
    """y of each row of cards."""
    y = MARGIN + TITLE + 2 * SMALL + 44
    tops = [y]
    for one, other in pairwise(generations):
        y += HIGH + (WITHIN if one == other else BETWEEN)
        tops.append(y)
    return tops


def _add_frame(page: Scene, graph: nx.DiGraph, places: Layout, tops: Sequence[int], births: Sequence[str]) -> None:
    """Title, legend, and a band for each generation."""
    room = page.width - 2 * MARGIN
    page.shapes.append(Box(0, 0, page.width, page.height, PAPER))
    page.shapes.append(Text(MARGIN, MARGIN + TITLE / 2, cut(page.title, room, TITLE), TITLE))
    x, y = float(MARGIN), MARGIN + TITLE + 24
    for birth in births:
        page.shapes.append(Box(x, y - 7, 14, 14, CARD, BIRTH_COLOURS[birth], 4, 3))
        page.shapes.append(Text(x + 22, y, BIRTHS[birth], SMALL, GREY))
        x += 44 + text_length(BIRTHS[birth], SMALL)
    for number, generation in enumerate(dict.fromkeys(places.generations)):
        rows = [row for row, each in enumerate(places.generations) if each == generation]
        top, bottom = tops[rows[0]] - 22, tops[rows[-1]] + HIGH + 22
        if number % 2 == 0:
            page.shapes.append(Box(0, top, page.width, bottom - top, BAND))
        for place, line in enumerate(lines := _heading(graph, generation)):
            middle = (top + bottom) / 2 + 18 * (place - (len(lines) - 1) / 2)
            page.shapes.append(Text(MARGIN, middle, line, SMALL, GREY if place else INK))


def _heading(graph: nx.DiGraph, generation: int) -> list[str]:
    """Heading of a row, and counts; photographs and parents of other runs belong to no generation."""
    births = [birth for node, birth in graph.nodes(data="birth") if graph.nodes[node]["generation"] == generation]
    photos, others = births.count("photo"), births.count("unknown")
    own = len(births) - photos - others
    lines = [f"generation {generation}", counted(own, "concept")] if own else ["from outside"]
    lines += [counted(photos, "photograph")] if photos else []
    return lines + ([counted(others, "other parent")] if others else [])


def _add_edges(
    page: Scene, graph: nx.DiGraph, middles: Mapping[str, Point], places: Layout, tops: Sequence[int], left: float
) -> None:
    """Edges from parents to children with their weights, light edges over heavy ones."""
    through = {edge: [(left + x * STEP, tops[row]) for x, row in lanes] for edge, lanes in places.lanes.items()}
    leave: dict[tuple[str, float], float] = {}
    for parent in graph:
        # Those that go through the same lane leave as one.
        ways = sorted(
            {(through[edge][0] if through[edge] else middles[edge[1]])[0] for edge in graph.out_edges(parent)}
        )
        leave |= {(parent, way): x for way, x in zip(ways, _ports(middles[parent][0], len(ways)), strict=True)}
    marks = []
    for child in graph:
        edges = sorted(graph.in_edges(child), key=lambda e: (through[e][-1] if through[e] else middles[e[0]])[0])
        for place, (edge, arrive) in enumerate(zip(edges, _ports(middles[child][0], len(edges)), strict=True)):
            parent, data = edge[0], graph.edges[edge]
            way = (through[edge][0] if through[edge] else middles[child])[0]
            start = (leave[parent, way], middles[parent][1] + HIGH)
            stops = [point for x, y in through[edge] for point in ((x, y), (x, y + HIGH))]
            curve = _curve(start, [*stops, (arrive, middles[child][1])], data)
            marks.append((data["weight"], edge_label(data), curve, 0.82 - 0.17 * (place % 3 if len(edges) > 2 else 0)))
    marks.sort(key=lambda mark: -mark[0])
    page.shapes.extend(curve for _, _, curve, _ in marks)
    for _, text, curve, along in marks:
        x, y = point_at(curve, len(curve.beziers) - 1, along)
        wide = text_length(text, SMALL) + 8
        page.shapes.append(Box(x - wide / 2, y - 9, wide, 18, PAPER, curve.colour, 9))
        page.shapes.append(Text(x, y, text, SMALL, INK, centred=True))


def _ports(middle: float, count: int) -> list[float]:
    """x of `count` edges side by side at a card."""
    apart = min(34.0, (WIDE - 16) / max(1, count))
    return [middle + (number - (count - 1) / 2) * apart for number in range(count)]


def _curve(start: Point, stops: Sequence[Point], data: Mapping[str, Any]) -> Curve:
    beziers = []
    x, y = start
    for to_x, to_y in stops:
        half = (y + to_y) / 2
        beziers.append(((x, half), (to_x, half), (to_x, to_y)))
        x, y = to_x, to_y
    colour = _pale(BIRTH_COLOURS.get(data["kind"], BIRTH_COLOURS["unknown"]))
    return Curve(start, beziers, colour, THIN + (THICK - THIN) * data["weight"])


def _add_card(
    page: Scene, x: float, y: float, concept: str, data: Mapping[str, str], picture: Image.Image | None
) -> None:
    colour = BIRTH_COLOURS[data["birth"]]
    page.shapes.append(Box(x, y, WIDE, HIGH, CARD, colour, 8, 3, concept))
    if picture is not None:
        page.shapes.append(Framed(x + PAD, y + PAD, picture, f"{data['name']}, {BIRTHS[data['birth']]}", concept))
    else:
        page.shapes.append(Box(x + PAD, y + PAD, PICTURE, PICTURE, PAPER, FRAME, 4, concept=concept))
        said = (
            ["of the run", data["run"]] if data["run"] else ["photograph" if data["birth"] == "photo" else "not drawn"]
        )
        for number, line in enumerate(said):
            height = y + PAD + PICTURE / 2 + 18 * (number - (len(said) - 1) / 2)
            short = cut(line, PICTURE - 8, SMALL)
            page.shapes.append(Text(x + WIDE / 2, height, short, SMALL, GREY, centred=True, concept=concept))
    room = WIDE - 12
    size = NAME if text_length(data["name"][:MOST_LETTERS], NAME) <= room else SMALL
    name = cut(data["name"], room, size)
    page.shapes.append(Text(x + WIDE / 2, y + PAD + PICTURE + 17, name, size, centred=True, concept=concept))


def _pale(colour: str, share: float = 0.6) -> str:
    """`share` of the colour on paper."""
    ink, paper = (bytes.fromhex(each[1:]) for each in (colour, PAPER))
    return "#" + bytes(round(share * one + (1 - share) * other) for one, other in zip(ink, paper, strict=True)).hex()


def point_at(curve: Curve, number: int, t: float) -> Point:
    """The point of a curve's Bézier at t from 0 to 1."""
    p0 = curve.start if number == 0 else curve.beziers[number - 1][2]
    p1, p2, p3 = curve.beziers[number]
    shares = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3
    x, y = (sum(share * p[axis] for share, p in zip(shares, (p0, p1, p2, p3), strict=True)) for axis in (0, 1))
    return x, y


def paint(page: Scene) -> Image.Image:
    """The scene in pixels."""
    image = Image.new("RGB", (page.width, page.height), PAPER)
    pen = ImageDraw.Draw(image)
    for shape in page.shapes:
        match shape:
            case Box():
                corners = (shape.x, shape.y, shape.x + shape.width - 1, shape.y + shape.height - 1)
                pen.rounded_rectangle(corners, shape.radius, shape.fill, shape.outline or None, shape.thick)
            case Curve():
                _stroke(image, shape)
            case Text():
                anchor = "mm" if shape.centred else "lm"
                pen.text((shape.x, shape.y), shape.text, shape.colour, font_of(shape.size), anchor)
            case Framed():
                image.paste(fitted(shape.image, PICTURE), (round(shape.x), round(shape.y)))
    return image


def _stroke(image: Image.Image, curve: Curve) -> None:
    """Draw an antialiased curve: each Bézier enlarged in its own rectangle, then reduced."""
    room = curve.width / 2 + 1
    for number in range(len(curve.beziers)):
        points = [point_at(curve, number, t / 24) for t in range(25)]
        left, top = (int(min(p[axis] for p in points) - room) for axis in (0, 1))
        right, bottom = (int(max(p[axis] for p in points) + room) + 1 for axis in (0, 1))
        mask = Image.new("L", ((right - left) * FINE, (bottom - top) * FINE))
        fine = [((x - left) * FINE, (y - top) * FINE) for x, y in points]
        ImageDraw.Draw(mask).line(fine, fill=255, width=round(curve.width * FINE), joint="curve")
        mask = mask.resize((right - left, bottom - top), Image.Resampling.BOX)
        image.paste(curve.colour, (left, top), mask)


def svg(page: Scene) -> str:
    """The scene as SVG, with text as text and embedded pictures."""
    root = svg_element(page)
    root.set("role", "img")
    root.set("font-family", "Aileron, Helvetica, Arial, sans-serif")
    return ElementTree.tostring(root, encoding="unicode")


def svg_element(page: Scene, web: Web | None = None) -> ElementTree.Element:
    """The scene as an SVG element; for a web page with links, addresses of pictures and colours of a theme."""
    size = {"width": str(page.width), "height": str(page.height), "viewBox": f"0 0 {page.width} {page.height}"}
    root = ElementTree.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", **size})
    ElementTree.SubElement(root, "title").text = printable(page.title)
    colours = web.colours if web else {}
    around, linked = root, ""
    for shape in page.shapes:
        concept = "" if isinstance(shape, Curve) else shape.concept
        if web and concept != linked:
            linked, around = concept, root
            if concept in web.pages:
                label = printable(web.labels[concept])
                around = ElementTree.SubElement(root, "a", {"href": web.pages[concept], "aria-label": label})
        match shape:
            case Box():
                half = shape.thick / 2 if shape.outline else 0  # SVG strokes lie half outside
                made = ElementTree.SubElement(around, "rect", _numbers(x=shape.x + half, y=shape.y + half))
                made.attrib |= _numbers(width=shape.width - 2 * half, height=shape.height - 2 * half, rx=shape.radius)
                made.set("fill", colours.get(shape.fill, shape.fill))
                if shape.outline:
                    stroke = colours.get(shape.outline, shape.outline)
                    made.attrib |= {"stroke": stroke, "stroke-width": str(shape.thick)}
            case Curve():
                path = "".join(f" C {' '.join(map(_pair, bezier))}" for bezier in shape.beziers)
                made = ElementTree.SubElement(around, "path", {"d": f"M {_pair(shape.start)}{path}", "fill": "none"})
                made.attrib |= {"stroke": shape.colour, **_numbers(**{"stroke-width": shape.width})}
            case Text():
                made = ElementTree.SubElement(around, "text", _numbers(x=shape.x, y=shape.y))
                fill = colours.get(shape.colour, shape.colour)
                made.attrib |= {"font-size": str(shape.size), "fill": fill, "dominant-baseline": "central"}
                if shape.centred:
                    made.set("text-anchor", "middle")
                made.text = printable(shape.text)
                if shape.text.isascii():  # as wide as in the PNG, with any font; Pillow cannot measure other characters
                    made.attrib |= _numbers(textLength=text_length(shape.text, shape.size))
                    made.set("lengthAdjust", "spacingAndGlyphs")
            case Framed():
                made = ElementTree.SubElement(around, "image", _numbers(x=shape.x, y=shape.y))
                address = web.pictures[concept] if web else _data_uri(shape.image)
                made.attrib |= _numbers(width=PICTURE, height=PICTURE) | {"href": address}
                ElementTree.SubElement(made, "title").text = printable(shape.alt)
    return root


def _numbers(**values: float) -> dict[str, str]:
    return {name: f"{value:.2f}".rstrip("0").rstrip(".") for name, value in values.items()}


def _pair(point: Point) -> str:
    return "{x} {y}".format(**_numbers(x=point[0], y=point[1]))


def _data_uri(image: Image.Image) -> str:
    small = image.convert("RGB")
    small.thumbnail((EMBEDDED, EMBEDDED))
    content = io.BytesIO()
    small.save(content, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"


def save_tree(page: Scene, path: Path, told: Mapping[str, object] | None = None) -> Path:
    """Write a scene as PNG or SVG, by the ending of the name. told: text chunks of a PNG."""
    if path.suffix.lower() == ".png":
        content = png_bytes(paint(page), {"title": page.title, **(told or {})})
    elif path.suffix.lower() == ".svg":
        content = svg(page).encode()
    else:
        raise RunError(f"{str(path)!r}: a tree is drawn as .png or .svg")
    write_atomically(path, content)
    return path
