"""`draw --decoder`: other decoders draw a concept, keep how they did, and change nothing that was learned."""

from __future__ import annotations

import json
import shutil

import pytest
from PIL import Image

from core.renderers import NAMES, Look
from core.stack.backbone import Backbone
from evolve import Run
from evolve.store.check import check
from tests.decoders import adapter_of, save_decoder
from tests.families import learned
from tests.stacks import save_karlo
from tests.typed import good, one_line
from tests.typed import run as typed

WIDTH = 16  # of the tests' stack


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    place = tmp_path_factory.mktemp("decoders")
    return {name: save_decoder(name, place / name, WIDTH) for name in NAMES}


@pytest.fixture
def runs(stack_folder, tmp_path):
    """A folder of runs with one concept of the tests' stack."""
    backbone = Backbone.load(stack_folder, device="cpu")
    Run.create(tmp_path / "runs" / "pets", "pet", backbone).add([learned(0, backbone)])
    return tmp_path / "runs"


def asked(folders, name, *options):
    adapter = ["--adapter", adapter_of(folders[name])] if adapter_of(folders[name]).is_file() else []
    size = [] if name == "karlo" else ["--size", 16]
    return ["--decoder", folders[name], *adapter, *size, "--steps", 2, *options]


def drawn(runs, folders, name, *options):
    (each,) = Run.open(runs / "pets").individuals()
    shown = good("draw", "pets", each.name, "--runs", runs, *asked(folders, name, *options))
    return shown, Run.open(runs / "pets").renderings(each.id)


@pytest.mark.parametrize("name", NAMES)
def test_each_decoder_draws_and_its_look_is_kept(runs, folders, name):
    run = Run.open(runs / "pets")
    (before,) = run.individuals()
    stored = {file: file.read_bytes() for file in (run.folder / "concepts").iterdir()}
    shown, found = drawn(runs, folders, name, "--images", 2, "--seed", 3)
    assert [d.seed for d in found] == [3, 4] and all(str(d.file) in shown for d in found)
    how = found[0].rendered
    assert (how.decoder, how.where, how.look.steps) == (name, str(folders[name].resolve()), 2)
    assert how.look.text == {"sdxl": "a photo of a pet", "flux": "a photo of a pet", "unclip-small": ""}.get(name)
    assert {file: file.read_bytes() for file in (run.folder / "concepts").iterdir()} == stored
    assert not run.drawings() and run.individuals() == [before] and check(run).whole

    with Image.open(found[0].file) as picture:
        texts = dict(picture.text)
        assert picture.size == ((32, 32) if name == "karlo" else (16, 16))
    facts = json.loads(texts["conceptree"])
    assert facts["rendered"] == how.shared.told and facts["seed"] == 3 and facts["prompt"] == "a photo of a {}"
    assert facts["rendered"]["where"] == name, "the folder's name, not its place"
    assert texts["decoder"] == name and texts["steps"] == "2"
    assert texts["parameters"].splitlines()[1].startswith("Steps: 2, CFG scale: ")
    assert f"Decoder: {name}" in texts["parameters"] and f"Model: {name}" in texts["parameters"]


def test_the_same_picture_is_drawn_once_and_another_look_is_another_picture(runs, folders):
    _, one = drawn(runs, folders, "sdxl")
    _, again = drawn(runs, folders, "sdxl")
    assert one == again and len(again) == 1
    _, more = drawn(runs, folders, "sdxl", "--scale", 0.3)
    assert len(more) == 2 and more[0].file != more[1].file and more[1].rendered.look.scale == 0.3
    one[0].file.unlink()
    _, mended = drawn(runs, folders, "sdxl")
    assert mended[0].file.is_file() and len({d.file for d in mended}) == 2


def test_a_kill_keeps_the_pictures_that_were_drawn_before(runs, folders, monkeypatch):
    from core.renderers.sdxl import Sdxl

    whole, drawn_so_far = Sdxl.draw, []

    def draw(self, *given):
        if len(drawn_so_far) == 2:
            raise KeyboardInterrupt
        drawn_so_far.append(whole(self, *given))
        return drawn_so_far[-1]

    monkeypatch.setattr(Sdxl, "draw", draw)
    (each,) = Run.open(runs / "pets").individuals()
    typed("draw", "pets", each.name, "--runs", runs, *asked(folders, "sdxl", "--images", 3))
    there = Run.open(runs / "pets")
    assert [d.seed for d in there.renderings(each.id)] == [1, 2] and check(there).whole


def test_text_stands_beside_the_concept_and_names_its_category(runs, folders):
    _, found = drawn(runs, folders, "flux", "--text", "a {} in the snow", "--scale", 0.5, "--guidance", 2)
    assert found[0].rendered.look == Look("a pet in the snow", 0.5, 2, 2.0, 16)
    _, found = drawn(runs, folders, "unclip-small", "--prompt", "a painting of a {}", "--text", "a chair")
    assert found[-1].prompt == "a painting of a {}" and found[-1].rendered.look.text == "a chair"


def test_a_drawing_is_read_back_and_show_names_it(runs, folders):
    _, (drawing,) = drawn(runs, folders, "sdxl", "--scale", 0.25)
    (each,) = Run.open(runs / "pets").individuals()
    shown = good("import", drawing.file, "--runs", runs)
    assert f"shows {each.name}, of the run pets: 'a photo of a {{}}', seed 1" in shown
    assert "It was drawn by sdxl, text a photo of a pet, scale 0.25, steps 2, guidance 5.0, size 16 (sdxl)" in shown
    assert "--decoder sdxl --text 'a photo of a pet' --scale 0.25 --steps 2 --guidance 5.0 --size 16" in shown
    told = json.loads(good("import", drawing.file, "--runs", runs, "--json"))
    assert told["rendered"]["scale"] == 0.25
    assert "seed 1, sdxl, text a photo of a pet" in good("show", "pets", each.name, "--runs", runs)
    (listed,) = json.loads(good("show", "pets", each.name, "--runs", runs, "--json"))["drawings"]
    assert listed["rendered"] == drawing.rendered.told


def test_a_family_carries_them(runs, folders, stack_folder, tmp_path):
    _, (drawing,) = drawn(runs, folders, "karlo")
    (each,) = Run.open(runs / "pets").individuals()
    good("export", "pets", each.name, "--runs", runs, "--format", "family", "--to", file := tmp_path / "family.zip")
    good("import", file, "--run", "others", "--runs", tmp_path / "there", "--model", stack_folder)
    other = Run.open(tmp_path / "there" / "others")
    (found,) = other.renderings()
    assert found.rendered == drawing.rendered.shared and not other.drawings() and check(other).whole
    good("import", file, "--run", "pets", "--runs", runs, "--model", stack_folder)
    assert len(Run.open(runs / "pets").renderings()) == 1, "it is there already"


def test_a_stack_that_cannot_draw_is_drawn(folders, tmp_path):
    karlo = save_karlo(tmp_path / "karlo-prior")
    where = ("--runs", tmp_path / "runs")
    good("seed", "pet", "--steps", 2, "--segment", 1, *where, "--run", "pets", "--founders", 1, "--model", karlo)
    (each,) = Run.open(tmp_path / "runs" / "pets").individuals()
    good("draw", "pets", each.name, *where, *asked(folders, "karlo"))
    assert len(Run.open(tmp_path / "runs" / "pets").renderings(each.id)) == 1


def test_what_cannot_be_drawn_is_one_line(runs, folders, tmp_path):
    (each,) = Run.open(runs / "pets").individuals()
    wide = save_decoder("sdxl", tmp_path / "wide", 1280)
    typed = ("draw", "pets", each.name, "--runs", runs)
    for options, said in (
        (
            ("--decoder", wide, "--adapter", adapter_of(wide)),
            "reads image embeddings 1280 wide, of OpenCLIP ViT-bigG/14",
        ),
        (
            ("--decoder", "flux"),
            "reads image embeddings 768 wide, of CLIP ViT-L/14, and the stack tiny-1 imagines them 16",
        ),
        (("--scale", 0.5), "--scale needs --decoder"),
        (("--adapter", adapter_of(wide)), "--adapter needs --decoder"),
        (asked(folders, "karlo", "--scale", 0.5), "the decoder karlo has no --scale: leave it out"),
        (("--decoder", "sdlx"), "there is no decoder 'sdlx': did you mean sdxl"),
        (("--decoder", folders["sdxl"] / "unet"), "model_index.json is missing"),
        (("--decoder", "sdxl", "--scale", 9), "scale = 9.0: expected 0.0 to 2.0"),
        ((*asked(folders, "sdxl")[:-2], "--steps", 0), "steps = 0: expected 1 to 1000"),
    ):
        assert said in one_line(*typed, *options)
    morph = ("draw", "pets", "--morph", each.name, each.name, "--runs", runs)
    assert "--decoder is not for a morph" in one_line(*morph, "--decoder", "sdxl")
    assert not Run.open(runs / "pets").renderings()


def test_damaged_tables_of_them_are_named_and_the_rest_is_read(runs, folders):
    drawn(runs, folders, "karlo")
    drawn(runs, folders, "karlo", "--seed", 5)
    run = Run.open(runs / "pets")
    first, _ = sorted((run.folder / "renderings").glob("*.parquet"))
    first.write_bytes(first.read_bytes()[:-20])
    shutil.rmtree(run.folder / ".index", ignore_errors=True)
    damage = []
    assert [d.seed for d in Run.open(run.folder).renderings(damage=damage)] == [5] and len(damage) == 1
    assert not check(Run.open(run.folder)).whole
