"""Captions, questions and targets say only what their picture shows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.training.tiny import APPLE, CAT, DOG
from training.captions import CaptionWriter, vocabulary
from training.hybrids import COLOURS, PARTS, PATTERNS, PROPORTIONS
from training.pictures import (
    BACKGROUND,
    BACKGROUNDS,
    COLOUR,
    LOOK,
    LOOKS,
    OTHER,
    PART,
    PATTERN,
    PROPORTION,
    SHARE,
    STYLE,
    THING,
    TRUTHS,
)
from training.questions import KINDS, QuestionWriter, answers
from training.sources import SETS
from training.teacher import Words
from training.tokenizer import UNKNOWN, word_tokenizer


def shows(thing: int, **facts: int) -> list[int]:
    """A row of truth: a plain drawing of one thing in the first set, but for ``facts``."""
    columns = {
        "style": STYLE, "look": LOOK, "background": BACKGROUND, "other": OTHER, "share": SHARE, "colour": COLOUR,
        "pattern": PATTERN, "part": PART, "proportion": PROPORTION,
    }  # fmt: skip
    row = [-1] * TRUTHS
    row[THING], row[STYLE], row[LOOK], row[BACKGROUND], row[SHARE] = thing, 0, 0, 0, 100
    for name, value in facts.items():
        row[columns[name]] = value
    return row


def says(thing: int, **facts: int) -> list[int]:
    """A caption has only ``thing`` and ``facts``."""
    row = shows(thing, **{"style": -1, "look": -1, "background": -1, "share": -1, **facts})
    return row


def test_captions_fit_their_own_picture_and_say_what_they_say(words: Words) -> None:
    writer, numbers = CaptionWriter(words), np.random.default_rng(0)
    neon, blue = LOOKS.index("neon"), BACKGROUNDS.index("blue")
    truth = np.array([shows(CAT, style=1, look=neon, background=blue), shows(APPLE)])
    for row, facts in enumerate(truth):
        for _ in range(60):
            text, said = writer.write(facts.tolist(), numbers)
            assert len(said) == TRUTHS
            assert writer.fits(np.array([said]), truth)[0, row] == 1
            assert ("blue" in text) == (said[BACKGROUND] == blue)
            assert ("neon" in text) == (said[LOOK] == neon)
            assert words.all[said[THING]] in text


MIXED = ("mix", "half", "hybrid", "cross")


def test_captions_of_hybrids_say_only_what_the_picture_shows(words: Words) -> None:
    writer, numbers = CaptionWriter(words), np.random.default_rng(0)
    green, striped = list(COLOURS).index("green"), PATTERNS.index("striped")
    wide, crown = PROPORTIONS.index("wide"), PARTS.index("crown")
    changed = shows(CAT, other=DOG, share=70, colour=green, pattern=striped, proportion=wide, part=crown)
    seen = {"green": 0, "striped": 0, "wide": 0, "crown": 0, "cat dog": 0, "mix": 0, "pet": 0}
    for _ in range(150):
        text, said = writer.write(changed, numbers)
        seen = {word: count + (word in text) for word, count in seen.items()}
        assert ("green" in text) == (said[COLOUR] == green) and ("striped" in text) == (said[PATTERN] == striped)
        assert ("wide" in text) == (said[PROPORTION] == wide) and ("with a crown" in text) == (said[PART] == crown)
        both = "cat" in text and "dog" in text
        assert both == (said[OTHER] >= 0) and (both or not any(word in text for word in MIXED))
        assert writer.fits(np.array([said]), np.array([changed]))[0, 0] == 1
        plain, said = writer.write(shows(CAT), numbers)
        assert not any(word in plain for word in (*MIXED, "dog", "green", "striped", "spotted", "tall", "wide", "with"))
        assert said[OTHER] == said[COLOUR] == said[PATTERN] == said[PART] == said[PROPORTION] == -1
    assert min(seen.values()) > 5


def test_captions_hold_as_far_as_the_picture_shows_what_they_say(words: Words) -> None:
    pet, fruit = (len(words.things) + words.categories.index(c) for c in ("pet", "fruit"))
    truth = np.array(
        [
            shows(CAT),
            shows(DOG, style=2, pattern=1),
            shows(APPLE),
            shows(CAT, other=DOG, share=70),
            shows(APPLE, other=CAT, share=25),
        ]
    )
    said = np.array(
        [says(pet), says(fruit), says(CAT), says(DOG), says(pet, style=2), says(CAT, other=DOG), says(DOG, pattern=1)]
    )
    expected = [
        [1, 1, 0, 1, 0.75],
        [0, 0, 1, 0, 0.25],
        [1, 0, 0, 0.7, 0.75],
        [0, 1, 0, 0.3, 0],
        [0, 1, 0, 0, 0],
        [0, 0, 0, 1, 0],
        [0, 1, 0, 0, 0],
    ]
    assert torch.allclose(CaptionWriter(words).fits(said, truth), torch.tensor(expected))


def random_truth(numbers: np.random.Generator) -> list[int]:
    row = shows(int(numbers.integers(6)), style=int(numbers.integers(len(SETS))))
    row[LOOK], row[BACKGROUND] = int(numbers.integers(len(LOOKS))), int(numbers.integers(len(BACKGROUNDS)))
    if numbers.random() < 0.5:
        row[OTHER], row[SHARE] = (row[THING] + 1) % 6, int(numbers.integers(26, 75))
    for column, table in ((COLOUR, COLOURS), (PATTERN, PATTERNS), (PART, PARTS), (PROPORTION, PROPORTIONS)):
        row[column] = int(numbers.integers(-1, len(table)))
    return row


def test_every_caption_and_question_is_in_the_vocabulary_but_the_untaught_word(words: Words) -> None:
    tokenizer = word_tokenizer(vocabulary(words), 32)
    unknown, numbers = tokenizer.convert_tokens_to_ids(UNKNOWN), np.random.default_rng(1)
    for _ in range(300):
        facts = random_truth(numbers)
        text, _ = CaptionWriter(words).write(facts, numbers)
        question = QuestionWriter(words).write(str(numbers.choice(KINDS)), facts, numbers)
        assert tokenizer(question.text).input_ids.count(unknown) == 0 or "horse" in question.text
        assert tokenizer(text).input_ids.count(unknown) == text.count("untaught"), text


def test_questions_have_the_right_answers(words: Words) -> None:
    writer, every = QuestionWriter(words), answers(words)
    facts = shows(DOG, style=2, look=LOOKS.index("pixel art"), background=BACKGROUNDS.index("snow"))
    asked = {kind: writer.write(kind, facts, np.random.default_rng(0)) for kind in KINDS}
    assert [every[asked[kind].answer] for kind in KINDS] == ["dog", "dog", "pixel art", "snow"]
    assert all(question.wanted.sum() == 1 and question.wanted.max() == 1 for question in asked.values())
    assert "animal" in asked["category"].text or "pet" in asked["category"].text
    possible = {every[i] for i in np.flatnonzero(asked["category"].possible)}
    assert possible == {"cat", "dog"}
    plain = writer.write("style", shows(DOG, style=2), np.random.default_rng(0))
    assert every[plain.answer] == SETS[2].style


def test_both_things_of_a_hybrid_share_the_answer(words: Words) -> None:
    writer, numbers = QuestionWriter(words), np.random.default_rng(0)
    question = writer.write("thing", shows(CAT, other=APPLE, share=70), numbers)
    assert question.wanted[[CAT, APPLE]].tolist() == pytest.approx([0.7, 0.3])
    assert question.wanted.sum() == pytest.approx(1) and question.answer == CAT
    seen = set()
    for _ in range(20):  # a category that fits one of the two has one answer
        question = writer.write("category", shows(CAT, other=APPLE, share=70), numbers)
        category = question.text.split()[3]
        seen.add(category)
        assert question.answer == (APPLE if category == "fruit" else CAT) and question.wanted.max() == 1
    assert seen == {"animal", "pet", "fruit"}
    both = writer.write("category", shows(CAT, other=DOG, share=30), numbers)
    assert both.wanted[[CAT, DOG]].tolist() == pytest.approx([0.3, 0.7])


def test_what_teacher_and_judge_are_told_of_a_hybrid_goes_by_shares(words: Words) -> None:
    targets = words.targets(torch.tensor([shows(CAT), shows(CAT, other=APPLE, share=70)]))
    assert targets.sum(1).tolist() == pytest.approx([1, 1])
    assert targets[0, CAT].item() == pytest.approx(0.6) and targets[1, APPLE].item() == pytest.approx(0.18)
    by_category = dict(zip(words.categories, targets[1, len(words.things) :].tolist(), strict=True))
    assert by_category["pet"] > by_category["fruit"] > 0 == by_category["clothing"]
