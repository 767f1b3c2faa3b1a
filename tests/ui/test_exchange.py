"""export → import gives the same concept, vectors bit for bit, drawings pixel for pixel; one line for what cannot."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from core.concept import Concept, Negative, Positive, Request
from core.exchange import FORMS, read_embedding, read_sidecar
from core.png import strangers_texts
from core.settings import Settings
from evolve import Run, develop
from evolve.operators import Portraits, mate
from evolve.store.captions import shown_by
from tests.families import STACK
from tests.typed import good, one_line, run
from ui.exporting import provenance_of
from ui.pictures import CANDIDATES

EXAMPLE = Path(__file__).parents[2] / "runs" / "example"

QUICK = Settings(steps=2, segment=1, learning_rate=1e-2, prior_steps=3, guidance_scale=2.0)


@pytest.fixture(scope="module")
def pets(backbone, tmp_path_factory) -> Run:
    """Two founders and their child, of two vectors each."""
    made = Run.create(tmp_path_factory.mktemp("runs") / "pets", "pet", backbone)
    requests = [Request("pet", negatives=("cat", "dog"), seed=n, tokens=2, settings=QUICK) for n in (1, 2)]
    one, two = develop(requests, backbone, made)
    settings = Settings(steps=1, prior_steps=3, guidance_scale=2.0)
    develop([mate([(one, 0.7), (two, 0.3)], backbone, 3, portraits=Portraits(2, 1), settings=settings)], backbone, made)
    return made


@pytest.fixture
def runs(pets, tmp_path) -> Path:
    """A copy of them, for tests that write."""
    shutil.copytree(pets.folder, tmp_path / "runs" / "pets")
    return tmp_path / "runs"


def names(runs: Path, name: str = "pets") -> list[str]:
    return [each.name for each in Run.open(runs / name).individuals()]


def pixels(file: Path) -> np.ndarray:
    with Image.open(file) as picture:
        return np.asarray(picture)


# export


def test_export_writes_the_embedding_a_sidecar_and_a_sheet(runs, tmp_path):
    one, _, child = Run.open(runs / "pets").individuals()
    to = tmp_path / "to"
    shown = good("export", "pets", child.name, one.name, child.name, "--to", to, "--runs", runs)
    files = [f"{name}{ending}" for name in (child.name, one.name) for ending in (".json", ".png", ".safetensors")]
    assert sorted(os.listdir(to)) == sorted(files)
    assert f"{child.name}: {to / child.name}.safetensors, with {child.name}.json and {child.name}.png" in shown
    assert "only Conceptree can use it" in shown
    found = read_embedding(to / f"{child.name}.safetensors")
    assert found.token == f"<{child.name}>" and found.vectors.tobytes() == child.concept.vectors.tobytes()
    with Image.open(to / f"{child.name}.png") as page:
        assert page.width > 300
    assert len(Run.open(runs / "pets").drawings(child.id)) == 3, "drawings for the sheet are kept in the run"


def test_the_sidecar_says_how_it_came_to_be(runs, tmp_path):
    one, two, child = Run.open(runs / "pets").individuals()
    good("export", "pets", child.name, one.name, "--to", tmp_path, "--runs", runs)
    about = read_sidecar(tmp_path / f"{child.name}.json")
    assert about["category"] == "pet" and about["seed"] == 3 and about["run"] == "pets" and about["generation"] == 1
    assert [(p["name"], p["id"], p["weight"]) for p in about["parents"]] == [
        (one.name, one.id, 0.7), (two.name, two.id, 0.3)
    ]  # fmt: skip
    portrait, *others = about["drawings"]
    assert portrait["prompt"] == "a photo of a {}" and 1 <= portrait["seed"] <= CANDIDATES, "the best of several"
    assert len(others) == 2 and all(each["seed"] == 1 for each in others)
    assert about["stack"] == {"version": "tiny-1", "fingerprint": child.concept.fingerprint}
    assert about["licence"].startswith("The vectors are their maker's own work") and "tiny-1" in about["licence"]
    assert (about["token"], about["vectors"], about["width"]) == (f"<{child.name}>", 2, 16)
    assert (about["file"], about["form"]) == (f"{child.name}.safetensors", "safetensors")
    assert [n["word"] for n in read_sidecar(tmp_path / f"{one.name}.json")["negatives"]] == ["cat", "dog"]


def test_the_embedded_stack_has_its_licences_in_the_sidecar(pets):
    about = pets.about | {"stack": pets.about["stack"] | {"where": "emoji"}}
    licence = provenance_of(Run(pets.folder, about), pets.individuals()[0], {})["licence"]
    assert "MIT, Apache-2.0 and CC BY 4.0" in licence and "core/emoji/CARD.md" in licence


def test_pictures_alone_say_inside_what_they_show(runs, tmp_path):
    one, *_ = Run.open(runs / "pets").individuals()
    to = tmp_path / "to"
    arguments = ("export", "pets", one.name, "--format", "pictures", "--to", to, "--runs", runs)
    said = one_line(*arguments)
    assert f"'{one.name}' has no drawing to export: `conceptree draw` makes some" in said and not to.exists()
    good("draw", "pets", one.name, "--runs", runs)
    shown = good(*arguments)
    drawings = Run.open(runs / "pets").drawings(one.id)
    assert sorted(os.listdir(to)) == [f"{one.name}-{number:02d}.png" for number in range(1, len(drawings) + 1)]
    assert f"{one.name}: {to / one.name}-01.png" in shown
    told = shown_by(strangers_texts((to / f"{one.name}-01.png").read_bytes()))
    assert told is not None and (told.id, told.prompt, told.seed) == (one.id, drawings[0].prompt, drawings[0].seed)
    assert "is there already: --force replaces it" in one_line(*arguments)
    (line,) = run(*arguments, "--force", "--json").stdout.splitlines()
    assert json.loads(line)["files"] == [str(to / name) for name in sorted(os.listdir(to))]


def test_export_prints_json_lines(runs, tmp_path):
    one, two = names(runs)[:2]
    result = run("export", "pets", one, two, "--format", "a1111", "--to", tmp_path, "--runs", runs, "--json")
    first, second = map(json.loads, result.stdout.splitlines())
    assert (first["name"], second["name"]) == (one, two)
    for key, ending in (("file", ".pt"), ("sidecar", ".json"), ("sheet", ".png")):
        assert first[key] == str(tmp_path / f"{one}{ending}") and Path(first[key]).is_file()
    assert (first["token"], first["vectors"], first["width"], first["form"]) == (f"<{one}>", 2, 16, "a1111")


def test_export_never_overwrites_unless_it_shall(runs, tmp_path):
    one, two = names(runs)[:2]
    (tmp_path / f"{two}.json").write_text("mine")
    arguments = ("export", "pets", one, two, "--to", tmp_path, "--runs", runs)
    assert f"{two}.json' is there already: --force replaces it" in one_line(*arguments)
    assert not (tmp_path / f"{one}.safetensors").exists() and (tmp_path / f"{two}.json").read_text() == "mine"
    good(*arguments, "--force")
    assert read_sidecar(tmp_path / f"{two}.json")["name"] == two


def test_export_needs_no_stack_for_what_was_drawn_before(runs, tmp_path):
    one = names(runs)[0]
    made = Run.open(runs / "pets")
    good("export", "pets", one, "--to", tmp_path / "before", "--runs", runs)
    about = made.about | {"stack": made.about["stack"] | {"where": str(tmp_path / "gone")}}
    (made.folder / "run.json").write_text(json.dumps(about))
    good("export", "pets", one, "--to", tmp_path / "after", "--runs", runs)
    assert np.array_equal(pixels(tmp_path / "before" / f"{one}.png"), pixels(tmp_path / "after" / f"{one}.png"))
    shown = good("export", "pets", names(runs)[1], "--to", tmp_path / "after", "--runs", runs)
    assert "No sheet of drawings: there is no stack" in shown
    assert (tmp_path / "after" / f"{names(runs)[1]}.safetensors").is_file()


def test_a_stack_that_cannot_draw_gives_no_sheet_and_says_so(stack_folder, runs, tmp_path):
    one = names(runs)[0]
    shown = good("export", "pets", one, "--to", tmp_path, "--runs", runs, "--model", stack_folder / "prior")
    assert "No sheet of drawings: the stack prior has no decoder" in shown
    assert not (tmp_path / f"{one}.png").exists() and (tmp_path / f"{one}.json").is_file()


def test_export_refuses_in_one_line(runs, tmp_path):
    assert "there is no concept 'nobody'" in one_line("export", "pets", "nobody", "--to", tmp_path, "--runs", runs)
    assert "there is no run 'dogs'" in one_line("export", "dogs", "nobody", "--to", tmp_path, "--runs", runs)
    assert run("export", "pets", "--runs", runs).exit_code == 2
    (tmp_path / "file").touch()
    said = one_line("export", "pets", names(runs)[0], "--to", tmp_path / "file" / "to", "--runs", runs)
    assert "cannot be written" in said


def test_a_name_that_somebody_gave_is_no_path(runs, tmp_path):
    made = Run.open(runs / "pets")
    one, two = made.individuals()[:2]
    made.note(one.id, name="Whisker red fin's")
    to = tmp_path / "to"
    good("export", "pets", one.id, "--to", to, "--runs", runs)
    assert (to / "Whisker red fin_s.safetensors").is_file() and len(os.listdir(to)) == 3
    good("export", "pets", one.id, "--to", to, "--runs", runs, "--format", "conceptlab", "--force")
    assert read_embedding(to / "Whisker red fin_s.pt").token == "whiskerredfins"
    made.note(two.id, name="Whisker red fin.s")
    said = one_line("export", "pets", one.id, two.id, "--to", to, "--runs", runs, "--force")
    assert "would both be 'Whisker red fin_s.safetensors'" in said


# import


@pytest.mark.parametrize("form", FORMS)
def test_export_and_import_give_vectors_bit_for_bit_and_drawings_pixel_for_pixel(runs, stack_folder, tmp_path, form):
    before = Run.open(runs / "pets")
    each = before.individuals()[0]
    good("export", "pets", each.name, "--format", form, "--to", tmp_path, "--runs", runs)
    (file,) = (path for path in tmp_path.glob(f"{each.name}.*") if path.suffix not in (".json", ".png"))
    shown = good("import", file, "--runs", runs, "--model", stack_folder)
    after = Run.open(runs / "pet")
    (found,) = after.individuals()
    assert f"{file.name} is {each.name}: pet, 2 vectors, in {runs / 'pet'}" in shown and "Next:" in shown
    assert found.concept.vectors.tobytes() == each.concept.vectors.tobytes()
    assert np.allclose(found.concept.image_embed, each.concept.image_embed, atol=1e-6)
    assert (found.name, found.generation, found.concept.steps) == (each.name, 0, 0)
    pairs = list(zip(before.drawings(each.id), after.drawings(found.id), strict=True))
    assert len(pairs) == 3
    for old, new in pairs:
        assert (old.prompt, old.seed) == (new.prompt, new.seed) and np.array_equal(pixels(old.file), pixels(new.file))


def test_what_is_drawn_after_import_is_what_was_drawn_before_it_pixel_for_pixel(runs, stack_folder, tmp_path):
    """In any prompt and seed, also of a child, and of what goes through a second run."""
    child = Run.open(runs / "pets").individuals()[2]
    asked = ("--prompt", "a drawing of a {} in the style of blue", "--seed", 7, "--images", 2, "--runs", runs)
    good("draw", "pets", child.name, *asked)
    good("export", "pets", child.name, "--to", tmp_path / "1", "--runs", runs)
    good(
        "import", tmp_path / "1" / f"{child.name}.safetensors", "--run", "two", "--runs", runs, "--model", stack_folder
    )
    good("draw", "two", child.name, *asked)
    good("export", "two", child.name, "--format", "npz", "--to", tmp_path / "2", "--runs", runs)
    good("import", tmp_path / "2" / f"{child.name}.npz", "--run", "three", "--runs", runs, "--model", stack_folder)
    good("draw", "three", child.name, *asked)
    drawn = []
    for name in ("pets", "two", "three"):
        made = Run.open(runs / name)
        found = {(d.prompt, d.seed): pixels(d.file) for d in made.drawings(made.find(child.name).id)}
        assert len(found) == 5
        drawn.append(found)
    for other in drawn[1:]:
        assert all(np.array_equal(drawn[0][key], picture) for key, picture in other.items())


def test_what_the_sidecar_says_comes_into_the_record(runs, stack_folder, tmp_path):
    one, two, child = Run.open(runs / "pets").individuals()
    good("export", "pets", child.name, one.name, "--to", tmp_path, "--runs", runs)
    files = tmp_path / f"{child.name}.safetensors", tmp_path / f"{one.name}.safetensors"
    good("import", *files, "--runs", runs, "--model", stack_folder, "--run", "guests")
    guests = Run.open(runs / "guests")
    first, second = guests.individuals()
    assert (first.generation, first.concept.request.parents) == (0, ())
    assert [negative.word for negative in second.concept.negatives] == ["cat", "dog"]
    assert second.concept.request.positives == (Positive("pet"),) and second.concept.request.seed == 1
    chosen = second.concept.request.chosen
    assert (chosen.steps, chosen.prior_steps, chosen.guidance_scale) == (0, 3, 2.0)
    comment = guests.notes()[first.id].comment
    assert f"there it is {child.name} of the run pets, on tiny-1" in comment
    assert f"child of 0.7 {one.name} + 0.3 {two.name}" in comment
    kept = read_sidecar(guests.folder / "imports" / f"{first.id}.json")
    assert [parent["id"] for parent in kept["parents"]] == [one.id, two.id]


def test_what_export_wrote_beside_an_embedding_is_left_out(runs, stack_folder, tmp_path):
    one, two, _ = names(runs)
    to = tmp_path / "to"
    good("export", "pets", one, two, "--to", to, "--runs", runs)
    (to / one).mkdir()  # its drawings, as the workbench's zip has them
    every = sorted(to.iterdir())
    assert len(every) == 7
    shown = good("import", *every, "--run", "theirs", "--runs", tmp_path, "--model", stack_folder)
    beside = ", ".join(path.name for path in every if path.suffix != ".safetensors")
    assert f"Left out, since they belong to embeddings that are named too: {beside}" in shown
    assert set(names(tmp_path, "theirs")) == {one, two}
    assert {each.birth for each in Run.open(tmp_path / "theirs").entries()} == {"imported"}
    assert [each.birth for each in Run.open(runs / "pets").entries()] == ["founder", "founder", "mix"]
    said = one_line("import", to / f"{one}.png", "--runs", tmp_path)
    assert f"shows {one} (" in said and "no run here has it" in said, "a sheet alone names its concept"


def test_an_imported_concept_has_children_and_tells_where_it_was_learned(runs, backbone, stack_folder, tmp_path):
    each = Run.open(runs / "pets").individuals()[2]
    good("export", "pets", each.name, "--to", tmp_path / "1", "--runs", runs)
    path = tmp_path / "1" / f"{each.name}.safetensors"
    good("import", path, "--runs", runs, "--run", "guests", "--model", stack_folder)
    guests = Run.open(runs / "guests")
    (found,) = guests.individuals()
    develop([mate([(found.concept, 1.0)], backbone, 1, portraits=Portraits(2, 1), settings=QUICK)], backbone, guests)
    assert [one.generation for one in guests.individuals()] == [0, 1]
    good("export", "guests", each.name, "--to", tmp_path / "2", "--runs", runs)
    again = read_sidecar(tmp_path / "2" / f"{each.name}.json")
    assert again["origin"]["id"] == each.id and again["origin"]["parents"][0]["weight"] == 0.7
    assert again["licence"] == read_sidecar(path.with_suffix(".json"))["licence"]
    good(
        "import", tmp_path / "2" / f"{each.name}.safetensors", "--runs", runs, "--run", "more", "--model", stack_folder
    )
    good("export", "more", each.name, "--to", tmp_path / "3", "--runs", runs)
    assert read_sidecar(tmp_path / "3" / f"{each.name}.json")["origin"]["id"] == each.id, "the first, not the last"


def test_a_published_embedding_comes_into_a_run_that_is_there(runs, tmp_path):
    torch.save({"<cat-toy>": torch.arange(1.0, 17.0)}, tmp_path / "learned_embeds.bin")
    shown = good("import", tmp_path / "learned_embeds.bin", "--run", "pets", "--runs", runs)
    made = Run.open(runs / "pets")
    found = made.find("cat-toy")
    assert found.concept.vectors.tolist() == [list(range(1, 17))] and found.concept.request.category == "pet"
    assert "learned_embeds.bin is cat-toy: pet, 1 vector" in shown and len(made.individuals()) == 4
    assert made.notes()[found.id].comment == "imported from learned_embeds.bin"
    again = good("import", tmp_path / "learned_embeds.bin", "--run", "pets", "--runs", runs)
    assert "cat-toy, which the run has already" in again and len(made.individuals()) == 4
    good("export", "pets", "cat-toy", "--to", tmp_path, "--runs", runs)
    about = read_sidecar(tmp_path / "cat-toy.json")
    assert about["licence"] == "Unknown: it was imported from learned_embeds.bin, which names none."


def test_names_are_what_is_asked_for_or_else_free(runs, tmp_path):
    one = names(runs)[0]
    save_file({f"<{one}>": torch.ones(1, 16)}, tmp_path / "x.safetensors")
    save_file({"../../<b>": torch.ones(1, 16) * 2}, tmp_path / "y.safetensors")
    shown = good("import", tmp_path / "x.safetensors", tmp_path / "y.safetensors", "--run", "pets", "--runs", runs)
    assert f"the name {one!r} is taken" in shown and "'../../<b' is not a valid name of a concept" in shown
    born = names(runs)[-2:]
    assert f"x.safetensors is {born[0]}" in shown and f"y.safetensors is {born[1]}" in shown
    save_file({"<a>": torch.ones(1, 16) * 3}, tmp_path / "z.safetensors")
    good("import", tmp_path / "z.safetensors", "--run", "pets", "--runs", runs, "--name", "Whiskerfin")
    assert names(runs)[-1] == "Whiskerfin"
    save_file({"<a>": torch.ones(1, 16) * 4}, tmp_path / "z.safetensors")
    said = one_line("import", tmp_path / "z.safetensors", "--run", "pets", "--runs", runs, "--name", "a/b")
    assert "'a/b' is not a valid name of a concept" in said and f"it is in the run as {names(runs)[-1]}" in said


def test_import_prints_json_lines(runs, stack_folder, tmp_path):
    save_file({"<a>": torch.ones(1, 16).half()}, tmp_path / "a.safetensors")
    result = run(
        "import", tmp_path / "a.safetensors", "--category", "fruit", "--runs", runs, "--model", stack_folder, "--json"
    )
    (line,) = result.stdout.splitlines()
    found = json.loads(line)
    (each,) = Run.open(runs / "fruit").individuals()
    assert (found["name"], found["id"], found["run"], found["known"]) == ("a", each.id, "fruit", False)
    assert found["notes"] == ["its numbers were float16, and are float32 now"]


def test_styles_come_and_go(stack_folder, tmp_path):
    save_file({"<brush>": torch.ones(1, 16)}, tmp_path / "brush.safetensors")
    arguments = ("--runs", tmp_path / "runs", "--model", stack_folder)
    good("import", tmp_path / "brush.safetensors", "--category", "painting", "--style", *arguments)
    assert Run.open(tmp_path / "runs" / "painting").find("brush").concept.request.kind == "style"
    good("export", "painting", "brush", "--to", tmp_path / "to", "--runs", tmp_path / "runs")
    again = tmp_path / "to" / "brush.safetensors"
    good("import", again, *arguments)
    assert Run.open(tmp_path / "runs" / "painting-2").find("brush").concept.request.kind == "style"
    save_file({"<a>": torch.ones(1, 16)}, tmp_path / "a.safetensors")
    good("import", tmp_path / "a.safetensors", "--category", "pet", *arguments)
    assert "is of kind style, and the run 'pet' of kind object" in one_line("import", again, "--run", "pet", *arguments)


def test_a_stack_without_decoder_takes_them_too(stack_folder, tmp_path):
    save_file({"<a>": torch.ones(1, 16)}, tmp_path / "a.safetensors")
    arguments = ("--runs", tmp_path, "--model", stack_folder / "prior", "--category", "pet")
    assert "has no decoder, so nothing is drawn" in good("import", tmp_path / "a.safetensors", *arguments)


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "a.safetensors"
    save_file({"<a>": torch.ones(1, 16)}, path)
    return path


def refused(file: Path, stack_folder: Path, *arguments: object) -> str:
    """The line that is said, and that nothing is left of the attempt."""
    runs = file.parent / "runs"
    said = one_line("import", file, "--runs", runs, "--model", stack_folder, *arguments)
    assert not runs.exists()
    return said


def test_another_stacks_width_is_one_clear_line(stack_folder, tmp_path):
    for width, belongs in ((768, "CLIP ViT-L/14"), (1280, "OpenCLIP ViT-bigG/14"), (192, "learned on another one")):
        torch.save({"<a>": torch.ones(1, width)}, tmp_path / "a.pt")
        said = refused(tmp_path / "a.pt", stack_folder, "--category", "pet")
        assert f"a.pt' is {width} wide, the stack tiny-1 16" in said and belongs in said and "--model" in said


def test_import_refuses_in_one_line_and_leaves_nothing(file, stack_folder):
    assert "has no category" in refused(file, stack_folder)
    assert "does not know the category 'dragon'" in refused(file, stack_folder, "--category", "dragon")
    assert "expected at most 80" in refused(file, stack_folder, "--category", "a {}")
    assert "is not a valid name of a run" in refused(file, stack_folder, "--category", "pet", "--run", "../pets")
    assert "is for one file, and 2 are named" in refused(file, stack_folder, file, "--name", "a")
    assert "are one concept: name one of them" in refused(file, stack_folder, file, "--category", "pet")
    file.write_bytes(file.read_bytes()[:-1])
    assert "is damaged or not a .safetensors file" in refused(file, stack_folder, "--category", "pet")


def test_nan_and_other_harm_leave_a_run_as_it_was(runs, tmp_path):
    save_file({"<a>": torch.tensor([[1.0] * 15 + [float("nan")]])}, tmp_path / "a.safetensors")
    before = {path: path.read_bytes() for path in (runs / "pets").rglob("*") if path.is_file()}
    said = one_line("import", tmp_path / "a.safetensors", "--run", "pets", "--runs", runs)
    assert "has NaN or infinity in vector 1 of 1" in said
    assert {path: path.read_bytes() for path in (runs / "pets").rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({"settings": {"prior_steps": 10**9}}, "prior_steps = 1000000000: expected at most 1000"),
        ({"settings": {"tempo": 1}}, "unknown setting 'tempo'"),
        ({"settings": {"betas": 5}}, "is not as Conceptree writes it (TypeError"),
        ({"settings": 5}, "is not as Conceptree writes it"),
        ({"negatives": [{"wort": "cat"}]}, "is not as Conceptree writes it (KeyError: 'word')"),
        ({"negatives": 5}, "is not as Conceptree writes it"),
        ({"parents": [{"weight": "x"}]}, "is not as Conceptree writes it"),
        ({"positives": [{"word": "pet", "weight": -1}]}, "has weight -1"),
        ({"seed": "x"}, "seed = 'x'"),
        ({"category": ["pet"]}, "category = ['pet']: expected a word"),
        ({"category": "a\x1b[31m"}, "has a control character"),
        ({"stack": "emoji"}, "is not as Conceptree writes it"),
        (
            {"stack": {"fingerprint": "feed", "version": "emoji-0\x1b[31m"}},
            "was learned on the stack emoji-0�[31m (feed)",
        ),
    ],
)
def test_provenance_of_strangers_is_checked(file, stack_folder, about, said):
    save_file(
        {"<a>": torch.ones(1, 16)}, file, {"conceptree": json.dumps({"conceptree": 1, "category": "pet"} | about)}
    )
    assert said in refused(file, stack_folder)


def test_words_that_the_stack_does_not_know_are_left_out(file, stack_folder):
    words = ["dragon", "Cat", "cat", "PET", "dog", "\ud800"]
    about = {"conceptree": 1, "category": "pet", "negatives": [{"word": word} for word in words]}
    about["positives"] = [{"word": "pet", "weight": 1}, {"word": "zeppelin", "weight": 2}]
    save_file({"<a>": torch.ones(1, 16)}, file, {"conceptree": json.dumps(about)})
    shown = good("import", file, "--runs", file.parent, "--model", stack_folder)
    (each,) = Run.open(file.parent / "pet").individuals()
    assert {negative.word.lower() for negative in each.concept.negatives} == {"cat", "dog"}
    assert each.concept.request.positives == (Positive("pet"),)
    assert "does not know" in shown and "'dragon'" in shown and "'zeppelin'" in shown


def test_a_sidecar_of_other_vectors_or_other_people_is_left_out(file, runs, stack_folder):
    one = names(runs)[0]
    good("export", "pets", one, "--to", file.parent, "--runs", runs)
    shutil.copy(file.parent / f"{one}.json", file.with_suffix(".json"))
    shown = good("import", file, "--category", "fruit", "--runs", runs, "--model", stack_folder)
    assert "a.json, which lies beside it, is of other vectors: left out" in shown
    assert Run.open(runs / "fruit").individuals()[0].concept.negatives == ()
    file.with_suffix(".json").write_text('{"sd version": "1.5"}')
    shown = good("import", file, "--category", "fruit", "--runs", runs, "--model", stack_folder)
    assert "is not Conceptree's: left out" in shown
    file.with_suffix(".json").write_text('{"conceptree": 1, "cat')
    assert "a.json' has provenance that is not JSON" in one_line("import", file, "--category", "fruit", "--runs", runs)


def test_another_stack_of_a_shared_token_space_is_told(file, stack_folder, monkeypatch):
    monkeypatch.setattr("ui.importing.TOKEN_SPACES", {16: "a space of two"})
    about = {"conceptree": 1, "category": "pet", "stack": {"fingerprint": "feed", "version": "emoji-0"}}
    save_file({"<a>": torch.ones(1, 16)}, file, {"conceptree": json.dumps(about)})
    shown = good("import", file, "--runs", file.parent, "--model", stack_folder)
    assert "learned on the stack emoji-0 (feed)" in shown and "the tokens are alike" in shown


def test_a_run_that_nothing_came_into_is_not_left(file, stack_folder, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("ui.importing.develop", stopped)
    arguments = ("--category", "pet", "--runs", file.parent / "runs", "--model", stack_folder)
    assert run("import", file, *arguments).exit_code == 130
    assert not (file.parent / "runs" / "pet").exists()


def test_a_learned_concept_is_given_with_all_its_negatives(backbone, tmp_path):
    """Those that were found while it learned are no part of its request."""
    made = Run.create(tmp_path / "runs" / "pets", "pet", backbone)
    request = Request("pet", seed=7, settings=QUICK)
    negatives = (Negative("cat", 1, "vqa", "nearest"),)
    vectors = np.ones((1, 16), np.float32)
    made.add([Concept("0123456789abcdef", request, vectors, vectors[0], negatives, fingerprint=backbone.fingerprint)])
    (each,) = made.individuals()
    about = provenance_of(made, each, {})
    assert about["negatives"] == [{"word": "cat", "step": 1, "by": "vqa", "note": "nearest"}]


# A file of another stack than the run's


def command_in(said: str) -> list[str]:
    """The words of the command for a new run that a line names."""
    return shlex.split(said.partition("For a new run: ")[2])


def test_a_file_that_is_wider_than_the_run_names_the_command_for_a_new_run(pets, tmp_path):
    wide = tmp_path / "my embeds.bin"
    torch.save({"<a>": torch.ones(768)}, wide)
    arguments = ("--run", "pets", "--category", "pet", "--runs", pets.folder.parent)
    said = one_line("import", wide, *arguments, "--model", "kandinsky-2.1")  # which is not fetched for that
    assert "my embeds.bin' is 768 wide, the run 'pets' 16, on the stack tiny-1: it belongs to CLIP ViT-L/14" in said
    words = ["conceptree", "import", str(wide), "--run", "pets-2", "--category", "pet"]
    assert command_in(said) == [*words, "--runs", str(pets.folder.parent), "--model", "kandinsky-2.1"]
    assert command_in(one_line("import", wide, *arguments))[-2:] == ["--model", "STACK"]


def test_a_run_of_the_embedded_stack_takes_none_of_the_hub_and_asks_the_hub_nothing(tmp_path, monkeypatch):
    def fetched(*_, **__):
        raise AssertionError("a stack was fetched for a run that it does not fit")

    monkeypatch.setattr("ui.importing.open_stack", fetched)
    shutil.copytree(EXAMPLE, tmp_path / "example")
    alike = tmp_path / "embeds.bin"
    torch.save({"<a>": torch.ones(192)}, alike)
    said = one_line("import", alike, "--run", "example", "--runs", tmp_path, "--model", "kandinsky-2.1")
    assert "the run 'example' is of the stack emoji-3, not of 'kandinsky-2.1'. For a new run:" in said
    assert command_in(said)[-2:] == ["--model", "kandinsky-2.1"]


def test_a_run_of_another_stack_names_the_command_for_a_new_run_which_works(file, stack_folder, tmp_path):
    Run.create(tmp_path / "others", "pet", STACK)
    where = ("--category", "pet", "--runs", tmp_path, "--model", stack_folder)
    said = one_line("import", file, "--run", "others", *where)
    assert "the run 'others' needs the stack tiny-1 (f), but" in said
    shown = good(*command_in(said)[1:])
    assert "Next:" in shown and len(Run.open(tmp_path / "others-2").entries()) == 1


def test_a_run_of_another_kind_names_the_command_for_a_new_run(pets, file):
    said = one_line("import", file, "--run", "pets", "--style", "--category", "pet", "--runs", pets.folder.parent)
    assert "'--style' is of kind style, and the run 'pets' of kind object" in said
    assert "--style" in command_in(said) and "pets-2" in command_in(said)
