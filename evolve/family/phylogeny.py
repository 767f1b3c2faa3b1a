"""Figures of a phylogeny, as artificial life and novelty search use them: diversity by descent, archive growth.

`kinship.generations` shows them by generation, beside the mean pairwise distance by descent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import networkx as nx
import numpy as np
import numpy.typing as npt

from evolve.family.lineage import members
from evolve.store.rows import Entry

Array = npt.NDArray[np.float32]


def phylogenetic_diversity(graph: nx.DiGraph) -> dict[int, int]:
    """Phylogenetic diversity of each generation: the number of its concepts and of all their ancestors.

    Faith's sum of branches (Biological Conservation 61:1, 1992), where each birth is a branch of length 1, as is usual
    for digital evolution (Dolson and Ofria, Artificial Life 24:1, 2018). One pass, latest first.
    """
    numbers = sorted({graph.nodes[each]["generation"] for each in members(graph)})
    place = {number: i for i, number in enumerate(numbers)}
    own = set(members(graph))
    found = np.zeros(len(numbers), dtype=np.int64)
    reached: dict[str, int] = {}  # bit i: it has a descendant in generation i, or is of it
    width = (len(numbers) + 7) // 8
    for each in sorted(graph, key=lambda node: -graph.nodes[node]["generation"]):
        bits = reached.pop(each, 0) | (1 << place[graph.nodes[each]["generation"]] if each in own else 0)
        for parent in graph.pred[each]:
            reached[parent] = reached.get(parent, 0) | bits
        packed = np.frombuffer(bits.to_bytes(width, "little"), dtype=np.uint8)
        found += np.unpackbits(packed, count=len(numbers), bitorder="little")
    return dict(zip(numbers, found.tolist(), strict=True))


def archive_growth(entries: Sequence[Entry], image_embeds: Mapping[str, Array]) -> dict[int, int]:
    """Size of a novelty archive after each generation (Lehman and Stanley, Evolutionary Computation 19:189, 2011).

    A concept enters if its imagined embedding is farther from all in the archive than half of the first generation are
    from the nearest of each other, by cosine distance. Concepts in the order in which they were stored; empty if the
    first generation has fewer than two.
    """
    by_number: dict[int, list[Array]] = {}
    for each in entries:
        embed = image_embeds.get(each.id)
        if embed is not None:
            by_number.setdefault(each.generation, []).append(embed / max(float(np.linalg.norm(embed)), 1e-30))
    numbers = sorted(by_number)
    widths = {embed.shape for embeds in by_number.values() for embed in embeds}
    if not numbers or len(by_number[numbers[0]]) < 2 or len(widths) > 1:
        return {}
    first = np.stack(by_number[numbers[0]])
    apart = 1 - first @ first.T
    np.fill_diagonal(apart, np.inf)
    enough = float(np.median(apart.min(1)))
    archive, size, found = np.empty((64, first.shape[1]), dtype=np.float32), 0, {}
    for number in numbers:
        for embed in by_number[number]:
            if size and 1 - float((archive[:size] @ embed).max()) <= enough:
                continue
            if size == len(archive):
                archive = np.concatenate([archive, np.empty_like(archive)])
            archive[size], size = embed, size + 1
        found[number] = size
    return found
