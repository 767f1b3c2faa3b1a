"""Stacks with other priors, from the command line: learn, breed, draw, export."""

from __future__ import annotations

import json

import pytest
from safetensors.torch import load_file

from evolve import Run
from tests.stacks import save_eclipse, save_karlo, save_stack
from tests.typed import good, one_line

QUICK = ("--steps", "2", "--segment", "1")


@pytest.fixture(scope="module")
def eclipse(tmp_path_factory):
    """The stack line of an ECLIPSE prior with the encoders and the decoder of Kandinsky 2.2."""
    folder = tmp_path_factory.mktemp("eclipse")
    save_stack(folder / "2.2", family="2.2", length=77, published_eos=True)
    save_eclipse(folder / "eclipse", length=77)
    for name in ("vocabulary.json", "stack.json"):
        (folder / "eclipse" / name).write_bytes((folder / "2.2" / name).read_bytes())
    about = json.loads((folder / "2.2/stack.json").read_text())
    (folder / "eclipse/stack.json").write_text(json.dumps(about | {"version": "tiny-eclipse"}))
    return "+".join(str(folder / each) for each in ("eclipse", "2.2/prior", "2.2/decoder"))


def test_eclipse_seeds_breeds_draws_and_exports(eclipse, tmp_path):
    where = ("--runs", tmp_path / "runs")
    good("seed", "pet", *QUICK, *where, "--run", "pets", "--founders", 2, "--model", eclipse, "--vlm", "none")
    run = Run.open(tmp_path / "runs/pets")
    assert run.about["stack"]["where"] == eclipse and run.about["stack"]["version"] == "tiny-eclipse"
    one, two = run.individuals()
    good("breed", "pets", "--parent", f"{one.name}:0.7", "--parent", f"{two.name}:0.3", "--steps", 2, *where)
    (child,) = [each for each in Run.open(run.folder).individuals() if each.generation]
    assert {parent.id for parent in child.concept.request.parents} == {one.id, two.id}
    good("draw", "pets", child.name, *where, "--prompt", "a painting of a {}", "--images", 2)
    assert len([each for each in run.drawings(child.id) if each.prompt == "a painting of a {}"]) == 2
    good("export", "pets", child.name, *where, "--to", tmp_path / "out", "--format", "image")
    (file,) = (tmp_path / "out").glob("*.image.safetensors")
    assert load_file(file)["image_embeds"].shape == (7, 16)


def test_karlo_seeds_and_breeds_without_drawing(tmp_path):
    karlo = save_karlo(tmp_path / "karlo")
    where = ("--runs", tmp_path / "runs")
    good("seed", "pet", *QUICK, *where, "--run", "pets", "--founders", 2, "--model", karlo)
    one, two = Run.open(tmp_path / "runs/pets").individuals()
    good("breed", "pets", "--parent", one.name, "--parent", two.name, "--steps", 2, *where)
    assert len(Run.open(tmp_path / "runs/pets").individuals()) == 3
    assert "has no decoder: it can learn, but not draw" in one_line("draw", "pets", one.name, *where)
    good("export", "pets", one.name, *where, "--to", tmp_path / "out", "--format", "image")
