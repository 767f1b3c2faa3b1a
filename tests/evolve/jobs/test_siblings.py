"""Children of one generation differ."""

from __future__ import annotations

import numpy as np
import pytest

from evolve import Run
from evolve.fitness import OBJECTIVES
from evolve.jobs.siblings import Siblings, closest_founders, too_alike
from evolve.members import members
from evolve.operators import spread_weights
from tests.families import by_letter, family


@pytest.fixture
def run(tmp_path) -> Run:
    return family(tmp_path / "pets")


@pytest.fixture
def embeds(run, monkeypatch) -> dict[str, np.ndarray]:
    """Image embeddings by id: orthogonal founders; the children e and f lie close to each other."""
    letters = by_letter(run)
    found = {each.id: np.eye(12, dtype=np.float32)[place] for place, each in enumerate(letters.values())}
    found[letters["f"].id] = found[letters["e"].id] + 0.1 * found[letters["f"].id]
    monkeypatch.setattr(Run, "image_embeds", lambda self: found)
    return found


def cosine(a, b) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_the_limit_is_the_similarity_of_the_closest_founders(run, embeds):
    founders = [each.id for each in run.entries() if not each.parents]
    assert closest_founders(run) == pytest.approx(0.0)
    embeds[founders[1]] = embeds[founders[0]] + embeds[founders[1]]
    assert closest_founders(run) == pytest.approx(0.5**0.5)


def test_an_embedding_of_another_width_counts_as_unknown(run, embeds):
    founders = [each.id for each in run.entries() if not each.parents]
    limit = closest_founders(run)
    embeds[founders[0]] = np.ones(7, dtype=np.float32)
    assert closest_founders(run) == limit
    weights = Siblings(run, 0.25).apart(founders[:2], [[0.5, 0.5], [0.4, 0.6]])
    assert weights == [0.5, 0.5]
    alike = members({id_: dict.fromkeys(OBJECTIVES, 1.0) for id_ in founders[:2]}, {})
    assert too_alike(run, alike, founders[:2], []) == set()


def test_children_of_one_couple_get_weights_that_keep_them_apart(run, embeds):
    one, other = [each.id for each in run.entries() if not each.parents][:2]
    siblings = Siblings(run, 0.25)
    chosen = []
    for place in range(3):
        draws = [spread_weights([0.5, 0.5], 0.25, 10 * place + turn) for turn in range(8)]
        chosen.append(siblings.apart([one, other], [[0.5, 0.5], *draws]))
    assert chosen[0] == [0.5, 0.5] and len({tuple(weights) for weights in chosen}) == 3
    images = [weights[0] * embeds[one] + weights[1] * embeds[other] for weights in chosen]
    assert max(cosine(images[0], images[1]), cosine(images[0], images[2]), cosine(images[1], images[2])) < 0.97
    assert siblings.apart([one], [[1.0], [0.5]]) == [1.0]  # of another family


def test_of_two_children_that_are_too_close_the_better_one_survives(run, embeds):
    letters = {letter: each.id for letter, each in by_letter(run).items()}
    values = {letters[each]: dict.fromkeys(OBJECTIVES, place) for place, each in enumerate("aefg")}
    candidates = members(values, {})
    born = [letters[each] for each in "efg"]
    assert [each.overall for each in candidates] == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert too_alike(run, candidates, born, []) == {letters["e"]}
    assert too_alike(run, candidates, born, [letters["e"]]) == {letters["f"]}
    assert too_alike(run, candidates, born, [letters["e"], letters["f"]]) == set()
