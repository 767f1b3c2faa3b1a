"""Stacks and question answerers on the command line: from the hub's cache, on a device; one line for errors."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from huggingface_hub import constants

import ui.stack
from core import Backbone, ConceptreeError, Settings
from core.namers import BLIP2, canned_namer, namer_of, to_remember
from core.stack.hub import ALIASES, COMMITS, download_command
from evolve import Run
from evolve.jobs.options import BreedOptions, SeedOptions
from evolve.jobs.planning import plan_children, plan_founders, plan_variations
from evolve.jobs.plans import plan_from_json
from evolve.jobs.stored import new_job
from evolve.jobs.work import check
from tests.families import learned
from tests.stacks import cache_as_hub, save_blip2, save_stack
from tests.typed import good, one_line
from ui.stack import can_draw, folder_of, is_small, open_stack

PRIOR, DECODER = ALIASES["kandinsky-2.1"]
COMMIT, OTHER = "c0ffee" + "0" * 34, "decade" + "0" * 34
QUICK = ("--steps", "2", "--segment", "1", "--founders", 1)


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    """Tiny stand-ins for Kandinsky 2.1 and BLIP-2, as folders."""
    folder = tmp_path_factory.mktemp("paper")
    save_stack(folder, family="2.1", length=77, published_eos=True)
    save_blip2(folder / "blip2")
    return folder


@pytest.fixture
def cached(paper, tmp_path, monkeypatch):
    """The same in the hub's cache, but for BLIP-2; no network."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    cache_as_hub(tmp_path / "hub", PRIOR, paper / "prior", COMMIT)
    cache_as_hub(tmp_path / "hub", DECODER, paper / "decoder", OTHER)
    beside = tmp_path / "data/conceptree/stacks" / PRIOR.replace("/", "--")
    beside.mkdir(parents=True)
    for name in ("stack.json", "vocabulary.json"):
        shutil.copy(paper / name, beside)
    return tmp_path / "hub"


def test_the_paper_s_pair_is_seeded_by_its_alias_and_asks_blip2(cached, paper, tmp_path):
    cache_as_hub(cached, BLIP2, paper / "blip2", OTHER)
    where = ("--runs", tmp_path / "runs", "--run", "pets")
    options = ("--device", "cpu", "--preset", "published", "--question", "what kind of {} is this")
    shown = good("seed", "pet", *QUICK, *where, "--model", "kandinsky-2.1", *options)
    assert "Negatives are proposed by the model blip2-flan-t5-xl" in shown
    run = Run.open(tmp_path / "runs/pets")
    assert run.about["stack"]["where"] == f"{PRIOR}@{COMMIT}+{DECODER}@{OTHER}", "a run goes on with the same weights"
    (job,) = (run.folder / "jobs").iterdir()
    plan = next(json.loads(file.read_text()) for file in job.glob("*.json") if "asked" in file.read_text())
    assert f'"vlm": "{BLIP2}@{OTHER}"' in json.dumps(plan) and '"question": "what kind of pet is this"' in json.dumps(
        plan
    )
    (founder,) = run.individuals()
    assert {negative.by for negative in founder.concept.negatives} <= {"blip2-flan-t5-xl"}
    good("draw", "pets", founder.name, "--runs", tmp_path / "runs", "--prompt", "a painting of a {}", "--offload")


def test_without_a_network_each_missing_piece_is_told_with_its_command(cached, tmp_path):
    where = ("--runs", tmp_path / "runs")
    said = one_line("seed", "pet", *QUICK, *where, "--model", "kandinsky-2.1")
    assert download_command(BLIP2) in said and said.rstrip().endswith(
        "or --vlm none, for words of the stack's vocabulary"
    )
    said = one_line("seed", "pet", *QUICK, *where, "--model", "kandinsky-2.2")
    newer = ALIASES["kandinsky-2.2"][0]
    assert download_command(newer, COMMITS[newer]) in said
    said = one_line("seed", "pet", *QUICK, *where, "--model", "kandinsky-2.1", "--revision", "v9")
    assert "--revision v9" in said
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--device", "gpu"), "there is no device 'gpu': choose auto, cpu or cuda"),
        (("--device", "cuda:99"), "there is no device 'cuda:99' here"),
        (("--revision", "v1"), "is a folder, which has no revision 'v1': leave it out"),
        (("--vlm", "nowhere"), "no question answering model in 'nowhere': there is no folder 'nowhere'"),
        (("--question", "what?"), "no VQA model is configured; choose one with --vlm"),
    ],
)
def test_what_cannot_be_is_one_line(stack_folder, tmp_path, options, said):
    assert said in one_line("seed", "pet", *QUICK, "--runs", tmp_path / "runs", "--model", stack_folder, *options)
    assert not (tmp_path / "runs").exists()


def test_a_stack_s_own_answerer_comes_before_others_and_is_not_remembered(paper, tmp_path):
    folder = shutil.copytree(paper, tmp_path / "stack")
    shutil.move(folder / "blip2", folder / "vqa")
    backbone = Backbone.load(folder, device="cpu")
    own = namer_of(backbone)
    assert own.name == "vqa" and to_remember(backbone, own, {}) == {}
    other = namer_of(backbone, str(paper / "blip2"), "what is it")
    assert to_remember(backbone, other, {"question": "what is it"}) == {
        "question": "what is it",
        "vlm": str(paper / "blip2"),
    }
    assert namer_of(backbone, "none") is None and to_remember(backbone, None, {"vlm": "none"}) == {"vlm": "none"}
    assert to_remember(backbone, canned_namer(["dog"]), {}) == {}


def test_a_prior_alone_has_nobody_to_ask(paper, stack_folder):
    backbone = Backbone.load(paper / "prior", device="cpu")
    assert not can_draw(backbone) and namer_of(backbone) is None
    with pytest.raises(ConceptreeError, match=r"cannot draw, so .* has no pictures to look at: --vlm none"):
        namer_of(backbone, str(paper / "blip2"))


def test_a_large_stack_is_checked_when_it_is_opened_and_loaded_when_it_is_used(paper, tmp_path, monkeypatch):
    monkeypatch.setattr(ui.stack, "SMALL", 0)
    backbone = open_stack(str(paper))
    assert not is_small(backbone) and not {"prior", "text_encoder", "decoder"} & set(vars(backbone))
    folder = shutil.copytree(paper, tmp_path / "stack")
    weights = folder / "decoder/unet/diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(ConceptreeError, match="is damaged"):
        open_stack(str(folder))


def test_what_was_begun_in_one_precision_goes_on_in_no_other(paper, tmp_path):
    backbone = Backbone.load(paper, device="cpu", dtype="bfloat16")
    plan = plan_founders(backbone, SeedOptions(category="pet", count=1, wave=1, negatives="cat"), Settings(steps=1))
    run = Run.create(tmp_path / "pets", "pet", backbone)
    assert plan_from_json("seed", plan.to_json()) == plan and plan.dtype == "bfloat16"
    with pytest.raises(ConceptreeError, match=r"began in bfloat16, and float32 would .*: use --dtype bfloat16"):
        check(plan, run, Backbone.load(paper, device="cpu"))
    told = plan.to_json()
    del told["dtype"], told["asked"]  # as earlier jobs have it
    with pytest.raises(ConceptreeError, match="began in float32"):
        check(plan_from_json("seed", told), run, backbone)


@pytest.mark.parametrize("command", ["breed", "vary"])
def test_children_begun_in_one_precision_go_on_in_no_other(stack_folder, tmp_path, monkeypatch, command):
    backbone = Backbone.load(stack_folder, device="cpu")
    run = Run.create(tmp_path / "pets", "pet", backbone)
    run.add([learned(0, backbone)])
    (one,) = run.entries()
    variations, children = (
        plan_variations(run, backbone, one.id),
        plan_children(run, backbone, BreedOptions(parents=[(one.id, 1)])),
    )
    plan = variations if command == "vary" else children
    job = new_job(run, plan)
    monkeypatch.setenv("CONCEPTREE_DTYPE", "bfloat16")
    said = one_line("resume", "pets", "--job", job.name, "--runs", tmp_path)
    assert "began in float32, and bfloat16 would give another result: use --dtype float32" in said
    assert len(run.entries()) == 1 and not job.finished


def test_a_process_of_a_job_inherits_where_models_run(paper, monkeypatch):
    monkeypatch.setenv("CONCEPTREE_DTYPE", "bfloat16")
    monkeypatch.setenv("CONCEPTREE_DEVICE", "cpu")
    monkeypatch.setenv("CONCEPTREE_OFFLOAD", "1")
    backbone = open_stack(str(paper))
    assert (backbone.dtype, backbone.device.type) == (torch.bfloat16, "cpu") and backbone.turns is not None


def test_models_tells_of_the_paper_s_stack_whether_it_is_here(cached):
    emoji, paper, newer, *_ = json.loads(good("doctor", "--models", "--json"))
    assert emoji["name"] == "emoji" and paper["draws"] and paper["parts"]["decoder"] and paper["width"] == 16
    id_ = ALIASES["kandinsky-2.2"][0]
    assert newer["name"] == "kandinsky-2.2" and download_command(id_, COMMITS[id_]) in newer["error"]


def test_folders_of_a_pair_are_found(paper, monkeypatch):
    monkeypatch.chdir(paper)
    backbone = Backbone.load("prior+decoder", device="cpu")
    assert folder_of(backbone) == backbone.prior_folder and can_draw(backbone)
    assert folder_of(Backbone.load(paper, device="cpu")) == paper
