"""Galleries in the layout of the paper's figures (arXiv 2308.02669). Nothing is measured, and no picture is chosen: the
first seeds are shown.

    1       a row for each category, two drawings of each concept side by side
    5       a row for each category, a column for each seed
    6, 17   a row for each concept, a column for each prompt
    7       a row for each style, a column for each scene
    8       founders, their children, and the children's child
    9       a row for each set of words: a concept that learned them as positives, and the words in prompts
    16      a row for each concept of a category that the paper calls difficult, a column for each prompt

Concepts of 1, 5, 6, 16 and 17 have adaptive negatives; all concepts of a category learn side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import torch

from core.concept import Concept, Positive, Request
from core.errors import ConceptreeError
from core.metrics import PANEL_GUIDANCE, PANEL_STEPS
from core.prompts import PORTRAIT, checked_prompt
from core.settings import Settings
from core.streams import stream_seed
from core.wording import counted
from evolve.operators import Portraits, mate
from evolve.population import founder_seed
from experiments.conduct import Bench, ByCases, Telling, has_pictures
from experiments.cost import Work, of_learning, stand_ins
from experiments.drawing import check_draws, draw_concepts, draw_many
from experiments.learning import founders_of, learn, run_of
from experiments.looking import drawing_bytes, drawing_of
from experiments.sheets import contact_sheet, small

FIGURES = (1, 5, 6, 7, 8, 9, 16, 17)
TREE, MIXED, STYLES = 8, 9, 7
EDITS = (
    PORTRAIT,
    "a photo of a {} in the snow",
    "a digital cartoon art of a {}",
    "a pencil sketch of a {}",
    "a watercolor painting of a {}",
    "a gold statue of a {}",
)
SCENES = ("a dog", "a horse and a barn in a valley", "a bowl of fruit")  # Fig. 7
MIXTURES = (("lobster", "turtle"), ("snake", "zebra", "hippopotamus"), ("pineapple", "watermelon"))
GENERATIONS = (("1", "2", "3", "4"), ("1 × 2", "3 × 4"), ("(1 × 2) × (3 × 4)",))  # of Fig. 8
DRAWN = 4  # pictures of a mixture
# By figure: its categories, seeds of each category, and prompts.
_CATEGORIES: dict[int, tuple[str, ...]] = {
    1: ("pet",),
    5: ("pet", "plant", "fruit", "furniture", "musical instrument"),
    6: ("pet", "fruit", "musical instrument"),
    7: ("painting",),
    8: ("pet",),
    9: (),
    16: ("pet", "airplane", "fish"),
    17: ("plant", "furniture", "reptile"),
}
_SEEDS = {1: 6, 5: 6, 7: 4, 8: 4, 16: 2}
SCHEMA = pa.schema(
    [
        ("figure", pa.int32()),
        ("row", pa.string()),
        ("column", pa.string()),
        ("concept", pa.string()),  # its id; "" where nothing is learned
        ("prompt", pa.string()),
        ("negatives", pa.list_(pa.string())),
        ("picture", pa.binary()),  # WebP, small
    ]
)


@dataclass(frozen=True)
class Protocol(ByCases):
    """figure: of the paper. seeds: concepts of each category, or styles; 0 and empty fields take the figure's own.

    images, keep: a parent's images for Eq. 5, see `operators.parent_images`.
    """

    choosing = ("categories", "mixtures")

    figure: int = 5
    categories: tuple[str, ...] = ()
    seeds: int = 0
    prompts: tuple[str, ...] = ()
    mixtures: tuple[tuple[str, ...], ...] = ()
    preset: str = "default"
    images: int = 16
    keep: int = 4

    @property
    def concepts(self) -> int:
        return self.seeds or _SEEDS.get(self.figure, 1)

    @property
    def shown_in(self) -> tuple[str, ...]:
        if self.prompts:
            return self.prompts
        if self.figure == STYLES:
            return tuple(f"a painting of {scene} in the style of {{}}" for scene in SCENES)
        return EDITS if self.figure in (6, 16, 17) else (PORTRAIT,)


def cases(protocol: Protocol, bench: Bench) -> list[Case]:
    """One for each category, or for each mixture.

    Raises:
        ConceptreeError: the stack cannot draw or does not know a word, there is no such figure, or an option is not of
            this figure.
    """
    check_draws(bench.backbone)
    if protocol.figure not in FIGURES:
        raise ConceptreeError(f"figure = {protocol.figure}: choose {', '.join(map(str, FIGURES))}")
    _check_options(protocol)
    for prompt in protocol.prompts:
        checked_prompt(prompt)
    found: list[Case]
    if protocol.figure == MIXED:
        found = [Mixing(protocol, bench, " and ".join(words), words) for words in protocol.mixtures or MIXTURES]
    else:
        kind = Tree if protocol.figure == TREE else Case
        found = [kind(protocol, bench, each) for each in protocol.categories or _CATEGORIES[protocol.figure]]
    for case in found:
        for word in case.words:
            if not bench.backbone.knows(word):
                raise ConceptreeError(f"the stack {bench.backbone.version} does not know {word!r}: choose another")
    return found


def _check_options(protocol: Protocol) -> None:
    tree, mixed = protocol.figure == TREE, protocol.figure == MIXED
    wrong = {
        "--mixture": protocol.mixtures and not mixed,
        "--category": protocol.categories and mixed,
        "--prompt": protocol.prompts and (tree or mixed),
        "--seeds": protocol.seeds and (tree or mixed),
    }
    for option, given in wrong.items():
        if given:
            raise ConceptreeError(f"Figure {protocol.figure} has no {option}: leave it out")
    for words in protocol.mixtures:
        if len(set(words)) < 2:
            raise ConceptreeError(f"--mixture {','.join(words)!r}: give two or more words, as in lobster,turtle")


@dataclass(frozen=True)
class Case(Telling):
    """The concepts or styles of a category, in every prompt of the figure."""

    protocol: Protocol
    bench: Bench
    category: str

    @property
    def name(self) -> str:
        return self.category.replace(" ", "-")

    @property
    def kind(self) -> str:
        return "style" if self.protocol.figure == STYLES else "object"

    @property
    def words(self) -> tuple[str, ...]:
        """Words that the stack has to know."""
        return (self.category,)

    @property
    def _times(self) -> int:
        """Drawings of each concept in each prompt."""
        return 2 if self.protocol.figure == 1 else 1

    def work(self) -> Work:
        drawings = self.protocol.concepts * len(self.protocol.shown_in) * self._times
        return Work(drawings=drawings) + of_learning(self.requests(), self.bench.namer)

    def requests(self) -> list[Request]:
        return self._founders(self.protocol.concepts)

    def _founders(self, count: int) -> list[Request]:
        """In `default` they start between two members, as in `conceptree seed`; else at the category's word."""
        sides = self.protocol.preset == "default" and self.kind == "object"
        how: dict[str, Any] = {"sides": sides, "schedule": "adaptive", "kind": self.kind}
        return founders_of(self.bench.backbone, self.category, count, self._of(between=sides), 0, **how)

    def _of(self, **how: Any) -> Settings:
        protocol = self.protocol
        return protocol.settings_for(self.bench.backbone, self.category, protocol.preset, kind=self.kind, **how)

    def rows(self) -> list[dict[str, Any]]:
        run = run_of(self.bench, self.name, self.category, self.kind)
        concepts = learn(run, self.requests(), self.bench, "the concepts", self._tell, self.bench.namer)
        self._tell("drawing")
        prompts = [prompt for prompt in self.protocol.shown_in for _ in range(self._times)]
        seeds = [stream_seed(0, number, "gallery") for number in range(len(prompts))]
        drawn = draw_concepts(self.bench.backbone, concepts, prompts, [seeds] * len(concepts))
        return [
            self._row(*self._place(number, place, prompt), concept, prompt, picture)
            for number, (concept, pictures) in enumerate(zip(concepts, drawn, strict=True), 1)
            for place, (prompt, picture) in enumerate(zip(prompts, pictures, strict=True), 1)
        ]

    def _place(self, number: int, drawing: int, prompt: str) -> tuple[str, str]:
        """(row, column) of a concept's drawing."""
        if self.protocol.figure in (1, 5):
            alone = len(self.protocol.shown_in) * self._times == 1
            return self.category, f"seed {number}" if alone else f"seed {number}, {drawing}"
        return f"{self.category}, seed {number}", prompt.replace("{}", "…")

    def _row(self, row: str, column: str, concept: Concept | None, prompt: str, picture: Any) -> dict[str, Any]:
        return {
            "figure": self.protocol.figure,
            "row": row,
            "column": column,
            "concept": concept.id if concept else "",
            "prompt": prompt,
            "negatives": [each.word for each in concept.negatives] if concept else [],
            "picture": drawing_bytes([small(picture)]),
        }


@dataclass(frozen=True)
class Tree(Case):
    """Four founders, a child of each two, and the children's child."""

    def work(self) -> Work:
        mixing = self._of(mixing=True)
        children = [of_learning(stand_ins(self.category, count, mixing)) for count in (2, 1)]
        drawings = Work(drawings=7 + 6 * self.protocol.images)
        return sum(children, drawings + of_learning(self._founders(4), self.bench.namer))

    def rows(self) -> list[dict[str, Any]]:
        bench, run = self.bench, run_of(self.bench, self.name, self.category)
        founders = learn(run, self._founders(4), bench, "founders", self._tell, bench.namer)
        portraits = Portraits(self.protocol.images, self.protocol.keep)

        def child(number: int, *parents: Concept) -> Request:
            self._tell("drawing the parents' images for Eq. 5")
            pairs, settings = [(each, 0.5) for each in parents], self._of(mixing=True)
            seed = founder_seed(0, -1 - number)
            how: dict[str, Any] = {"category": self.category, "settings": settings, "portraits": portraits}
            return mate(pairs, bench.backbone, seed, inherit=self.protocol.preset == "default", **how)

        a, b, c, d = founders
        children = learn(run, [child(0, a, b), child(1, c, d)], bench, "children", self._tell)
        family = [founders, children, learn(run, [child(2, *children)], bench, "the children's child", self._tell)]
        seeds = [[stream_seed(0, 0, "gallery")]] * 7
        pictures = iter(draw_concepts(bench.backbone, [each for of in family for each in of], [PORTRAIT], seeds))
        return [
            self._row(f"{self.category}, generation {number}", label, concept, PORTRAIT, next(pictures)[0])
            for number, (labels, of) in enumerate(zip(GENERATIONS, family, strict=True))
            for label, concept in zip(labels, of, strict=True)
        ]


@dataclass(frozen=True)
class Mixing(Case):
    """A set of words: `DRAWN` drawings of a concept that learned them, and one of each prompt made of them."""

    mixed: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        return self.mixed

    @property
    def composed(self) -> list[str]:
        """Prompts of the words that the stack knows."""
        *first, last = self.mixed
        listed = f"{', a '.join(first)} and a {last}"
        prompts = [f"a photo of a mix of a {listed}", f"a photo of a half {' half '.join(self.mixed)}"]
        prompts += [f"a photo of a {' '.join(self.mixed)}", f"a photo of a {listed}"]
        return [prompt for prompt in prompts if self.bench.backbone.knows(prompt)]

    def work(self) -> Work:
        return Work(drawings=DRAWN + len(self.composed)) + of_learning(self.requests())

    def requests(self) -> list[Request]:
        """The first word is the start, as their configuration's initialiser; no negatives."""
        positives = tuple(Positive(word, 1 / len(self.mixed)) for word in self.mixed)
        return [Request(self.mixed[0], positives=positives, schedule="none", settings=self._of())]

    def rows(self) -> list[dict[str, Any]]:
        bench, run = self.bench, run_of(self.bench, self.name, self.mixed[0])
        concept = learn(run, self.requests(), bench, "the mixture", self._tell)[0]
        self._tell("drawing")
        seeds = [stream_seed(0, number, "gallery") for number in range(max(DRAWN, len(self.composed)))]
        rows = []
        drawn = draw_concepts(bench.backbone, [concept], [PORTRAIT] * DRAWN, [seeds[:DRAWN]])[0]
        for number, picture in enumerate(drawn, 1):
            rows.append(self._row(self.category, f"ours, {number}", concept, PORTRAIT, picture))
        for number, (prompt, picture) in enumerate(zip(self.composed, self._prompted(seeds), strict=True), 1):
            rows.append(self._row(self.category, f"a prompt, {number}", None, prompt, picture))
        return rows

    @torch.no_grad()
    def _prompted(self, seeds: Sequence[int]) -> list[Any]:
        backbone, prompts = self.bench.backbone, self.composed
        if not prompts:
            return []
        seeds = list(seeds[: len(prompts)])
        how: dict[str, Any] = {"steps": PANEL_STEPS, "guidance_scale": PANEL_GUIDANCE}
        return draw_many(backbone, backbone.imagine(prompts, seeds=seeds, **how), seeds)


def summary(table: pa.Table) -> str:
    """In Markdown: what the figure shows, and each concept's negatives."""
    rows = table.drop_columns(["picture"]).to_pylist()
    figure, concepts = rows[0]["figure"], {row["concept"]: row for row in rows if row["concept"]}
    lines = [
        f"Figure {figure} of the paper in its layout: {counted(len(concepts), 'concept')},"
        f" {counted(len(rows), 'drawing')}. Nothing is measured, and no drawing is chosen by a person.",
        "",
    ]
    for row in concepts.values():
        where = row["row"] if figure not in (1, 5, TREE) else f"{row['row']}, {row['column']}"
        lines.append(f"- {where}: {'not ' + ', '.join(row['negatives']) if row['negatives'] else 'no negatives'}")
    lines += [f"- {row['row']}, {row['column']}: “{row['prompt']}”" for row in rows if not row["concept"]]
    return "\n".join([*lines, ""])


def figures(table: pa.Table) -> dict[str, Any]:
    """`gallery`: the sheet; nothing from results without pictures."""
    if not has_pictures(table):
        return {}
    rows = table.to_pylist()
    pictures = {(row["row"], row["column"]): drawing_of(row["picture"]) for row in rows}
    lines = list(dict.fromkeys(row["row"] for row in rows))
    title = f"Figure {rows[0]['figure']}"
    if rows[0]["figure"] == TREE:
        return {"gallery": _family(rows, title)}
    columns = list(dict.fromkeys(row["column"] for row in rows))
    shown = [[pictures.get((line, column)) for column in columns] for line in lines]
    return {"gallery": contact_sheet(shown, lines, columns, title)}


def _family(rows: Sequence[dict[str, Any]], title: str) -> Any:
    """Family trees, one below the other: parents above their children, joined by lines."""
    from matplotlib.figure import Figure

    families = [rows[start : start + 7] for start in range(0, len(rows), 7)]
    across = [(0.5, 1.5, 2.5, 3.5), (1.0, 3.0), (2.0,)]
    places = [(x, 3 - generation) for generation, of in enumerate(across) for x in of]
    joined = [(0, 4), (1, 4), (2, 5), (3, 5), (4, 6), (5, 6)]
    figure = Figure(figsize=(6.4, 4.9 * len(families)), layout="constrained")
    figure.suptitle(title, fontsize=10)
    for axis, family in zip(figure.subplots(len(families), 1, squeeze=False)[:, 0], families, strict=True):
        axis.axis("off")
        axis.set_aspect("equal")
        axis.set_xlim(0, 4)
        axis.set_ylim(0.4, 3.6)
        axis.set_title(family[0]["row"].rpartition(",")[0], fontsize=8)
        for parent, of in joined:
            axis.plot(*zip(places[parent], places[of], strict=True), color="#8c8c8c", linewidth=1, zorder=0)
        for (x, y), row in zip(places, family, strict=True):
            picture = drawing_of(row["picture"])
            axis.imshow(picture, extent=(x - 0.4, x + 0.4, y - 0.4, y + 0.4), zorder=1)
            axis.text(x, y - 0.42, row["column"], ha="center", va="top", fontsize=7)
        axis.set_xlim(0, 4)
        axis.set_ylim(0.4, 3.6)
    return figure
