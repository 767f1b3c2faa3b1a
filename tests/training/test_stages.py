"""Stages share their time, build on earlier weights, and use a bank of latents that is the same again."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
import torch
from torch import nn

from core.emoji.networks import WordNet
from core.errors import ConceptreeError
from tests.training.tiny import SIDE, plain_loss
from training import bank, models
from training.assemble import mean_with_committed, training_of
from training.autoencoder import Rebuild, new_autoencoder
from training.fit import fit, load_average
from training.inherit import inherit
from training.models import LATENT_CHANNELS
from training.pictures import TRUTHS, Pictures
from training.render import SIZE
from training.stages import TRAIN
from training.stages.imagining import train_decoder
from training.stages.pixels import train_autoencoder
from training.stages.polishing import train_polish
from training.stages.seeing import train_tower
from training.train import STAGES
from training.workshop import SHARES, Workshop


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


@pytest.mark.slow
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


def test_a_part_can_be_stored_as_the_mean_of_committed_and_new_weights(tmp_path) -> None:
    shop = Workshop(tmp_path / "cache", weights=tmp_path / "weights", only=frozenset({"tower"}), mean=True)
    committed, new = models.image_tower(), models.image_tower()
    with pytest.raises(ConceptreeError, match="stage tower has no committed weights"):
        mean_with_committed(shop, "tower", new)
    committed.save_pretrained(tmp_path / "weights" / "prior" / "image_encoder")
    before = {name: value.clone() for name, value in new.state_dict().items()}
    mean_with_committed(shop, "tower", new)
    for name, value in new.state_dict().items():
        wanted = (before[name] + committed.state_dict()[name]) / 2 if value.is_floating_point() else before[name]
        assert torch.allclose(value, wanted), name
    models.unet().save_pretrained(tmp_path / "weights" / "prior" / "image_encoder")  # of other shapes
    (tmp_path / "weights" / "prior" / "image_encoder" / "model.safetensors").unlink()
    with pytest.raises(ConceptreeError, match="of its shapes"):
        mean_with_committed(shop, "tower", new)
