"""Table 1 of arXiv 2308.02669: people rate drawings from 1 to 5 without knowing the method that made them.

For each category and its two negatives, all methods draw several sets from the same seeds (see `figure11.py`):

    ours                a concept that learned with these two negatives from the start
    prior negation      the prior negates "A photo of a cat, dog" (the paper's Kandinsky)
    decoder negation    only the decoder negates it; replaces Stable Diffusion
    Stable Diffusion    its negative prompt, if a model is given

The sets of a category are in a run of its own and are rated on the workbench's page Rate (ui/view, `ratings.py`): one
session for each rater and category, in an order shuffled by a seed of the rater's name. Sets of other methods have a
digest for a name, as concepts do. All ratings come from these sessions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from core.baselines import PROMPT, imagine_apart, imagine_with_negation, stable_diffusion_negation
from core.concept import Concept, Request
from core.errors import ConceptreeError
from core.stack.diffusion import StableDiffusion
from core.streams import stream_seed
from evolve.population import founder_seed
from evolve.store.ratings import SCALE, Session, answers, new_session, sessions
from evolve.store.run import Run
from experiments import figure11
from experiments.agreement import krippendorff
from experiments.conduct import Bench, ByCases, Telling, has_pictures
from experiments.cost import Work, of_learning
from experiments.drawing import draw_concepts, draw_many
from experiments.figure11 import DECODER, DIFFUSION, OURS, PRIOR
from experiments.judging import STACK, Judge
from experiments.learning import learn, run_of
from experiments.looking import drawing_bytes, drawing_of
from experiments.sheets import contact_sheet
from experiments.statistics import Array, between, cell, markdown, signed, there, unit_means

METHODS = (OURS, PRIOR, DECODER, DIFFUSION)
PAIRS = {
    "pet": ("cat", "dog"),
    "plant": ("cactus", "herb"),
    "fruit": ("peach", "tangerine"),
    "furniture": ("ladder", "file cabinet"),
    "musical instrument": ("violin", "guitar"),
}
PAPER = {OURS: "3.77 ± 1.35", PRIOR: "1.79 ± 1.16", DECODER: "", DIFFUSION: "1.90 ± 1.11"}
# A row for each set and rater; a set without ratings has one row with nulls.
SCHEMA = pa.schema(
    [
        ("category", pa.string()),
        ("negatives", pa.string()),  # "cat, dog"
        ("set", pa.int32()),
        ("method", pa.string()),
        ("concept", pa.string()),  # its id; of other methods a digest that stands for the set
        ("files", pa.list_(pa.string())),  # its drawings in the run
        ("margin_stack", pa.float64()),  # mean of belongs − nearest of each drawing, as in Figure 11
        ("margin_judge", pa.float64()),
        ("picture", pa.binary()),  # WebP, its drawings in a row
        ("session", pa.string()),
        ("rater", pa.string()),
        ("value", pa.int8()),  # 1 to 5
    ]
)


@dataclass(frozen=True)
class Protocol(ByCases):
    """pairs: the negatives of each category. sets: of each method and category. pictures: of each set.

    Five categories with two sets give the paper's ten ratings of each method by each person.
    """

    choosing = ("categories",)

    categories: tuple[str, ...] = tuple(PAIRS)
    pairs: Mapping[str, Sequence[str]] = field(default_factory=lambda: PAIRS)
    sets: int = 2
    pictures: int = 4
    stable_diffusion: str = ""
    preset: str = "default"


def cases(protocol: Protocol, bench: Bench) -> list[Case]:
    """One for each category.

    Raises:
        ConceptreeError: as `figure11.cases`; or there are no sets or pictures.
    """
    unlike = {
        category: [list(protocol.pairs[category])] for category in protocol.categories if category in protocol.pairs
    }
    figure11.cases(figure11.Protocol(protocol.categories, 1, unlike, settings=protocol.settings), bench)  # checks words
    for name in ("sets", "pictures"):
        if getattr(protocol, name) < 1:
            raise ConceptreeError(f"{name} = {getattr(protocol, name)}: give at least 1")
    where = protocol.stable_diffusion
    diffusion = StableDiffusion.load(where, bench.backbone) if where else None
    return [Case(protocol, bench, category, diffusion) for category in protocol.categories]


@dataclass(frozen=True)
class Case(Telling):
    """All sets of one category."""

    protocol: Protocol
    bench: Bench
    category: str
    diffusion: StableDiffusion | None = None

    @property
    def name(self) -> str:
        return self.category.replace(" ", "-")

    @property
    def unlike(self) -> tuple[str, ...]:
        return tuple(self.protocol.pairs[self.category])

    def requests(self) -> list[Request]:
        """One for each set, as in Figure 11. All start at the category's word."""
        protocol = self.protocol
        settings = protocol.settings_for(self.bench.backbone, self.category, protocol.preset)
        return [
            Request(
                self.category,
                negatives=self.unlike,
                schedule="list",
                seed=founder_seed(number, 0),
                settings=settings,
            )
            for number in range(protocol.sets)
        ]

    def work(self) -> Work:
        requests, methods = self.requests(), 4 if self.diffusion else 3
        return Work(drawings=len(requests) * methods * self.protocol.pictures) + of_learning(requests)

    def rows(self) -> list[dict[str, Any]]:
        """A row of `SCHEMA` for each set, without a rating."""
        bench, protocol = self.bench, self.protocol
        run = run_of(bench, self.name, self.category)
        concepts = learn(run, self.requests(), bench, "the sets' concepts", self._tell)
        rows = []
        for number, concept in enumerate(concepts):
            self._tell(f"drawing set {number + 1} of {protocol.sets}")
            seeds = [stream_seed(number, picture, "table 1") for picture in range(protocol.pictures)]
            for method, pictures in self.drawn(concept, seeds).items():
                id_ = concept.id if method == OURS else self._digest(method, number)
                rows.append(
                    {
                        "category": self.category,
                        "negatives": ", ".join(self.unlike),
                        "set": number,
                        "method": method,
                        "concept": id_,
                        "files": [run.keep_picture(picture).name for picture in pictures],
                        "margin_stack": self._margin(bench.eyes[STACK], pictures),
                        "margin_judge": self._margin(bench.judge, pictures),
                        "picture": drawing_bytes(pictures),
                    }
                )
        return rows

    def drawn(self, concept: Concept, seeds: Sequence[int]) -> dict[str, list[Any]]:
        """Each method's pictures, one for each seed."""
        stack, category, unlike = self.bench.backbone, self.category, self.unlike
        found = {OURS: draw_concepts(stack, [concept], [PROMPT] * len(seeds), [seeds])[0]}
        found[PRIOR] = draw_many(stack, imagine_with_negation(stack, category, unlike, seeds), seeds)
        embeds, away = imagine_apart(stack, category, unlike, seeds)
        found[DECODER] = draw_many(stack, embeds, seeds, away)
        if self.diffusion is not None:
            found[DIFFUSION] = stable_diffusion_negation(self.diffusion, category, unlike, seeds)
        return found

    def _margin(self, eyes: Judge, pictures: Sequence[Image.Image]) -> float:
        found = eyes.similarity(pictures, [self.category, *self.unlike])
        return float((found[:, 0] - found[:, 1:].amax(1)).mean())

    def _digest(self, method: str, number: int) -> str:
        text = f"{method}/{self.category}/{', '.join(self.unlike)}/{number}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def question(category: str, unlike: Sequence[str]) -> str:
    """The question about each set of a category."""
    *first, last = unlike
    none = f"neither {', '.join(first)} nor {last}" if first else f"not {last}"
    return f"How well do these show a kind of {category} that is {none}?"


def invite(table: pa.Table, bench: Bench, raters: Sequence[str]) -> list[Session]:
    """A session for each rater and category; existing sessions stay. raters: any labels that tell people apart.

    Raises:
        StudyError: a rater's label cannot be shown.
    """
    found = []
    by_category: dict[str, list[dict[str, Any]]] = {}
    for row in table.drop_columns(["picture"]).to_pylist():
        by_category.setdefault(row["category"], []).append(row)
    for rater in (" ".join(each.split()) for each in raters):
        for category, rows in by_category.items():
            run = _run_of(bench, category)
            sets = {row["concept"]: row["files"] for row in rows}
            known = [each for each in sessions(run) if each.rater == rater and set(each.concepts) == set(sets)]
            unlike = rows[0]["negatives"].split(", ")
            seed = stream_seed(0, 0, f"table 1/{category}/{rater}")
            found.append(
                known[0] if known else new_session(run, rater, "scale", sets, question(category, unlike), seed)
            )
    return found


def rated(table: pa.Table, bench: Bench) -> pa.Table:
    """The sets with their ratings: a row for each rater's last answer, or one with nulls if there is none."""
    given: dict[str, dict[tuple[str, str], dict[str, Any]]] = {}
    for category in dict.fromkeys(table.column("category").to_pylist()):
        for each in sorted(answers(_run_of(bench, category)), key=lambda each: each.at):
            if each.mode == "scale":
                said = {"session": each.session, "rater": each.rater, "value": each.value}
                given.setdefault(each.concepts[0], {})[each.rater, category] = said
    rows = []
    for row in table.to_pylist():
        of = list(given.get(row["concept"], {}).values())
        rows += [{**row, **said, "picture": None if place else row["picture"]} for place, said in enumerate(of or [{}])]
    return pa.Table.from_pylist(rows, SCHEMA).replace_schema_metadata(table.schema.metadata)


def _run_of(bench: Bench, category: str) -> Run:
    return run_of(bench, category.replace(" ", "-"), category)


def summary(table: pa.Table) -> str:
    """In Markdown: the paper's table with people's ratings, empty without any, and the margins of the sets."""
    rows = table.drop_columns(["picture"]).to_pylist()
    methods = [method for method in METHODS if method in {row["method"] for row in rows}]
    said = [row for row in rows if row["value"] is not None]
    raters = {row["rater"] for row in said}
    sets = {row["concept"]: row for row in rows}
    people = "one person" if len(raters) == 1 else f"{len(raters)} people"
    lines = [_finding(said, methods) if said else "No ratings yet: the table is empty.", ""]
    lines += [
        f"{len(sets)} sets of {len(rows[0]['files'])} drawings, {len(sets) // len(methods)} by each method, rated from"
        f" {SCALE[0]} to {SCALE[1]} by {people}. Mean ± standard deviation of all ratings, as in the paper;"
        " 95 % bootstrap intervals, and paired differences, over people. margin: of the same drawings, see Figure 11.",
        "",
    ]
    header = ["method", "ratings", "average rating", "mean of people's means", "ours − it", "the paper"]
    header += ["margin, by the stack", "by the judge"]
    cells_of = []
    found = unit_means(said, ["method"], "value", ["rater"])
    for method in methods:
        values = np.array([row["value"] for row in said if row["method"] == method], dtype=np.float64)
        of = found.get((method,), np.array([]))
        ahead = _ahead(found, method) if method != OURS else np.array([])
        margins = [np.array([row[name] for row in sets.values() if row["method"] == method]) for name in _MARGINS]
        cells = [str(len(values)), spread(values), between(of), signed(ahead) if len(ahead) else "–", PAPER[method]]
        cells_of.append([method, *cells, *map(cell, margins)])
    lines += markdown(header, cells_of)
    if said:
        by_set: dict[str, list[float]] = {}
        for row in said:
            by_set.setdefault(row["concept"], []).append(row["value"])
        alpha = krippendorff(by_set.values())
        told = "–, since no set was rated by two" if np.isnan(alpha) else f"{alpha:.2f}"
        lines += ["", f"Agreement of people, Krippendorff's α for interval data: {told}."]
    return "\n".join([*lines, ""])


_MARGINS = ("margin_stack", "margin_judge")


def _finding(said: Sequence[Mapping[str, Any]], methods: Sequence[str]) -> str:
    found = unit_means(said, ["method"], "value", ["rater"])
    ahead = [
        f"{signed(differences)} above {method}"
        for method in methods
        if method != OURS and len(differences := _ahead(found, method))
    ]
    return f"People rate ours {', '.join(ahead)}." if ahead else "No ratings yet compare ours with another method."


def _ahead(found: Mapping[tuple[Any, ...], Array], method: str) -> Array:
    """Ours minus the method [people], of each person who rated both."""
    if (OURS,) not in found or (method,) not in found:
        return np.array([])
    differences = found[OURS,] - found[method,]
    return there(differences)


def spread(values: Array) -> str:
    """`3.77 ± 1.35`: mean and standard deviation of all ratings; of a single one, the mean."""
    if len(values) < 2:
        return cell(values, 2)
    return f"{np.mean(values):.2f} ± {np.std(values, ddof=1):.2f}"


def figures(table: pa.Table) -> dict[str, Any]:
    """`sets`: one set of each method. `ratings`: the number of each rating of each method, if there are ratings."""
    rows = table.to_pylist()
    methods = [method for method in METHODS if method in {row["method"] for row in rows}]
    found = {"sets": _sheet(rows, methods)} if has_pictures(table) else {}
    if any(row["value"] is not None for row in rows):
        found["ratings"] = _ratings(rows, methods)
    return found


def _ratings(rows: Sequence[Mapping[str, Any]], methods: Sequence[str]) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 3.6), layout="constrained")
    axis = figure.subplots()
    values = list(range(SCALE[0], SCALE[1] + 1))
    for place, method in enumerate(methods):
        said = [row["value"] for row in rows if row["method"] == method and row["value"] is not None]
        width = 0.8 / len(methods)
        left = [value - 0.4 + width * (place + 0.5) for value in values]
        axis.bar(left, [said.count(value) for value in values], width, label=method)
    axis.set_xticks(values)
    axis.set_xlabel("rating")
    axis.set_ylabel("how often")
    axis.legend(frameon=False)
    return figure


def _sheet(rows: Sequence[Mapping[str, Any]], methods: Sequence[str]) -> Any:
    shown = {(row["category"], row["negatives"], row["method"]): row for row in reversed(rows) if row["picture"]}
    lines = list(dict.fromkeys((row["category"], row["negatives"]) for row in rows))
    pictures = [
        [drawing_of(shown[category, unlike, method]["picture"]) for method in methods] for category, unlike in lines
    ]
    labels = [f"{category}, not {unlike}" for category, unlike in lines]
    return contact_sheet(pictures, labels, methods, "What is asked: one set of each method; raters see no names")
