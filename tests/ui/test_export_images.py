"""`export --format image` and `comfyui`: what the prior imagines of a concept, for other models to draw."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from core.depict import portrait_embeds
from core.exchange import CLIP_G, read_sidecar
from core.stack.backbone import Backbone
from evolve import Run
from tests.families import learned
from tests.stacks import save_prior
from tests.typed import good, one_line, run


def pets(folder: Path, stack: Backbone) -> Run:
    made = Run.create(folder, "pet", stack)
    made.add([learned(seed, stack) for seed in (1, 2)])
    return made


@pytest.fixture
def narrow(tmp_path, backbone) -> Run:
    """A run of a stack that is as wide as no other tool's."""
    return pets(tmp_path / "runs" / "pets", backbone)


@pytest.fixture(scope="module")
def wide(tmp_path_factory) -> Run:
    """A run of a stack as wide as Kandinsky 2.2, without a decoder."""
    folder = tmp_path_factory.mktemp("wide")
    stack = Backbone.load(save_prior(folder / "prior", width=CLIP_G), device="cpu")
    return pets(folder / "runs" / "pets", stack)


def test_image_embeddings_of_a_concept_are_written_with_a_sidecar(narrow, backbone, tmp_path):
    one = narrow.individuals()[0]
    shown = good("export", "pets", one.name, "--format", "image", "--to", tmp_path / "to", "--runs", tmp_path / "runs")
    assert sorted(os.listdir(tmp_path / "to")) == [f"{one.name}.image.json", f"{one.name}.image.safetensors"]
    assert f"{one.name}.image.safetensors, with {one.name}.image.json" in shown
    assert "only Conceptree reads it" in shown
    found = load_file(tmp_path / "to" / f"{one.name}.image.safetensors")["image_embeds"].numpy()
    assert found.shape == (7, backbone.width)
    assert found.tobytes() == portrait_embeds(backbone, one.concept, range(1, 7)).tobytes()
    about = read_sidecar(tmp_path / "to" / f"{one.name}.image.json")
    assert about["readers"].startswith("only Conceptree reads it") and about["form"] == "image"
    assert (about["file"], about["name"], about["id"]) == (f"{one.name}.image.safetensors", one.name, one.id)
    assert about["imagined"] == {"prompt": "a photo of a {}", "seeds": [1, 2, 3, 4, 5, 6]}


def test_comfyui_is_refused_for_a_width_that_no_adapter_takes(narrow, tmp_path):
    name = narrow.entries()[0].name
    said = one_line("export", "pets", name, "--format", "comfyui", "--to", tmp_path / "to", "--runs", tmp_path / "runs")
    assert "1280 wide (Kandinsky 2.2), and these are 16 wide: write --format image" in said
    assert not (tmp_path / "to").exists()


def test_a_wide_stack_writes_both_forms_side_by_side(wide, tmp_path):
    runs, (one, two) = wide.folder.parent, (each.name for each in wide.entries())
    shown = good("export", "pets", one, two, "--format", "image", "--to", tmp_path, "--runs", runs)
    assert "SDXL" in shown
    result = run("export", "pets", one, "--format", "comfyui", "--to", tmp_path, "--runs", runs, "--json")
    told = json.loads(result.stdout)
    names = [Path(file).name for file in told["files"]]
    assert names == [f"{one}.ipadpt", f"{one}.negative.ipadpt"] and (told["image_embeds"], told["width"]) == (7, CLIP_G)
    assert read_sidecar(told["sidecar"])["files"] == names
    positive, negative = (torch.load(file, weights_only=True) for file in told["files"])
    first = load_file(tmp_path / f"{one}.image.safetensors")["image_embeds"]
    assert torch.equal(positive, first) and not negative.any()
    other = load_file(tmp_path / f"{two}.image.safetensors")["image_embeds"]
    assert not np.allclose(first[0], other[0], atol=1e-3)


def test_existing_files_stay_unless_they_are_to_be_replaced(narrow, tmp_path):
    name = narrow.entries()[0].name
    arguments = ("export", "pets", name, "--format", "image", "--to", tmp_path / "to", "--runs", tmp_path / "runs")
    good(*arguments)
    assert "is there already: --force replaces it" in one_line(*arguments)
    good(*arguments, "--force")


def test_an_import_of_the_whole_folder_leaves_them_out(narrow, tmp_path):
    name, to, runs = narrow.entries()[0].name, tmp_path / "to", tmp_path / "runs"
    good("export", "pets", name, "--to", to, "--runs", runs)
    good("export", "pets", name, "--format", "image", "--to", to, "--runs", runs)
    assert "holds image embeddings" in one_line("import", to / f"{name}.image.safetensors", "--runs", runs)
    shown = good("import", *sorted(to.iterdir()), "--run", "pets", "--runs", runs)
    assert f"{name}.image.safetensors" in shown and f"{name}.safetensors is " in shown
