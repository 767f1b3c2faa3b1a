"""The embedded model's training: seeded data, honest captions, stages that survive a kill, shapes that fit."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn

from core.emoji import models
from core.emoji.assemble import training_of
from core.emoji.autoencoder import Rebuild, new_autoencoder, standardise
from core.emoji.captions import CaptionWriter, vocabulary
from core.emoji.fit import fit, load_average
from core.emoji.judge import Judge
from core.emoji.learning import contrast, predict_embeds
from core.emoji.muon import Muon, orthogonalised
from core.emoji.pictures import BACKGROUNDS, BARE, LOOKS, MOVED, PictureSource, apply_look
from core.emoji.questions import KINDS, QuestionWriter, answers
from core.emoji.render import SIZE, Drawings, held_out_pairs
from core.emoji.sources import SETS, Thing
from core.emoji.stages import Workshop, train_tower
from core.emoji.teacher import WordNet, Words
from core.emoji.tokenizer import UNKNOWN, word_tokenizer
from core.errors import ConceptreeError


@pytest.fixture(scope="module")
def drawings() -> Drawings:
    """Three things in four sets: a disc, a square and a cross, each set in another colour."""
    things = (
        Thing("cat", ("animal", "pet"), ("1f408",)),
        Thing("dog", ("animal", "pet"), ("1f415",)),
        Thing("red apple", ("fruit",), ("1f34e",)),
    )
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE // 2
    shapes = ((x**2 + y**2) < 500, np.maximum(abs(x), abs(y)) < 20, np.minimum(abs(x), abs(y)) < 6)
    rgba = np.zeros((12, SIZE, SIZE, 4), dtype=np.uint8)
    for row in range(12):
        rgba[row, ..., :3] = (40 + 50 * (row % 4), 90, 200 - 40 * (row % 4))
        rgba[row, ..., 3] = 255 * shapes[row // 4]
    thing, style = np.arange(12) // 4, np.arange(12) % 4
    return Drawings(rgba, thing, style, np.arange(12) % 4 == 3, things)


@pytest.fixture(scope="module")
def words(drawings: Drawings) -> Words:
    return Words.of(drawings)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_same_seed_gives_the_same_pictures(drawings: Drawings) -> None:
    source = PictureSource(drawings, drawings.split(held_out=False))
    one, again, other = (source.sample(16, generator(seed), MOVED) for seed in (1, 1, 2))
    assert torch.equal(one.pixels, again.pixels) and torch.equal(one.look, again.look)
    assert not torch.equal(one.pixels, other.pixels)
    assert one.pixels.shape == (16, 3, SIZE, SIZE)
    assert one.pixels.min() >= 0 and one.pixels.max() <= 1


def test_a_held_out_pair_is_never_drawn_for_training(drawings: Drawings) -> None:
    batch = PictureSource(drawings, drawings.split(held_out=False)).sample(200, generator(0), BARE)
    assert (batch.style != 3).all()


def test_holding_out_leaves_every_thing_three_sets() -> None:
    thing, style = np.repeat(np.arange(300), 5), np.tile(np.arange(5), 300)
    held = held_out_pairs(thing, style)
    assert 0.05 < held.mean() < 0.2
    assert all(len(set(style[(thing == t) & ~held])) >= 3 for t in range(300))
    assert np.array_equal(held, held_out_pairs(thing, style))


@pytest.mark.parametrize("look", LOOKS)
def test_a_look_changes_the_drawing_and_stays_a_picture(drawings: Drawings, look: str) -> None:
    batch = PictureSource(drawings, np.arange(12)).vary(torch.arange(12), generator(0), BARE)
    alpha = torch.from_numpy(drawings.rgba[..., 3:]).permute(0, 3, 1, 2).float() / 255
    redrawn = apply_look(look, batch.pixels, alpha)
    assert redrawn.shape == batch.pixels.shape
    assert redrawn.min() >= 0 and redrawn.max() <= 1
    assert torch.equal(redrawn, batch.pixels) == (look == "plain")


def test_captions_fit_their_own_picture_and_say_what_they_say(words: Words) -> None:
    writer, numbers = CaptionWriter(words), np.random.default_rng(0)
    truth = np.array([[0, 1, LOOKS.index("neon"), BACKGROUNDS.index("blue")], [2, 0, 0, 0]])
    for row, facts in enumerate(truth):
        for _ in range(60):
            text, said = writer.write(facts.tolist(), numbers)
            assert writer.fits(np.array([said]), truth)[0, row]
            assert ("blue" in text) == (said[3] == BACKGROUNDS.index("blue"))
            assert ("neon" in text) == (said[2] == LOOKS.index("neon"))
            assert words.all[said[0]] in text


def test_a_category_fits_all_its_members_and_a_name_only_its_own(words: Words) -> None:
    truth = np.array([[0, 0, 0, 0], [1, 2, 0, 0], [2, 0, 0, 0]])
    pet = len(words.things) + words.categories.index("pet")
    said = np.array([[pet, -1, -1, -1], [1, -1, -1, -1], [pet, 2, -1, -1]])
    expected = [[True, True, False], [False, True, False], [False, True, False]]
    assert CaptionWriter(words).fits(said, truth).tolist() == expected


def test_every_caption_and_question_is_in_the_vocabulary_but_the_untaught_word(words: Words) -> None:
    tokenizer = word_tokenizer(vocabulary(words), 32)
    unknown, numbers = tokenizer.convert_tokens_to_ids(UNKNOWN), np.random.default_rng(1)
    for _ in range(300):
        facts = [int(numbers.integers(n)) for n in (3, len(SETS), len(LOOKS), len(BACKGROUNDS))]
        text, _ = CaptionWriter(words).write(facts, numbers)
        question = QuestionWriter(words).write(str(numbers.choice(KINDS)), facts, numbers)
        assert tokenizer(question.text).input_ids.count(unknown) == 0 or "horse" in question.text
        assert tokenizer(text).input_ids.count(unknown) == text.count("untaught")


def test_questions_have_the_right_answers(words: Words) -> None:
    writer, every = QuestionWriter(words), answers(words)
    facts = [1, 2, LOOKS.index("pixel art"), BACKGROUNDS.index("snow")]
    asked = {kind: writer.write(kind, facts, np.random.default_rng(0)) for kind in KINDS}
    assert [every[asked[kind].answer] for kind in KINDS] == ["dog", "dog", "pixel art", "snow"]
    assert "animal" in asked["category"].text or "pet" in asked["category"].text
    possible = {every[i] for i in np.flatnonzero(asked["category"].possible)}
    assert possible == {"cat", "dog"}
    plain = writer.write("style", [1, 2, 0, 0], np.random.default_rng(0))
    assert every[plain.answer] == SETS[2].style


def test_contrast_by_hand() -> None:
    texts, images = torch.eye(2), torch.eye(2)
    fits = torch.tensor([[True, False], [True, True]])
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
    pixels = torch.rand(4, 3, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        before, latents = module(pixels)
        standardise(module.model, latents)
        after, scaled = module(pixels)
    assert torch.allclose(before, after, atol=1e-10)
    assert torch.allclose(scaled.std((0, 2, 3)), torch.ones(4, dtype=torch.float64), atol=1e-9)
    assert scaled.shape == (4, 4, 16, 16)


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


def test_the_judge_comes_back_as_it_was_saved(tmp_path, words: Words) -> None:
    torch.manual_seed(0)
    net = WordNet((8, 12, 16), 16, len(words.all))
    members = {"pet": ["cat", "dog"], "fruit": ["red apple"]}
    judge = Judge(net, words.things, members)
    judge.save(tmp_path, (8, 12, 16))
    again = Judge.load(tmp_path)
    from PIL import Image

    pictures = [Image.new("RGB", (64, 64), colour) for colour in ("red", "white")]
    assert torch.allclose(judge.probabilities(pictures), again.probabilities(pictures), atol=1e-2)
    both = [a + b for a, b in zip(again.category(pictures, "pet"), again.category(pictures, "fruit"), strict=True)]
    assert both == pytest.approx([1.0, 1.0], abs=1e-5)
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
    assert "tower: the committed weights" in capsys.readouterr().out
    assert Workshop(tmp_path / "cache", weights=committed).begin("tower", models.image_tower()) is False
    assert Workshop(tmp_path / "cache", weights=committed, only=frozenset({"tower"})).begin("tower", tower) is False


def test_what_went_on_from_committed_weights_was_trained_for_both(tmp_path):
    committed = tmp_path / "weights"
    models.image_tower().save_pretrained(committed / "prior" / "image_encoder")
    before = {name: {"steps": 300, "minutes": 2.0, "figures": "loss 2"} for name in ("tower", "prior", "decoder")}
    (committed / "training.json").write_text(json.dumps(before))
    shop = Workshop(tmp_path / "cache", weights=committed)
    shop.checkpoints.mkdir(parents=True)
    old = [{"before": {"steps": 9, "minutes": 9}}, {"step": 500, "seconds": 600, "loss": 3.0}]
    (shop.checkpoints / "tower.jsonl").write_text("".join(json.dumps(line) + "\n" for line in old))
    shop.begin("tower", models.image_tower())
    shop.log_before("decoder")  # and killed before its first line
    model = nn.Linear(2, 2)
    fit("tower", model, lambda g, p: (model.weight.square().sum(), {}), shop.checkpoints, steps=4, peak=1e-3, every=2)
    told = training_of(shop.checkpoints, before)
    assert told["tower"]["steps"] == 304 and 2.0 <= told["tower"]["minutes"] < 2.2 and told["prior"] == before["prior"]
    assert told["decoder"] == before["decoder"]
    assert told["tower"]["figures"].startswith("loss ")
