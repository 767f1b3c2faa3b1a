"""draw --morph: the mixtures from one concept to another as an animated picture."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageSequence

from core import Settings
from core.depict import draw_concept
from evolve import Run, populate
from tests.typed import good, one_line, run
from ui.webp import END, FRAME, animation_bytes

QUICK = Settings(steps=2, segment=1, learning_rate=1e-2)


@pytest.fixture(scope="module")
def pets(backbone, tmp_path_factory) -> Run:
    made = Run.create(tmp_path_factory.mktemp("runs") / "pets", "pet", backbone)
    made.add(populate("pet", 2, backbone, request={"settings": QUICK, "negatives": ("cat",)}))
    return made


@pytest.fixture(scope="module")
def names(pets) -> list[str]:
    return [each.name for each in pets.individuals()]


def frames_of(file) -> list[tuple[np.ndarray, int]]:
    """(pixels, milliseconds) of each frame."""
    with Image.open(file) as opened:
        assert (opened.format, opened.info["loop"]) == ("WEBP", 0)
        return [
            (np.asarray(frame.convert("RGB"), dtype=int), frame.info["duration"])
            for frame in ImageSequence.Iterator(opened)
        ]


def test_a_morph_goes_to_the_other_and_back_from_the_same_noise(pets, names, backbone, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("ui.morphing.animation_bytes", lambda *given: drawn.extend(given[0]) or animation_bytes(*given))
    to = tmp_path / "m.webp"
    shown = good(
        "draw", "pets", "--morph", *names, "--frames", 4, "--seed", 3, "--to", to, "--runs", pets.folder.parent
    )
    assert f"Drawing 4 frames from {names[0]} to {names[1]} …" in shown and "m.webp" in shown
    assert (len(drawn), len(frames_of(to))) == (4, 6)
    for frame, each in zip((drawn[0], drawn[-1]), pets.individuals(), strict=True):
        own = draw_concept(backbone, each.concept, ["a photo of a {}"], [3])[0]
        assert np.abs(np.asarray(frame, dtype=int) - np.asarray(own, dtype=int)).max() <= 1
    assert len({each.tobytes() for each in drawn}) == 4


def test_equal_calls_write_equal_files_and_another_seed_or_prompt_another(pets, names, tmp_path):
    ways = {
        "one": (),
        "again": (),
        "seed": ("--seed", 5),
        "prompt": ("--prompt", "a pencil sketch of a {}"),
        "back": ("--morph", *reversed(names)),
    }
    found = {}
    for name, way in ways.items():
        to = tmp_path / f"{name}.webp"
        good("draw", "pets", "--morph", *names, "--frames", 3, "--to", to, "--runs", pets.folder.parent, *way)
        found[name] = to.read_bytes()
    assert found["one"] == found["again"] and len(set(found.values())) == 4
    with Image.open(tmp_path / "seed.webp") as opened:
        told = opened.info["xmp"].decode()
    assert f"concepts: {names[0]}, {names[1]}" in told and "seed: 5" in told and "frames: 3" in told


def test_nothing_is_stored_but_the_file(pets, names):
    before = {file for file in pets.folder.rglob("*") if file.is_file()}
    good("draw", "pets", "--morph", *names, "--frames", 2, "--runs", pets.folder.parent)
    new = {file.name for file in pets.folder.rglob("*") if file.is_file()} - {file.name for file in before}
    assert new == {f"morph-{names[0]}-{names[1]}.webp"}


def test_two_long_names_make_a_name_that_a_disk_takes(pets, backbone, tmp_path):
    made = Run.create(tmp_path / "long", "pet", backbone)
    made.add([each.concept for each in pets.individuals()])
    called = ["写" * 80, "猫" * 80]
    for each, name in zip(made.entries(), called, strict=True):
        made.note(each.id, name=name)
    good("draw", "long", "--morph", *called, "--frames", 2, "--runs", tmp_path)
    assert (made.folder / f"morph-{'写' * 36}-{'猫' * 36}.webp").is_file()


@pytest.mark.parametrize(
    ("to", "said"),
    [("file/m.webp", "Not a directory"), ("file/new/m.webp", "Not a directory"), ("m" * 300 + ".webp", "too long")],
)
def test_a_target_that_cannot_be_written_is_told_before_the_stack_is_opened(
    pets, names, tmp_path, monkeypatch, to, said
):
    monkeypatch.setattr("ui.morphing.open_stack_of", lambda *given: pytest.fail("opened"))
    (tmp_path / "file").write_text("")
    line = one_line("draw", "pets", "--morph", *names, "--to", tmp_path / to, "--runs", pets.folder.parent)
    assert said in line and "cannot be written" in line and "choose another --to" in line


def test_the_ends_of_an_animation_stay_longer(tmp_path):
    pictures = [Image.new("RGB", (16, 16), (90 * n, 0, 0)) for n in range(3)]
    (tmp_path / "a.webp").write_bytes(animation_bytes(pictures))
    assert [time for _, time in frames_of(tmp_path / "a.webp")] == [END, FRAME, END, FRAME]
    assert animation_bytes(pictures) == animation_bytes(pictures)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "no concept: name one, or two after --morph"),
        (["{0}", "--morph", "{0}", "{1}"], "a morph has only the two concepts after --morph"),
        (["--morph", "{0}", "--to", "m.webp"], "--morph {0} --to: --morph needs two names"),
        (["--morph", "{0}", "{0}"], "--morph {0} {0}: both are {0}: name two concepts"),
        (["--morph", "{0}", "nobody"], "there is no concept 'nobody'"),
        (["--morph", "{0}", "{1}", "--to", "m.gif"], "'m.gif': a morph is written as .webp"),
        (["--morph", "{0}", "{1}", "--images", "3"], "--images is not for a morph: give --frames"),
        (["--morph", "{0}", "{1}", "--prompt", "a {{}}", "--prompt", "the {{}}"], "2 prompts: a morph has one"),
        (["--morph", "{0}", "{1}", "--prompt", "a dog"], "a dog"),
        (["{0}", "--frames", "3"], "--frames needs --morph NAME NAME"),
        (["{0}", "--to", "m.webp"], "--to needs --morph NAME NAME"),
    ],
)
def test_what_cannot_be_a_morph_is_said_in_one_line(pets, names, words, said):
    given = [word.format(*names) for word in words]
    assert said.format(*names) in one_line("draw", "pets", *given, "--runs", pets.folder.parent)


@pytest.mark.parametrize("frames", ["1", "121", "many"])
def test_too_few_and_too_many_frames_are_refused(pets, names, frames):
    result = run("draw", "pets", "--morph", *names, "--frames", frames, "--runs", pets.folder.parent)
    assert result.exit_code == 2 and "--frames" in result.output
