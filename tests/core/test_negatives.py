"""Which answer becomes a negative: the paper's way, and the rules for answers that do not serve."""

from __future__ import annotations

import pytest

from core.negatives import first_answer, ranked_answer, same_thing, strip_article

SIMILARITY = {
    "dog": 0.5,
    "guide dog": 0.45,
    "boeing 747": 0.1,
    "hamster": 0.42,
    "parrot": 0.35,
    "lizard": 0.2,
    "cat": 0.6,
}


def measure(words):
    return [SIMILARITY.get(word, 0.0) for word in words]


def rank(*answers, taken=(), vocabulary=("hamster", "parrot", "cat"), **options):
    scored = [(answer, 1.0) for answer in answers]
    return ranked_answer(scored, measure, 0.3, "pet", taken=taken, vocabulary=vocabulary, **options)


@pytest.mark.parametrize(
    "answer, word",
    [
        ("a dog", "dog"),
        ("An Owl.", "owl"),
        ("the guide dog", "guide dog"),
        ("antelope", "antelope"),
        ("it is a parrot", "parrot"),
        ("this is an owl", "owl"),
        ("a kind of lizard", "lizard"),
        ("  german   shepherd! ", "german shepherd"),
        ("theory", "theory"),
        ("a", "a"),
        ("pot_plant", "pot plant"),
        ("{evil} <moku>", "evil moku"),
    ],
)
def test_articles_are_stripped(answer, word):
    assert strip_article(answer) == word


def test_the_papers_way_takes_the_first_answer_as_it_is():
    answers = [("a boeing 747", 0.9), ("dog", 0.5)]
    assert first_answer(answers).word == "boeing 747"
    assert first_answer([("pet", 1.0)]).word == "pet"
    assert first_answer([]).word is None
    assert first_answer([("dog", 1.0)], taken=["dog"]).word == "dog"
    again = first_answer([("dog", 1.0)], taken=["dog"], repeat=False)
    assert again.word is None and again.note == "'dog' is already a negative"


def test_the_answer_most_like_the_concept_wins_not_the_surest():
    choice = rank("lizard", "a guide dog", "dog")
    assert choice.word == "dog" and not choice.replaced
    assert choice.note == "nearest of 3 answers (0.50)"


def test_a_single_good_answer_needs_no_words():
    assert rank("a dog").note == ""


def test_an_answer_that_does_not_push_is_replaced_by_the_nearest_word_that_does():
    choice = rank("boeing 747")
    assert choice.word == "cat" and choice.replaced
    assert choice.note == "'boeing 747' (0.10) does not push; 'cat' (0.60) from the vocabulary"


def test_at_the_floor_a_word_does_not_push():
    assert ranked_answer([("dog", 1.0)], measure, 0.5, "pet", vocabulary=()).word is None
    assert ranked_answer([("dog", 1.0)], measure, 0.499, "pet", vocabulary=()).word == "dog"


@pytest.mark.parametrize("answer", ["pet", "Pets", "a pet", "an animal", "animals", "a companion"])
def test_the_category_and_its_synonyms_are_dropped_in_singular_and_plural(answer):
    choice = rank(answer, "parrot")
    assert choice.word == "parrot"
    assert "(the category itself)" in choice.note


@pytest.mark.parametrize("answer", ["dog", "Dogs", "a dog"])
def test_repeats_are_dropped_in_singular_and_plural(answer):
    choice = rank(answer, "parrot", taken=["dog"])
    assert choice.word == "parrot" and "'dog" in choice.note and "(already a constraint)" in choice.note


@pytest.mark.parametrize("answer", ["yes", "no", "", "...", "unknown"])
def test_answers_that_say_nothing_are_dropped(answer):
    assert rank(answer, "parrot").word == "parrot"


def test_words_that_the_stack_does_not_know_are_dropped():
    choice = rank("axolotl", "parrot", known=lambda word: word != "axolotl")
    assert choice.word == "parrot" and "'axolotl' (unknown to the stack)" in choice.note


def test_a_replacement_is_no_repeat_either():
    assert rank("boeing 747", taken=["cats"]).word == "hamster"
    assert rank("boeing 747", vocabulary=("pet", "animals", "cat"), taken=["cat"]).word is None


def test_nothing_is_added_where_nothing_pushes():
    choice = rank("boeing 747", vocabulary=("lizard",))
    assert choice.word is None
    assert choice.note == "'boeing 747' (0.10) does not push; no word of the vocabulary pushes: nothing added"
    assert rank(vocabulary=()).word is None


def test_without_answers_the_vocabulary_names():
    choice = rank()
    assert choice.word == "cat" and choice.note == "'cat' (0.60) from the vocabulary"


def test_equal_similarity_goes_to_the_surer_answer():
    tied = ranked_answer([("b", 0.9), ("a", 0.8)], lambda words: [0.5] * len(words), 0.3, "pet")
    assert tied.word == "b"


@pytest.mark.parametrize(
    "many, one",
    [
        ("dogs", "dog"),
        ("puppies", "puppy"),
        ("foxes", "fox"),
        ("finches", "finch"),
        ("mice", "mouse"),
        ("guide dogs", "guide dog"),
        ("cactus", "cactus"),
        ("glass", "glass"),
        ("T-Rexes", "t rex"),
        ("pies", "pie"),
        ("horses", "horse"),
        ("shoes", "shoe"),
        ("canoes", "canoe"),
        ("heroes", "hero"),
        ("potatoes", "potato"),
        ("axes", "axe"),
        ("axes", "ax"),
        ("axes", "axis"),
        ("cookies", "cookie"),
        ("movies", "movie"),
        ("ties", "tie"),
        ("buses", "bus"),
        ("bushes", "bush"),
        ("lenses", "lens"),
        ("glasses", "glass"),
        ("cacti", "cactus"),
        ("cactuses", "cactus"),
        ("vases", "vase"),
        ("olives", "olive"),
        ("wolves", "wolf"),
        ("women", "woman"),
        ("bees", "bee"),
        ("series", "series"),
        ("princesses", "princess"),
    ],
)
def test_singular_and_plural_are_the_same_thing(many, one):
    assert same_thing(many, one) and same_thing(one, many)


@pytest.mark.parametrize(
    "one, other",
    [
        ("cat", "cattle"),
        ("guide dog", "dog"),
        ("bus", "bush"),
        ("buses", "bushes"),
        ("axe", "axis"),
        ("glass", "glasses case"),
        ("pie", "pier"),
        ("princes", "princess"),
        ("hero", "heron"),
        ("caves", "cafe"),
        ("bras", "brass"),
    ],
)
def test_different_things_differ(one, other):
    assert not same_thing(one, other) and not same_thing(other, one)
