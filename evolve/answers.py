"""What a person said of a run's concepts: ratings and comparisons, and the small file that carries them to other runs.

tastes/*.safetensors    answers about other runs of the same stack that count in this one too
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from core.errors import ConceptreeError
from core.files import write_atomically
from evolve.fitness import of_one_width
from evolve.store.likes import rounds
from evolve.store.ratings import answers
from evolve.store.run import Run

LEVELS = 5  # ratings are 1 to 5
LIKED, PASSED = 4, 2  # ratings that a round is evidence of: for a concept that was chosen, and for the others
TASTES = "tastes"  # folder in a run
LARGEST = 256 * 2**20  # bytes of a file that is read


class TasteError(ConceptreeError):
    """A taste that cannot be learned or read."""


@dataclass(frozen=True)
class Judgements:
    """What a person said. ratings: (concept, 1 to 5); preferred: (the better concept, the other); ids of concepts.

    embeds: the mean imagined embedding [width] of each judged concept. stack: the fingerprint of the stack they are of.
    """

    ratings: tuple[tuple[str, int], ...] = ()
    preferred: tuple[tuple[str, str], ...] = ()
    embeds: Mapping[str, npt.NDArray[np.float32]] = field(default_factory=dict)
    stack: str = ""

    @property
    def concepts(self) -> list[str]:
        """Ids of the concepts that any answer is about, in the order of the answers."""
        told = [id_ for id_, _ in self.ratings] + [id_ for pair in self.preferred for id_ in pair]
        return list(dict.fromkeys(told))

    def with_others(self, others: Iterable[Judgements]) -> Judgements:
        """All answers together. Ratings of a concept that an earlier one has judged do not count again, nor
        comparisons of two such concepts.

        Raises:
            TasteError: they are about concepts of different stacks, or their embeddings have different widths.
        """
        together = self
        for other in others:
            if other.stack != self.stack:
                raise TasteError(
                    f"these answers are about concepts of another stack ({other.stack or 'unknown'}, not {self.stack}):"
                    " give those of one stack"
                )
            if len(widths := {len(embed) for each in (together, other) for embed in each.embeds.values()}) > 1:
                found = " and ".join(map(str, sorted(widths)))
                raise TasteError(f"these answers have embeddings of widths {found}: give answers of one stack")
            known = together.embeds
            together = Judgements(
                (*together.ratings, *(each for each in other.ratings if each[0] not in known)),
                (*together.preferred, *(pair for pair in other.preferred if not set(pair) <= set(known))),
                {**other.embeds, **known},
                self.stack,
            )
        return together


def judgements(run: Run) -> Judgements:
    """A run's ratings and comparisons: notes, rounds, and answers of blind sessions, by any person, to any question.

    A favourite without a rating counts as 5, a concept without one that a person has hidden as 1. In a round, see
    `evolve.store.likes`, a liked concept counts as `LIKED`, another one as `PASSED`.
    """
    embeds, aside = of_one_width(run.image_embeds()), run.aside()
    ratings: list[tuple[str, int]] = []
    preferred: list[tuple[str, str]] = []
    for entry in run.entries():
        note = entry.note
        level = note.rating or (1 if note.hidden and entry.id not in aside else LEVELS if note.favourite else None)
        if level:
            ratings.append((entry.id, level))
    for asked in rounds(run):
        ratings += [(id_, LIKED if id_ in asked.liked else PASSED) for id_ in asked.shown]
    for answer in answers(run):
        if answer.mode == "scale":
            ratings.append((answer.concepts[0], answer.value))
        else:
            better = answer.concepts[answer.value - 1]
            preferred += [(better, other) for other in answer.concepts if other != better]
    ratings = [(id_, level) for id_, level in ratings if id_ in embeds]
    preferred = [pair for pair in preferred if all(id_ in embeds for id_ in pair)]
    told = Judgements(tuple(ratings), tuple(preferred))
    stack = str(run.about["stack"]["fingerprint"])
    return Judgements(told.ratings, told.preferred, {id_: embeds[id_] for id_ in told.concepts}, stack)


def all_judgements(run: Run) -> Judgements:
    """A run's own judgements, and those of other runs that are kept in it, see `keep`."""
    found = judgements(run)
    for each in kept(run):
        with suppress(TasteError):  # of another stack
            found = found.with_others([each])
    return found


def store(told: Judgements, path: Path) -> None:
    """Write judgements as safetensors, with the answers as JSON in its metadata.

    Raises:
        TasteError: there are none.
    """
    from safetensors.numpy import save

    ids = told.concepts
    if not ids:
        raise TasteError("no concept of the run is judged yet: rate or compare some")
    place = {id_: number for number, id_ in enumerate(ids)}
    content = {
        "schema": 1,
        "stack": told.stack,
        "concepts": ids,
        "ratings": [[place[id_], level] for id_, level in told.ratings],
        "preferred": [[place[better], place[other]] for better, other in told.preferred],
    }
    embeds = np.stack([told.embeds[id_] for id_ in ids]).astype(np.float32)
    write_atomically(path, save({"embeds": embeds}, metadata={"taste": json.dumps(content)}))


def read(path: Path) -> Judgements:
    """Judgements as `store` wrote them.

    Raises:
        TasteError: the file is none of these, or damaged.
    """
    return _parsed(_content(path), path)


def _content(path: Path) -> bytes:
    if not path.is_file():
        raise TasteError(f"there is no file {path}")
    if (size := path.stat().st_size) > LARGEST:
        raise TasteError(f"{path} has {size} bytes: at most {LARGEST} are read")
    try:
        return path.read_bytes()
    except OSError as error:
        raise TasteError(f"{path} cannot be read ({error}): give a file that conceptree taste --to wrote") from error


def _parsed(stored: bytes, path: Path) -> Judgements:
    """Judgements from the content of a file. path: for the message of a TasteError."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        embeds = load(stored)["embeds"]  # checks the header, too
        header = json.loads(stored[8 : 8 + int.from_bytes(stored[:8], "little")])
        content = json.loads(header["__metadata__"]["taste"])
        ids = [str(id_) for id_ in content["concepts"]]
        ratings = tuple((ids[_row(place, ids)], int(level)) for place, level in content["ratings"])
        preferred = tuple((ids[_row(one, ids)], ids[_row(two, ids)]) for one, two in content["preferred"])
        whole = (
            embeds.dtype == np.float32
            and embeds.ndim == 2
            and embeds.shape[1] > 0
            and len(embeds) == len(ids) == len(set(ids))
            and bool(np.isfinite(embeds).all())
        )
        if not whole or not all(1 <= level <= LEVELS for _, level in ratings):
            raise ValueError
        stack = str(content["stack"])
    except (SafetensorError, ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
        raise TasteError(f"{path} is not a taste: give a file that conceptree taste --to wrote") from error
    return Judgements(ratings, preferred, dict(zip(ids, embeds, strict=True)), stack)


def _row(place: int, ids: Sequence[str]) -> int:
    if type(place) is not int or not 0 <= place < len(ids):
        raise ValueError
    return place


def keep(run: Run, path: Path) -> Path:
    """Copy a file that `store` wrote into the run, so that its answers count there too; the copy.

    Raises:
        TasteError: the file is none of these, or its answers are about concepts of another stack.
    """
    content = _content(path)
    judgements(run).with_others([_parsed(content, path)])
    copy = run.folder / TASTES / f"{hashlib.sha256(content).hexdigest()[:16]}.safetensors"
    write_atomically(copy, content, within=run.folder)
    return copy


def kept(run: Run) -> list[Judgements]:
    """The answers of other runs that are kept in this one; damaged files are left out."""
    found = []
    for path in sorted((run.folder / TASTES).glob("*.safetensors")):
        with suppress(TasteError):
            found.append(read(path))
    return found
