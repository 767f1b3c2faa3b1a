"""The embedded model's training: seeded data, honest captions, stages that survive a kill, shapes that fit."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from torch import Tensor, nn

from core.emoji.judge import Judge
from core.emoji.networks import JudgeNet, WordNet
from core.errors import ConceptreeError
from training import bank, models, render
from training.assemble import training_of
from training.autoencoder import Rebuild, new_autoencoder, standardise
from training.captions import CaptionWriter, vocabulary
from training.fit import LEAST, fit, half_precision, load_average
from training.hybrids import COLOURS, PARTS, PATTERNS, PROPORTIONS
from training.inherit import inherit
from training.learning import contrast, predict_embeds
from training.models import LATENT_CHANNELS
from training.muon import Muon, orthogonalised
from training.pictures import (
    BACKGROUND,
    BACKGROUNDS,
    BARE,
    COLOUR,
    LOOK,
    LOOKS,
    MOVED,
    OTHER,
    PART,
    PATTERN,
    PROPORTION,
    SHARE,
    STILL,
    STYLE,
    THING,
    TRUTHS,
    Pictures,
    PictureSource,
    Supply,
    apply_look,
    held_out_pair,
)
from training.questions import KINDS, QuestionWriter, answers
from training.render import SIZE, Drawings, held_out_pairs, pack, unpack
from training.sources import SETS, Thing
from training.stages import TRAIN
from training.stages.answering import Answerer
from training.stages.imagining import train_decoder
from training.stages.pixels import train_autoencoder
from training.stages.polishing import DDIM_STEPS, GUIDANCE, drawn, train_polish
from training.stages.seeing import train_tower
from training.teacher import Words, word_loss
from training.tokenizer import UNKNOWN, word_tokenizer
from training.train import STAGES
from training.workshop import SHARES, Workshop

CAT, DOG, APPLE = range(3)
SIDE = 32  # of the pictures here, where the size does not matter


@pytest.fixture(scope="module")
def drawings() -> Drawings:
    """Six things in four sets: a disc, a square, a cross, and three parts to wear; each set in another colour."""
    things = (
        Thing("cat", ("animal", "pet"), ("1f408",)),
        Thing("dog", ("animal", "pet"), ("1f415",)),
        Thing("red apple", ("fruit",), ("1f34e",)),
        Thing("crown", ("clothing",), ("1f451",)),
        Thing("top hat", ("clothing",), ("1f3a9",)),
        Thing("wing", ("object",), ("1fabd",)),
    )
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE // 2
    disc, square, cross = (x**2 + y**2) < 2000, np.maximum(abs(x), abs(y)) < 40, np.minimum(abs(x), abs(y)) < 12
    shapes = (disc, square, cross, square, square, disc)
    count = 4 * len(shapes)
    rgba = np.zeros((count, SIZE, SIZE, 4), dtype=np.uint8)
    for row in range(count):
        rgba[row, ..., :3] = (40 + 50 * (row % 4), 90, 200 - 40 * (row % 4))
        rgba[row, ..., 3] = 255 * shapes[row // 4]
    thing, style = np.arange(count) // 4, np.arange(count) % 4
    return Drawings(rgba, thing, style, np.arange(count) % 4 == 3, things)


@pytest.fixture(scope="module")
def source(drawings: Drawings) -> PictureSource:
    return PictureSource(drawings, drawings.split(held_out=False), SIDE)


@pytest.fixture(scope="module")
def words(drawings: Drawings) -> Words:
    return Words.of(drawings)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


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


def test_same_seed_gives_the_same_pictures(source: PictureSource) -> None:
    one, again, other = (source.sample(16, generator(seed), MOVED) for seed in (1, 1, 2))
    assert torch.equal(one.pixels, again.pixels) and torch.equal(one.truth, again.truth)
    assert not torch.equal(one.pixels, other.pixels)
    assert one.pixels.shape == (16, 3, SIDE, SIDE) and one.truth.shape == (16, TRUTHS)
    assert one.pixels.min() >= 0 and one.pixels.max() <= 1


def test_a_supply_gives_the_sources_batches_some_made_together(source: PictureSource) -> None:
    def seeded(seed: int) -> torch.Generator:
        return torch.Generator().manual_seed(seed)

    one_at_a_time, three = Supply(source, 4, MOVED), Supply(source, 4, MOVED, together=3)
    for step in range(2):
        assert torch.equal(one_at_a_time.next(seeded(step)).pixels, source.sample(4, seeded(step), MOVED).pixels)
    made = [three.next(seeded(step)) for step in range(4)]
    together = source.sample(12, seeded(0), MOVED)
    assert torch.equal(torch.cat([each.pixels for each in made[:3]]), together.pixels)
    assert torch.equal(torch.cat([each.truth for each in made[:3]]), together.truth)
    assert torch.equal(made[3].pixels, source.sample(12, seeded(3), MOVED).pixels[:4])


def test_pictures_do_not_depend_on_the_global_random_state(source: PictureSource) -> None:
    made = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        made.append(source.sample(32, generator(5), MOVED))
    assert torch.equal(made[0].pixels, made[1].pixels) and torch.equal(made[0].truth, made[1].truth)
    state = torch.get_rng_state()
    source.sample(32, generator(5), MOVED)
    assert torch.equal(state, torch.get_rng_state())


def test_drawings_of_a_held_out_set_are_never_drawn_for_training(source: PictureSource) -> None:
    batch = source.sample(200, generator(0), STILL)
    assert (batch.style != 3).all()


def test_held_out_pairs_are_symmetric_few_and_differ_by_seed() -> None:
    first, second = torch.triu_indices(200, 200, 1)
    held = held_out_pair(first, second)
    assert torch.equal(held, held_out_pair(second, first)) and torch.equal(held, held_out_pair(first, second))
    assert 0.06 < held.float().mean() < 0.1
    other = held_out_pair(first, second, seed=7)
    assert 0.06 < other.float().mean() < 0.1
    assert 0.003 < (held & other).float().mean() < 0.012  # a few that neither may join


def test_held_out_pairs_are_never_joined(drawings: Drawings) -> None:
    only_joined = replace(STILL, joined=1.0, coloured=0.0, patterned=0.0, parts=0.0, proportions=0.0)
    cat, dog = torch.tensor([CAT]), torch.tensor([DOG])
    held = next(seed for seed in range(500) if held_out_pair(cat, dog, seed))
    free = next(seed for seed in range(500) if not held_out_pair(cat, dog, seed))
    joined = {}
    for seed in (held, free):
        source = PictureSource(drawings, drawings.split(held_out=False), SIDE, pairs_seed=seed)
        truth = source.sample(120, generator(0), only_joined).truth
        pets = (truth[:, THING] <= DOG) & (truth[:, OTHER] >= 0)
        joined[seed] = int(pets.sum())
        shares = truth[truth[:, OTHER] >= 0, SHARE]
        assert (shares >= 25).all() and (shares <= 75).all()
        assert (truth[:, OTHER] != truth[:, THING]).all()
    assert joined[held] == 0 and joined[free] > 5


@pytest.mark.parametrize(
    ("kind", "column", "names"),
    [("patterned", PATTERN, PATTERNS), ("parts", PART, PARTS), ("proportions", PROPORTION, PROPORTIONS)],
)
def test_truth_names_what_was_changed(source: PictureSource, kind: str, column: int, names: tuple[str, ...]) -> None:
    only = replace(BARE, **{kind: 1.0})
    animals = source.indices[source.thing[source.indices] <= DOG]
    batch = source.vary(animals.repeat(6), generator(1), only)
    assert set(batch.truth[:, column].tolist()) - {-1} == set(range(len(names)))
    assert (batch.truth[:, column] >= 0).float().mean() > 0.5
    rest = [c for c in (PATTERN, PART, PROPORTION, OTHER) if c != column]
    assert (batch.truth[:, rest] == -1).all() and (batch.truth[:, SHARE] == 100).all()
    plain = source.vary(animals.repeat(6), generator(1), BARE)
    assert (plain.truth[:, [PATTERN, PART, PROPORTION, OTHER]] == -1).all()


def test_a_look_without_colours_leaves_no_colour_to_name(drawings: Drawings) -> None:
    red = np.zeros_like(drawings.rgba)
    red[..., 0], red[..., 3] = 220, drawings.rgba[..., 3]
    source = PictureSource(replace(drawings, rgba=red), np.arange(len(red)), SIDE)
    batch = source.vary(torch.arange(len(red)).repeat(6), generator(0), replace(BARE, look=0.7))
    colourless = torch.tensor([LOOKS.index(n) for n in ("pencil sketch", "black and white", "neon", "silhouette")])
    without = torch.isin(batch.look, colourless)
    assert without.any() and not without.all()
    assert (batch.truth[without, COLOUR] == -1).all()
    assert (batch.truth[~without, COLOUR] == list(COLOURS).index("red")).all()


def test_holding_out_leaves_every_thing_three_sets() -> None:
    thing, style = np.repeat(np.arange(300), 5), np.tile(np.arange(5), 300)
    held = held_out_pairs(thing, style)
    assert 0.05 < held.mean() < 0.2
    assert all(len(set(style[(thing == t) & ~held])) >= 3 for t in range(300))
    assert np.array_equal(held, held_out_pairs(thing, style))


@pytest.mark.parametrize("look", LOOKS)
def test_a_look_changes_the_drawing_and_stays_a_picture(drawings: Drawings, look: str) -> None:
    source = PictureSource(drawings, np.arange(12), 64)
    batch = source.vary(torch.arange(12), generator(0), BARE)
    redrawn = apply_look(look, batch.pixels, source.premultiplied(torch.arange(12))[:, 3:])
    assert redrawn.shape == batch.pixels.shape
    assert redrawn.min() >= 0 and redrawn.max() <= 1
    assert torch.equal(redrawn, batch.pixels) == (look == "plain")


@pytest.mark.parametrize("quality", [100, 60])
def test_a_pack_gives_the_drawings_back(tmp_path, monkeypatch, drawings: Drawings, quality: int) -> None:
    monkeypatch.setattr(render, "COLUMNS", 3)  # several sheets, the last of them not full
    pack(drawings, tmp_path / "drawings.zip", quality)
    again = unpack(tmp_path / "drawings.zip")
    assert again.things == drawings.things
    for name in ("thing", "style", "held_out"):
        assert np.array_equal(getattr(again, name), getattr(drawings, name))
    assert np.array_equal(again.rgba[..., 3], drawings.rgba[..., 3])
    drawn = drawings.rgba[..., 3] > 0
    error = abs(again.rgba[drawn].astype(int) - drawings.rgba[drawn])
    assert error.max() == 0 if quality == 100 else 0 < error.mean() < 12


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


@pytest.mark.parametrize("kind", [WordNet, JudgeNet])
def test_word_nets_learn_from_hybrids(source: PictureSource, words: Words, kind: type) -> None:
    torch.manual_seed(0)
    net = kind((8, 12, 16), 16, len(words.all))
    batch = source.sample(6, generator(0), MOVED)
    embeds = net(batch.pixels)
    assert torch.allclose(embeds.norm(dim=1), torch.ones(6), atol=1e-5)
    loss, logits = word_loss(embeds, net.words, net.scale, words, batch)
    loss.backward()
    assert logits.shape == (6, len(words.things) + len(words.categories))
    assert torch.isfinite(net.words.grad).all() and net.words.grad.abs().sum(1).gt(0).all()


def test_contrast_by_hand() -> None:
    texts, images = torch.eye(2), torch.eye(2)
    fits = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    one = torch.tensor([1.0, 0.0]).log_softmax(0)
    by_text = -(one[0] + (one[0] + one[1]) / 2) / 2
    by_image = -((one[0] + one[1]) / 2 + one[0])
    assert contrast(texts, images, fits, torch.tensor(1.0)).item() == pytest.approx(
        float(by_text + 0.5 * by_image / 2), abs=1e-6
    )


def test_a_killed_stage_resumes_to_the_same_weights(tmp_path) -> None:
    def loss_with(model: nn.Module, stop_at: int | None):
        def loss_of_step(g: torch.Generator, progress: float):
            if stop_at is not None and progress * 12 >= stop_at:
                raise KeyboardInterrupt
            x = torch.randn(8, 4, generator=g)
            return (model(x) - x.sum(1, keepdim=True)).square().mean(), {}

        return loss_of_step

    def fresh() -> nn.Module:
        torch.manual_seed(0)
        return nn.Linear(4, 1)

    whole, killed = fresh(), fresh()
    fit("stage", whole, loss_with(whole, None), tmp_path / "a", steps=12, peak=1e-2, save_every=0)
    with pytest.raises(KeyboardInterrupt):
        fit("stage", killed, loss_with(killed, 7), tmp_path / "b", steps=12, peak=1e-2, save_every=0)
    resumed = fresh()
    fit("stage", resumed, loss_with(resumed, None), tmp_path / "b", steps=12, peak=1e-2, save_every=0)
    assert torch.equal(whole.weight, resumed.weight)
    loaded = fresh()
    load_average(tmp_path / "b", "stage", loaded)
    assert torch.equal(loaded.weight, whole.weight)
    with pytest.raises(ConceptreeError, match="no checkpoint"):
        load_average(tmp_path, "other", loaded)


def test_standardising_the_latents_leaves_the_round_trip_alone() -> None:
    torch.manual_seed(0)
    module = Rebuild(new_autoencoder()).double().eval()
    pixels = torch.rand(4, 3, SIDE, SIDE, dtype=torch.float64)
    with torch.no_grad():
        before, latents = module(pixels)
        standardise(module.model, latents)
        after, scaled = module(pixels)
    assert torch.allclose(before, after, atol=1e-10)
    assert torch.allclose(scaled.std((0, 2, 3)), torch.ones(LATENT_CHANNELS, dtype=torch.float64), atol=1e-9)
    assert scaled.shape == (4, LATENT_CHANNELS, SIDE // 8, SIDE // 8)


def test_the_trimmed_prior_equals_diffusers_own() -> None:
    torch.manual_seed(0)
    prior = models.prior_transformer().eval()
    n, length, full = 3, 9, prior.config.num_embeddings
    noisy, pooled = torch.randn(n, models.WIDTH), torch.randn(n, models.WIDTH)
    hidden, time = torch.randn(n, full, models.WIDTH), torch.tensor([3, 500, 999])
    mask = torch.zeros(n, full, dtype=torch.bool)
    for row, real in enumerate((4, 9, 6)):
        mask[row, :real] = True
    with torch.no_grad():
        plain = prior(noisy, time, pooled, hidden, mask).predicted_image_embedding
        ours = predict_embeds(prior, noisy, time, pooled, hidden[:, :length], mask[:, :length])
    assert torch.allclose(plain, ours, atol=1e-5)


@pytest.mark.parametrize("kind", [WordNet, JudgeNet])
def test_the_judge_comes_back_as_it_was_saved(tmp_path, words: Words, kind: type) -> None:
    torch.manual_seed(0)
    net = kind((8, 12, 16), 16, len(words.all))
    members = {"pet": ["cat", "dog"], "fruit": ["red apple"], "rest": ["crown", "top hat", "wing"]}
    judge = Judge(net, words.things, members)
    judge.save(tmp_path, (8, 12, 16))
    again = Judge.load(tmp_path)
    assert isinstance(again.net, kind) and again.things == words.things and again.categories == members
    pictures = [Image.new("RGB", (64, 64), colour) for colour in ("red", "white")]
    assert torch.allclose(judge.probabilities(pictures), again.probabilities(pictures), atol=1e-2)
    every = np.sum([again.category(pictures, category) for category in members], axis=0)
    assert every == pytest.approx([1.0, 1.0], abs=1e-5)
    assert [len(row) for row in again.name(pictures, k=2)] == [2, 2]
    with pytest.raises(ConceptreeError, match="does not know the category 'gods'"):
        again.category(pictures, "gods")
    with pytest.raises(ConceptreeError, match="no judge in"):
        Judge.load(tmp_path / "nowhere")


def test_muon_equalises_singular_values_and_lowers_a_loss() -> None:
    torch.manual_seed(0)
    matrix = torch.randn(32, 96) @ torch.diag(torch.linspace(0.1, 5, 96))
    values = torch.linalg.svdvals(orthogonalised(matrix))
    assert values.min() > 0.5 and values.max() < 1.4
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    assert (
        torch.nn.functional.cosine_similarity(orthogonalised(matrix).flatten(), (left @ right).flatten(), dim=0) > 0.95
    )
    model = nn.Sequential(nn.Conv2d(3, 40, 3), nn.Flatten(), nn.Linear(640, 2))
    x, y = torch.randn(16, 3, 6, 6), torch.randn(16, 2)
    optimizer = Muon(model, lr=1e-2)
    losses = []
    for _ in range(30):
        loss = (model(x) - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]


@pytest.mark.parametrize("muon", [False, True])
def test_either_optimizer_resumes(tmp_path, muon: bool) -> None:
    def run(folder, stop: int | None) -> nn.Module:
        torch.manual_seed(0)
        model = nn.Linear(40, 40)

        def loss_of_step(g: torch.Generator, progress: float):
            if stop is not None and progress * 6 >= stop:
                raise KeyboardInterrupt
            return (model(torch.randn(8, 40, generator=g)) - 1).square().mean(), {}

        fit("stage", model, loss_of_step, folder, steps=6, peak=1e-2, save_every=0, muon=muon)
        return model

    whole = run(tmp_path / "a", None)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "b", 3)
    assert torch.equal(whole.weight, run(tmp_path / "b", None).weight)


def plain_loss(model: nn.Module, calls: list[float] | None = None):
    def loss_of_step(g: torch.Generator, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        if calls is not None:
            calls.append(progress)
        return model.weight.square().sum(), {}

    return loss_of_step


def test_a_stage_with_a_limited_time_ends_in_time_and_goes_on_counting_it(tmp_path) -> None:
    model, calls = nn.Linear(2, 2), []
    began = time.monotonic()
    fit("stage", model, plain_loss(model, calls), tmp_path, steps=10**9, seconds=0.2, peak=1e-3)
    assert 0.2 <= time.monotonic() - began < 5
    assert len(calls) >= LEAST and calls == sorted(calls) and calls[-1] <= 1
    with safe_open(tmp_path / "stage.safetensors", "pt") as stored:
        assert float(stored.metadata()["seconds"]) >= 0.2 and int(stored.metadata()["step"]) == len(calls)
    again: list[float] = []
    resumed = nn.Linear(2, 2)
    fit("stage", resumed, plain_loss(resumed, again), tmp_path, steps=10**9, seconds=0.2, peak=1e-3)
    assert not again and torch.equal(resumed.weight, model.weight)
    fit("stage", resumed, plain_loss(resumed, again), tmp_path, steps=10**9, seconds=0.4, peak=1e-3)
    assert again and again[0] >= 0.5


def test_a_stage_takes_some_steps_however_short_the_time(tmp_path) -> None:
    model, calls = nn.Linear(2, 2), []
    fit("stage", model, plain_loss(model, calls), tmp_path, steps=10**9, seconds=1e-6, peak=1e-3)
    assert len(calls) == LEAST
    logged = json.loads((tmp_path / "stage.jsonl").read_text())
    assert logged["step"] == LEAST


def test_limited_minutes_are_enough_for_all_stages(tmp_path) -> None:
    assert tuple(name for name in SHARES if name != "bank") == STAGES == tuple(TRAIN) and 0.9 < sum(SHARES.values()) < 1
    shop = Workshop(tmp_path, minutes=10)
    total = 0.0
    for name in SHARES:
        shop.began = time.monotonic() - total  # as if each had taken its time
        total += shop.seconds(name)
    assert total == pytest.approx(600 * sum(SHARES.values()), rel=0.01)
    late = Workshop(tmp_path, minutes=10, began=time.monotonic() - 300)
    assert late.seconds("autoencoder") == pytest.approx(shop.minutes * 60 * SHARES["autoencoder"] * 0.48, rel=0.1)
    assert Workshop(tmp_path, minutes=10, began=time.monotonic() - 900).seconds("judge") == pytest.approx(0.1)
    alone = Workshop(tmp_path, minutes=10, only=frozenset({"decoder"}))
    assert alone.seconds("decoder") > 2 * 600 * SHARES["decoder"]
    assert Workshop(tmp_path).seconds("decoder") == 0


def test_a_stage_that_several_build_on_is_trained_once(tmp_path) -> None:
    made = []

    def train(shop: Workshop) -> nn.Module:
        made.append(nn.Linear(1, 1))
        return made[-1]

    shop = Workshop(tmp_path)
    assert shop.once(train) is shop.once(train) and len(made) == 1
    assert Workshop(tmp_path).once(train) is made[1]


def test_stages_that_were_not_asked_for_stand_as_their_checkpoints_have_them(tmp_path) -> None:
    shop = Workshop(tmp_path)
    model, calls = nn.Linear(2, 2), []
    fit("tower", model, plain_loss(model), shop.checkpoints, steps=4, peak=1e-3)
    stored = (shop.checkpoints / "tower.safetensors").read_bytes()
    found = nn.Linear(2, 2)
    decoder = Workshop(tmp_path, only=frozenset({"decoder"}))
    decoder.fit("tower", found, plain_loss(found, calls), steps=9, seed=1, peak=1e-3)
    assert not calls and torch.equal(found.weight, model.weight)
    assert not decoder.kept("prior", found) and not Workshop(tmp_path).kept("tower", found)
    assert (shop.checkpoints / "tower.safetensors").read_bytes() == stored
    tower = Workshop(tmp_path, only=frozenset({"tower"}))
    tower.fit("tower", found, plain_loss(found, calls), steps=9, seed=1, peak=1e-3)
    assert len(calls) == 5


def test_a_stage_asked_for_by_name_builds_on_the_committed_weights_of_the_others(tmp_path, capsys):
    committed = tmp_path / "weights"
    tower = models.image_tower()
    with torch.no_grad():
        for parameter in tower.parameters():
            parameter.fill_(0.25)
    tower.save_pretrained(committed / "prior" / "image_encoder")
    shop = Workshop(tmp_path / "cache", weights=committed, only=frozenset({"decoder"}))
    found = train_tower(shop)  # without drawings, words or a teacher: nothing is trained
    assert all(bool((parameter == 0.25).all()) for parameter in found.parameters())
    assert "tower: 100% of it begins with the committed weights" in capsys.readouterr().out
    own = Workshop(tmp_path / "cache", weights=committed, only=frozenset({"tower"}))
    assert not own.stands("tower", models.image_tower())
    assert own.begin("tower", models.image_tower()) == 1
    assert Workshop(tmp_path / "cache", weights=committed, from_scratch=True).begin("tower", tower) == 0
    own.checkpoints.mkdir(parents=True)
    (own.checkpoints / "tower.safetensors").touch()
    assert own.begin("tower", tower) == 0


def test_the_answerers_patches_equal_transformers_own(words: Words) -> None:
    torch.manual_seed(0)
    tokenizer = word_tokenizer(vocabulary(words), 32)
    answerer = Answerer(models.question_answerer(tokenizer, ("a", "b", "c"))).eval()
    torch.nn.init.normal_(answerer.model.vilt.embeddings.position_embeddings)
    pixels = torch.rand(2, 3, models.SEEN_SIZE, models.SEEN_SIZE)
    ids = torch.tensor([[5, 6, 7], [8, 9, 0]])
    attention = torch.tensor([[1, 1, 1], [1, 1, 0]])
    logits, _, answering, _ = answerer(ids, attention, pixels)
    out = answerer.model(
        input_ids=ids, attention_mask=attention, pixel_values=pixels * 2 - 1, output_hidden_states=True
    )
    torch.testing.assert_close(logits, out.logits)
    plain = nn.functional.normalize(answerer.from_answer(out.hidden_states[-1][:, 0]), dim=1)
    torch.testing.assert_close(answering, plain)


def test_drawn_latents_equal_ddim_steps_with_guidance_written_plainly() -> None:
    torch.manual_seed(0)
    unet, scheduler = models.unet().eval().requires_grad_(False), models.decoder_scheduler()
    embeds, nothing = torch.randn(2, models.WIDTH), torch.randn(1, models.WIDTH)
    found = drawn(unet, scheduler, embeds, nothing, torch.Generator().manual_seed(4))
    x = torch.randn(2, LATENT_CHANNELS, 16, 16, generator=torch.Generator().manual_seed(4))
    times = [1000 * (DDIM_STEPS - step) // DDIM_STEPS - 1 for step in range(DDIM_STEPS)]

    def velocity(embeds: Tensor, time: int) -> Tensor:
        with half_precision():
            out = unet(x, time, encoder_hidden_states=None, added_cond_kwargs={"image_embeds": embeds}).sample
        return out[:, :LATENT_CHANNELS].float()

    for now, then in pairwise((*times, None)):
        without = velocity(nothing.expand(2, -1), now)
        guided = without + GUIDANCE * (velocity(embeds, now) - without)
        kept = scheduler.alphas_cumprod[now]
        left = scheduler.alphas_cumprod[then] if then is not None else torch.tensor(1.0)
        clean, noise = kept.sqrt() * x - (1 - kept).sqrt() * guided, kept.sqrt() * guided + (1 - kept).sqrt() * x
        x = left.sqrt() * clean + (1 - left).sqrt() * noise
    assert (found - x).norm() < 0.02 * x.norm()  # the networks compute in bfloat16, here in other batches


def test_polishing_changes_the_decoding_half_alone(tmp_path) -> None:
    torch.manual_seed(0)
    module = Rebuild(new_autoencoder())
    encoder = {name: value.clone() for name, value in module.model.encoder.state_dict().items()}
    before = module.model.decoder.conv_out.weight.detach().clone()
    shop = Workshop(tmp_path, weights=tmp_path, effort=0.001)
    shop.source, shop.small_source = Plain(), Plain(SIDE)
    shop._made = {train_autoencoder: module, train_decoder: models.unet(), train_tower: models.image_tower().eval()}
    polished = train_polish(shop)
    assert polished is module and not torch.equal(module.model.decoder.conv_out.weight, before)
    assert all(torch.equal(value, encoder[name]) for name, value in module.model.encoder.state_dict().items())
    loaded = Rebuild(new_autoencoder())
    load_average(shop.checkpoints, "polish", loaded)  # without the critic
    assert torch.equal(loaded.model.decoder.conv_out.weight, module.model.decoder.conv_out.weight)


class Plain:
    """A source of random pictures."""

    indices = torch.arange(9)

    def __init__(self, side=SIZE):
        self.side = side

    def sample(self, count, generator, variation):
        return self.vary(self.indices[:1].expand(count), generator, variation)

    def vary(self, chosen, generator, variation):
        pixels = torch.rand(len(chosen), 3, self.side, self.side, generator=generator)
        return Pictures(pixels, torch.zeros(len(chosen), TRUTHS).long())

    def relative(self, chosen, generator):
        return chosen


def test_what_went_on_from_committed_weights_was_trained_for_both(tmp_path):
    committed = tmp_path / "weights"
    models.image_tower().save_pretrained(committed / "prior" / "image_encoder")
    before = {name: {"steps": 300, "minutes": 2.0, "figures": "loss 2"} for name in ("tower", "prior", "decoder")}
    (committed / "training.json").write_text(json.dumps(before))
    shop = Workshop(tmp_path / "cache", weights=committed)
    shop.checkpoints.mkdir(parents=True)
    old = [{"before": {"steps": 9, "minutes": 9}}, {"step": 500, "seconds": 600, "loss": 3.0}]
    for name in ("tower", "decoder"):
        (shop.checkpoints / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in old))
    assert not shop.stands("tower", models.image_tower())
    shop.log_before("decoder")  # and killed before its first line
    model = nn.Linear(2, 2)
    fit("tower", model, plain_loss(model), shop.checkpoints, steps=4, peak=1e-3, every=2)
    told = training_of(shop.checkpoints, before)
    assert told["tower"]["steps"] == 304 and 2.0 <= told["tower"]["minutes"] < 2.2 and told["prior"] == before["prior"]
    assert told["decoder"] == before["decoder"]
    assert told["tower"]["figures"].startswith("loss ")


class Shapes(nn.Module):
    def __init__(self, words: int, patches: int, out: int):
        super().__init__()
        self.table, self.position_embedding = nn.Embedding(words, 4), nn.Embedding(1 + patches, 4)
        self.same, self.other = nn.Linear(4, 4), nn.Linear(4, out)


def test_inherited_weights_fit_where_they_can() -> None:
    torch.manual_seed(0)
    earlier, now = Shapes(3, 4, 2), Shapes(4, 16, 3)
    own = {name: tensor.clone() for name, tensor in now.state_dict().items()}
    with torch.no_grad():
        earlier.position_embedding.weight[1:] = torch.tensor([1.0, 2.0, 3.0, 4.0])
    share = inherit(now, earlier.state_dict(), {"table.weight": (["a", "b", "c"], ["c", "new", "a", "newer"])})
    table = now.table.weight
    assert torch.equal(table[[0, 2]], earlier.table.weight[[2, 0]]) and torch.equal(table[1], own["table.weight"][1])
    assert torch.equal(now.same.weight, earlier.same.weight)
    assert torch.equal(now.other.weight, own["other.weight"])
    position = now.position_embedding.weight
    assert torch.equal(position[0], earlier.position_embedding.weight[0])
    assert torch.allclose(position[1:], torch.tensor([1.0, 2.0, 3.0, 4.0]).expand(16, 4), atol=1e-5)
    total = sum(tensor.numel() for tensor in own.values())
    assert share == pytest.approx((2 * 4 + 17 * 4 + 4 * 4 + 4) / total)
    twin = Shapes(4, 16, 3)
    assert inherit(twin, now.state_dict()) == 1 and torch.equal(twin.table.weight, now.table.weight)


def test_tables_of_words_without_a_common_one_inherit_no_row() -> None:
    earlier, now = Shapes(2, 4, 2), Shapes(3, 4, 2)
    own = now.table.weight.clone()
    rows = {"table.weight": (["a", "b"], ["c", "d", "e"])}
    assert 0 < inherit(now, earlier.state_dict(), rows) < 1
    assert torch.equal(now.table.weight, own) and torch.equal(now.same.weight, earlier.same.weight)


def test_interpolated_positions_keep_their_place() -> None:
    earlier, now = Shapes(2, 4, 2), Shapes(2, 16, 2)
    with torch.no_grad():
        earlier.position_embedding.weight[1:] = torch.tensor([[0.0], [0.0], [1.0], [1.0]])  # the lower row is one
    inherit(now, earlier.state_dict())
    rows = now.position_embedding.weight[1:].view(4, 4, 4).mean((1, 2))
    assert (rows.diff() > 0).all()


@pytest.fixture
def small_bank(monkeypatch):
    monkeypatch.setattr(bank, "SHARD", 8)
    monkeypatch.setattr(bank, "CHUNK", 4)
    monkeypatch.setattr(bank, "LEAST", 6)
    torch.manual_seed(0)
    return Rebuild(new_autoencoder()).eval()


def test_a_shard_is_the_same_again_and_made_anew_for_other_weights(tmp_path, source, small_bank) -> None:
    first = bank.make_shard(tmp_path, source, small_bank, 1, seed=0)
    stored = tmp_path / "0-1.safetensors"
    written = stored.read_bytes()
    again = bank.make_shard(tmp_path, source, small_bank, 1, seed=0)
    elsewhere = bank.make_shard(tmp_path / "elsewhere", source, small_bank, 1, seed=0)
    for name in ("truth", "latents", "small"):
        assert torch.equal(first[name], again[name]) and torch.equal(first[name], elsewhere[name])
    assert stored.read_bytes() == written
    assert not torch.equal(first["truth"], bank.make_shard(tmp_path, source, small_bank, 2, seed=0)["truth"])
    with torch.no_grad():
        small_bank.model.quant_conv.weight.mul_(2)
    other = bank.make_shard(tmp_path, source, small_bank, 1, seed=0)
    assert not torch.equal(first["latents"], other["latents"]) and torch.equal(first["truth"], other["truth"])
    assert stored.read_bytes() != written


def test_a_bank_is_its_shards_and_what_the_eyes_see_in_them(tmp_path, source, words, small_bank) -> None:
    eyes = WordNet((4, 6, 8), 10, len(words.all))
    whole = bank.make_bank(tmp_path, source, small_bank, eyes, 2, seed=0)
    assert whole.truth.shape == (16, TRUTHS) and whole.embeds.shape == (16, 10)
    assert whole.latents.shape == (16, LATENT_CHANNELS, SIDE // 8, SIDE // 8)
    assert torch.allclose(whole.embeds.norm(dim=1), torch.full((16,), 10**0.5), atol=0.05)
    shards = [bank.make_shard(tmp_path, source, small_bank, number, seed=0) for number in range(2)]
    assert np.array_equal(whole.truth, np.concatenate([shard["truth"] for shard in shards]))
    hurried = bank.make_bank(tmp_path / "none", source, small_bank, eyes, 9, seed=0, seconds=1e-6)
    assert len(hurried.truth) == 8 and not (tmp_path / "none").exists()
    assert np.array_equal(hurried.truth, whole.truth[:8]) and torch.equal(hurried.embeds, whole.embeds[:8])
    assert torch.equal(hurried.latents, whole.latents[:8])
