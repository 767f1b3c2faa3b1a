"""Evolutionary mixing (Eq. 5, §4.3): how a child resembles its parents as their weights go from one to the other.

For each category and seed, five families, all with founders of their own or with words of the category:

    pair                    two founders, whose negatives are the nearest words of the stack's vocabulary
    triple                  three; the first one's weight goes up, the others share the rest
    grandparents            the child of two children of two founders each; the children's weights change
    concept and photograph  a founder, and a picture as anybody may bring one
    words                   two members of the category, for which nothing was learned

and methods of mixing them:

    Eq. 5                   learned on the parents' images, from the mean of their vectors on, as by `conceptree breed`
    Eq. 5, inheriting       the same, of the category and away from the parents' negatives besides, as by `breed
                            --inherit`
    paper, published        the presets: begun at the category's word; published mixes on the text embedding, as the
                            authors' code does
    at once                 all four grandparents as the parents of one child
    vectors                 nothing is learned: the weighted mean of the parents' vectors
    embeddings              nothing is learned: the weighted mean of what the prior imagines of each parent (of a
                            photograph, of what the image encoder sees), as `interpolate` of diffusers' pipelines has it
    positives               words as the positives of Eq. 3, with weights (§4.1)
    "a half … half …"       words in one prompt, of which the stack knows every word; it has no weights

What is compared is drawn ("a photo of a …"): a child's pictures with pictures of each parent, but not those that it
learned from, as the stack's image encoder and as a judge see them. Of a photograph there is only itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from core.concept import Concept, Parent, Positive, Request
from core.depict import imagine_concept
from core.errors import ConceptreeError
from core.metrics import PANEL_GUIDANCE, PANEL_STEPS
from core.prompts import PORTRAIT
from core.settings import Settings
from core.streams import stream, stream_seed
from evolve.experiments.conduct import Bench
from evolve.experiments.drawing import check_draws, draw_many
from evolve.experiments.judging import Judge, StackEyes
from evolve.experiments.learning import founders_of, learn, run_of
from evolve.experiments.looking import drawing_bytes, drawing_of, known_members
from evolve.experiments.sheets import contact_sheet, small
from evolve.experiments.statistics import between, cell, interval, there, unit_means
from evolve.operators import Images, mate
from evolve.photos import Photograph, photo_parent
from evolve.population import founder_seed

PAIR, TRIPLE, GRAND, PHOTO, WORDS = FAMILIES = ("pair", "triple", "grandparents", "concept and photograph", "words")
EQ5, INHERITING, PAPER, PUBLISHED, ONCE = "Eq. 5", "Eq. 5, inheriting", "paper", "published", "at once"
VECTORS, EMBEDDINGS, POSITIVES = "vectors", "embeddings", "positives"
PARENT = "a parent"  # in place of a method: how the parents resemble each other, and each its own other pictures
COMPOSED = ("a mix of a {} and a {}", "a half {} half {}", "a {} {}", "a {} and a {}")
_NAME = "<mixture>"
SCHEMA = pa.schema(
    [
        ("category", pa.string()),
        ("seed", pa.int32()),
        ("family", pa.string()),
        ("method", pa.string()),
        ("share", pa.float64()),  # the weight of the first parent, or child; NaN for a parent
        ("parent", pa.int32()),  # which one the child is compared with, by number
        ("of", pa.string()),  # who that is: a concept's id, or a word
        ("weight", pa.float64()),  # its weight in the child
        ("eyes", pa.string()),  # who sees: the stack or the judge
        ("similarity", pa.float64()),  # mean cosine of the child's and the parent's pictures
        ("belongs", pa.float64()),  # similarity of the child's pictures to the category's word
        ("picture", pa.binary()),  # PNG, small: of the child's first drawing for seed 0, once
    ]
)


@dataclass(frozen=True)
class Protocol:
    """What is compared. shares: of the first parent; the one nearest to an equal share becomes that. pictures: of each
    child and each parent. images, keep: of a parent, for Eq. 5; see `operators.parent_images`.
    """

    categories: tuple[str, ...] = ("pet", "fruit", "musical instrument")
    seeds: int = 3
    shares: tuple[float, ...] = (0.1, 0.3, 0.5, 0.7, 0.9)
    pictures: int = 3
    images: int = 16
    keep: int = 4
    settings: dict[str, Any] = field(default_factory=dict)  # instead of what is calibrated for the stack

    def of_each(self) -> dict[str, Any]:
        """What each case depends on, whichever cases there are."""
        return {name: value for name, value in vars(self).items() if name not in ("categories", "seeds")}

    def shares_of(self, parents: int) -> list[float]:
        """With the equal share in place of the nearest to it."""
        equal = 1 / parents
        nearest = min(self.shares, key=lambda share: abs(share - equal))
        return [equal if share == nearest else share for share in self.shares]


def cases(protocol: Protocol, bench: Bench) -> list[Case]:
    """Every category with one seed, then with the next.

    Raises:
        ConceptreeError: the stack cannot draw, nobody knows two members of a category, or the weights are none.
    """
    check_draws(bench.backbone)
    shares = protocol.shares
    if len(shares) < 2 or list(shares) != sorted(set(shares)) or not 0 < shares[0] <= shares[-1] < 1:
        raise ConceptreeError(f"shares = {list(shares)}: give at least 2, from small to large, above 0 and below 1")
    for category in protocol.categories:
        if len(known_members(bench, category)) < 2:
            raise ConceptreeError(f"only one member of {category!r} is known: choose others with --category")
    return [Case(protocol, bench, category, seed) for seed in range(protocol.seeds) for category in protocol.categories]


class Mixture(NamedTuple):
    """A child that is to be compared with its parents: by their keys, with weights; embeds [pictures, width]."""

    family: str
    method: str
    share: float
    parents: tuple[str, ...]
    weights: tuple[float, ...]
    embeds: Tensor


@dataclass(frozen=True)
class Parents:
    """All whom children of a case may have, by their keys: founders (ids), words, photographs of words ("photo of …").

    imagined [pictures, width]: of the first two by the prior, of a photograph what the image encoder sees, repeated.
    vectors [k, d]: of the first two. pictures: others than children learn from.
    """

    founders: dict[str, Concept]
    photographs: dict[str, Photograph]
    imagined: dict[str, Tensor]
    vectors: dict[str, Tensor]
    pictures: dict[str, list[Any]]


@dataclass(frozen=True)
class Case:
    """All families and methods for one category and seed."""

    protocol: Protocol
    bench: Bench
    category: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.category.replace(' ', '-')}-{self.seed}"

    def rows(self) -> list[dict[str, Any]]:
        parents = self.parents()
        return self.seen(self.mixtures(parents), parents)

    def _tell(self, text: str) -> None:
        self.bench.tell(f"{self.name}: {text}")

    def _learn(self, requests: Sequence[Request], what: str) -> list[Concept]:
        return learn(run_of(self.bench, self.name, self.category), requests, self.bench, what, self._tell)

    def _settings(self, preset: str = "default", mixing: bool = True) -> Settings:
        given = self.protocol.settings
        return Settings.for_stack(self.bench.backbone, preset, mixing=mixing, category=self.category, **given)

    def _seeds(self, what: str) -> list[int]:
        return [stream_seed(self.seed, number, what) for number in range(self.protocol.pictures)]

    def parents(self) -> Parents:
        """Four founders and two words, with a photograph of each."""
        backbone, settings = self.bench.backbone, self._settings(mixing=False)
        requests = founders_of(backbone, self.category, 4, settings, self.seed, schedule="adaptive")
        return self._shown({concept.id: concept for concept in self._learn(requests, "founders")})

    @torch.no_grad()
    def _shown(self, founders: dict[str, Concept]) -> Parents:
        backbone, count = self.bench.backbone, self.protocol.pictures
        words = known_members(self.bench, self.category)
        words = [words[i] for i in stream(self.seed, 0, "words").permutation(len(words))[:2]]
        self._tell("drawing the parents")
        here, other = self._seeds("mixture"), self._seeds("parent")
        imagined = {id_: imagine_concept(backbone, each, [PORTRAIT] * count, here) for id_, each in founders.items()}
        imagined |= {word: self._imagined(PORTRAIT.format(word), here) for word in words}
        again = [imagine_concept(backbone, each, [PORTRAIT] * count, other) for each in founders.values()]
        again += [self._imagined(PORTRAIT.format(word), other) for word in words]
        photographed = [
            self._imagined(PORTRAIT.format(word), [stream_seed(self.seed, 0, "photograph")]) for word in words
        ]
        drawn = draw_many(backbone, torch.cat(again + photographed), other * len(again) + [0, 1])
        pictures = {key: drawn[i * count : (i + 1) * count] for i, key in enumerate(imagined)}
        photographs = {}
        for word, picture in zip(words, drawn[-2:], strict=True):
            digest = hashlib.sha256(picture.tobytes()).hexdigest()[:16]
            photographs[f"photo of {word}"] = Photograph(f"photo-{digest}", picture, word)
        for key, photo in photographs.items():
            imagined[key] = backbone.encode_images([photo.picture]).expand(count, -1)
            pictures[key] = [photo.picture]
        vectors = {id_: torch.from_numpy(concept.vectors.copy()) for id_, concept in founders.items()}
        vectors |= {word: backbone.word_vector(word)[None].float().cpu() for word in words}
        return Parents(founders, photographs, imagined, vectors, pictures)

    @torch.no_grad()
    def _imagined(self, prompt: str, seeds: Sequence[int], vectors: dict[str, Tensor] | None = None) -> Tensor:
        how = {"steps": PANEL_STEPS, "guidance_scale": PANEL_GUIDANCE}
        return self.bench.backbone.imagine([prompt] * len(seeds), vectors, seeds=list(seeds), **how)

    def mixtures(self, parents: Parents) -> list[Mixture]:
        """Everything but the parents themselves, imagined: what is learned first, then what only takes means."""
        a, b, c, d = parents.founders
        one, other, *_ = photos = list(parents.photographs)
        words = [photo.removeprefix("photo of ") for photo in photos]
        keys = {PAIR: (a, b), TRIPLE: (a, b, c), GRAND: (a, b, c, d), PHOTO: (a, one), WORDS: tuple(words)}
        found = self._learned(keys, (one, other), parents)
        for family, of in keys.items():
            for share in self._shares(family):
                weights = weights_of(family, share)
                embeds = torch.stack([w * parents.imagined[key] for key, w in zip(of, weights, strict=True)]).sum(0)
                found.append(Mixture(family, EMBEDDINGS, share, of, weights, embeds))
                if family != PHOTO:  # which has no vector
                    means = [w * parents.vectors[key] for key, w in zip(of, weights, strict=True)]
                    vectors = {_NAME: torch.stack(means).sum(0)}
                    embeds = self._imagined(PORTRAIT.format(_NAME), self._seeds("mixture"), vectors)
                    found.append(Mixture(family, VECTORS, share, of, weights, embeds))
        for prompt in COMPOSED:
            composed = prompt.format(*words)
            if self.bench.backbone.knows(composed):
                method = f'"{prompt.replace("{}", "…")}"'
                embeds = self._imagined(f"a photo of {composed}", self._seeds("mixture"))
                found.append(Mixture(WORDS, method, 0.5, keys[WORDS], (0.5, 0.5), embeds))
        return found

    def _shares(self, family: str) -> list[float]:
        return self.protocol.shares_of(3 if family == TRIPLE else 2)

    def _learned(self, keys: dict[str, tuple[str, ...]], photos: tuple[str, str], parents: Parents) -> list[Mixture]:
        """All children that are learned: at first those whose parents are there, then the grandchildren."""
        known: Images = {}
        asked: list[tuple[str, str, float, Request]] = []

        def ask(family: str, method: str, of: Sequence[str], **how: Any) -> None:
            for share in self._shares(family):
                request = self._child(parents, of, weights_of(family, share), known, **how)
                asked.append((family, method, share, request))

        self._tell("drawing the parents' images for Eq. 5")
        ask(PAIR, EQ5, keys[PAIR])
        ask(PAIR, INHERITING, keys[PAIR], inherit=True)
        ask(PAIR, PAPER, keys[PAIR], preset="paper")
        ask(PAIR, PUBLISHED, keys[PAIR], preset="published")
        ask(TRIPLE, EQ5, keys[TRIPLE])
        ask(GRAND, ONCE, keys[GRAND])
        ask(PHOTO, EQ5, keys[PHOTO])
        ask(WORDS, EQ5, photos)
        for share in self._shares(WORDS):
            asked.append((WORDS, POSITIVES, share, self._worded(keys[WORDS], share)))
        sisters = [self._child(parents, keys[GRAND][i : i + 2], (0.5, 0.5), known) for i in (0, 2)]
        # The first of them is among the pair's children, if these have equal shares at all.
        there = [request for *_, request in asked]
        new = [each for each in sisters if each not in there]
        concepts = self._learn([*there, *new], "children")
        by_request = dict(zip([*there, *new], concepts, strict=True))
        first, second = (by_request[each] for each in sisters)
        self._tell("drawing the children's images for Eq. 5")
        grand = []
        for share in self._shares(GRAND):
            grand.append((GRAND, EQ5, share, self._mated([(first, share), (second, 1 - share)], known)))
        concepts = [*concepts[: len(asked)], *self._learn([each for *_, each in grand], "grandchildren")]
        count, seeds = self.protocol.pictures, self._seeds("mixture")
        return [
            Mixture(
                family,
                method,
                share,
                keys[family],
                weights_of(family, share),
                imagine_concept(self.bench.backbone, concept, [PORTRAIT] * count, seeds),
            )
            for (family, method, share, _), concept in zip([*asked, *grand], concepts, strict=True)
        ]

    def _child(
        self, parents: Parents, of: Sequence[str], weights: Sequence[float], known: Images, **how: Any
    ) -> Request:
        pairs = list(zip(of, weights, strict=True))
        concepts = [(parents.founders[key], weight) for key, weight in pairs if key in parents.founders]
        backbone = self.bench.backbone
        photos = [photo_parent(parents.photographs[k], w, backbone) for k, w in pairs if k in parents.photographs]
        return self._mated(concepts, known, photos, **how)

    def _mated(
        self,
        concepts: Sequence[tuple[Concept, float]],
        known: Images,
        photos: Sequence[Parent] = (),
        preset: str = "default",
        inherit: bool = False,
    ) -> Request:
        """All children of a case have one seed: only parents, weights and methods differ."""
        return mate(
            concepts,
            self.bench.backbone,
            founder_seed(self.seed, -1),
            category=self.category,
            settings=self._settings(preset),
            images=self.protocol.images,
            keep=self.protocol.keep,
            known=known,
            photos=photos,
            inherit=inherit,
        )

    def _worded(self, words: Sequence[str], share: float) -> Request:
        return Request(
            self.category,
            positives=(Positive(words[0], share), Positive(words[1], 1 - share)),
            schedule="none",
            seed=founder_seed(self.seed, -1),
            settings=self._settings(mixing=False),
        )

    @torch.no_grad()
    def seen(self, mixtures: Sequence[Mixture], parents: Parents) -> list[dict[str, Any]]:
        """A row for each child, parent and pair of eyes, as in `SCHEMA`, and those of the parents themselves."""
        count, seeds = self.protocol.pictures, self._seeds("mixture")
        self._tell(f"drawing {count} pictures of each of {len(mixtures)} mixtures")
        drawn = draw_many(self.bench.backbone, torch.cat([each.embeds for each in mixtures]), seeds * len(mixtures))
        eyes: dict[str, Judge] = {"stack": StackEyes(self.bench.backbone), "judge": self.bench.judge}
        rows = []
        for name, sees in eyes.items():
            unit = sees.embed(drawn).reshape(len(mixtures), count, -1)
            belongs = sees.similarity(drawn, [self.category]).reshape(len(mixtures), count).mean(1).tolist()
            of_parents = {key: sees.embed(pictures) for key, pictures in parents.pictures.items()}
            own = {key: float(sees.similarity(of, [self.category]).mean()) for key, of in parents.pictures.items()}
            for place, each in enumerate(mixtures):
                for number, (key, weight) in enumerate(zip(each.parents, each.weights, strict=True)):
                    similarity = float((unit[place] @ of_parents[key].T).mean())
                    row = self._row(each.family, each.method, name, number, key, weight, similarity, belongs[place])
                    shown = name == "stack" and number == self.seed == 0
                    rows.append({**row, "share": each.share, "picture": _kept(drawn[place * count], shown)})
            for family, keys in {each.family: each.parents for each in mixtures}.items():
                for (i, key), (number, other) in product(enumerate(keys), enumerate(keys)):
                    similarity = alike(of_parents[key], of_parents[other], same=i == number)
                    row = self._row(family, PARENT, name, number, other, float(i == number), similarity, own[key])
                    shown = name == "stack" and i == number and self.seed == 0
                    rows.append({**row, "picture": _kept(parents.pictures[key][0], shown)})
        return rows

    def _row(
        self, family: str, method: str, eyes: str, number: int, of: str, weight: float, similarity: float, own: float
    ) -> dict[str, Any]:
        return {
            "category": self.category,
            "seed": self.seed,
            "family": family,
            "method": method,
            "share": float("nan"),
            "parent": number,
            "of": of,
            "weight": weight,
            "eyes": eyes,
            "similarity": similarity,
            "belongs": own,
            "picture": None,
        }


def alike(these: Tensor, those: Tensor, same: bool = False) -> float:
    """Mean cosine of unit embeddings [n, width] and [m, width]; of the same pictures that of different ones, NaN for
    a single one.
    """
    cosines = these @ those.T
    if not same:
        return float(cosines.mean())
    n = len(these)
    return float((cosines.sum() - n) / (n * (n - 1))) if n > 1 else float("nan")


def _kept(picture: Any, shown: bool) -> bytes | None:
    return drawing_bytes([small(picture)]) if shown else None


def weights_of(family: str, share: float) -> tuple[float, ...]:
    """Of each parent, where the first (or the first child of two) has this share."""
    rest = round(1 - share, 9)  # so that 1 − 0.9 is the weight 0.1, as where a parent has that share itself
    return {TRIPLE: (share, rest / 2, rest / 2), GRAND: (share / 2, share / 2, rest / 2, rest / 2)}.get(
        family, (share, rest)
    )


def summary(table: pa.Table) -> str:
    """In Markdown: what came of it, then of each family how children follow the weights and whom they resemble."""
    rows = table.drop_columns(["picture"]).to_pylist()
    eyes = list(dict.fromkeys(row["eyes"] for row in rows))
    follows, least = follow(rows), least_alike(rows)
    pair = {method: (PAIR, method, "judge") for method in (EQ5, INHERITING, VECTORS, EMBEDDINGS, PAPER, PUBLISHED)}
    lines = [
        "Of two founders, by the judge: weight and similarity to a parent have a rank correlation of"
        f" {_listed(pair, follows, 2)}; at equal weights the similarity to the parent that the child resembles less is"
        f" {_listed(pair, least)}.",
        "",
        f"Means over {len(follows[pair[EQ5]])} pairs of category and seed, of drawings, 95 % bootstrap intervals where"
        " there are several. follows: rank correlation (Spearman) of a parent's weight and the child's similarity to"
        " it, the mean over the parents. least: similarity to the parent that the child resembles least, at equal"
        " weights; of a parent, to the other that it resembles least, and itself: of its own pictures to each other.",
    ]
    header = ["method", *(f"{name}, by the {each}" for each in eyes for name in ("follows", "least", "belongs"))]
    belongs = unit_means(rows, ["family", "method", "eyes"], "belongs")
    own = unit_means([row for row in rows if row["weight"] == 1], ["family", "eyes"], "similarity")
    for family in dict.fromkeys(row["family"] for row in rows):
        lines += ["", f"{family[0].upper()}{family[1:]}:", "", f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
        for method in dict.fromkeys(row["method"] for row in rows if row["family"] == family):
            keys = [(family, method, each) for each in eyes]
            cells = [c for key in keys for c in (between(follows[key]), between(least[key]), cell(belongs[key]))]
            lines.append(f"| {method} | {' | '.join(cells)} |")
        themselves = ", ".join(f"{cell(own[family, each])} by the {each}" for each in eyes)
        lines += ["", f"A parent itself: {themselves}."]
    return "\n".join([*lines, ""])


def follow(rows: Sequence[dict[str, Any]]) -> dict[tuple[Any, ...], Any]:
    """By (family, method, eyes) the rank correlations [units] of weight and similarity, a mean over the parents; NaN
    where weights do not change.
    """
    from scipy.stats import spearmanr

    of: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    names = ("family", "method", "eyes", "category", "seed", "parent")
    for row in rows:
        of.setdefault(tuple(row[name] for name in names), []).append(row)
    found = []
    for key, children in of.items():
        weights, similarities = ([child[name] for child in children] for name in ("weight", "similarity"))
        varies = key[1] != PARENT and np.ptp(weights) > 0 and np.ptp(similarities) > 0
        value = float(spearmanr(weights, similarities).statistic) if varies else float("nan")
        found.append({**dict(zip(names, key, strict=True)), "follows": value})
    return unit_means(found, ["family", "method", "eyes"], "follows")


def least_alike(rows: Sequence[dict[str, Any]]) -> dict[tuple[Any, ...], Any]:
    """By (family, method, eyes) the least similarity [units] to a parent at equal weights; of a parent, to another."""
    of: dict[tuple[Any, ...], list[float]] = {}
    names = ("family", "method", "eyes", "category", "seed")
    count = {family: 1 + max(row["parent"] for row in rows if row["family"] == family) for family in _families(rows)}
    for row in rows:
        equal = np.isclose(row["weight"], 1 / count[row["family"]])
        if equal or (row["method"] == PARENT and not row["weight"]):
            of.setdefault(tuple(row[name] for name in names), []).append(row["similarity"])
    found = [{**dict(zip(names, key, strict=True)), "least": min(values)} for key, values in of.items()]
    return unit_means(found, ["family", "method", "eyes"], "least")


def figures(table: pa.Table) -> dict[str, Any]:
    """matplotlib's figures: `weights`, similarity to a parent over its weight, of each family and method; `sheet`,
    children of the first category's pair and words over the weights, for seed 0.
    """
    from matplotlib.figure import Figure

    rows = table.drop_columns(["picture"]).to_pylist()
    families = _families(rows)
    figure = Figure(figsize=(12.5, 6.4), layout="constrained")
    axes = figure.subplots(2, len(families), sharey="row", squeeze=False)
    methods = list(dict.fromkeys(row["method"] for row in rows))
    colours = dict(zip(methods, _colours(len(methods)), strict=True))
    for line, eyes in zip(axes, ("stack", "judge"), strict=True):
        for axis, family in zip(line, families, strict=True):
            of = [row for row in rows if row["family"] == family and row["eyes"] == eyes]
            for method in dict.fromkeys(row["method"] for row in of):
                found = unit_means([row for row in of if row["method"] == method], ["weight"], "similarity")
                seen = {weight: there(values) for (weight,), values in sorted(found.items())}
                weights = [weight for weight, values in seen.items() if len(values)]
                means, low, high = zip(*(interval(seen[weight]) for weight in weights), strict=True)
                style = {"linestyle": "--"} if method == PARENT else {"marker": "o", "markersize": 3}
                axis.plot(weights, means, color=colours[method], linewidth=1, label=method, **style)
                axis.fill_between(weights, low, high, color=colours[method], alpha=0.12, linewidth=0)
            axis.set_title(family, fontsize=10)
            axis.set_xlabel("weight of the parent")
        line[0].set_ylabel(f"similarity to it, by the {eyes}")
    labels = {
        label: handle for axis in axes[0] for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    figure.legend(labels.values(), labels.keys(), loc="outside lower center", ncols=6, frameon=False, fontsize=8)
    return {"weights": figure, "sheet": _sheet(table)}


def _sheet(table: pa.Table) -> Any:
    """Between the first and the second parent, as the first one's weight goes down."""
    rows = [row for row in table.to_pylist() if row["picture"] and row["family"] in (PAIR, WORDS)]
    rows = [row for row in rows if row["category"] == rows[0]["category"]]
    shares = sorted({row["share"] for row in rows if not np.isnan(row["share"])}, reverse=True)
    pictures, labels = [], []
    for family, method in dict.fromkeys((row["family"], row["method"]) for row in rows if row["method"] != PARENT):
        here = [row for row in rows if row["family"] == family]
        first, second = (row["picture"] for row in here if row["method"] == PARENT)
        children = {row["share"]: row["picture"] for row in here if row["method"] == method}
        line = [first, *(children.get(share) for share in shares), second]
        pictures.append([drawing_of(each) if each else None for each in line])
        words = ", ".join(row["of"] for row in here if row["method"] == PARENT)
        labels.append(f"{words}: {method}" if family == WORDS else f"{family}: {method}")
    columns = ["first parent", *(f"{share:g}" for share in shares), "second parent"]
    title = "Children of two founders, and of two words, as the first one's weight goes down"
    return contact_sheet(pictures, labels, columns, title)


def _families(rows: Sequence[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(row["family"] for row in sorted(rows, key=lambda row: FAMILIES.index(row["family"]))))


def _colours(count: int) -> list[Any]:
    from matplotlib import colormaps

    return [colormaps["tab20"](2 * number % 20 + number // 10) for number in range(count)]


def _listed(keys: dict[str, tuple[str, str, str]], found: dict[tuple[Any, ...], Any], digits: int = 3) -> str:
    """`Eq. 5 0.98, vectors 0.95`"""
    return ", ".join(f"{method} {cell(found[key], digits)}" for method, key in keys.items())
