"""The children of the experiment on mixing: for each category and seed, families of parents and methods.

Five families:

    pair                    two founders, whose negatives are the nearest words of the stack's vocabulary
    triple                  three founders; the first one's weight varies, the others share the rest
    grandparents            a child of two children of two founders each; the children's weights vary
    concept and photograph  a founder and a picture
    words                   two members of the category, without learning

Methods of mixing:

    Eq. 5                   learned from the parents' images, starting at the mean of their vectors, as in `breed
                            --no-inherit`
    Eq. 5, inheriting       the same with the category as a positive and the parents' negatives, as in `conceptree
                            breed` and `evolve`
    paper, published        the presets: start at the category's word; `published` mixes on the text embedding, as the
                            authors' code does
    at once                 all four grandparents as the parents of one child
    vectors                 no learning: the weighted mean of the parents' vectors
    embeddings              no learning: the weighted mean of the parents' imagined embeddings (of a photograph's image
                            embedding), as `interpolate` of diffusers' pipelines does
    positives               words as the positives of Eq. 3, with weights (§4.1)
    "a half … half …"       words in one prompt, if the stack knows every word; without weights

Children are imagined here; `experiments.mixing` draws and measures them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from core.concept import Array, Concept, Parent, Positive, Request
from core.depict import imagine_concept
from core.metrics import PANEL_GUIDANCE, PANEL_STEPS
from core.prompts import PORTRAIT
from core.streams import stream, stream_seed
from evolve.operators import Portraits, mate
from evolve.population import founder_seed
from evolve.store.photos import Photograph, photo_parent
from experiments.categories import TEN
from experiments.conduct import ByCases, SeededCase
from experiments.cost import Work, of_learning, stand_ins
from experiments.drawing import draw_many
from experiments.learning import founders_of, learn, run_of
from experiments.looking import known_members

PAIR, TRIPLE, GRAND, PHOTO, WORDS = FAMILIES = ("pair", "triple", "grandparents", "concept and photograph", "words")
EQ5, INHERITING, PAPER, PUBLISHED, ONCE = "Eq. 5", "Eq. 5, inheriting", "paper", "published", "at once"
VECTORS, EMBEDDINGS, POSITIVES = "vectors", "embeddings", "positives"
COMPOSED = ("a mix of a {} and a {}", "a half {} half {}", "a {} {}", "a {} and a {}")
_NAME = "<mixture>"


@dataclass(frozen=True)
class Protocol(ByCases):
    """shares: weights of the first parent; the nearest to an equal share becomes equal. pictures: of each child and
    each parent. images, keep: a parent's images for Eq. 5, see `operators.parent_images`.
    """

    categories: tuple[str, ...] = TEN
    seeds: int = 1
    shares: tuple[float, ...] = (0.1, 0.3, 0.5, 0.7, 0.9)
    pictures: int = 3
    images: int = 16
    keep: int = 4

    def shares_of(self, parents: int) -> list[float]:
        """The shares, with the equal share in place of the nearest."""
        equal = 1 / parents
        nearest = min(self.shares, key=lambda share: abs(share - equal))
        return [equal if share == nearest else share for share in self.shares]


class Mixture(NamedTuple):
    """A child's image embeddings [pictures, width], with its parents' keys and weights."""

    family: str
    method: str
    share: float
    parents: tuple[str, ...]
    weights: tuple[float, ...]
    embeds: Tensor


@dataclass(frozen=True)
class Parents:
    """All parents of a case by their keys: founders (ids), words, and photographs of words ("photo of …").

    imagined: [pictures, width] by the prior; of a photograph its image embedding, repeated. vectors: [k, d] of founders
    and words. pictures: to compare with; children learn from others.
    """

    founders: dict[str, Concept]
    photographs: dict[str, Photograph]
    imagined: dict[str, Tensor]
    vectors: dict[str, Tensor]
    pictures: dict[str, list[Any]]


@dataclass(frozen=True)
class Mixer(SeededCase):
    """All families and methods for one category and seed, imagined."""

    protocol: Protocol

    def work(self) -> Work:
        """Of learning and drawing the parents; `mixtures` of them are counted in `experiments.mixing`."""
        protocol, shares = self.protocol, len(self.protocol.shares)
        usual, grand = self._settings(mixing=True), 2  # one sister is among the pair's children
        children = stand_ins(self.category, 6 * shares + grand - 1, usual)  # two of a pair, four of the other families
        for preset in (PAPER, PUBLISHED):
            children += stand_ins(self.category, shares, self._settings(preset, mixing=True))
        children += [self._worded(("a", "b"), 0.5)] * shares
        learning = of_learning(self._founders()) + of_learning(children)
        learning += of_learning(stand_ins(self.category, shares, usual))
        shown = (4 + 2) * protocol.pictures + 2
        return learning + Work(drawings=shown + (4 + grand) * protocol.images)

    def _founders(self) -> list[Request]:
        return founders_of(self.bench.backbone, self.category, 4, self._settings(), self.seed, schedule="adaptive")

    def _learn(self, requests: Sequence[Request], what: str) -> list[Concept]:
        return learn(run_of(self.bench, self.name, self.category), requests, self.bench, what, self._tell)

    def parents(self) -> Parents:
        """Four founders and two words, with a photograph of each."""
        return self._shown({concept.id: concept for concept in self._learn(self._founders(), "founders")})

    def _words(self) -> list[str]:
        words = known_members(self.bench, self.category)
        return [words[i] for i in stream(self.seed, 0, "words").permutation(len(words))[:2]]

    @torch.no_grad()
    def _shown(self, founders: dict[str, Concept]) -> Parents:
        backbone, count = self.bench.backbone, self.protocol.pictures
        words = self._words()
        self._tell("drawing the parents")
        here, other = self._seeds(count, "mixture"), self._seeds(count, "parent")
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
        prompts, imagine = [prompt] * len(seeds), self.bench.backbone.imagine
        return imagine(prompts, vectors, seeds=list(seeds), steps=PANEL_STEPS, guidance_scale=PANEL_GUIDANCE)

    def mixtures(self, parents: Parents) -> list[Mixture]:
        """All children, imagined: the learned ones first, then means and prompts."""
        a, b, c, d = parents.founders
        one, other, *_ = photos = list(parents.photographs)
        words = [photo.removeprefix("photo of ") for photo in photos]
        keys = {PAIR: (a, b), TRIPLE: (a, b, c), GRAND: (a, b, c, d), PHOTO: (a, one), WORDS: tuple(words)}
        found, seeds = self._learned(keys, (one, other), parents), self._seeds(self.protocol.pictures, "mixture")
        for family, of in keys.items():
            for share in self._shares(family):
                weights = weights_of(family, share)
                embeds = torch.stack([w * parents.imagined[key] for key, w in zip(of, weights, strict=True)]).sum(0)
                found.append(Mixture(family, EMBEDDINGS, share, of, weights, embeds))
                if family != PHOTO:  # a photograph has no vector
                    means = [w * parents.vectors[key] for key, w in zip(of, weights, strict=True)]
                    vectors = {_NAME: torch.stack(means).sum(0)}
                    embeds = self._imagined(PORTRAIT.format(_NAME), seeds, vectors)
                    found.append(Mixture(family, VECTORS, share, of, weights, embeds))
        for prompt in self._composed(words):
            method = f'"{prompt.replace("{}", "…")}"'
            embeds = self._imagined(f"a photo of {prompt.format(*words)}", seeds)
            found.append(Mixture(WORDS, method, 0.5, keys[WORDS], (0.5, 0.5), embeds))
        return found

    def _composed(self, words: Sequence[str]) -> list[str]:
        """Those of `COMPOSED` that the stack knows with these words."""
        return [prompt for prompt in COMPOSED if self.bench.backbone.knows(prompt.format(*words))]

    def _shares(self, family: str) -> list[float]:
        return self.protocol.shares_of(3 if family == TRIPLE else 2)

    def _learned(self, keys: dict[str, tuple[str, ...]], photos: tuple[str, str], parents: Parents) -> list[Mixture]:
        """The learned children: first the founders' children, then the grandchildren."""
        known: dict[str, Array] = {}
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
        # The first sister may be among the pair's children.
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
        count = self.protocol.pictures
        seeds = self._seeds(count, "mixture")
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
        self, parents: Parents, of: Sequence[str], weights: Sequence[float], known: dict[str, Array], **how: Any
    ) -> Request:
        pairs = list(zip(of, weights, strict=True))
        concepts = [(parents.founders[key], weight) for key, weight in pairs if key in parents.founders]
        backbone = self.bench.backbone
        photos = [photo_parent(parents.photographs[k], w, backbone) for k, w in pairs if k in parents.photographs]
        return self._mated([*concepts, *photos], known, **how)

    def _mated(
        self,
        parents: Sequence[tuple[Concept, float] | Parent],
        known: dict[str, Array],
        preset: str = "default",
        inherit: bool = False,
    ) -> Request:
        """A child's request. All children of a case have one seed: only parents, weights and methods differ."""
        return mate(
            parents,
            self.bench.backbone,
            founder_seed(self.seed, -1),
            category=self.category,
            settings=self._settings(preset, mixing=True),
            portraits=Portraits(self.protocol.images, self.protocol.keep, known=known),
            inherit=inherit,
        )

    def _worded(self, words: Sequence[str], share: float) -> Request:
        return Request(
            self.category,
            positives=(Positive(words[0], share), Positive(words[1], 1 - share)),
            schedule="none",
            seed=founder_seed(self.seed, -1),
            settings=self._settings(),
        )


def weights_of(family: str, share: float) -> tuple[float, ...]:
    """The parents' weights, if the first one (or the first of two children) has this share."""
    rest = round(1 - share, 9)  # 1 − 0.9 must be the same weight as a share of 0.1
    return {TRIPLE: (share, rest / 2, rest / 2), GRAND: (share / 2, share / 2, rest / 2, rest / 2)}.get(
        family, (share, rest)
    )
